//! Two providers behind one port: parallel writes, fail-over reads, and a queued repair for every write that one of
//! them missed.
//!
//! **Truth.** The index row decides what is current. Between concurrent writers the primary decides as long as it
//! answers, and the fallback otherwise. A provider that missed a replacement or a deletion is *behind* (`behind`):
//! until it is repaired, objects read from it are checked against the row.
//!
//! | to find | look in |
//! |---|---|
//! | writes, and the repairs that they queue | `write` |
//! | reads, including hedged and checked ones | `read` |
//! | listings of both providers | `merge` |
//! | both copies of an object, compared | `copies` |
//! | the tags that this adapter returns | `tag` |
//! | the flags that a process knows, and how they are raised | `behind`, `flags` |
//! | timeouts and measurements | `side`, `latency` |
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

/// The time for which the repair of an object that only the fallback had is not queued again.
const NOTED: Duration = Duration::from_secs(60);
/// The maximum number of objects that are remembered as queued: 10,000, of about 100 bytes each.
const MAX_NOTED: usize = 10_000;

/// An operator's settings for two providers.
#[derive(Debug, Clone, Copy)]
pub struct ReplicationSettings {
    /// The timeout of one call to a provider. It is less than half of a request's time, so that there is still time to
    /// ask the other provider.
    pub timeout: Duration,
    /// The maximum time that a write waits for the fallback once the primary is done. The primary is not cut short,
    /// because it decides; only its timeout limits it.
    pub grace: Duration,
    /// The settings of the circuit breaker, which decides when a provider is no longer called.
    pub breaker: BreakerSettings,
    /// The interval at which a process asks the index which provider is behind. In each process, the first replacement
    /// or deletion that a provider misses takes that long.
    pub look_every: Duration,
    /// The delay of a repair, in seconds. Within that time, a write that timed out may still arrive, and a request may
    /// still end.
    pub repair_delay: u32,
    /// `true` if a slow read also asks the fallback (a hedged request).
    pub hedge: bool,
}

impl Default for ReplicationSettings {
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
    settings: ReplicationSettings,
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
    /// Combines `primary` and `fallback`. Writes that one of them missed are queued as repairs in `queue` and flagged
    /// in `index`. Clones of the index must share one index. Must be called inside a tokio runtime.
    pub fn new(
        primary: P,
        fallback: F,
        queue: Q,
        index: I,
        clock: impl Clock + Send + Sync + 'static,
        settings: ReplicationSettings,
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
    /// Returns the primary by itself, for repairs, and for the walk that fills a new fallback.
    pub const fn primary(&self) -> &P {
        &self.primary.objects
    }

    /// Returns the fallback by itself.
    pub const fn fallback(&self) -> &F {
        &self.fallback.objects
    }

    /// Returns the queue of the repairs.
    pub const fn queue(&self) -> &Q {
        &self.queue
    }

    /// Queues a repair of a write that `replica` may have missed. If the write left something stale there (`stale`),
    /// first flags the provider as behind for every process.
    async fn missed(&self, replica: Replica, key: &ObjectKey, stale: Stale) -> Result<(), Failure> {
        let mark = match stale {
            Stale::No => None,
            Stale::Perhaps | Stale::Readable => Box::pin(self.behind.raise(replica)).await?,
        };
        // Queued before the wait, so that a process that ends while waiting leaves the flag to its repair.
        if let Err(failure) = self.queue_repair(replica, key, mark).await {
            // No message will lower the flag, so it is lowered here. The write is not acknowledged.
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

    /// Queues a repair of an object that a read found missing, at most once a minute per object. Nothing depends on it.
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

/// The state in which a missed write leaves a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stale {
    /// Nothing is stale: the provider lacks an object, or holds one that is to be deleted.
    No,
    /// The provider may hold the object of a write that was never acknowledged.
    Perhaps,
    /// The provider holds an object that was replaced or deleted. The write must not be acknowledged before every
    /// process knows.
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

/// There are two media: [`Replicas::providers`](credlink_ports::Replicas::providers) has the state of each.
impl<P, F, Q, I> Medium for Replicated<P, F, Q, I> {
    fn has_cheap_lookups(&self) -> bool {
        false
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        None
    }
}
