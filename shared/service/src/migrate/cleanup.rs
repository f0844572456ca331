//! Cleaning up: what was copied, verified and kept for long enough is removed from the source. There is no way back.

#[cfg(test)]
mod tests;

use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;

use super::calls::{Calls, Wrote};
use super::ledger::{Entry, ItemState, JobName, Order};
use super::parts::Migration;
use super::patience::{GivenUp, Patience};
use super::ports::{Depth, Destination, Item, Ledger, Removal, Sleep, Source, Verdict};
use super::progress::{Counts, Watch};
use super::records::Change;
use super::run::{RunError, hold, known};
use super::verify::MAX_FINDINGS;
use crate::ports::Clock;

/// How long a source's item is kept after its copy was verified: 30 days, in seconds.
pub const KEEP_SECONDS: u64 = 30 * 86_400;

/// How to clean up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanupOptions {
    /// How long an item is kept after its copy was verified for the first time, in seconds.
    pub keep_seconds: u64,
    /// Items that are removed at the same time.
    pub concurrency: usize,
    /// When to go on, and when to give up.
    pub patience: Patience,
}

impl Default for CleanupOptions {
    fn default() -> Self {
        Self { keep_seconds: KEEP_SECONDS, concurrency: 16, patience: Patience::default() }
    }
}

/// What a cleanup came to. Each entry of the ledger counts once, `bytes` aside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cleanup {
    /// Items that were removed.
    pub removed: u64,
    /// Their bytes, as the source told them.
    pub bytes: u64,
    /// Items that were removed before, or were not there any more.
    pub gone: u64,
    /// Items that were verified too short a time ago.
    pub young: u64,
    /// Items that were copied and not verified yet.
    pub unverified: u64,
    /// Items whose proof there is an equal one, and not exactly theirs: they stay for ever.
    pub inexact: u64,
    /// Items that were not copied, or rolled back.
    pub not_copied: u64,
    /// Items that changed since they were copied.
    pub changed: u64,
    /// Items whose copy was not found to be there at the last moment.
    pub unsafe_now: u64,
    /// Why each of the last two kinds stays, at most [`MAX_FINDINGS`] of them.
    pub kept: Vec<Kept>,
    /// Whether it was cancelled before its end.
    pub interrupted: bool,
}

/// An item that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its key.
    pub item: String,
    /// Why, in words.
    pub detail: String,
}

/// What became of one item that was due.
enum Due {
    Removed(u64),
    Gone,
    Changed(String),
    Unsafe(String),
}

/// Cleans up after a job. `holder` names this cleanup, unique for ever.
///
/// # Errors
/// See [`RunError`]; a source that cannot remove anything is one.
pub async fn cleanup<S, D, L, C, T, W>(
    parts: Migration<'_, S, D, L, C, T>,
    name: &JobName,
    options: &CleanupOptions,
    holder: &str,
    watch: &W,
) -> Result<Cleanup, RunError>
where
    S: Source,
    D: Destination,
    L: Ledger,
    C: Clock,
    T: Sleep,
    W: Watch,
{
    hold(parts, name, holder, async {
        known(parts, name).await?;
        let calls = Calls::new(parts, watch, options.patience, None);
        let mut outcome = Cleanup::default();
        match walk(&calls, options, &mut outcome).await {
            Ok(()) => {}
            Err(GivenUp::Cancelled) => outcome.interrupted = true,
            Err(GivenUp::Step(failure) | GivenUp::Item(failure)) => return Err(failure.into()),
        }
        Ok(outcome)
    })
    .await
}

async fn walk<S: Source, D: Destination, L: Ledger, C: Clock, T: Sleep, W: Watch>(
    calls: &Calls<'_, S, D, L, C, T, W>,
    options: &CleanupOptions,
    outcome: &mut Cleanup,
) -> Result<(), GivenUp> {
    // Decided once: an item that becomes due meanwhile is for the next time.
    let due_until = calls.parts.clock.now().minus_seconds(options.keep_seconds);
    let (mut after, mut looked_at) = (None, 0);
    loop {
        let page = calls.listed(Order::Forward, after.as_deref()).await?;
        let mut due = Vec::new();
        for entry in page.items {
            looked_at += 1;
            match &entry.state {
                ItemState::Verified { copy, .. } if !copy.exact => outcome.inexact += 1,
                ItemState::Verified { at, .. } if *at > due_until => outcome.young += 1,
                ItemState::Verified { .. } => due.push(remove(calls, entry)),
                ItemState::Copied(_) => outcome.unverified += 1,
                ItemState::Deleted { .. } => outcome.gone += 1,
                ItemState::Planned
                | ItemState::Copying { .. }
                | ItemState::RolledBack { .. }
                | ItemState::Failed { .. }
                | ItemState::Skipped { .. } => outcome.not_copied += 1,
            }
        }
        let done: Vec<_> = stream::iter(due).buffer_unordered(options.concurrency.max(1)).collect().await;
        let mut end = Ok(());
        for done in done {
            match done {
                Ok((_, Due::Removed(bytes))) => {
                    outcome.removed += 1;
                    outcome.bytes += bytes;
                }
                Ok((_, Due::Gone)) => outcome.gone += 1,
                Ok((item, Due::Changed(detail))) => {
                    outcome.changed += 1;
                    keep(outcome, item, detail);
                }
                Ok((item, Due::Unsafe(detail))) => {
                    outcome.unsafe_now += 1;
                    keep(outcome, item, detail);
                }
                Err(given_up) => end = Err(given_up),
            }
        }
        calls.watch.progress(&Counts { listed: looked_at, deleted: outcome.removed, ..Counts::default() });
        end?;
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
        if calls.watch.is_cancelled() {
            return Err(GivenUp::Cancelled);
        }
    }
}

fn keep(outcome: &mut Cleanup, item: String, detail: String) {
    if outcome.kept.len() < MAX_FINDINGS {
        outcome.kept.push(Kept { item, detail });
    }
}

/// Removes an item that is due, if its copy is there at this moment and the item is what was copied.
async fn remove<S: Source, D: Destination, L: Ledger, C: Clock, T: Sleep, W: Watch>(
    calls: &Calls<'_, S, D, L, C, T, W>,
    entry: Entry,
) -> Result<(String, Due), GivenUp> {
    let key = entry.key.clone();
    match remove_due(calls, entry).await {
        Ok(due) => Ok((key, due)),
        Err(GivenUp::Item(failure)) => Ok((key, Due::Unsafe(failure.to_string()))),
        Err(end) => Err(end),
    }
}

async fn remove_due<S: Source, D: Destination, L: Ledger, C: Clock, T: Sleep, W: Watch>(
    calls: &Calls<'_, S, D, L, C, T, W>,
    entry: Entry,
) -> Result<Due, GivenUp> {
    let Some(copy) = entry.state.copy().cloned() else { return Ok(Due::Gone) };
    let item = Item { key: entry.key.clone(), size: entry.size, version: entry.item.clone() };
    // What is not there any more was removed, and then it could not be written down.
    if calls.look(&item.key).await?.is_some() {
        match calls.verify(&copy, Depth::Checksum).await? {
            Verdict::Verified { .. } => {}
            Verdict::Missing(detail)
            | Verdict::Corrupted(detail)
            | Verdict::EncodingDiffers(detail)
            | Verdict::Changed(detail) => return Ok(Due::Unsafe(detail)),
        }
    }
    let removal = calls.remove(&item).await?;
    if removal == Removal::Changed {
        let detail = "it changed since it was copied; run the job again, and verify it";
        return Ok(Due::Changed(detail.to_owned()));
    }
    let (size, at) = (entry.size, calls.parts.clock.now());
    let change = Change { item, state: ItemState::Deleted { copy, at }, begun: None };
    let wrote = calls.record(vec![(change, Some(entry))]).await?;
    Ok(match (removal, wrote.first()) {
        (Removal::Removed, Some(Wrote::Written(_))) => Due::Removed(size),
        _ => Due::Gone,
    })
}
