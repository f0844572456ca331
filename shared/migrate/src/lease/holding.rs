//! Holding a job while a step of it is done.

use std::pin::pin;
use std::time::Duration;

use credlink_ports::migration::ledger::JobName;
use credlink_ports::migration::{Ledger, Sleep};
use futures_util::future::{Either, select};

use super::LEASE_SECONDS;
use crate::error::RunError;

/// Runs `work` while `holder` has the lease of the job, and releases it at the end.
///
/// # Errors
/// Fails if another holder has the lease or got it because this one could not renew it in time, or if `work` fails.
pub async fn hold<L: Ledger, T: Sleep, R>(
    ledger: &L,
    sleep: &T,
    name: &JobName,
    holder: &str,
    work: impl Future<Output = Result<R, RunError>>,
) -> Result<R, RunError> {
    if !ledger.claim(holder, LEASE_SECONDS).await? {
        return Err(RunError::Held(name.clone()));
    }
    let keep = async {
        loop {
            sleep.sleep(Duration::from_secs(LEASE_SECONDS / 4)).await;
            // A ledger that is out of reach is asked again. A concurrent writer is detected by the entries' versions.
            if let Ok(false) = ledger.claim(holder, LEASE_SECONDS).await {
                break;
            }
        }
    };
    let outcome = match select(pin!(work), pin!(keep)).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(((), _)) => return Err(RunError::Lost(name.clone())),
    };
    // If the release fails, the lease expires.
    let _ = ledger.release(holder).await;
    outcome
}
