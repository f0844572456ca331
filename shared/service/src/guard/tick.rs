//! The tick: the index and the store record together that something was committed.
//!
//! The index's epoch advances first, and the store's mark follows. The mark must have followed before the index's epoch
//! advances again, so the mark is never ahead, and never more than one behind, wherever a process ends. An index that
//! was restored to a time before a tick stays behind the mark forever.
//!
//! The row's version decides between processes that tick at the same time: one of them commits, and writes the mark.

use std::sync::atomic::Ordering;

use credlink_core::identity::{Mark, judge};
use credlink_core::row::{Row, StoreRow};
use credlink_core::time::Timestamp;

use credlink_ports::{Clock as _, Commit, Condition, Failure, Index as _, Ports, Write};

use super::memory::Known;
use crate::service::Service;

/// Interval, in seconds, at which the last time seen advances where nothing is committed, so that a quiet store does
/// not look like one whose clock jumped.
const SEEN_SECONDS: u64 = 3_600;

/// Interval, in seconds, at which functions tick, all of them together; each adds up to [`JITTER_SECONDS`] of its own.
const TURN_SECONDS: u64 = 60;

/// Maximum extra delay of a single function, in seconds.
const JITTER_SECONDS: u64 = 16;

/// Most attempts of a tick, which starts again if others ticked in the meantime.
const MAX_TRIES: usize = 8;

/// The reason for a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Something was committed, and the epoch advances.
    Epoch,
    /// Time has passed, and the last time seen advances.
    Seen,
}

impl<P: Ports> Service<P> {
    /// Advances the mark to cover this process's commits, if there are any, and the last time seen once an hour. The
    /// caller must call it every few seconds and before the process ends, or at the end of a command.
    ///
    /// # Errors
    /// A provider or the index failed. Nothing is lost, and the next tick makes up for it.
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

    /// Ticks at the end of a request, for one of many processes that have no background tasks: if none of them has
    /// ticked for a minute, as far as this process knows and then as far as the store records. A failure is only
    /// logged, and the next request tries again.
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

    /// Ticks whether or not this process has committed anything. This is for a scheduled run, which covers the commits
    /// of processes that ended before their turn.
    ///
    /// # Errors
    /// A provider or the index failed.
    pub async fn tick_for_all(&self) -> Result<(), Failure> {
        if self.guard.is_off { Ok(()) } else { self.advance(Step::Epoch).await }
    }

    fn has_uncovered_commits(&self) -> bool {
        self.guard.commits.load(Ordering::SeqCst) != self.guard.covered.load(Ordering::SeqCst)
    }

    /// Returns `true` if more than `seconds` lie between `then` and the clock, in either direction, so that a jump of
    /// the clock stops no tick.
    fn is_past(&self, then: Timestamp, seconds: u64) -> bool {
        let between = self.now().milliseconds().abs_diff(then.milliseconds());
        between > seconds.saturating_mul(1_000)
    }

    async fn advance(&self, step: Step) -> Result<(), Failure> {
        // Boxed, because it is rare and would be a part of the future of every request.
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
                // A tick was cut off, so the mark follows before the index advances.
                self.put_mark(&Mark::of(&row), Condition::Matches(marked.tag)).await?;
                continue;
            }
            let next = self.next_row(&row, step);
            let write = Write { row: Row::Store(next.clone()), expected: Some(row.version) };
            let after = match self.ports.index().commit(&[write]).await? {
                Commit::Done => next,
                Commit::Lost { current: Some(Row::Store(current)), .. } if current.epoch > row.epoch => {
                    // Another process ticked after this one had read the row, and so after its commits. It writes the
                    // mark.
                    self.covered(noted, current, marked.mark.at);
                    return Ok(());
                }
                Commit::Lost { .. } => continue,
            };
            let mark = Mark::of(&after);
            if step == Step::Epoch && !self.put_mark(&mark, Condition::Matches(marked.tag)).await? {
                // The process that was first wrote an epoch that is as high, or the next tick finds the mark one
                // behind.
                tracing::debug!("another process wrote the store's mark first");
            }
            self.covered(noted, after, mark.at);
            return Ok(());
        }
        Err(self.others_kept_changing())
    }

    /// Returns the row after a step. The last time seen does not advance while the clock is doubted.
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
