//! Jobs over the API: started by `POST /v1/migrations` and shown by `GET /v1/migrations/{job}`.

use credlink_core::bounds::MAX_ITEM_KEY_BYTES;
use credlink_core::message::{Message, Work};
use credlink_ports::migration::Ledger;
use credlink_ports::migration::jobs::{AllowedRequest, BeginOutcome, Progress, Tally};
use credlink_ports::migration::ledger::{Job, LEDGER_VERSION, Order};
use credlink_ports::{Clock, Failure, Queue};

use crate::lease::LEASE_SECONDS;
use crate::removal::is_being_removed;

/// Number of entries in a page of a ledger.
const PAGE: usize = 1_000;
/// Number of pages that one answer counts: as many as can be read in a few seconds.
const PAGES: usize = 20;

/// Starts a job whose destination is `to`: writes it to its ledger, and queues the listing of its source. The job in
/// the ledger is compared before anything is claimed, and the claim uses an ID of its own, so a request for another job
/// of the same name changes nothing and never shares the claim of a run.
///
/// # Errors
/// Fails if the ledger or the queue does. Repeating the request completes the rest.
pub async fn begin<L: Ledger, Q: Queue, C: Clock>(
    ledger: &L,
    queue: &Q,
    clock: &C,
    request: &AllowedRequest,
    to: &str,
) -> Result<BeginOutcome, Failure> {
    if let Known::Refused(refused) = known(ledger, request, to).await? {
        return Ok(refused);
    }
    let holder = clock.request_id();
    if !ledger.claim(&holder, LEASE_SECONDS).await? {
        return Ok(BeginOutcome::Held);
    }
    let kept = keep_alone(ledger, clock, request, to).await;
    // The listing claims the job itself. If the release fails, the claim expires.
    let _ = ledger.release(&holder).await;
    let job = match kept? {
        BeginOutcome::Queued(job) => job,
        other => return Ok(other),
    };
    let (name, run, batch_size) = (request.name.clone(), clock.request_id(), request.batch_size);
    let work = Work::Enumerate { job: name, run, after: None, batch_size };
    queue.send(&Message { request_id: request.request_id.clone(), work }, 0).await?;
    Ok(BeginOutcome::Queued(job))
}

/// Writes a job to the ledger. The caller must hold its claim.
async fn keep_alone<L: Ledger, C: Clock>(
    ledger: &L,
    clock: &C,
    request: &AllowedRequest,
    to: &str,
) -> Result<BeginOutcome, Failure> {
    let job = match known(ledger, request, to).await? {
        Known::Same(job) => Job { queued: true, listed: None, ..job },
        Known::Nothing => new_job(clock, request, to),
        Known::Refused(refused) => return Ok(refused),
    };
    ledger.keep_job(&job).await?;
    Ok(BeginOutcome::Queued(job))
}

/// Makes sure that the ledger has a job whose destination is `to` and whose source is not listed, because its messages
/// come from elsewhere. Returns `Queued` if the job is there.
///
/// # Errors
/// Fails if the ledger does.
pub async fn ensure<L: Ledger, C: Clock>(
    ledger: &L,
    clock: &C,
    request: &AllowedRequest,
    to: &str,
) -> Result<BeginOutcome, Failure> {
    match known(ledger, request, to).await? {
        Known::Same(job) => return Ok(BeginOutcome::Queued(job)),
        Known::Nothing => {}
        Known::Refused(refused) => return Ok(refused),
    }
    let holder = clock.request_id();
    if !ledger.claim(&holder, LEASE_SECONDS).await? {
        return Ok(BeginOutcome::Held);
    }
    let ensured = async {
        match known(ledger, request, to).await? {
            Known::Same(job) => return Ok(BeginOutcome::Queued(job)),
            Known::Nothing => {}
            Known::Refused(refused) => return Ok(refused),
        }
        let job = new_job(clock, request, to);
        ledger.keep_job(&job).await?;
        Ok(BeginOutcome::Queued(job))
    };
    let ensured = ensured.await;
    // If the release fails, the claim expires.
    let _ = ledger.release(&holder).await;
    ensured
}

/// The ledger's answer about a requested job.
enum Known {
    /// There is no such job yet.
    Nothing,
    /// The ledger has the job.
    Same(Job),
    /// The job cannot be started.
    Refused(BeginOutcome),
}

/// Looks up a requested job.
async fn known<L: Ledger>(ledger: &L, request: &AllowedRequest, to: &str) -> Result<Known, Failure> {
    let job = ledger.job().await?;
    if is_being_removed(ledger, job.as_ref()).await? {
        return Ok(Known::Refused(BeginOutcome::Removing));
    }
    Ok(match job {
        None => Known::Nothing,
        Some(job) if is_of(&job, request, to) => Known::Same(job),
        Some(job) => Known::Refused(BeginOutcome::Differs(job)),
    })
}

fn is_of(job: &Job, request: &AllowedRequest, to: &str) -> bool {
    job.from == request.from
        && job.to == to
        && job.tenant == request.tenant
        && job.keep_tenants == request.keep_tenants
        && job.from_tenant == request.from_tenant
}

fn new_job<C: Clock>(clock: &C, request: &AllowedRequest, to: &str) -> Job {
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

/// Returns the progress of the ledger's job, counted after the item `after` and over 20,000 items at most, or `None` if
/// there is no job.
///
/// # Errors
/// Fails if the ledger does.
pub async fn progress<L: Ledger>(ledger: &L, after: Option<&str>) -> Result<Option<Progress>, Failure> {
    let Some(job) = ledger.job().await? else { return Ok(None) };
    let mut items = Tally::default();
    // A text whose length no key can have is ignored, and counting starts at the beginning.
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
