//! The errors of a step of a job.

use credlink_ports::Failure;
use credlink_ports::migration::ledger::JobName;

use super::lease::LEASE_SECONDS;
use super::patience::GivenUp;
use super::progress::Counts;

/// Why a run ended before its end.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunError {
    /// Another run has the job.
    #[error(
        "another run is working on the job `{0}`; a job has one run at a time, and the lease of a run that was \
         killed ends after {LEASE_SECONDS} s"
    )]
    Held(JobName),
    /// The job moves something else.
    #[error(
        "the job `{name}` has {member} `{kept}`, not `{given}`; a job keeps its source, destination and tenant for ever: \
         take another name"
    )]
    Differs {
        /// The job.
        name: JobName,
        /// What differs.
        member: &'static str,
        /// What the job has.
        kept: String,
        /// What was asked for.
        given: String,
    },
    /// No such job was begun.
    #[error("there is no job `{0}`")]
    Unknown(JobName),
    /// The job is being removed.
    #[error(
        "the job `{0}` is being removed, or its removal was interrupted, so its ledger is incomplete. `credlink \
         migrate remove` completes the removal, and frees the name"
    )]
    Removing(JobName),
    /// The job was taken over by another run while this one could not say that it lives.
    #[error("another run has taken the lease of the job `{0}`")]
    Lost(JobName),
    /// Somebody is out of reach, or an operator has to act. No item failed of that.
    #[error("it was ended, and can be resumed: {failure}")]
    Ended {
        /// Who failed, and how.
        failure: Failure,
        /// What had become of the items by then.
        counts: Box<Counts>,
    },
}

impl From<Failure> for RunError {
    fn from(failure: Failure) -> Self {
        Self::Ended { failure, counts: Box::default() }
    }
}

/// Whether a step was cancelled before its end.
pub(super) fn was_cancelled(end: Result<(), GivenUp>) -> Result<bool, RunError> {
    match end {
        Ok(()) => Ok(false),
        Err(GivenUp::Cancelled) => Ok(true),
        Err(GivenUp::Step(failure) | GivenUp::Item(failure)) => Err(failure.into()),
    }
}
