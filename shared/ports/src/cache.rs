//! The port for a cache in front of the objects.

use std::future::Future;
use std::sync::Arc;

use credlink_core::object::{ObjectKey, Verified};

use crate::Failure;

/// The counts of a cache since it was created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Reads that some layer answered without a load.
    pub hits: u64,
    /// Reads that had to load.
    pub misses: u64,
    /// Entries held in memory now.
    pub entries: u64,
    /// Weight of the entries held in memory now, in bytes.
    pub bytes: u64,
    /// The layers, in the order in which they are asked.
    pub layers: Vec<LayerStats>,
}

/// The counts of one layer of a cache since it was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerStats {
    /// The name of the layer. `l1` is memory, `l2` is Redis, and `l3` is a folder.
    pub name: &'static str,
    /// Reads that the layer answered.
    pub hits: u64,
    /// Reads that reached the layer and that it could not answer, because it had no entry or was out of order.
    pub misses: u64,
    /// Failed operations and damaged entries.
    pub errors: u64,
    /// Entries held now, if the layer knows.
    pub entries: Option<u64>,
    /// Bytes held now, if the layer knows.
    pub bytes: Option<u64>,
}

/// A cache in front of [`Objects::get`](crate::Objects::get).
///
/// * **Invalidation.** Once [`Cache::invalidate`] has returned, every `get_or_load` of this process that begins
///   afterwards loads the key anew, even if an earlier load is still under way, and whichever layer is out of order.
///   Other processes notice within the lifetime of the entries in their own layers.
/// * **Failure.** A cache that is out of order costs hits, never an answer. A read fails only if its load fails.
/// * **Request coalescing.** Concurrent reads of one key share one load. A failed load is not cached.
/// * **Absence** is cached for at most one second.
pub trait Cache {
    /// Returns the object under `key`, from the cache or else from `load`.
    fn get_or_load<L>(
        &self,
        key: &ObjectKey,
        load: L,
    ) -> impl Future<Output = Result<Option<Arc<Verified>>, Failure>>
    where
        L: Future<Output = Result<Option<Verified>, Failure>>;

    /// Forgets `key`. The caller must call this after the change. A call that is cancelled takes effect on the readers
    /// of this process as soon as it has been polled once.
    fn invalidate(&self, key: &ObjectKey) -> impl Future<Output = ()>;

    /// Forgets that `key` was absent or had a tombstone. The caller must call this after an object has been stored
    /// under the key. In this process it does what [`Cache::invalidate`] does. Caches elsewhere are not told, because
    /// they keep an absence for a few seconds only.
    fn forget_absence(&self, key: &ObjectKey) -> impl Future<Output = ()> {
        self.invalidate(key)
    }

    /// Sends all invalidations since the last call to the caches elsewhere that answer readers without asking this one,
    /// such as the edge. The caller must call this at the end of every operation that changed something. It waits for
    /// those caches, but not for long. Invalidations that could not be delivered go out with a later call.
    fn announce(&self) -> impl Future<Output = ()> {
        std::future::ready(())
    }

    /// Returns the counts since the cache was created.
    fn stats(&self) -> CacheStats;
}
