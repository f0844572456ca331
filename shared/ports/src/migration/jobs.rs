//! The port of the API to migrations that others run: what `POST /v1/migrations` begins and `GET /v1/migrations/{job}` shows.

use std::collections::BTreeMap;
use std::future::Future;

use credlink_core::job_name::JobName;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use serde::Serialize;

use super::ledger::{Entry, ItemState, Job, Reason};
use crate::Failure;

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The job's name.
    pub name: JobName,
    /// The source, as the request names it.
    pub from: String,
    /// Items of one message.
    pub batch_size: u32,
    /// The request, for the logs.
    pub request_id: String,
}

/// A job that may be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRequest {
    /// The job's name.
    pub name: JobName,
    /// The source, as the operator's configuration names it.
    pub from: String,
    /// Whose proofs legacy records become; and those of a CredLink, unless they keep their tenants.
    pub tenant: Tenant,
    /// `true` if the proofs of a CredLink keep their tenants.
    pub keep_tenants: bool,
    /// The tenant whose proofs of a CredLink become `tenant`'s, where that is another one.
    pub from_tenant: Option<Tenant>,
    /// Items of one message.
    pub batch_size: u32,
    /// The request, for the logs.
    pub request_id: String,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Its source is about to be listed: this is the job.
    Queued(Job),
    /// A run has the job already.
    Held,
    /// The job moves something else: what it is.
    Differs(Job),
    /// The job is being removed.
    Removing,
}

/// Why a job cannot be begun or shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// Something is not set up here: what to set.
    #[error("{0}")]
    NotConfigured(String),
    /// The source is none, or none that others can read: what is allowed.
    #[error("{0}")]
    Source(String),
    /// The source is not on the operator's list: which setting has that.
    #[error("{0}")]
    NotListed(String),
    /// A failure of ours.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Where jobs are begun and looked up.
pub trait Jobs {
    /// Begins a job, or another run of it: a message is queued that has its source listed. The operator's configuration
    /// says which sources there are, and whose the proofs become.
    fn begin(&self, asked: &Asked) -> impl Future<Output = Result<Begun, JobError>>;

    /// How far a job is, counted from behind the item `after`; `None` if there is no such job.
    fn progress(
        &self,
        job: &JobName,
        after: Option<&str>,
    ) -> impl Future<Output = Result<Option<Progress>, JobError>>;

    /// Removes a job and what its ledger says; one that is not over only if it is to be abandoned.
    fn remove(&self, job: &JobName, abandon: bool) -> impl Future<Output = Result<Removed, JobError>>;
}

/// A service that runs no jobs for others.
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
    async fn begin(&self, _asked: &Asked) -> Result<Begun, JobError> {
        Err(Self::refused())
    }

    async fn progress(&self, _job: &JobName, _after: Option<&str>) -> Result<Option<Progress>, JobError> {
        Err(Self::refused())
    }

    async fn remove(&self, _job: &JobName, _abandon: bool) -> Result<Removed, JobError> {
        Err(Self::refused())
    }
}

/// What became of a removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// The job is gone.
    Done,
    /// So many entries are gone, and there are more: the same request again goes on.
    Partly(u64),
    /// There was no such job.
    Absent,
    /// A run has the job.
    Held,
    /// The job is not over.
    Unfinished(Unfinished),
}

/// Why a job is not over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfinished {
    /// Its source is not listed to the end.
    #[error("its source is not listed to the end")]
    NotListed,
    /// There was not enough time to look at every item.
    #[error("it has more items than can be looked through in one request")]
    TooManyItems,
    /// The item under this key waits, and maybe others do.
    #[error("items wait to be copied, such as `{0}`")]
    Waiting(String),
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Progress {
    /// The job's name.
    pub job: JobName,
    /// The source.
    pub from: String,
    /// The destination.
    pub to: String,
    /// Whose proofs legacy records become; and those of a CredLink, unless they keep their tenants.
    pub tenant: Tenant,
    /// `true` if the proofs of a CredLink keep their tenants.
    pub keep_tenants: bool,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When its source was listed to the end; `null` while it is being listed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub listed: Option<Timestamp>,
    /// `true` while it is being removed: the counts are of what is left of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub removing: bool,
    /// The items by what became of them.
    pub items: Tally,
    /// Items that are still to be counted: pass it as `after`, and add the answers up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Progress {
    /// A job of which nothing is counted.
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

/// Items by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Tally {
    /// All of them.
    pub total: u64,
    /// Their bytes, as the source tells them.
    pub bytes: u64,
    /// Sent to the queue, and not come to.
    pub planned: u64,
    /// Being copied.
    pub copying: u64,
    /// Copied.
    pub copied: u64,
    /// Copied, and found to be there.
    pub verified: u64,
    /// Removed from the source.
    pub deleted: u64,
    /// Deleted at the destination again.
    pub rolled_back: u64,
    /// Not copied, by reason.
    pub failed: BTreeMap<&'static str, u64>,
    /// Of which nothing is to be copied, by reason.
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
