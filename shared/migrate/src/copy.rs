//! Copying given items: read, check, write down what is begun, import, write down what became of it.
//!
//! It is idempotent, and safe beside itself: a queue may hand out the same items twice, and to two workers at a time.

mod batch;
mod clear;
mod import;
mod item;
#[cfg(test)]
mod tests;

pub(super) use item::is_done;

use std::collections::BTreeSet;

use serde::Serialize;

use credlink_ports::Failure;
use credlink_ports::migration::{Item, MigrationPorts};

use super::incoming::Owners;
use super::patience::{GivenUp, Patience};
use super::progress::{Counts, Watch};
use super::retrying_ports::RetryingPorts;
use super::target_locks::TargetLocks;

/// How to copy.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyOptions {
    /// Whose proofs the items become.
    pub owners: Owners,
    /// Items that are read or imported at the same time.
    pub concurrency: usize,
    /// Items of one write to the ledger, at most 1,000.
    pub batch_size: usize,
    /// Whether what the destination has already is left alone. Otherwise it is compared by content as well. Nothing is ever
    /// overwritten.
    pub skip_existing: bool,
    /// Whether an item is removed from the source as soon as it was copied and found to be there by its content.
    pub delete_after: bool,
    /// The most items a second.
    pub rate: Option<f64>,
    /// When to go on, and when to give up.
    pub patience: Patience,
}

impl CopyOptions {
    /// The usual options, for items that become proofs of `owners`.
    #[must_use]
    pub fn new(owners: Owners) -> Self {
        Self {
            owners,
            concurrency: 32,
            batch_size: 100,
            skip_existing: true,
            delete_after: false,
            rate: None,
            patience: Patience::default(),
        }
    }
}

/// What copying came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Copying {
    /// What became of the items.
    pub counts: Counts,
    /// Whether it was cancelled before its end.
    pub interrupted: bool,
}

/// Why copying ended before its end. What was done is in the ledger; doing it again goes on from there.
#[derive(Clone, Debug, thiserror::Error)]
#[error("it was ended, and can be resumed: {failure}")]
pub struct Ended {
    /// Who failed, and how.
    pub failure: Failure,
    /// What had become of the items.
    pub counts: Counts,
}

/// Copies `items`, as one job's ledger and its destination have them.
///
/// # Errors
/// Somebody is out of reach for longer than the options allow, or an operator has to act (no room, no access). No item
/// fails of that.
pub async fn copy_items<M: MigrationPorts, W: Watch>(
    ports: &M,
    items: &[Item],
    options: &CopyOptions,
    watch: &W,
) -> Result<Copying, Ended> {
    let copier = Copier::new(ports, options, watch);
    let mut copying = Copying::default();
    let mut seen = BTreeSet::new();
    let items: Vec<&Item> = items.iter().filter(|item| seen.insert(&item.key)).collect();
    copying.counts.listed = items.len() as u64;
    for batch in items.chunks(copier.batch_size()) {
        if watch.is_cancelled() {
            copying.interrupted = true;
            break;
        }
        let batch = batch.iter().map(|item| (*item).clone()).collect();
        let (counts, end) = copier.copy(batch, options.concurrency).await;
        copying.counts.add(&counts);
        watch.progress(&copying.counts);
        match end {
            Ok(()) => {}
            Err(GivenUp::Cancelled) => {
                copying.interrupted = true;
                break;
            }
            Err(GivenUp::Step(failure) | GivenUp::Item(failure)) => {
                return Err(Ended { failure, counts: copying.counts });
            }
        }
    }
    Ok(copying)
}

/// What the batches of one step share.
pub(super) struct Copier<'a, M: MigrationPorts, W> {
    pub(super) ports: RetryingPorts<'a, M, W>,
    pub(super) options: &'a CopyOptions,
    locks: TargetLocks,
}

impl<'a, M: MigrationPorts, W: Watch> Copier<'a, M, W> {
    pub(super) fn new(ports: &'a M, options: &'a CopyOptions, watch: &'a W) -> Self {
        let ports = RetryingPorts::new(ports, watch, options.patience, options.rate);
        Self { ports, options, locks: TargetLocks::default() }
    }

    pub(super) fn batch_size(&self) -> usize {
        self.options.batch_size.clamp(1, 1_000)
    }
}
