//! Tracks which provider recently missed writes and may therefore hold stale objects.
//!
//! The index tells every process. A process asks the index at a fixed interval, so one that raises a flag waits for
//! that interval before it acknowledges the write: from then on, no process trusts the provider without asking the
//! index. The wait begins at the moment at which this process itself first saw the flag, so that it is long enough
//! however much the clocks of machines differ. It is never longer than the interval.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use credlink_core::repair_mark::RepairMark;
use credlink_core::replica::Replica;
use credlink_core::row::{Row, RowKey};
use credlink_core::rules::replica_lag;
use credlink_core::time::Timestamp;
use credlink_ports::{Clock, Commit, Failure, FailureKind, Index, Write};
use futures_util::future::try_join;
use tokio::time::Instant;

use crate::flags::Flags;

/// The time that one read waits for an index that did not answer the previous question.
const SILENT: Duration = Duration::from_secs(1);
/// The maximum number of attempts to commit a row. A commit is lost if another process was faster.
const ATTEMPTS: u32 = 16;
/// The number of attempts that carry a mark. After them the flag stands by time, so that one commit serves all
/// processes that raise it at once.
const COUNTED_ATTEMPTS: u32 = 8;
/// The longest pause before an attempt, in milliseconds per earlier attempt.
const PAUSE_MILLISECONDS: u64 = 10;

/// The flags of both providers, as far as this process knows them.
pub(crate) struct Behind<I> {
    index: I,
    clock: Arc<dyn Clock + Send + Sync>,
    every: Duration,
    known: Mutex<Known>,
    /// Held while the index is asked, so that one request asks on behalf of all.
    asking: tokio::sync::Mutex<()>,
    /// Held while a flag is raised, so that requests of one process do not race for the row.
    raising: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default, Clone)]
struct Known {
    /// The moment at which the index was last asked.
    asked: Option<Asked>,
    /// The flags as the index last gave them.
    flags: Flags,
    /// `true` once the index has answered.
    is_known: bool,
    /// `true` if the index did not answer the last question.
    silent: bool,
}

/// A moment on two clocks. In a Lambda that is frozen between events, the monotonic clock may stand still.
#[derive(Debug, Clone, Copy)]
struct Asked {
    instant: Instant,
    time: Timestamp,
}

impl<I: Index> Behind<I> {
    pub(crate) fn new(index: I, clock: Arc<dyn Clock + Send + Sync>, every: Duration) -> Self {
        let (asking, raising) = (tokio::sync::Mutex::new(()), tokio::sync::Mutex::new(()));
        Self { index, clock, every, known: Mutex::default(), asking, raising }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self) -> Option<Known> {
        let known = self.known().clone();
        let asked = known.asked?;
        let passed = self.clock.now().milliseconds().saturating_sub(asked.time.milliseconds());
        // A clock that was set back gives no duration.
        let passed = u64::try_from(passed).ok().map(Duration::from_millis)?;
        (asked.instant.elapsed().max(passed) < self.every).then_some(known)
    }

    fn moment(&self) -> Asked {
        Asked { instant: Instant::now(), time: self.clock.now() }
    }

    /// Returns `true` if `replica` counts as behind, as far as this process knows without asking the index.
    pub(crate) fn last_known(&self, replica: Replica) -> bool {
        let now = self.clock.now();
        self.known().flags.stands(replica, now)
    }

    /// Makes the next read ask the index, even if the known flags are fresh.
    pub(crate) fn forget(&self) {
        self.known().asked = None;
    }

    /// Returns `true` if `replica` may be behind, or `None` if the flags were never known. If the index does not
    /// answer, its last answer holds, because nothing can be replaced or deleted without it.
    pub(crate) async fn is(&self, replica: Replica) -> Option<bool> {
        let known = match self.fresh() {
            Some(known) => known,
            None => Box::pin(self.ask()).await,
        };
        known.is_known.then(|| known.flags.stands(replica, self.clock.now()))
    }

    /// Asks the index on behalf of all waiting reads. If it did not answer the last question, one read waits for it for
    /// at most one second, and the others get the last answer at once: without the index, nothing changes.
    async fn ask(&self) -> Known {
        let last = self.known().clone();
        if !last.silent {
            let _asking = self.asking.lock().await;
            return match self.fresh() {
                Some(known) => known,
                None => self.ask_index().await,
            };
        }
        let Ok(_asking) = self.asking.try_lock() else { return last };
        match tokio::time::timeout(SILENT, self.ask_index()).await {
            Ok(known) => known,
            Err(_) => self.silent(),
        }
    }

    fn silent(&self) -> Known {
        let moment = self.moment();
        let mut known = self.known();
        (known.asked, known.silent) = (Some(moment), true);
        known.clone()
    }

    async fn ask_index(&self) -> Known {
        // Taken before the question: a flag that is raised meanwhile is then seen a little sooner than necessary.
        let asked = self.moment();
        let flag = async |replica| {
            let row = self.index.get(&RowKey::Replica(replica)).await?;
            Ok::<_, Failure>(row.and_then(Row::replica))
        };
        match try_join(flag(Replica::Primary), flag(Replica::Fallback)).await {
            Ok((primary, fallback)) => {
                let mut known = self.known();
                known.flags.note(Replica::Primary, primary, asked.instant);
                known.flags.note(Replica::Fallback, fallback, asked.instant);
                (known.asked, known.is_known, known.silent) = (Some(asked), true, false);
                known.clone()
            }
            Err(failure) => {
                tracing::warn!(%failure, "the index does not say which provider is behind");
                self.silent()
            }
        }
    }

    /// Flags `replica` as behind in the index. Returns the mark for the repair that the caller must queue next, or
    /// `None` if the flag stands by time.
    ///
    /// # Errors
    /// The index failed, so the write must not be acknowledged.
    pub(crate) async fn raise(&self, replica: Replica) -> Result<Option<RepairMark>, Failure> {
        let _raising = self.raising.lock().await;
        self.raise_row(replica).await
    }

    /// Waits until every process knows of the flag. A process that asked just before the flag was raised trusts its
    /// answer for one interval.
    pub(crate) async fn wait(&self, replica: Replica) {
        let age = self.known().flags.age(replica);
        if age < self.every {
            tokio::time::sleep(self.every - age).await;
        }
    }

    async fn raise_row(&self, replica: Replica) -> Result<Option<RepairMark>, Failure> {
        let mut before = self.known().flags.row(replica).cloned();
        let mut is_new = self.fresh().is_some();
        for attempt in 0..ATTEMPTS {
            let now = self.clock.now();
            let mark = (attempt < COUNTED_ATTEMPTS).then(|| RepairMark::new(now, fastrand::u64(..)));
            let began = Instant::now();
            let Some(row) = replica_lag::raise(replica, before.as_ref(), mark, now) else {
                if is_new {
                    return Ok(None);
                }
                // The row that this process saw long ago may have been removed by hand.
                before = self.index.get(&RowKey::Replica(replica)).await?.and_then(Row::replica);
                self.known().flags.note(replica, before.clone(), began);
                is_new = true;
                continue;
            };
            let write = Write { row: Row::Replica(row.clone()), expected: before.map(|row| row.version) };
            is_new = true;
            match self.index.commit(&[write]).await? {
                Commit::Done => {
                    let mark = mark.filter(|mark| row.repairs.contains(mark));
                    self.known().flags.note(replica, Some(row), began);
                    return Ok(mark);
                }
                Commit::Lost { current, .. } => before = current.and_then(Row::replica),
            }
            self.known().flags.note(replica, before.clone(), began);
            // The first loss is usually due to a row that this process had not seen.
            if attempt > 0 {
                let pause = fastrand::u64(..=PAUSE_MILLISECONDS * u64::from(attempt));
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        }
        let message = format!("the row of the {replica} changed too often");
        Err(Failure { provider: self.index.name(), kind: FailureKind::Unavailable, message })
    }
}

#[cfg(test)]
mod tests {
    use crate::repair_mark::lower;
    use credlink_core::rules::replica_lag::MAX_REPAIRS;

    use super::*;
    use credlink_ports::doubles::ManualClock;
    use credlink_ports::doubles::MemoryIndex;

    const EVERY: Duration = Duration::from_secs(5);
    const REPLICA: Replica = Replica::Primary;

    fn clock() -> ManualClock {
        ManualClock::at("2026-01-01T12:00:00Z".parse().unwrap())
    }

    fn process(index: &MemoryIndex, clock: &ManualClock) -> Behind<MemoryIndex> {
        Behind::new(index.clone(), Arc::new(clock.clone()), EVERY)
    }

    async fn waits(process: &Behind<MemoryIndex>) -> Duration {
        let began = Instant::now();
        process.wait(REPLICA).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_was_frozen_asks_again() {
        let (clock, index) = (clock(), MemoryIndex::new());
        let (frozen, other) = (process(&index, &clock), process(&index, &clock));
        assert_eq!(frozen.is(REPLICA).await, Some(false));
        other.raise(REPLICA).await.unwrap();
        assert_eq!(frozen.is(REPLICA).await, Some(false), "what is known holds for five seconds");
        // The monotonic clock stands still here.
        clock.advance_seconds(6);
        assert_eq!(frozen.is(REPLICA).await, Some(true));
    }

    /// The clock of one machine is an hour ahead of the other's, or an hour behind it.
    #[tokio::test(start_paused = true)]
    async fn the_wait_holds_however_clocks_differ() {
        for (ahead, behind) in [(3_600, 0), (0, 3_600)] {
            let index = MemoryIndex::new();
            let [first, second] = [ahead, behind].map(|seconds| {
                let clock = clock();
                clock.advance_seconds(seconds);
                process(&index, &clock)
            });
            first.raise(REPLICA).await.unwrap();
            second.raise(REPLICA).await.unwrap();
            tokio::time::advance(Duration::from_secs(1)).await;
            second.raise(REPLICA).await.unwrap();
            assert_eq!(waits(&second).await, Duration::from_secs(4), "{ahead} {behind}");
            assert_eq!(waits(&second).await, Duration::ZERO);
            // A flag that was lowered and raised again while this process did not look is new to the other processes.
            let row = index.get(&RowKey::Replica(REPLICA)).await.unwrap().and_then(Row::replica).unwrap();
            for mark in row.repairs {
                lower(&index, REPLICA, mark).await.unwrap();
            }
            first.raise(REPLICA).await.unwrap();
            second.raise(REPLICA).await.unwrap();
            assert_eq!(waits(&second).await, EVERY);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flag_is_down_when_every_repair_of_every_process_is_done() {
        let (clock, index) = (clock(), MemoryIndex::new());
        let (one, other) = (process(&index, &clock), process(&index, &clock));
        let mut marks = Vec::new();
        for process in [&one, &other, &one] {
            marks.push(process.raise(REPLICA).await.unwrap().unwrap());
        }
        for mark in marks {
            one.forget();
            assert_eq!(one.is(REPLICA).await, Some(true));
            lower(&index, REPLICA, mark).await.unwrap();
            lower(&index, REPLICA, mark).await.unwrap();
        }
        one.forget();
        assert_eq!(one.is(REPLICA).await, Some(false));
        // Old knowledge of the flag does not stop another process from writing its next mark to the index.
        let mark = other.raise(REPLICA).await.unwrap();
        one.forget();
        assert!(mark.is_some());
        assert_eq!(one.is(REPLICA).await, Some(true));
    }

    #[tokio::test(start_paused = true)]
    async fn more_repairs_than_a_row_holds_cost_no_commits() {
        let (clock, index) = (clock(), MemoryIndex::new());
        let process = process(&index, &clock);
        for _ in 0..MAX_REPAIRS {
            assert!(process.raise(REPLICA).await.unwrap().is_some());
        }
        for _ in 0..3 {
            assert_eq!(process.raise(REPLICA).await.unwrap(), None);
        }
        let row = index.get(&RowKey::Replica(REPLICA)).await.unwrap().unwrap();
        assert_eq!(row.version(), MAX_REPAIRS as u64 + 1);
        clock.advance_seconds(13 * 86_400);
        process.forget();
        assert_eq!(process.is(REPLICA).await, Some(true));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_processes_that_raise_it_at_once_all_succeed() {
        let (clock, index) = (clock(), MemoryIndex::new());
        let raised = (0..64).map(|_| {
            let (index, clock) = (index.clone(), clock.clone());
            tokio::spawn(async move { process(&index, &clock).raise(REPLICA).await })
        });
        let mut marks = Vec::new();
        for raised in raised.collect::<Vec<_>>() {
            marks.push(raised.await.unwrap().unwrap());
        }
        let row = index.get(&RowKey::Replica(REPLICA)).await.unwrap().and_then(Row::replica).unwrap();
        assert!(replica_lag::stands(&row, clock.now()));
        assert!(row.repairs.is_empty() || marks.iter().flatten().all(|mark| row.repairs.contains(mark)));
    }
}
