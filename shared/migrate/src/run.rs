//! A run: copies everything that the source lists, and resumes where the last run ended.

#[cfg(test)]
mod tests;
mod walk;

use credlink_ports::Clock;
use credlink_ports::migration::{Ledger as _, MigrationPorts, Source as _};
use serde::Serialize;

use crate::copy::{Copier, CopyOptions};
use crate::error::RunError;
use crate::job_spec::{JobSpec, open};
use crate::lease::{LEASE_SECONDS, hold};
use crate::progress::{Counts, Watch};
use crate::retry_policy::GivenUp;
use walk::Walk;

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The outcomes of the items.
    pub counts: Counts,
    /// `true` if the run was cancelled before its end. The next run resumes from there.
    pub interrupted: bool,
    /// The duration of the run, in milliseconds.
    pub elapsed_ms: u64,
    /// A description of what could not be read from the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<&'static str>,
}

/// Runs a job: starts it, or resumes it. `holder` identifies this run and must never be reused.
///
/// # Errors
/// Fails as described at [`RunError`]. After any error, the next run resumes from the ledger.
pub async fn run<M: MigrationPorts, W: Watch>(
    ports: &M,
    spec: &JobSpec,
    options: &CopyOptions,
    holder: &str,
    watch: &W,
) -> Result<Run, RunError> {
    hold(ports.ledger(), ports.clock(), &spec.name, holder, async {
        let began = milliseconds(ports.clock());
        let mut job = open(ports.ledger(), ports.clock(), spec).await?;
        let copier = Copier::new(ports, options, watch);
        let mut walk = Walk::new(&copier);
        let end = walk.run().await;
        let mut run = Run {
            counts: walk.counts,
            interrupted: false,
            elapsed_ms: milliseconds(ports.clock()).saturating_sub(began),
            left_behind: ports.source().left_behind(),
        };
        job.left_behind = run.left_behind.map(str::to_owned).or(job.left_behind);
        job.elapsed_ms = job.elapsed_ms.saturating_add(run.elapsed_ms);
        match end {
            Ok(()) => job.listed = Some(ports.clock().now()),
            Err(GivenUp::Cancelled) => run.interrupted = true,
            Err(GivenUp::Step(failure) | GivenUp::Item(failure)) => {
                // The ledger itself may be what failed. Recording the duration of the run is not worth another error.
                if let Ok(true) = ports.ledger().claim(holder, LEASE_SECONDS).await {
                    let _ = ports.ledger().keep_job(&job).await;
                }
                return Err(RunError::Ended { failure, counts: Box::new(run.counts) });
            }
        }
        // If another run has claimed the job, it may have removed it since.
        match copier
            .ports
            .retrier
            .for_step("ledger claim", || ports.ledger().claim(holder, LEASE_SECONDS))
            .await
        {
            Ok(true) => {}
            Ok(false) => return Err(RunError::Lost(spec.name.clone())),
            Err(GivenUp::Cancelled) => return Ok(run),
            Err(GivenUp::Step(failure) | GivenUp::Item(failure)) => {
                return Err(RunError::Ended { failure, counts: Box::new(run.counts) });
            }
        }
        match copier.ports.retrier.for_step("ledger keep_job", || ports.ledger().keep_job(&job)).await {
            Ok(()) | Err(GivenUp::Cancelled) => Ok(run),
            Err(GivenUp::Step(failure) | GivenUp::Item(failure)) => {
                Err(RunError::Ended { failure, counts: Box::new(run.counts) })
            }
        }
    })
    .await
}

/// Returns the clock's milliseconds, for measuring durations.
pub(super) fn milliseconds(clock: &impl Clock) -> u64 {
    clock.monotonic_microseconds() / 1_000
}
