//! The knowledge of the guard between its checks, and the verdicts that follow from it.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use credlink_core::identity::Mismatch;
use credlink_core::row::StoreRow;
use credlink_core::rules::guard::{Doubt, Standing, Stopped};
use credlink_core::time::Timestamp;

use credlink_ports::Failure;

use crate::error::in_words;

/// The state of the guard in this process.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    /// `true` if the guard is off, so that it allows everything.
    pub(super) is_off: bool,
    /// Commits of this process so far.
    pub(super) commits: AtomicU64,
    /// The number of those commits that the mark covers.
    pub(super) covered: AtomicU64,
    memory: Mutex<Memory>,
}

/// The state that the guard keeps between checks.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) known: Option<Known>,
    /// The start of the latest check, by the monotonic clock, if it has not ended.
    pub(super) began: Option<u64>,
    /// The time at which the clock was first doubted, by the monotonic clock, if it is doubted.
    doubted: Option<u64>,
    /// The failure of the last check, if it failed.
    pub(super) failed: Option<Failure>,
    /// The labels of the doubts that were logged.
    pub(super) told: Vec<&'static str>,
}

/// The result of a check.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// The time of the check, by the monotonic clock.
    pub(super) at: u64,
    /// The mismatch, if the index and the store do not belong together.
    pub(super) mismatch: Option<Mismatch>,
    /// The store's row.
    pub(super) row: Option<StoreRow>,
    /// The time at which the mark was written.
    pub(super) marked: Option<Timestamp>,
    /// `true` if the mark and the row both existed, or were missing for a reason; `false` if a read-only check left
    /// them to be created.
    pub(super) is_settled: bool,
}

impl Guard {
    /// Creates a disabled guard.
    pub(crate) fn off() -> Self {
        Self { is_off: true, ..Self::default() }
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Returns the standing at `now`, which is `ticks` microseconds of the monotonic clock.
    pub(super) fn standing(&mut self, now: Timestamp, ticks: u64) -> Standing {
        let mut doubts = Vec::new();
        let Some(known) = &self.known else { return self.unknown(doubts) };
        doubts.extend(known.mismatch.map(Doubt::Mismatch));
        if let Some(row) = known.row.clone() {
            doubts.extend(self.clock_doubt(&row, now, ticks));
            doubts.extend(Stopped::of(&row).map(Doubt::CollectorStopped));
        }
        self.unknown(doubts)
    }

    /// Returns the doubt about a clock that shows `now`. Time that passes while the clock is doubted does not count as
    /// a jump once it is right again.
    pub(super) fn clock_doubt(&mut self, row: &StoreRow, now: Timestamp, ticks: u64) -> Option<Doubt> {
        let is_outside = Doubt::about_clock(row, now, 0).is_some();
        self.doubted = is_outside.then(|| self.doubted.unwrap_or(ticks));
        let elapsed = self.doubted.map_or(0, |since| ticks.saturating_sub(since) / 1_000_000);
        Doubt::about_clock(row, now, elapsed)
    }

    fn unknown(&self, mut doubts: Vec<Doubt>) -> Standing {
        doubts.extend(
            self.failed
                .as_ref()
                .map(|failure| Doubt::Unknown { provider: failure.provider, why: in_words(failure.kind) }),
        );
        Standing { doubts }
    }
}

#[cfg(test)]
mod tests {
    use credlink_core::store_id::StoreId;

    use super::*;

    const DAY: u64 = 86_400;

    #[test]
    fn time_that_passes_while_the_clock_is_doubted_is_no_jump() {
        let seen: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let row = StoreRow::new(StoreId::of("one"), 1, seen);
        let mut memory = Memory::default();
        let ticks = |days: u64| days * DAY * 1_000_000;
        let mut is_doubted = |days_by_clock: u64, days: u64| {
            memory.clock_doubt(&row, seen.plus_seconds(days_by_clock * DAY), ticks(days)).is_some()
        };
        assert!(is_doubted(400, 0), "it jumped");
        assert!(is_doubted(420, 20), "20 days pass, and it is as wrong as before");
        assert!(!is_doubted(20, 20), "it is set right");
        assert!(!is_doubted(20, 20), "and stays right");
        assert!(is_doubted(420, 20), "it jumps again");
        let mut started_later = Memory::default();
        assert!(started_later.clock_doubt(&row, seen.plus_seconds(20 * DAY), 0).is_some());
    }
}
