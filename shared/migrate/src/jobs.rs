//! Jobs from afar: what `POST /v1/migrations` begins and `GET /v1/migrations/{job}` shows.

use credlink_core::bounds::MAX_ITEM_KEY_BYTES;
use credlink_core::message::{Message, Work};

use credlink_ports::migration::Ledger;
use credlink_ports::migration::jobs::{Begun, JobRequest, Progress, Tally};
use credlink_ports::migration::ledger::{Job, LEDGER_VERSION, Order};
use credlink_ports::{Clock, Failure, Queue};

use super::lease::LEASE_SECONDS;
use super::removal::is_being_removed;

/// Entries of one page of a ledger.
const PAGE: usize = 1_000;
/// Pages that one answer counts: what is read in a few seconds.
const PAGES: usize = 20;

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
