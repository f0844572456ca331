//! Cleanup: removes from the source what was copied, verified and kept for long enough. This cannot be undone.

#[cfg(test)]
mod tests;

use credlink_core::time::Timestamp;
use credlink_ports::Clock;
use credlink_ports::migration::ledger::{CopiedItem, Entry, ItemState, JobName, Order};
use credlink_ports::migration::target::Target;
use credlink_ports::migration::{Depth, MigrationPorts, Removal, Verdict};
use serde::Serialize;

use crate::error::{RunError, was_cancelled};
use crate::job_spec::known;
use crate::lease::hold;
use crate::progress::Watch;
use crate::records::Change;
use crate::replay::replay;
use crate::retry_policy::{GivenUp, RetryPolicy};
use crate::retrying_ports::{Recorded, RetryingPorts};
use crate::verify::MAX_FINDINGS;

/// Default time for which a source's item is kept after its copy was verified: 30 days, in seconds.
pub const KEEP_SECONDS: u64 = 30 * 86_400;

/// Options of a cleanup.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanupOptions {
    /// Time for which an item is kept after its copy was first verified, in seconds.
    pub keep_seconds: u64,
    /// Number of items that are removed concurrently.
    pub concurrency: usize,
    /// Retries, and the point at which to give up.
    pub retry_policy: RetryPolicy,
}

impl Default for CleanupOptions {
    fn default() -> Self {
        Self { keep_seconds: KEEP_SECONDS, concurrency: 16, retry_policy: RetryPolicy::default() }
    }
}

/// The result of a cleanup. Each entry of the ledger counts exactly once, apart from `bytes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cleanup {
    /// Items that were removed.
    pub removed: u64,
    /// Bytes of the removed items, as the source reported them.
    pub bytes: u64,
    /// Items that were removed earlier, or were no longer at the source.
    pub gone: u64,
    /// Items that were verified too recently.
    pub young: u64,
    /// Items that were copied and not yet verified.
    pub unverified: u64,
    /// Items whose proof at the destination is equal but not exactly theirs. They are never removed.
    pub inexact: u64,
    /// Aliases. They are not removed, and lead where their proof's ID does.
    pub names: u64,
    /// Items that were not copied, or were rolled back.
    pub not_copied: u64,
    /// Items that have changed since they were copied.
    pub changed: u64,
    /// Items whose copy was missing in the last check before the removal.
    pub unsafe_now: u64,
    /// Items counted in `changed` and `unsafe_now`, with reasons, at most [`MAX_FINDINGS`] of them.
    pub kept: Vec<Kept>,
    /// `true` if the cleanup was cancelled before its end.
    pub interrupted: bool,
}

/// An item that was not removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The key of the item.
    pub item: String,
    /// The reason, as text.
    pub detail: String,
}

/// The outcome for one entry.
enum EntryOutcome {
    Removed(u64),
    Gone,
    Young,
    Unverified,
    Inexact,
    Name,
    NotCopied,
    Changed(String),
    Unsafe(String),
}

/// Cleans up after a job. `holder` identifies this cleanup and must never be reused.
///
/// # Errors
/// Fails as described at [`RunError`], also if the source cannot remove anything.
pub async fn cleanup<M: MigrationPorts, W: Watch>(
    ports: &M,
    name: &JobName,
    options: &CleanupOptions,
    holder: &str,
    watch: &W,
) -> Result<Cleanup, RunError> {
    hold(ports.ledger(), ports.clock(), name, holder, async {
        known(ports.ledger(), name).await?;
        let retrying = RetryingPorts::new(ports, watch, options.retry_policy, None);
        let mut cleaned = Cleanup::default();
        // Computed once: an item that becomes due meanwhile waits for the next cleanup.
        let due = ports.clock().now().minus_seconds(options.keep_seconds);
        let note = |(item, outcome)| {
            cleaned.note(item, outcome);
            cleaned.removed
        };
        let each = |entry| clear(&retrying, due, entry);
        let end = replay(&retrying, Order::Forward, options.concurrency, each, note).await;
        cleaned.interrupted = was_cancelled(end)?;
        Ok(cleaned)
    })
    .await
}

impl Cleanup {
    fn note(&mut self, item: String, outcome: EntryOutcome) {
        let (count, kept) = match outcome {
            EntryOutcome::Removed(bytes) => {
                self.bytes += bytes;
                (&mut self.removed, None)
            }
            EntryOutcome::Gone => (&mut self.gone, None),
            EntryOutcome::Young => (&mut self.young, None),
            EntryOutcome::Unverified => (&mut self.unverified, None),
            EntryOutcome::Inexact => (&mut self.inexact, None),
            EntryOutcome::Name => (&mut self.names, None),
            EntryOutcome::NotCopied => (&mut self.not_copied, None),
            EntryOutcome::Changed(detail) => (&mut self.changed, Some(detail)),
            EntryOutcome::Unsafe(detail) => (&mut self.unsafe_now, Some(detail)),
        };
        *count += 1;
        if let Some(detail) = kept
            && self.kept.len() < MAX_FINDINGS
        {
            self.kept.push(Kept { item, detail });
        }
    }
}

/// Handles one entry: an item that was verified by `due` is removed.
async fn clear<M: MigrationPorts, W: Watch>(
    ports: &RetryingPorts<'_, M, W>,
    due: Timestamp,
    entry: Entry,
) -> Result<(String, EntryOutcome), GivenUp> {
    let key = entry.key.clone();
    let outcome = match &entry.state {
        // A rollback was about to delete the copy, and may have done so.
        _ if entry.withdrawing.is_some() => EntryOutcome::NotCopied,
        ItemState::Verified { copy, .. } if is_name(copy) => EntryOutcome::Name,
        ItemState::Verified { copy, .. } if !copy.exact => EntryOutcome::Inexact,
        ItemState::Verified { at, .. } if *at > due => EntryOutcome::Young,
        ItemState::Verified { copy, .. } => {
            let copy = copy.clone();
            match remove(ports, entry, copy).await {
                Err(GivenUp::Item(failure)) => EntryOutcome::Unsafe(failure.to_string()),
                outcome => outcome?,
            }
        }
        ItemState::Copied(_) => EntryOutcome::Unverified,
        ItemState::Deleted { .. } => EntryOutcome::Gone,
        ItemState::Planned
        | ItemState::Copying { .. }
        | ItemState::RolledBack { .. }
        | ItemState::Lost { .. }
        | ItemState::Failed { .. }
        | ItemState::Skipped { .. } => EntryOutcome::NotCopied,
    };
    Ok((key, outcome))
}

/// Returns `true` for an alias, which is never removed by itself.
pub(super) const fn is_name(copy: &CopiedItem) -> bool {
    matches!(copy.target, Target::Alias { .. })
}

/// Removes an item that is due, if its copy is present now and the item is still what was copied.
async fn remove<M: MigrationPorts, W: Watch>(
    ports: &RetryingPorts<'_, M, W>,
    entry: Entry,
    copy: CopiedItem,
) -> Result<EntryOutcome, GivenUp> {
    let item = entry.item();
    // An item that is gone was removed by a cleanup that could not record it.
    if ports.look(&item.key).await?.is_some() {
        match ports.verify(&copy, Depth::Checksum).await? {
            Verdict::Verified { .. } => {}
            Verdict::Missing(detail)
            | Verdict::Corrupted(detail)
            | Verdict::EncodingDiffers(detail)
            | Verdict::Changed(detail) => return Ok(EntryOutcome::Unsafe(detail)),
        }
    }
    let removal = ports.remove(&item).await?;
    if removal == Removal::Changed {
        return Ok(EntryOutcome::Changed(
            "it changed since it was copied; run the job again, and verify it".to_owned(),
        ));
    }
    let (size, at) = (entry.size, ports.clock().now());
    let change = Change::to(item, ItemState::Deleted { copy, at });
    let wrote = ports.record(vec![(change, Some(entry))]).await?;
    Ok(match (removal, wrote.first()) {
        (Removal::Removed, Some(Recorded::Written(_))) => EntryOutcome::Removed(size),
        _ => EntryOutcome::Gone,
    })
}
