//! Removes a job: deletes its ledger, after which its name can be used again. Proofs are not touched.
//!
//! The job is first recorded as being removed. Entries that a ledger no longer has would be mistaken for work that was
//! never done, so a partly removed job is never run, rolled back or reported as if it were whole.
//!
//! A worker that has a message of the job at that moment may write an entry after the removal. A new job does not start
//! while there are such entries. It cannot recognise entries that are written after it has started, so the name must
//! not be used again until the workers have ended.

use credlink_ports::migration::Ledger;
use credlink_ports::migration::jobs::{RemovalOutcome, Unfinished};
use credlink_ports::migration::ledger::{ItemState, Job, Order};
use credlink_ports::{Clock, Failure};

use crate::lease::LEASE_SECONDS;

/// Number of entries in a page of a ledger.
const PAGE: usize = 1_000;

/// Removes the job of `ledger`, for as long as `go_on` returns `true`. Entries are removed first, so that an
/// interrupted removal can be found by the job's name. A job that a run holds is not removed. A job that is unfinished,
/// because its source is not listed to the end or items wait to be copied, is removed only if it is to be abandoned.
///
/// # Errors
/// Fails if the ledger does. Repeating the call completes the rest.
pub async fn remove<L: Ledger, C: Clock>(
    ledger: &L,
    clock: &C,
    abandon: bool,
    mut go_on: impl FnMut() -> bool,
) -> Result<RemovalOutcome, Failure> {
    if ledger.job().await?.is_none() && !is_being_removed(ledger, None).await? {
        return Ok(RemovalOutcome::Absent);
    }
    let holder = clock.request_id();
    if !ledger.claim(&holder, LEASE_SECONDS).await? {
        return Ok(RemovalOutcome::Held);
    }
    let removed = remove_held(ledger, &holder, abandon, &mut go_on).await;
    if !matches!(removed, Ok(RemovalOutcome::Done)) {
        // If the release fails, the claim expires.
        let _ = ledger.release(&holder).await;
    }
    removed
}

async fn remove_held<L: Ledger>(
    ledger: &L,
    holder: &str,
    abandon: bool,
    go_on: &mut impl FnMut() -> bool,
) -> Result<RemovalOutcome, Failure> {
    if let Some(job) = ledger.job().await?.filter(|job| !job.removing) {
        if !abandon && let Some(why) = unfinished(ledger, holder, &job, go_on).await? {
            return Ok(RemovalOutcome::Unfinished(why));
        }
        ledger.keep_job(&Job { removing: true, ..job }).await?;
    }
    let mut gone = 0_u64;
    loop {
        let page = ledger.list(Order::Forward, None, PAGE).await?;
        let keys: Vec<String> = page.items.into_iter().map(|entry| entry.key).collect();
        if keys.is_empty() {
            break;
        }
        if !go_on() {
            return Ok(RemovalOutcome::Partly(gone));
        }
        if !ledger.claim(holder, LEASE_SECONDS).await? {
            return Ok(RemovalOutcome::Held);
        }
        ledger.remove_entries(&keys).await?;
        gone += keys.len() as u64;
    }
    if ledger.remove_job(holder).await? || ledger.job().await?.is_none() {
        return Ok(RemovalOutcome::Done);
    }
    Ok(RemovalOutcome::Held)
}

/// Returns `true` if the job of `ledger` is being removed. If there is no job, returns `true` if a removed one left
/// entries because a worker was still running for it: a new job would mistake those for its own.
pub(super) async fn is_being_removed<L: Ledger>(ledger: &L, job: Option<&Job>) -> Result<bool, Failure> {
    match job {
        Some(job) => Ok(job.removing),
        None => Ok(!ledger.list(Order::Forward, None, 1).await?.items.is_empty()),
    }
}

/// Returns the reason why a job is unfinished, or `None` if it is finished.
async fn unfinished<L: Ledger>(
    ledger: &L,
    holder: &str,
    job: &Job,
    go_on: &mut impl FnMut() -> bool,
) -> Result<Option<Unfinished>, Failure> {
    if job.listed.is_none() {
        return Ok(Some(Unfinished::NotListed));
    }
    let mut after = None::<String>;
    loop {
        if !go_on() || !ledger.claim(holder, LEASE_SECONDS).await? {
            return Ok(Some(Unfinished::TooManyItems));
        }
        let page = ledger.list(Order::Forward, after.as_deref(), PAGE).await?;
        let is_open = |state: &ItemState| matches!(state, ItemState::Planned | ItemState::Copying { .. });
        if let Some(entry) = page.items.iter().find(|entry| is_open(&entry.state)) {
            return Ok(Some(Unfinished::Waiting(entry.key.clone())));
        }
        after = page.next;
        if after.is_none() {
            return Ok(None);
        }
    }
}
