//! The repairs that a missed write, or a read that finds an object missing, queues.

use std::sync::PoisonError;
use std::time::Duration;

use credlink_core::message::{Message, Work};
use credlink_core::object::ObjectKey;
use credlink_core::repair_mark::RepairMark;
use credlink_core::replica::Replica;
use credlink_ports::request::current_request_id;
use credlink_ports::{Failure, Index, Objects, Queue};
use tokio::time::Instant;

use super::Replicated;
use crate::repair_mark::lower;

/// The time for which the repair of an object that only the fallback had is not queued again.
const NOTED: Duration = Duration::from_secs(60);
/// The maximum number of objects that are remembered as queued: 10,000, of about 100 bytes each.
const MAX_NOTED: usize = 10_000;

/// The state in which a missed write leaves a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stale {
    /// Nothing is stale: the provider lacks an object, or holds one that is to be deleted.
    No,
    /// The provider may hold the object of a write that was never acknowledged.
    Perhaps,
    /// The provider holds an object that was replaced or deleted. The write must not be acknowledged before every
    /// process knows.
    Readable,
}

impl<P: Objects, F: Objects, Q: Queue, I: Index> Replicated<P, F, Q, I> {
    /// Queues a repair of a write that `replica` may have missed. If the write left something stale there (`stale`),
    /// first flags the provider as behind for every process.
    pub(super) async fn missed(
        &self,
        replica: Replica,
        key: &ObjectKey,
        stale: Stale,
    ) -> Result<(), Failure> {
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
    pub(super) async fn noticed(&self, to: Replica, key: &ObjectKey) {
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
