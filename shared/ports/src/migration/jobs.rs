//! The port through which the API reaches migrations that other processes run: `POST /v1/migrations` begins one, and
//! `GET /v1/migrations/{job}` shows it.

use std::collections::BTreeMap;
use std::future::Future;

use credlink_core::job_name::JobName;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use serde::Serialize;

use super::ledger::{Entry, ItemState, Job, Reason};
use crate::Failure;

/// An operator's request to begin a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRequest {
    /// The job's name.
    pub name: JobName,
    /// The source, as the request names it.
    pub from: String,
    /// The number of items in one message.
    pub batch_size: u32,
    /// The ID of the request, for the logs.
    pub request_id: String,
}

/// A request that was checked against the operator's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedRequest {
    /// The job's name.
    pub name: JobName,
    /// The source, as the operator's configuration names it.
    pub from: String,
    /// The tenant for which legacy records are imported, and the proofs of a CredLink unless they keep their tenants.
    pub tenant: Tenant,
    /// `true` if the proofs of a CredLink keep their tenants.
    pub keep_tenants: bool,
    /// The tenant of the CredLink whose proofs are imported for `tenant`, if the two differ.
    pub from_tenant: Option<Tenant>,
    /// The number of items in one message.
    pub batch_size: u32,
    /// The ID of the request, for the logs.
    pub request_id: String,
}

/// The outcome of a request to begin a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BeginOutcome {
    /// The job, whose source is about to be listed.
    Queued(Job),
    /// Another run holds the lease of the job.
    Held,
    /// A job of this name exists and migrates something else. This is the existing job.
    Differs(Job),
    /// The job is being removed.
    Removing,
}

/// The reasons why a job cannot be begun or shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// A setting is missing here. The text says what to set.
    #[error("{0}")]
    NotConfigured(String),
    /// The request does not name a source that other processes can read. The text says what is allowed.
    #[error("{0}")]
    Source(String),
    /// The source is not on the operator's list. The text names the setting that has the list.
    #[error("{0}")]
    NotListed(String),
    /// A failure of ours.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// A service that begins jobs and reports their progress.
pub trait Jobs {
    /// Begins a job, or another run of it, by queuing a message that has its source listed. The operator's
    /// configuration says which sources are allowed, and for which tenant they are imported.
    fn begin(&self, request: &JobRequest) -> impl Future<Output = Result<BeginOutcome, JobError>>;

    /// Returns the progress of a job, counting items after `after`, or `None` if there is no such job.
    fn progress(
        &self,
        job: &JobName,
        after: Option<&str>,
    ) -> impl Future<Output = Result<Option<Progress>, JobError>>;

    /// Removes a job and its ledger. A job that is not over is removed only if `abandon` is `true`.
    fn remove(&self, job: &JobName, abandon: bool) -> impl Future<Output = Result<RemovalOutcome, JobError>>;
}

/// A service that runs no jobs.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoJobs;

impl NoJobs {
    fn refused() -> JobError {
        JobError::NotConfigured(
            "queued migrations need a table and a queue: set CREDLINK_TABLE and CREDLINK_QUEUE_URL, or migrate on one \
             machine with `credlink migrate run`"
                .to_owned(),
        )
    }
}

impl Jobs for NoJobs {
    async fn begin(&self, _request: &JobRequest) -> Result<BeginOutcome, JobError> {
        Err(Self::refused())
    }

    async fn progress(&self, _job: &JobName, _after: Option<&str>) -> Result<Option<Progress>, JobError> {
        Err(Self::refused())
    }

    async fn remove(&self, _job: &JobName, _abandon: bool) -> Result<RemovalOutcome, JobError> {
        Err(Self::refused())
    }
}

/// The outcome of a removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovalOutcome {
    /// The job is removed.
    Done,
    /// This number of entries is removed, and there are more. The same request continues the removal.
    Partly(u64),
    /// There was no such job.
    Absent,
    /// A run holds the lease of the job.
    Held,
    /// The job is not over.
    Unfinished(Unfinished),
}

/// The reasons why a job is not over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfinished {
    /// The source is not listed to the end.
    #[error("its source is not listed to the end")]
    NotListed,
    /// There was not enough time to check every item.
    #[error("it has more items than can be looked through in one request")]
    TooManyItems,
    /// The item under this key still waits to be copied, and others may, too.
    #[error("items wait to be copied, such as `{0}`")]
    Waiting(String),
}

/// The progress of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Progress {
    /// The job's name.
    pub job: JobName,
    /// The source.
    pub from: String,
    /// The destination.
    pub to: String,
    /// The tenant for which legacy records are imported, and the proofs of a CredLink unless they keep their tenants.
    pub tenant: Tenant,
    /// `true` if the proofs of a CredLink keep their tenants.
    pub keep_tenants: bool,
    /// The instant at which the job was begun.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// The instant at which the source was last listed to the end; `null` while it is being listed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub listed: Option<Timestamp>,
    /// `true` while the job is being removed. The counts then cover the remaining entries.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub removing: bool,
    /// The numbers of items, by state.
    pub items: Tally,
    /// The position after which items are still to be counted. Pass it as `after`, and add up the answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Progress {
    /// Creates the progress of a job, with nothing counted yet.
    #[must_use]
    pub fn of(job: Job) -> Self {
        let Job { name, from, to, tenant, keep_tenants, created, listed, removing, .. } = job;
        Self {
            job: name,
            from,
            to,
            tenant,
            keep_tenants,
            created,
            listed,
            removing,
            items: Tally::default(),
            next: None,
        }
    }
}

/// The numbers of items, by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Tally {
    /// All items.
    pub total: u64,
    /// The bytes of all items, as the source reports them.
    pub bytes: u64,
    /// Items that were sent to the queue and are not yet started.
    pub planned: u64,
    /// Items that are being copied.
    pub copying: u64,
    /// Items that are copied.
    pub copied: u64,
    /// Items that are copied and verified.
    pub verified: u64,
    /// Items that are removed from the source.
    pub deleted: u64,
    /// Items whose copies were deleted at the destination by a rollback.
    pub rolled_back: u64,
    /// Items that could not be copied, by reason.
    pub failed: BTreeMap<&'static str, u64>,
    /// Items with nothing to copy, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Counts an entry of a ledger.
    pub fn add(&mut self, entry: &Entry) {
        self.total += 1;
        self.bytes = self.bytes.saturating_add(entry.size);
        let count = match &entry.state {
            ItemState::Planned => &mut self.planned,
            ItemState::Copying { .. } => &mut self.copying,
            ItemState::Copied(_) => &mut self.copied,
            ItemState::Verified { .. } => &mut self.verified,
            ItemState::Deleted { .. } => &mut self.deleted,
            ItemState::RolledBack { .. } => &mut self.rolled_back,
            ItemState::Lost { .. } => self.failed.entry(Reason::Lost.slug()).or_default(),
            ItemState::Failed { reason, .. } => self.failed.entry(reason.slug()).or_default(),
            ItemState::Skipped { reason, .. } => self.skipped.entry(reason.slug()).or_default(),
        };
        *count += 1;
    }
}
