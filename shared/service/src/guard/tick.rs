//! The tick: index and store take note together that something was committed.
//!
//! The index's epoch goes up first, and the store's mark follows. Before the index's goes up again, the mark has to have
//! followed: so the mark is never ahead, and never more than one behind, wherever a process ends. An index that was put back
//! to an instant before a tick is behind the mark for ever.
//!
//! Processes that tick at once are told apart by the row's version: one of them commits, and writes the mark.

use std::sync::atomic::Ordering;

use credlink_core::identity::{Mark, judge};
use credlink_core::row::{Row, StoreRow};
use credlink_core::time::Timestamp;

use credlink_ports::{Clock as _, Commit, Condition, Failure, Index as _, Ports, Write};

use super::Known;
use crate::service::Service;

/// Interval, in seconds, at which the last instant that was seen moves on where nothing is committed: a quiet store
/// must not look like one whose clock jumped.
const SEEN_SECONDS: u64 = 3_600;

/// Interval, in seconds, at which functions tick, all of them together; each adds up to [`JITTER_SECONDS`] of its
/// own.
const TURN_SECONDS: u64 = 60;

/// Most that a function waits longer than others, in seconds.
const JITTER_SECONDS: u64 = 16;

/// Most attempts of a tick, which begins anew if others ticked meanwhile.
const MAX_TRIES: usize = 8;

/// The reason for a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Something was committed: the epoch goes up.
    Epoch,
    /// Time has passed: the last instant that was seen moves on.
    Seen,
}

impl<P: Ports> Service<P> {
    /// Lets the mark cover what this process has committed, if it has, and the last instant that was seen move on once an
    /// hour. To be called every few seconds and before the end, or at the end of a command.
    ///
    /// # Errors
    /// A provider or the index failed. Nothing is lost: the next tick does it.
    pub async fn tick(&self) -> Result<(), Failure> {
        if self.guard.is_off {
            return Ok(());
        }
        if self.has_uncovered_commits() {
            return self.advance(Step::Epoch).await;
        }
        let seen = self.guard.memory().known.as_ref().and_then(|known| Some(known.row.as_ref()?.seen));
        match seen {
            Some(seen) if self.is_past(seen, SEEN_SECONDS) => self.advance(Step::Seen).await,
            _ => Ok(()),
        }
    }

    /// The same for one of many processes that have no time of their own, at the end of a request: if none of them has
    /// ticked for a minute, as far as it knows and then as far as the store says. A failure is logged, and no more: the next
    /// request tries again.
    pub async fn tick_in_turn(&self) {
        if self.guard.is_off || !self.has_uncovered_commits() {
            return;
        }
        let jitter = self.ports.clock().monotonic_microseconds() % JITTER_SECONDS;
        let is_due = |marked: Option<Timestamp>| {
            marked.is_none_or(|marked| self.is_past(marked, TURN_SECONDS + jitter))
        };
        let marked = self.guard.memory().known.as_ref().and_then(|known| known.marked);
        if !is_due(marked) {
            return;
        }
        let ticked = async {
            let marked = self.marked().await?.map(|marked| marked.mark.at);
            if let Some(known) = &mut self.guard.memory().known {
                known.marked = marked;
            }
            if is_due(marked) { self.advance(Step::Epoch).await } else { Ok(()) }
        };
        if let Err(failure) = Box::pin(ticked).await {
            tracing::warn!(reason = %failure, "the store's mark did not advance; the next tick tries again");
        }
    }

    /// The same, whoever committed something and whether or not: for a run of the schedule, which covers what processes left
    /// that ended before their turn.
    ///
    /// # Errors
    /// A provider or the index failed.
    pub async fn tick_for_all(&self) -> Result<(), Failure> {
        if self.guard.is_off { Ok(()) } else { self.advance(Step::Epoch).await }
    }

    fn has_uncovered_commits(&self) -> bool {
        self.guard.commits.load(Ordering::SeqCst) != self.guard.covered.load(Ordering::SeqCst)
    }

    /// Returns `true` if more than `seconds` lie between `then` and the clock, in whichever direction: a clock that
    /// jumped stops no tick.
    fn is_past(&self, then: Timestamp, seconds: u64) -> bool {
        let between = self.now().milliseconds().abs_diff(then.milliseconds());
        between > seconds.saturating_mul(1_000)
    }

    async fn advance(&self, step: Step) -> Result<(), Failure> {
        // In a box: it is rare, and would be a part of the future of every request.
        Box::pin(self.advance_to_the_end(step)).await
    }

    async fn advance_to_the_end(&self, step: Step) -> Result<(), Failure> {
        let noted = self.guard.commits.load(Ordering::SeqCst);
        for _ in 0..MAX_TRIES {
            let marked = self.marked().await?;
            let row = self.store_row().await?;
            let (Some(marked), Some(row)) = (marked, row) else { return Ok(()) };
            // An older index must not catch up with its store by ticks.
            if judge(Some(&marked.mark), Some(&row)).is_some() {
                return Ok(());
            }
            if marked.mark.epoch < row.epoch {
                // A tick that was cut off: the mark follows before the index goes on.
                self.put_mark(&Mark::of(&row), Condition::Matches(marked.tag)).await?;
                continue;
            }
            let next = self.next_row(&row, step);
            let write = Write { row: Row::Store(next.clone()), expected: Some(row.version) };
            let after = match self.ports.index().commit(&[write]).await? {
                Commit::Done => next,
                Commit::Lost { current: Some(Row::Store(current)), .. } if current.epoch > row.epoch => {
                    // Another process ticked after this one had read the row, and so after its commits. It writes the mark.
                    self.covered(noted, current, marked.mark.at);
                    return Ok(());
                }
                Commit::Lost { .. } => continue,
            };
            let mark = Mark::of(&after);
            if step == Step::Epoch && !self.put_mark(&mark, Condition::Matches(marked.tag)).await? {
                // Whoever came first wrote an epoch that is as high, or the next tick's look finds the mark one behind.
                tracing::debug!("another process wrote the store's mark first");
            }
            self.covered(noted, after, mark.at);
            return Ok(());
        }
        Err(self.others_kept_changing())
    }

    /// The row after a step. The last instant that was seen stays while the clock is doubted.
    fn next_row(&self, row: &StoreRow, step: Step) -> StoreRow {
        let now = self.now();
        let is_sane = self.clock_doubt(row).is_none();
        let (epoch, advanced, advanced_before) = match step {
            Step::Epoch => (row.epoch + 1, now, Some(row.advanced)),
            Step::Seen => (row.epoch, row.advanced, row.advanced_before),
        };
        StoreRow {
            version: row.version + 1,
            epoch,
            advanced,
            advanced_before,
            seen: if is_sane { now.max(row.seen) } else { row.seen },
            jumped: if is_sane { None } else { row.jumped.or(Some(now)) },
            ..row.clone()
        }
    }

    fn covered(&self, noted: u64, row: StoreRow, marked: Timestamp) {
        self.guard.covered.fetch_max(noted, Ordering::SeqCst);
        let at = self.ports.clock().monotonic_microseconds();
        let mut memory = self.guard.memory();
        memory.failed = None;
        memory.known =
            Some(Known { at, mismatch: None, row: Some(row), marked: Some(marked), is_settled: true });
    }
}
