//! Two providers as one, behind the port.

mod copies;
mod merge;
mod read;
mod repairs;
#[cfg(test)]
mod tests;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use credlink_core::object::{Attributes, Head, Object, ObjectKey};
use credlink_core::replica::Replica;
use credlink_ports::{
    Clock, Condition, Failure, FailureKind, Index, Listed, Medium, ObjectWrite, Objects, Page, Put, Queue,
    put_one_by_one,
};
use tokio::time::Instant;

use crate::behind::Behind;
use crate::settings::ReplicationSettings;
use crate::side::Side;
use crate::tag::Tag;
use read::Budget;

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

    async fn put_in_order(
        &self,
        first: ObjectWrite,
        second: ObjectWrite,
    ) -> Result<(Put, Option<Put>), Failure> {
        put_one_by_one(self, first, second).await
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
