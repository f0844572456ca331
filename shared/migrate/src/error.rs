//! The errors of a step of a job.

use credlink_ports::Failure;
use credlink_ports::migration::ledger::JobName;

use crate::lease::LEASE_SECONDS;
use crate::progress::Counts;
use crate::retry_policy::GivenUp;

/// The reason why a step stopped early.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunError {
    /// Another run holds the job.
    #[error(
        "another run is working on the job `{0}`; a job has one run at a time, and the lease of a run that was \
         killed ends after {LEASE_SECONDS} s"
    )]
    Held(JobName),
    /// The job of this name has another source, destination or tenant.
    #[error(
        "the job `{name}` has {member} `{kept}`, not `{given}`; a job keeps its source, destination and tenant for ever: \
         take another name"
    )]
    Differs {
        /// The name of the job.
        name: JobName,
        /// The member that differs.
        member: &'static str,
        /// The value in the job.
        kept: String,
        /// The requested value.
        given: String,
    },
    /// There is no job of this name.
    #[error("there is no job `{0}`")]
    Unknown(JobName),
    /// The job is being removed.
    #[error(
        "the job `{0}` is being removed, or its removal was interrupted, so its ledger is incomplete. `credlink \
         migrate remove` completes the removal, and frees the name"
    )]
    Removing(JobName),
    /// Another run claimed the job while this one could not renew its lease.
    #[error("another run has taken the lease of the job `{0}`")]
    Lost(JobName),
    /// A port is out of reach, or an operator has to act. This marks no item as failed.
    #[error("it was ended, and can be resumed: {failure}")]
    Ended {
        /// The failure and its provider.
        failure: Failure,
        /// The outcomes of the items up to then.
        counts: Box<Counts>,
    },
}

impl From<Failure> for RunError {
    fn from(failure: Failure) -> Self {
        Self::Ended { failure, counts: Box::default() }
    }
}

/// Returns `true` if a step was cancelled before its end.
pub(super) fn was_cancelled(end: Result<(), GivenUp>) -> Result<bool, RunError> {
    match end {
        Ok(()) => Ok(false),
        Err(GivenUp::Cancelled) => Ok(true),
        Err(GivenUp::Step(failure) | GivenUp::Item(failure)) => Err(failure.into()),
    }
}
