//! Jobs from afar: what `POST /v1/migrations` begins and `GET /v1/migrations/{job}` shows.

use std::collections::BTreeMap;
use std::future::Future;

use credlink_core::bounds::MAX_ITEM_KEY_BYTES;
use credlink_core::job::JobName;
use credlink_core::message::{Message, Work};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use serde::Serialize;

use super::ledger::{Entry, ItemState, Job, LEDGER_VERSION, Order, Reason};
use super::ports::Ledger;
use super::removal::{Removed, is_being_removed};
use super::run::LEASE_SECONDS;
use crate::ports::{Clock, Failure, Queue};

/// Entries of one page of a ledger.
const PAGE: usize = 1_000;
/// Pages that one answer counts: what is read in a few seconds.
const PAGES: usize = 20;

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

/// Begins a job whose destination is `to`: writes it to its ledger, and queues the listing of its source. What the job
/// moves is compared before anything of it is claimed, and the claim is under an id of its own: a request for another job of
/// this name changes nothing, and shares nothing with a run.
///
/// # Errors
/// Ledger or queue failed. The same request again does the rest.
pub async fn begin<L: Ledger, Q: Queue, C: Clock>(
    ledger: &L,
    queue: &Q,
    clock: &C,
    request: &JobRequest,
    to: &str,
) -> Result<Begun, Failure> {
    if let Known::Refused(refused) = known(ledger, request, to).await? {
        return Ok(refused);
    }
    let holder = clock.request_id();
    if !ledger.claim(&holder, LEASE_SECONDS).await? {
        return Ok(Begun::Held);
    }
    let kept = keep_alone(ledger, clock, request, to).await;
    // The listing claims the job for itself. If this fails, the claim ends by itself.
    let _ = ledger.release(&holder).await;
    let job = match kept? {
        Begun::Queued(job) => job,
        other => return Ok(other),
    };
    let (name, run, batch_size) = (request.name.clone(), clock.request_id(), request.batch_size);
    let work = Work::Enumerate { job: name, run, after: None, batch_size };
    queue.send(&Message { request_id: request.request_id.clone(), work }, 0).await?;
    Ok(Begun::Queued(job))
}

/// Writes a job down, which the caller has claimed.
async fn keep_alone<L: Ledger, C: Clock>(
    ledger: &L,
    clock: &C,
    request: &JobRequest,
    to: &str,
) -> Result<Begun, Failure> {
    let job = match known(ledger, request, to).await? {
        Known::Same(job) => Job { queued: true, listed: None, ..job },
        Known::Nothing => new_job(clock, request, to),
        Known::Refused(refused) => return Ok(refused),
    };
    ledger.keep_job(&job).await?;
    Ok(Begun::Queued(job))
}

/// Makes sure that a job is in its ledger whose destination is `to`, and whose source nobody lists: its messages come from
/// elsewhere. `Queued`: it is there.
///
/// # Errors
/// The ledger failed.
pub async fn ensure<L: Ledger, C: Clock>(
    ledger: &L,
    clock: &C,
    request: &JobRequest,
    to: &str,
) -> Result<Begun, Failure> {
    match known(ledger, request, to).await? {
        Known::Same(job) => return Ok(Begun::Queued(job)),
        Known::Nothing => {}
        Known::Refused(refused) => return Ok(refused),
    }
    let holder = clock.request_id();
    if !ledger.claim(&holder, LEASE_SECONDS).await? {
        return Ok(Begun::Held);
    }
    let ensured = async {
        match known(ledger, request, to).await? {
            Known::Same(job) => return Ok(Begun::Queued(job)),
            Known::Nothing => {}
            Known::Refused(refused) => return Ok(refused),
        }
        let job = new_job(clock, request, to);
        ledger.keep_job(&job).await?;
        Ok(Begun::Queued(job))
    };
    let ensured = ensured.await;
    // If this fails, the claim ends by itself.
    let _ = ledger.release(&holder).await;
    ensured
}

/// A ledger's word on a job that is asked for.
enum Known {
    /// There is none yet.
    Nothing,
    /// It is there.
    Same(Job),
    /// It cannot be begun.
    Refused(Begun),
}

/// Looks a job up that is asked for.
async fn known<L: Ledger>(ledger: &L, request: &JobRequest, to: &str) -> Result<Known, Failure> {
    let job = ledger.job().await?;
    if is_being_removed(ledger, job.as_ref()).await? {
        return Ok(Known::Refused(Begun::Removing));
    }
    Ok(match job {
        None => Known::Nothing,
        Some(job) if is_of(&job, request, to) => Known::Same(job),
        Some(job) => Known::Refused(Begun::Differs(job)),
    })
}

fn is_of(job: &Job, request: &JobRequest, to: &str) -> bool {
    job.from == request.from
        && job.to == to
        && job.tenant == request.tenant
        && job.keep_tenants == request.keep_tenants
        && job.from_tenant == request.from_tenant
}

fn new_job<C: Clock>(clock: &C, request: &JobRequest, to: &str) -> Job {
    Job {
        version: LEDGER_VERSION,
        name: request.name.clone(),
        from: request.from.clone(),
        to: to.to_owned(),
        tenant: request.tenant.clone(),
        keep_tenants: request.keep_tenants,
        from_tenant: request.from_tenant.clone(),
        created: clock.now(),
        listed: None,
        elapsed_ms: 0,
        queued: true,
        left_behind: None,
        removing: false,
    }
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
    fn add(&mut self, entry: &Entry) {
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

/// How far the job of `ledger` is, counted from behind the item `after`, for 20,000 items at most; `None` if it was never
/// begun.
///
/// # Errors
/// The ledger failed.
pub async fn progress<L: Ledger>(ledger: &L, after: Option<&str>) -> Result<Option<Progress>, Failure> {
    let Some(job) = ledger.job().await? else { return Ok(None) };
    let mut items = Tally::default();
    // What is no key is behind every key, or before every one.
    let mut next = after.filter(|after| (1..=MAX_ITEM_KEY_BYTES).contains(&after.len())).map(str::to_owned);
    for _ in 0..PAGES {
        let page = ledger.list(Order::Forward, next.as_deref(), PAGE).await?;
        page.items.iter().for_each(|entry| items.add(entry));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    Ok(Some(Progress { items, next, ..Progress::of(job) }))
}
