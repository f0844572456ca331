//! The guard: nothing is destroyed unless the index and the store belong together and the clock is plausible
//! (guarantees 10 and 12).
//!
//! | to find | look in |
//! |---|---|
//! | asking whether an act is allowed | here |
//! | what is known between checks | `memory` |
//! | reading and creating the mark and the row | `look` |
//! | the high-water mark and how it advances | `tick` |
//! | the decisions of an operator, and the collector's circuit breaker | `operator` |
//!
//! A check reads the mark and the row once and keeps the result: for [`MAX_AGE_SECONDS`] in a process that only handles
//! requests, and for seconds where a task checks repeatedly. Only the clock is compared each time, which costs nothing.
//! Reads ask the guard only whether the index may be consulted, if the index is on the same machine, and proceed
//! whatever the answer is.

mod look;
pub(crate) mod memory;
mod operator;
mod tick;

use std::sync::atomic::Ordering;

use credlink_core::row::StoreRow;
use credlink_core::rules::guard::{Act, Doubt, Standing};

use credlink_ports::{
    Clock as _, Commit, Event, Events as _, Failure, FailureKind, Index as _, Ports, Write,
};
use look::Manner;
use memory::{Guard, Known};

use crate::error::{Error, in_words};
use crate::service::Service;

/// Maximum age of the result of a check, in seconds, before the next changing request checks again.
const MAX_AGE_SECONDS: u64 = 60;

/// Time, in seconds, after which another request checks even though a check has not ended; a check takes two reads.
const LOOK_AGAIN_SECONDS: u64 = 2;

/// Returns `true` if `seconds` have passed from `at` to `ticks`, both by the monotonic clock, or if that clock was set
/// back, as in tests.
const fn is_older(at: u64, ticks: u64, seconds: u64) -> bool {
    ticks < at || ticks - at >= seconds * 1_000_000
}

/// Refuses to change rows while the index may be another store's.
///
/// # Errors
/// An error that says why they may not change (503).
pub(crate) async fn may_follow<P: Ports>(service: &Service<P>) -> Result<(), Error> {
    // A rebuild is the way in which an operator joins the two.
    if service.spares { Ok(()) } else { service.may_change().await }
}

impl<P: Ports> Service<P> {
    /// Disables the guard, for a test that creates the index and the objects itself, and whose clock jumps.
    #[must_use]
    pub fn unguarded(self) -> Self {
        Self { guard: Guard::off().into(), ..self }
    }

    /// Commits rows of proofs, manifests and legacy IDs, and counts the commit, so that the store's mark advances after
    /// it.
    pub async fn write_rows(&self, writes: &[Write]) -> Result<Commit, Failure> {
        let commit = self.ports.index().commit(writes).await;
        // After a failure too, since the commit may be done.
        if !matches!(commit, Ok(Commit::Lost { .. })) {
            self.guard.commits.fetch_add(1, Ordering::SeqCst);
        }
        commit
    }

    /// Checks afresh, and creates the mark and the row where there is nothing yet. The answer says what is in doubt;
    /// without any doubt, everything is allowed. A failed check is a doubt too.
    pub async fn standing(&self) -> Standing {
        if self.guard.is_off {
            return Standing::default();
        }
        // A failure is logged and remembered.
        let _ = self.look_again(Manner::Making).await;
        self.remembered()
    }

    /// Returns what is known without a check, or by a read-only check if that is too old. This is for callers that only
    /// read.
    pub async fn standing_for_readers(&self) -> Standing {
        if self.guard.is_off {
            return Standing::default();
        }
        if self.is_stale(|_| true) {
            let _ = self.look_again(Manner::Reading).await;
        }
        self.remembered()
    }

    /// Checks that a proof, a manifest or an alias may be stored, replaced or bound.
    ///
    /// # Errors
    /// A problem that says why it may not; or a failure if that could not be determined, now or before.
    pub async fn may_change(&self) -> Result<(), Error> {
        self.may(Act::Change).await
    }

    /// Checks that an object may be deleted. This costs a comparison most of the time, and may be called for each item
    /// of a long run, so that a jump of the clock is noticed.
    ///
    /// # Errors
    /// A problem that says why it may not; or a failure if that could not be determined.
    pub async fn may_destroy(&self) -> Result<(), Error> {
        self.may(Act::Destroy).await
    }

    /// Checks that objects may be removed because no row stands for them: as [`Service::may_destroy`], and also that
    /// the collector's circuit breaker is not open.
    ///
    /// # Errors
    /// A problem that says why they may not; or a failure if that could not be determined.
    pub async fn may_collect(&self) -> Result<(), Error> {
        self.may(Act::Collect).await
    }

    /// Checks that the copies of a provider may be repaired. An index that is older than the store, or another store's,
    /// must not do that.
    ///
    /// # Errors
    /// A problem that says why they may not; or a failure if that could not be determined, now or before.
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
            // Additions continue on the basis of what was known before: an outage stops what it must, and no more.
            let is_known = self.guard.memory().known.as_ref().is_some_and(|known| known.is_settled);
            if !(matches!(act, Act::Change | Act::Repair) && is_known) {
                // The caller did not ask about damage to the mark.
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

    /// Returns the standing, by what is remembered and by the clock.
    fn remembered(&self) -> Standing {
        let clock = self.ports.clock();
        self.guard.memory().standing(clock.now(), clock.monotonic_microseconds())
    }

    /// Returns the present doubt about the clock.
    fn clock_doubt(&self, row: &StoreRow) -> Option<Doubt> {
        let clock = self.ports.clock();
        self.guard.memory().clock_doubt(row, clock.now(), clock.monotonic_microseconds())
    }

    /// Reports the standing to the metrics. Active doubts are reported last, so that a recorder with a single value for
    /// all reasons keeps them.
    fn tell(&self) {
        let standing = self.remembered();
        self.log(&standing);
        for stands in [false, true] {
            for label in Doubt::LABELS.into_iter().filter(|label| standing.has(label) == stands) {
                self.ports.events().record(Event::Doubted { label, stands });
            }
        }
    }

    /// Logs each doubt when it arises and when it is resolved.
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

    /// Returns `true` if a new check is needed: what is known does not suffice, or is too old and nobody else is
    /// checking.
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
