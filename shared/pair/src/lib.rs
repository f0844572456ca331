//! Two providers behind the one port: side-by-side writes, fail-over reads, and a repair queued for what one missed.
//!
//! **Truth.** The index row decides what is current. Of concurrent writers the primary decides while it answers, and the
//! fallback while it does not. A provider that missed a replacement or a deletion is *behind* (`behind`): what is read
//! there is checked against the row until the repair is done.
//!
//! | to find | look in |
//! |---|---|
//! | writes, and what is queued | `write` |
//! | reads, hedged and checked ones among them | `read` |
//! | listings of both | `merge` |
//! | both copies of an object, compared | `copies` |
//! | the tags that leave this adapter | `tag` |
//! | what a process knows of the flags, and their raising | `behind`, `flags` |
//! | time-outs, measuring | `side`, `latency` |
//! | the circuit breaker | [`circuit_breaker`](credlink_runtime::circuit_breaker) |
//!
//! The reasons are in `docs/decisions/0003-two-providers.md`.

mod behind;
mod copies;
mod flags;
mod latency;
mod merge;
mod read;
pub mod repair_mark;
pub mod replicate;
mod side;
mod tag;
#[cfg(test)]
mod tests;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use credlink_core::message::{Message, Work};
use credlink_core::object::{Attributes, Head, Object, ObjectKey};
use credlink_core::repair_mark::RepairMark;
use credlink_core::replica::Replica;
use credlink_ports::request::current_request_id;
use credlink_ports::{
    Clock, Condition, Failure, FailureKind, Index, Listed, Medium, Objects, Page, Put, Queue,
};
use credlink_runtime::circuit_breaker::BreakerSettings;
use tokio::time::Instant;

use repair_mark::lower;

use behind::Behind;
use read::Budget;
use side::Side;
use tag::Tag;

/// Time for which an object that only the fallback had is not queued again.
const NOTED: Duration = Duration::from_secs(60);
/// Most objects that are remembered as queued: 10,000 × about 100 bytes.
const MAX_NOTED: usize = 10_000;

/// The settings for two providers, as an operator decides them.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Longest time that one call of a provider may take. It is less than half of a request's time, so that the other
    /// provider can still be asked.
    pub timeout: Duration,
    /// Longest time that a write waits for the fallback after the primary is done. The primary decides, and has its
    /// time-out.
    pub grace: Duration,
    /// Settings of the circuit breaker, which decides when a provider is not asked any more.
    pub breaker: BreakerSettings,
    /// Interval at which a process asks the index which provider is behind. The first replacement or deletion that a
    /// provider misses takes that long, in each process that meets one.
    pub look_every: Duration,
    /// Time that a repair waits, in seconds: until then, a write that timed out may still arrive, and a request may
    /// still end.
    pub repair_delay: u32,
    /// `true` if a slow read asks the fallback too.
    pub hedge: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            grace: Duration::from_secs(1),
            breaker: BreakerSettings::default(),
            look_every: Duration::from_secs(5),
            repair_delay: 30,
            hedge: false,
        }
    }
}

/// Two providers as one.
pub struct Replicated<P, F, Q, I> {
    primary: Side<P>,
    fallback: Side<F>,
    queue: Q,
    index: I,
    behind: Behind<I>,
    clock: Arc<dyn Clock + Send + Sync>,
    settings: Settings,
    noted: Mutex<HashMap<ObjectKey, Instant>>,
    budget: Mutex<Budget>,
}

impl<P: Objects, F: Objects, Q, I> std::fmt::Debug for Replicated<P, F, Q, I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = (self.primary.objects.name(), self.fallback.objects.name());
        f.debug_struct("Replicated").field("providers", &names).field("settings", &self.settings).finish()
    }
}

impl<P: Objects, F: Objects, Q: Queue, I: Index + Clone> Replicated<P, F, Q, I> {
    /// `primary` and `fallback` as one; what one misses is queued in `queue`, and said in `index`. Clones of the index
    /// are one index. To be made inside a tokio runtime.
    pub fn new(
        primary: P,
        fallback: F,
        queue: Q,
        index: I,
        clock: impl Clock + Send + Sync + 'static,
        settings: Settings,
    ) -> Self {
        let clock: Arc<dyn Clock + Send + Sync> = Arc::new(clock);
        Self {
            primary: Side::new(primary, Replica::Primary, settings.timeout, settings.breaker),
            fallback: Side::new(fallback, Replica::Fallback, settings.timeout, settings.breaker),
            queue,
            behind: Behind::new(index.clone(), clock.clone(), settings.look_every),
            index,
            clock,
            settings,
            noted: Mutex::default(),
            budget: Mutex::default(),
        }
    }
}

impl<P: Objects, F: Objects, Q: Queue, I: Index> Replicated<P, F, Q, I> {
    /// The primary by itself: for repairs, and for the walk that fills a new fallback.
    pub const fn primary(&self) -> &P {
        &self.primary.objects
    }

    /// The fallback by itself.
    pub const fn fallback(&self) -> &F {
        &self.fallback.objects
    }

    /// Returns the queue of the repairs.
    pub const fn queue(&self) -> &Q {
        &self.queue
    }

    /// Queues a repair of what `replica` may have missed, and where that leaves something stale there (`stale`), says
    /// so to every process first.
    async fn missed(&self, replica: Replica, key: &ObjectKey, stale: Stale) -> Result<(), Failure> {
        let mark = match stale {
            Stale::No => None,
            Stale::Perhaps | Stale::Readable => Box::pin(self.behind.raise(replica)).await?,
        };
        // Before the wait: a process that ends in it leaves the flag to its repair.
        if let Err(failure) = self.queue_repair(replica, key, mark).await {
            // No message will lower the flag. Nobody is told of the write.
            if let Some(mark) = mark
                && let Err(failure) = lower(&self.index, replica, mark).await
            {
                tracing::warn!(%replica, %failure, "a provider counts as behind, and no repair was queued");
            }
            return Err(failure);
        }
        if stale == Stale::Readable {
            self.behind.wait(replica).await;
        }
        Ok(())
    }

    async fn queue_repair(
        &self,
        to: Replica,
        key: &ObjectKey,
        mark: Option<RepairMark>,
    ) -> Result<(), Failure> {
        metrics::counter!("credlink_repairs_queued", "provider" => to.to_string()).increment(1);
        let request_id = current_request_id()
            .map_or_else(|| format!("repair-{:016x}", fastrand::u64(..)), |id| id.to_string());
        let work = Work::Replicate { to, keys: vec![key.clone()], mark };
        self.queue.send(&Message { request_id, work }, self.settings.repair_delay).await
    }

    /// Queues a repair of what a read found missing, once a minute an object. Nobody depends on it.
    async fn noticed(&self, to: Replica, key: &ObjectKey) {
        {
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            if noted.get(key).is_some_and(|at| now.duration_since(*at) < NOTED) {
                return;
            }
            if noted.len() >= MAX_NOTED {
                noted.retain(|_, at| now.duration_since(*at) < NOTED);
            }
            if noted.len() >= MAX_NOTED {
                return;
            }
            noted.insert(key.clone(), now);
        }
        if let Err(failure) = self.queue_repair(to, key, None).await {
            tracing::warn!(%key, %failure, "a provider lacks an object, and its repair was not queued");
        }
    }
}

/// The leftover of a missed write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stale {
    /// Nothing that is stale: it lacks an object, or holds one that has to go.
    No,
    /// Perhaps the object of a store that was not told of it.
    Perhaps,
    /// An object that was replaced or deleted: nobody may be told before every process knows.
    Readable,
}

impl<P: Objects, F: Objects, Q: Queue, I: Index> Objects for Replicated<P, F, Q, I> {
    fn name(&self) -> &'static str {
        self.primary.objects.name()
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        self.get_either(key).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<Head>, Failure> {
        self.head_either(key).await
    }

    async fn put(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> Result<Put, Failure> {
        match condition {
            Condition::Absent => self.create(key, body, attributes).await,
            Condition::Matches(tag) => match Tag::read(&tag) {
                Some(tag) => self.replace(key, body, attributes, &tag).await,
                None => Ok(Put::Lost),
            },
        }
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
        self.delete_both(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page<Listed>, Failure> {
        self.list_both(prefix, after, limit).await
    }
}

/// Two media: [`Replicas::providers`](credlink_ports::Replicas::providers) has what is known of each.
impl<P, F, Q, I> Medium for Replicated<P, F, Q, I> {
    fn has_cheap_lookups(&self) -> bool {
        false
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        None
    }
}
