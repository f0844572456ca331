//! Holding a job while a step of it is done.

use std::pin::pin;
use std::time::Duration;

use credlink_ports::migration::ledger::JobName;
use credlink_ports::migration::{Ledger, Sleep};
use futures_util::future::{Either, select};

use super::LEASE_SECONDS;
use crate::error::RunError;

/// Does `work` while `holder` has the job, and lets it go at the end.
///
/// # Errors
/// Another one has it, or got it because this one could not say in time that it lives; or what `work` answers.
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
            // A ledger that is out of reach is asked again: whoever writes to it meanwhile loses against its versions.
            if let Ok(false) = ledger.claim(holder, LEASE_SECONDS).await {
                break;
            }
        }
    };
    let outcome = match select(pin!(work), pin!(keep)).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(((), _)) => return Err(RunError::Lost(name.clone())),
    };
    // If this fails, the claim ends by itself.
    let _ = ledger.release(holder).await;
    outcome
}
