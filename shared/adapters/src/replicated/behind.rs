//! Which provider missed writes lately, so that what it holds may be stale.
//!
//! The index says it to every process. A process looks every few seconds at most, so who raises a flag waits as long
//! before the write is acknowledged: from then on no process trusts the provider without asking the index.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use credlink_core::message::Replica;
use credlink_core::row::{ReplicaRow, Row, RowKey};
use credlink_core::time::Timestamp;
use credlink_service::ports::{Clock, Commit, Failure, FailureKind, Index, Write};
use futures_util::future::try_join;
use tokio::time::Instant;

/// How long a flag stands, in seconds: 14 days, the longest that a message waits in a queue.
const STANDS_SECONDS: u64 = 14 * 86_400;
/// A flag is renewed when a day of it is over.
const RENEWED_SECONDS: u64 = 86_400;
/// How long one read waits for an index that did not answer the last time.
const SILENT: Duration = Duration::from_secs(1);
/// How often a lost commit is tried again.
const ATTEMPTS: usize = 8;

/// The flags of both providers, as this process knows them.
pub(super) struct Behind<I> {
    index: I,
    clock: Arc<dyn Clock + Send + Sync>,
    every: Duration,
    known: Mutex<Known>,
    /// Held while the index is asked, so that one request asks for all.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Known {
    /// When it was asked last.
    asked: Option<Asked>,
    /// What the index said last.
    flags: Option<Flags>,
    /// Whether the index did not answer since then.
    silent: bool,
}

/// A moment, by two clocks: in a Lambda that is frozen between events, the one that only runs forward may stand still.
#[derive(Debug, Clone, Copy)]
struct Asked {
    instant: Instant,
    time: Timestamp,
}

/// Until when each provider may be behind.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Flags {
    primary: Option<ReplicaRow>,
    fallback: Option<ReplicaRow>,
}

impl Flags {
    const fn of(&self, replica: Replica) -> Option<ReplicaRow> {
        match replica {
            Replica::Primary => self.primary,
            Replica::Fallback => self.fallback,
        }
    }
}

impl<I: Index> Behind<I> {
    pub(super) fn new(index: I, clock: Arc<dyn Clock + Send + Sync>, every: Duration) -> Self {
        Self { index, clock, every, known: Mutex::default(), asking: tokio::sync::Mutex::new(()) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self) -> Option<Known> {
        let known = *self.known();
        let asked = known.asked?;
        let passed = self.clock.now().milliseconds().saturating_sub(asked.time.milliseconds());
        // A clock that was set back says nothing.
        let passed = u64::try_from(passed).ok().map(Duration::from_millis)?;
        (asked.instant.elapsed().max(passed) < self.every).then_some(known)
    }

    fn moment(&self) -> Asked {
        Asked { instant: Instant::now(), time: self.clock.now() }
    }

    /// What this process knows, without asking.
    pub(super) fn last_known(&self, replica: Replica) -> bool {
        self.known().flags.is_some_and(|flags| self.stands(flags.of(replica)))
    }

    fn stands(&self, row: Option<ReplicaRow>) -> bool {
        row.is_some_and(|row| row.until > self.clock.now())
    }

    /// Asks the index with the next read, whatever is known.
    pub(super) fn forget(&self) {
        self.known().asked = None;
    }

    /// Whether `replica` may be behind. Where the index does not answer, what was known last holds, as nothing can be
    /// replaced or deleted meanwhile; `None`: nothing was ever known.
    pub(super) async fn is(&self, replica: Replica) -> Option<bool> {
        let known = match self.fresh() {
            Some(known) => known,
            None => Box::pin(self.ask()).await,
        };
        known.flags.map(|flags| self.stands(flags.of(replica)))
    }

    /// Asks the index, for all who wait. One that was silent the last time costs one read a second of time, and the others
    /// nothing: without it nothing changes.
    async fn ask(&self) -> Known {
        let last = *self.known();
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
        *known
    }

    async fn ask_index(&self) -> Known {
        // Before the answer: what is raised meanwhile is seen a little sooner than it has to be.
        let asked = self.moment();
        let flag = async |replica| {
            let row = self.index.get(&RowKey::Replica(replica)).await?;
            Ok::<_, Failure>(row.and_then(Row::replica))
        };
        match try_join(flag(Replica::Primary), flag(Replica::Fallback)).await {
            Ok((primary, fallback)) => {
                let flags = Some(Flags { primary, fallback });
                let known = Known { asked: Some(asked), flags, silent: false };
                *self.known() = known;
                known
            }
            Err(failure) => {
                tracing::warn!(%failure, "the index does not say which provider is behind");
                self.silent()
            }
        }
    }

    /// Says to every process that `replica` may be behind, and waits until every process knows.
    ///
    /// # Errors
    /// The index failed: nobody may be told of the write.
    pub(super) async fn raise(&self, replica: Replica, wait: bool) -> Result<(), Failure> {
        let mut before = self.known().flags.and_then(|flags| flags.of(replica));
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let standing = before.filter(|row| row.until > now);
            if let Some(row) =
                standing.filter(|row| row.until >= now.plus_seconds(STANDS_SECONDS - RENEWED_SECONDS))
            {
                self.note(row);
                self.wait(row, wait, now).await;
                return Ok(());
            }
            let row = ReplicaRow {
                replica,
                version: before.map_or(0, |row| row.version) + 1,
                since: standing.map_or(now, |row| row.since),
                until: now.plus_seconds(STANDS_SECONDS),
            };
            let expected = before.map(|row| row.version);
            match self.index.commit(&[Write { row: Row::Replica(row), expected }]).await? {
                Commit::Done => before = Some(row),
                Commit::Lost { current, .. } => before = current.and_then(Row::replica),
            }
        }
        let message = format!("the row of the {replica} changed too often");
        Err(Failure { provider: self.index.name(), kind: FailureKind::Unavailable, message })
    }

    fn note(&self, row: ReplicaRow) {
        let mut known = self.known();
        if let Some(flags) = &mut known.flags {
            flags.set(row.replica, Some(row));
        }
    }

    /// A flag that was raised just now may be unknown to others for as long as they keep what they know.
    async fn wait(&self, row: ReplicaRow, wait: bool, now: Timestamp) {
        let age = now.milliseconds().saturating_sub(row.since.milliseconds());
        let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
        if wait && age < self.every {
            tokio::time::sleep(self.every - age).await;
        }
    }
}

impl Flags {
    const fn set(&mut self, replica: Replica, row: Option<ReplicaRow>) {
        match replica {
            Replica::Primary => self.primary = row,
            Replica::Fallback => self.fallback = row,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::memory::MemoryIndex;

    #[tokio::test(start_paused = true)]
    async fn a_process_that_was_frozen_asks_again() {
        let clock = ManualClock::at("2026-01-01T12:00:00Z".parse().unwrap());
        let index = Arc::new(MemoryIndex::new());
        let process = || Behind::new(Arc::clone(&index), Arc::new(clock.clone()), Duration::from_secs(5));
        let (frozen, other) = (process(), process());
        assert_eq!(frozen.is(Replica::Primary).await, Some(false));
        other.raise(Replica::Primary, false).await.unwrap();
        assert_eq!(frozen.is(Replica::Primary).await, Some(false), "what is known holds for five seconds");
        // The clock that only runs forward stands still here.
        clock.advance_seconds(6);
        assert_eq!(frozen.is(Replica::Primary).await, Some(true));
    }
}
