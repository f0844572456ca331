//! The errors of queued work.

use credlink_core::message::{ArrivalsError, MessageError};
use credlink_core::object::ObjectKey;
use credlink_migrate::worker::WorkerError;
use credlink_ports::Failure;
use credlink_ports::migration::jobs::JobError;
use credlink_replication::replicate::Unrepaired;
use credlink_service::error::Error;

use crate::migration::location::LocationError;
use crate::migration::source;

/// A reason why the work of a message was not done. The message stays in its queue and is delivered again.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The text is not a message of CredLink.
    #[error(transparent)]
    Unreadable(#[from] MessageError),
    /// There is one provider, and so nothing to repair.
    #[error("there is no fallback provider: set STORAGE_FALLBACK_PROVIDER")]
    NoFallback,
    /// The index is in doubt, and nothing is repaired by it.
    #[error(transparent)]
    Doubted(Error),
    /// Objects of the message were not repaired. All others were.
    #[error("{}", .0.iter().map(|(_, error)| error.to_string()).collect::<Vec<_>>().join("; "))]
    Unrepaired(Vec<(ObjectKey, Unrepaired)>),
    /// Everything is repaired, but the provider's repair mark could not be cleared.
    #[error(transparent)]
    RepairMark(Failure),
    /// The queue of one machine holds a message of a migration.
    #[error(
        "the queue of one machine runs no migration that was queued; `credlink migrate run` without `--queue` does it here"
    )]
    NoMigrations,
    /// The text is neither a message about an upload nor an event of a bucket.
    #[error(transparent)]
    NoArrival(#[from] ArrivalsError),
    /// The message is about an upload, and this program makes no files.
    #[error(
        "this program makes no files of uploads: messages about uploads belong in the queue that CREDLINK_FILES_QUEUE_URL names"
    )]
    NoFinaliser,
    /// No file was made of an upload yet.
    #[error(transparent)]
    Unfinished(Error),
    /// The table, the queue or a source of a migration failed.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// No table or no queue is set up for migrations.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The source of a job is not a valid location.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The source of a job cannot be opened.
    #[error(transparent)]
    Source(Box<source::OpenError>),
    /// A queued migration must continue later, or belongs to another deployment.
    #[error(transparent)]
    Migration(#[from] WorkerError),
}

impl From<source::OpenError> for WorkError {
    fn from(error: source::OpenError) -> Self {
        Self::Source(Box::new(error))
    }
}

impl WorkError {
    /// Returns `true` if the same work can be retried without intervention: after an outage, or when a store that is
    /// under way has finished. Otherwise an operator must act.
    #[must_use]
    pub fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::Unreadable(_)
            | Self::NoArrival(_)
            | Self::NoFallback
            | Self::NoFinaliser
            | Self::NoMigrations => false,
            Self::Unrepaired(failed) => failed.iter().all(|(_, error)| error.is_worth_a_retry()),
            Self::Doubted(_)
            | Self::Unfinished(_)
            | Self::RepairMark(_)
            | Self::Failed(_)
            | Self::Job(_)
            | Self::Location(_)
            | Self::Source(_)
            | Self::Migration(_) => true,
        }
    }
}
