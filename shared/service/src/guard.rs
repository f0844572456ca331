//! The guard: nothing is destroyed unless index and store belong together and the clock is sane (guarantees 10 and 12).
//!
//! | to find | look in |
//! |---|---|
//! | asking whether an act is allowed | here |
//! | looking at mark and row, and making them | `look` |
//! | the high-water mark that goes up | `tick` |
//! | the words of an operator, and the collector's breaker | `operator` |
//!
//! A look costs a read of the mark and a read of the row, and what it found is kept: for as long as [`MAX_AGE_SECONDS`]
//! where nothing happens beside requests, and for seconds where a task looks again and again. Only the clock is compared each
//! time, which costs nothing. Reading asks the guard only whether the index may be heard, where that is on this machine, and
//! goes on whatever the answer is.

mod look;
mod operator;
mod tick;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use credlink_core::identity::Mismatch;
use credlink_core::row::StoreRow;
use credlink_core::rules::guard::{Act, Doubt, Standing, Stopped};
use credlink_core::time::Timestamp;

use credlink_ports::{
    Clock as _, Commit, Event, Events as _, Failure, FailureKind, Index as _, Ports, Write,
};
use look::Manner;

use crate::error::Error;
use crate::overview::in_words;
use crate::service::Service;

/// Maximum age of the result of a look, in seconds, before the next request that changes something looks again.
const MAX_AGE_SECONDS: u64 = 60;

/// Time, in seconds, after which another request looks although a look has not ended: a look takes two reads.
const LOOK_AGAIN_SECONDS: u64 = 2;

/// The state of the guard in this process.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    /// `true` if the guard is off, so that it allows everything.
    is_off: bool,
    /// Commits of this process so far.
    commits: AtomicU64,
    /// The number of them that the mark covers.
    covered: AtomicU64,
    memory: Mutex<Memory>,
}

/// The memory of the guard between its looks.
#[derive(Debug, Default)]
struct Memory {
    known: Option<Known>,
    /// Time at which the latest look began, by the monotonic clock, if it has not ended.
    began: Option<u64>,
    /// Time at which the clock was first doubted, by the monotonic clock, if it is doubted.
    doubted: Option<u64>,
    /// The failure of the last look, if it failed.
    failed: Option<Failure>,
    /// The labels of the doubts that the log knows of.
    told: Vec<&'static str>,
}

/// The result of a look.
#[derive(Debug, Clone)]
struct Known {
    /// Time of the look, by the monotonic clock.
    at: u64,
    /// The mismatch of index and store, if they do not belong together.
    mismatch: Option<Mismatch>,
    /// The store's row.
    row: Option<StoreRow>,
    /// Time at which the mark was written.
    marked: Option<Timestamp>,
    /// `true` if mark and row both stood there, or were missing for a reason; `false` if a look that only reads left
    /// them to be made.
    is_settled: bool,
}

impl Guard {
    /// A guard that nobody asks.
    pub(crate) fn off() -> Self {
        Self { is_off: true, ..Self::default() }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Returns what stands in the way at `now`, which is `ticks` microseconds of the monotonic clock.
    fn standing(&mut self, now: Timestamp, ticks: u64) -> Standing {
        let mut doubts = Vec::new();
        let Some(known) = &self.known else { return self.unknown(doubts) };
        doubts.extend(known.mismatch.map(Doubt::Mismatch));
        if let Some(row) = known.row.clone() {
            doubts.extend(self.clock_doubt(&row, now, ticks));
            doubts.extend(Stopped::of(&row).map(Doubt::CollectorStopped));
        }
        self.unknown(doubts)
    }

    /// The doubt about a clock that shows `now`. Time that passes while it is doubted is no jump once it is right again.
    fn clock_doubt(&mut self, row: &StoreRow, now: Timestamp, ticks: u64) -> Option<Doubt> {
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

/// Returns `true` if `seconds` have passed from `at` to `ticks`, both by the monotonic clock, or if that clock was
/// set back, as in tests.
const fn is_older(at: u64, ticks: u64, seconds: u64) -> bool {
    ticks < at || ticks - at >= seconds * 1_000_000
}

impl<P: Ports> Service<P> {
    /// The same service without its guard: for a test that makes index and objects itself, and whose clock leaps.
    #[must_use]
    pub fn unguarded(self) -> Self {
        Self { guard: Guard::off().into(), ..self }
    }

    /// Commits rows of proofs, manifests and legacy ids, and takes note that there was a commit: the store's mark goes up
    /// after it.
    pub async fn write_rows(&self, writes: &[Write]) -> Result<Commit, Failure> {
        let commit = self.ports.index().commit(writes).await;
        // Also after a failure: the commit may be done.
        if !matches!(commit, Ok(Commit::Lost { .. })) {
            self.guard.commits.fetch_add(1, Ordering::SeqCst);
        }
        commit
    }

    /// Looks afresh, and makes mark and row where there is nothing yet. Whatever stands in the way is in the answer; without
    /// any doubt, everything is allowed. A failure to look is a doubt too.
    pub async fn standing(&self) -> Standing {
        if self.guard.is_off {
            return Standing::default();
        }
        // What went wrong is logged and remembered.
        let _ = self.look_again(Manner::Making).await;
        self.remembered()
    }

    /// Returns what is known without a look, or by a look that changes nothing if that is too old. It is for callers
    /// that only read.
    pub async fn standing_for_readers(&self) -> Standing {
        if self.guard.is_off {
            return Standing::default();
        }
        if self.is_stale(|_| true) {
            let _ = self.look_again(Manner::Reading).await;
        }
        self.remembered()
    }

    /// Checks that something may be stored, replaced or bound.
    ///
    /// # Errors
    /// A problem that says why it may not; or a failure if that could not be found out, now or before.
    pub async fn may_change(&self) -> Result<(), Error> {
        self.may(Act::Change).await
    }

    /// Checks that something may be deleted. This costs a comparison most of the time, and may be asked for each item
    /// of a long run: a clock that jumps meanwhile is noticed.
    ///
    /// # Errors
    /// A problem that says why it may not; or a failure if that could not be found out.
    pub async fn may_destroy(&self) -> Result<(), Error> {
        self.may(Act::Destroy).await
    }

    /// Checks that objects may be removed because no row speaks for them: as [`Service::may_destroy`], and also that
    /// the collector's breaker has not stopped it.
    ///
    /// # Errors
    /// A problem that says why they may not; or a failure if that could not be found out.
    pub async fn may_collect(&self) -> Result<(), Error> {
        self.may(Act::Collect).await
    }

    /// Checks that a provider may be brought what it missed. An index that is older than the store, or not the
    /// store's, must not do that.
    ///
    /// # Errors
    /// A problem that says why it may not; or a failure if that could not be found out, now or before.
    pub async fn may_repair(&self) -> Result<(), Error> {
        self.may(Act::Repair).await
    }

    async fn may(&self, act: Act) -> Result<(), Error> {
        if self.guard.is_off {
            return Ok(());
        }
        if self.is_stale(|known| known.is_settled)
            && let Err(failure) = self.look_again(Manner::Making).await
        {
            // What adds goes on by what was known before: an outage stops what it has to, and no more.
            let is_known = self.guard.memory().known.as_ref().is_some_and(|known| known.is_settled);
            if !(matches!(act, Act::Change | Act::Repair) && is_known) {
                // That the mark is damaged is not what the caller asked about.
                let is_damaged = failure.kind == FailureKind::Damaged;
                let unknown = Doubt::Unknown { provider: failure.provider, why: in_words(failure.kind) };
                return Err(if is_damaged { unknown.problem().into() } else { failure.into() });
            }
        }
        match self.remembered().forbids(act) {
            None => Ok(()),
            Some(doubt) => Err(doubt.problem().into()),
        }
    }

    /// Returns what stands in the way, by what is remembered and by the clock.
    fn remembered(&self) -> Standing {
        let clock = self.ports.clock();
        self.guard.memory().standing(clock.now(), clock.monotonic_microseconds())
    }

    /// The doubt about the clock at this moment.
    fn clock_doubt(&self, row: &StoreRow) -> Option<Doubt> {
        let clock = self.ports.clock();
        self.guard.memory().clock_doubt(row, clock.now(), clock.monotonic_microseconds())
    }

    /// Tells metrics what stands in the way. What stands is told last: a recorder that keeps one value for all reasons keeps
    /// that one.
    fn tell(&self) {
        let standing = self.remembered();
        self.log(&standing);
        for stands in [false, true] {
            for label in Doubt::LABELS.into_iter().filter(|label| standing.has(label) == stands) {
                self.ports.events().record(Event::Doubted { label, stands });
            }
        }
    }

    /// Logs each doubt when it comes, and that it went.
    fn log(&self, standing: &Standing) {
        let labels: Vec<_> = standing.doubts.iter().map(Doubt::label).collect();
        let told = std::mem::replace(&mut self.guard.memory().told, labels.clone());
        for doubt in standing.doubts.iter().filter(|doubt| !told.contains(&doubt.label())) {
            tracing::error!(why = doubt.label(), %doubt, "something is stopped");
        }
        for why in told.into_iter().filter(|why| !labels.contains(why)) {
            tracing::info!(why, "this no longer stops anything");
        }
    }

    /// Returns `true` if a new look is needed: what is known does not suffice, or is too old and nobody else looks
    /// just now.
    fn is_stale(&self, does: impl Fn(&Known) -> bool) -> bool {
        let ticks = self.ports.clock().monotonic_microseconds();
        let memory = self.guard.memory();
        match &memory.known {
            Some(known) if does(known) => {
                is_older(known.at, ticks, MAX_AGE_SECONDS)
                    && memory.began.is_none_or(|began| is_older(began, ticks, LOOK_AGAIN_SECONDS))
            }
            _ => true,
        }
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
