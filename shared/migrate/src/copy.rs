//! Copies given items: reads, checks, records the start, imports, and records the outcome.
//!
//! Copying is idempotent and safe to run concurrently, since a queue may deliver the same items twice, and to two
//! workers at a time.

mod batch;
mod clear;
mod import;
mod item;
#[cfg(test)]
mod tests;

pub(super) use item::is_done;

use std::collections::BTreeSet;

use credlink_ports::Failure;
use credlink_ports::migration::{Item, MigrationPorts};
use serde::Serialize;

use crate::incoming::Owners;
use crate::progress::{Counts, Watch};
use crate::retry_policy::{GivenUp, RetryPolicy};
use crate::retrying_ports::RetryingPorts;
use crate::target_locks::TargetLocks;

/// Options for copying.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyOptions {
    /// The tenants that own the imported proofs.
    pub owners: Owners,
    /// Number of items that are read or imported concurrently.
    pub concurrency: usize,
    /// Number of items in one write to the ledger, at most 1,000.
    pub batch_size: usize,
    /// `true` if a proof that the destination already has is left alone. Otherwise its content is compared as well.
    /// Nothing is ever overwritten.
    pub skip_existing: bool,
    /// `true` if an item is removed from the source as soon as it was copied and its copy verified by content.
    pub delete_after: bool,
    /// Maximum number of items per second.
    pub rate: Option<f64>,
    /// Retries, and the point at which to give up.
    pub retry_policy: RetryPolicy,
}

impl CopyOptions {
    /// Returns the default options, for items that become proofs of `owners`.
    #[must_use]
    pub fn new(owners: Owners) -> Self {
        Self {
            owners,
            concurrency: 32,
            batch_size: 100,
            skip_existing: true,
            delete_after: false,
            rate: None,
            retry_policy: RetryPolicy::default(),
        }
    }
}

/// The result of copying.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Copying {
    /// The outcomes of the items.
    pub counts: Counts,
    /// `true` if copying was cancelled before its end.
    pub interrupted: bool,
}

/// The reason why copying stopped early. Everything done so far is in the ledger, and another attempt resumes from
/// there.
#[derive(Clone, Debug, thiserror::Error)]
#[error("it was ended, and can be resumed: {failure}")]
pub struct Ended {
    /// The failure and its provider.
    pub failure: Failure,
    /// The outcomes of the items up to then.
    pub counts: Counts,
}

/// Copies `items` to the destination of a job, as far as its ledger does not have them yet.
///
/// # Errors
/// Fails if a port is out of reach for longer than the options allow, or if an operator has to act (no space, no
/// access). Neither marks an item as failed.
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

/// The state that the batches of one step share.
pub(super) struct Copier<'a, M: MigrationPorts, W> {
    pub(super) ports: RetryingPorts<'a, M, W>,
    pub(super) options: &'a CopyOptions,
    locks: TargetLocks,
}

impl<'a, M: MigrationPorts, W: Watch> Copier<'a, M, W> {
    pub(super) fn new(ports: &'a M, options: &'a CopyOptions, watch: &'a W) -> Self {
        let ports = RetryingPorts::new(ports, watch, options.retry_policy, options.rate);
        Self { ports, options, locks: TargetLocks::default() }
    }

    pub(super) fn batch_size(&self) -> usize {
        self.options.batch_size.clamp(1, 1_000)
    }
}
