//! Progress reports of a running step, and its cancellation.

use std::collections::BTreeMap;

use credlink_ports::Failure;
use credlink_ports::migration::ledger::Reason;
use serde::Serialize;

/// The outcomes of the items so far. Each item that was examined counts in exactly one of `copied`, `duplicates`,
/// `done`, `failed` and `skipped`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Items that the source listed.
    pub listed: u64,
    /// Proofs that were created at the destination, by this run or by one that was killed before it could record them.
    pub copied: u64,
    /// Items whose proof the destination already had, from elsewhere or from another item.
    pub duplicates: u64,
    /// Items that an earlier run completed.
    pub done: u64,
    /// Items that could not be copied, by reason.
    pub failed: BTreeMap<Reason, u64>,
    /// Items that need no copy, by reason.
    pub skipped: BTreeMap<Reason, u64>,
    /// Items that were removed from the source right after they were copied and verified.
    pub deleted: u64,
    /// Bytes of the items that were read, as the source reports them.
    pub bytes: u64,
}

impl Counts {
    /// Returns the number of items that could not be copied.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Returns the number of items that need no copy.
    #[must_use]
    pub fn skips(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// Returns the number of items that have an outcome, whatever it is.
    #[must_use]
    pub fn processed(&self) -> u64 {
        self.copied + self.duplicates + self.done + self.failures() + self.skips()
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Self) {
        self.listed += other.listed;
        self.copied += other.copied;
        self.duplicates += other.duplicates;
        self.done += other.done;
        self.deleted += other.deleted;
        self.bytes += other.bytes;
        for (sum, each) in [(&mut self.failed, &other.failed), (&mut self.skipped, &other.skipped)] {
            for (reason, count) in each {
                *sum.entry(*reason).or_default() += count;
            }
        }
    }
}

/// An observer of a step. Its methods must not block. `()` observes nothing.
pub trait Watch {
    /// Reports the counts so far. Called after each batch.
    fn progress(&self, counts: &Counts) {
        let _ = counts;
    }

    /// Reports that an item failed, with its key, the reason, and details.
    fn failed(&self, key: &str, reason: Reason, detail: &str) {
        let _ = (key, reason, detail);
    }

    /// Reports that all calls wait because of an outage, with the failure that caused it.
    fn paused(&self, failure: &Failure) {
        let _ = failure;
    }

    /// Reports that the outage is over.
    fn resumed(&self) {}

    /// Returns `true` if the step is to end. Items in flight are finished first.
    fn is_cancelled(&self) -> bool {
        false
    }
}

impl Watch for () {}
