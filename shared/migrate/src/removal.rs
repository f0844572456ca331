//! Removing a job: what its ledger says, and then its name is free again. Proofs stay as they are.
//!
//! The job is marked first. What a ledger no longer says would be taken for what was never done: so a job that was removed in part
//! is not run, rolled back or reported as if it were whole.
//!
//! A worker that has a message of the job at that moment may write an entry after the removal. A job does not begin over such
//! entries. It cannot tell those that come once it has begun: whoever uses the name again waits until the workers have ended.

use credlink_ports::migration::Ledger;
use credlink_ports::migration::jobs::{Removed, Unfinished};
use credlink_ports::migration::ledger::{ItemState, Job, Order};
use credlink_ports::{Clock, Failure};

use super::lease::LEASE_SECONDS;

/// Entries of one page of a ledger.
const PAGE: usize = 1_000;

/// Removes the job of `ledger`, as long as `go_on` says so: entries first, so that what was cut off is found again by the
/// job's name. A job that a run has is not removed. Nor is one that is not over, unless it is to be abandoned: its source is
/// not listed to the end, or items wait to be copied.
///
/// # Errors
/// The ledger failed. The same again does the rest.
pub async fn remove<L: Ledger, C: Clock>(
    ledger: &L,
    clock: &C,
    abandon: bool,
    mut go_on: impl FnMut() -> bool,
) -> Result<Removed, Failure> {
    if ledger.job().await?.is_none() && !is_being_removed(ledger, None).await? {
        return Ok(Removed::Absent);
    }
    let holder = clock.request_id();
    if !ledger.claim(&holder, LEASE_SECONDS).await? {
        return Ok(Removed::Held);
    }
    let removed = remove_held(ledger, &holder, abandon, &mut go_on).await;
    if !matches!(removed, Ok(Removed::Done)) {
        // If this fails, the claim ends by itself.
        let _ = ledger.release(&holder).await;
    }
    removed
}

async fn remove_held<L: Ledger>(
    ledger: &L,
    holder: &str,
    abandon: bool,
    go_on: &mut impl FnMut() -> bool,
) -> Result<Removed, Failure> {
    if let Some(job) = ledger.job().await?.filter(|job| !job.removing) {
        if !abandon && let Some(why) = unfinished(ledger, holder, &job, go_on).await? {
            return Ok(Removed::Unfinished(why));
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
            return Ok(Removed::Partly(gone));
        }
        if !ledger.claim(holder, LEASE_SECONDS).await? {
            return Ok(Removed::Held);
        }
        ledger.remove_entries(&keys).await?;
        gone += keys.len() as u64;
    }
    if ledger.remove_job(holder).await? || ledger.job().await?.is_none() {
        return Ok(Removed::Done);
    }
    Ok(Removed::Held)
}

/// Returns `true` if the job of `ledger` is being removed; where there is none, if one that was removed left entries, because
/// something still ran for it. A job that begins with those would take them for its own.
pub(super) async fn is_being_removed<L: Ledger>(ledger: &L, job: Option<&Job>) -> Result<bool, Failure> {
    match job {
        Some(job) => Ok(job.removing),
        None => Ok(!ledger.list(Order::Forward, None, 1).await?.items.is_empty()),
    }
}

/// Returns why a job is not over; `None` if it is.
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
