//! The port for a cache in front of the bytes.

use std::future::Future;
use std::sync::Arc;

use credlink_core::object::{ObjectKey, Verified};

use crate::Failure;

/// Counts of what a cache has seen so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Reads that were answered without a load, by whichever layer.
    pub hits: u64,
    /// Reads that had to load.
    pub misses: u64,
    /// Entries held in memory now.
    pub entries: u64,
    /// Weight of the entries held in memory now, in bytes.
    pub bytes: u64,
    /// Each layer, in the order in which they are asked.
    pub layers: Vec<LayerStats>,
}

/// Counts of what one layer of a cache has seen so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerStats {
    /// `l1`: memory; `l2`: Redis; `l3`: a folder.
    pub name: &'static str,
    /// Reads that it answered.
    pub hits: u64,
    /// Reads that came to it and that it could not answer, because it did not have it or was out of order.
    pub misses: u64,
    /// Its operations that failed, and its entries that were damaged.
    pub errors: u64,
    /// Entries held now, where it knows.
    pub entries: Option<u64>,
    /// Bytes held now, where it knows.
    pub bytes: Option<u64>,
}

/// A cache in front of [`Objects::get`].
///
/// * What [`Cache::invalidate`] was called for is loaded anew by every `get_or_load` of this process that begins after
///   the call returned, even when a load that began before is still under way, and whatever layer is out of order.
///   Other processes notice within the time for which a layer of theirs keeps its entries.
/// * A cache that is out of order costs hits, never an answer: only a failure of the load is one of the read.
/// * Concurrent reads of one key share one load. A failed load is not kept.
/// * Absence is kept, for a second at most.
pub trait Cache {
    /// The object under `key`, from the cache or else from `load`.
    fn get_or_load<L>(
        &self,
        key: &ObjectKey,
        load: L,
    ) -> impl Future<Output = Result<Option<Arc<Verified>>, Failure>>
    where
        L: Future<Output = Result<Option<Verified>, Failure>>;

    /// Forgets `key`. To be called after the change. A call that is cut short has taken effect on this process's
    /// readers once it was polled.
    fn invalidate(&self, key: &ObjectKey) -> impl Future<Output = ()>;

    /// Forgets that nothing stood under `key`, or a marker. To be called after it was taken. Here it does what
    /// [`Cache::invalidate`] does; but those who keep copies elsewhere keep an absence for seconds only, and are not told.
    fn forget_absence(&self, key: &ObjectKey) -> impl Future<Output = ()> {
        self.invalidate(key)
    }

    /// Tells those who keep copies elsewhere, and answer readers without asking this cache, what was invalidated: all
    /// of it at once. To be called at the end of what changed something. It waits for them, but not for long, and what they
    /// could not be told they are told with a later call.
    fn announce(&self) -> impl Future<Output = ()> {
        std::future::ready(())
    }

    /// Returns the counts of what it has seen.
    fn stats(&self) -> CacheStats;
}
