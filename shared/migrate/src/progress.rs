//! What whoever started a step is told while it runs, and can ask of it.

use std::collections::BTreeMap;

use serde::Serialize;

use credlink_ports::Failure;
use credlink_ports::migration::ledger::Reason;

/// What became of the items so far. Each item that was looked at counts in exactly one of `copied`, `duplicates`, `done`,
/// `failed` and `skipped`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Items that the source listed.
    pub listed: u64,
    /// Proofs that were made at the destination, by this run or by one that was killed before it could say so.
    pub copied: u64,
    /// Items whose proof the destination had already: of elsewhere, or of another item.
    pub duplicates: u64,
    /// Items that an earlier run had dealt with.
    pub done: u64,
    /// Items that could not be copied, by reason.
    pub failed: BTreeMap<Reason, u64>,
    /// Items of which nothing is to be copied, by reason.
    pub skipped: BTreeMap<Reason, u64>,
    /// Items that were removed from the source right after they were copied and verified.
    pub deleted: u64,
    /// Bytes of the items that were read, as the source tells them.
    pub bytes: u64,
}

impl Counts {
    /// Items that could not be copied.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Items of which nothing is to be copied.
    #[must_use]
    pub fn skips(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// Items that were dealt with, in whichever way.
    #[must_use]
    pub fn processed(&self) -> u64 {
        self.copied + self.duplicates + self.done + self.failures() + self.skips()
    }

    /// These counts and `other`'s.
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

/// Who watches a step. Nothing here may wait; `()` watches nothing.
pub trait Watch {
    /// How far it is. Called after each batch.
    fn progress(&self, counts: &Counts) {
        let _ = counts;
    }

    /// An item failed: its key, why, and in words.
    fn failed(&self, key: &str, reason: Reason, detail: &str) {
        let _ = (key, reason, detail);
    }

    /// Everything waits, because of this: who failed, and how.
    fn paused(&self, failure: &Failure) {
        let _ = failure;
    }

    /// It goes on.
    fn resumed(&self) {}

    /// Whether to end: what is in flight is finished first.
    fn is_cancelled(&self) -> bool {
        false
    }
}

impl Watch for () {}
