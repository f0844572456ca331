//! L1: the cache in the process's memory.
//!
//! A forgotten key must not come back through a load that was under way when it was forgotten. So each key belongs to a
//! stripe with a *generation*, which forgetting raises. An entry carries the generation in which its load began, and is
//! used only by callers who came in that generation or before. Forgetting is thus one addition, and need not find the
//! entry.
//!
//! A load that fails is an entry as well, so that everybody who waits for it learns of its failure instead of loading
//! one after the other. The loader removes it at once.

use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use credlink_core::object::{ObjectKey, Verified};
use credlink_ports::{Cache, CacheStats, Failure, LayerStats};
use quick_cache::sync::DefaultLifecycle;
use quick_cache::{OptionsBuilder, Weighter};

use crate::held::Held;
use crate::lifetime::{AgeClock, Lifetimes, left};
use crate::stripes::Stripes;
use crate::tally::Tally;

/// The default maximum number of objects.
pub const MAX_ENTRIES: u64 = 1_000;
/// The default maximum size of all objects, in bytes.
pub const MAX_BYTES: u64 = 50_000_000;
/// The default idle time after which an object is dropped, if its lifetime has not ended before: one hour.
pub const IDLE: Duration = Duration::from_secs(3_600);

/// The memory that an entry takes in addition to its body, in bytes: its key (twice), a dozen short texts of
/// attributes, the nodes of the cache. This is an estimate on the high side.
const OVERHEAD_BYTES: u64 = 1_500;

/// The interval between searches for entries whose time has passed, in milliseconds. A search of 1,000 entries takes
/// some 20 µs.
const SEARCH_INTERVAL: u64 = 1_000;

/// The number of evicted keys that the cache remembers, as a share of its entries: an object that is read again soon
/// after its eviction was evicted too early, and is kept longer. With more of them, the cache follows a change of what
/// is popular sooner, and keeps slightly less of what is always popular.
const REMEMBERED: f64 = 0.75;

/// The bounds of a cache in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryBounds {
    /// The maximum number of objects: [`MAX_ENTRIES`].
    pub entries: u64,
    /// The maximum size of all objects, in bytes: [`MAX_BYTES`].
    pub bytes: u64,
    /// The idle time after which an object is dropped: [`IDLE`].
    pub idle: Duration,
}

impl Default for MemoryBounds {
    fn default() -> Self {
        Self { entries: MAX_ENTRIES, bytes: MAX_BYTES, idle: IDLE }
    }
}

/// A cache in memory, built on `quick_cache`.
#[derive(Debug)]
pub struct MemoryCache {
    entries: Room,
    generations: Stripes,
    lifetimes: Lifetimes,
    clock: AgeClock,
    tally: Tally,
    /// The lightest weight of an entry.
    share: u64,
    /// The idle time, in milliseconds.
    idle: u64,
    /// The instant that uses are counted from. The clock that lifetimes are measured by may be set back.
    started: Instant,
    /// The milliseconds after `started` at which entries were last searched for those whose time has passed.
    searched: AtomicU64,
}

/// The entries, within the bound on their weights.
type Room = quick_cache::sync::Cache<ObjectKey, Loaded, Weights, RandomState>;

/// The result of a load. A failure is there for those who waited for the load, and is removed at once.
type Loaded = Result<Arc<Entry>, Failure>;

#[derive(Debug)]
struct Entry {
    generation: u64,
    held: Held,
    weight: u64,
    /// The milliseconds after the start of the cache at which the entry was last used.
    used: AtomicU64,
}

/// The weights of entries. A failure displaces nothing.
#[derive(Debug, Clone, Copy)]
struct Weights;

impl Weighter<ObjectKey, Loaded> for Weights {
    fn weight(&self, _: &ObjectKey, loaded: &Loaded) -> u64 {
        loaded.as_ref().map_or(0, |entry| entry.weight)
    }
}

impl Default for MemoryCache {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryCache {
    /// Returns an empty cache with the default bounds.
    #[must_use]
    pub fn new() -> Self {
        Self::with(MemoryBounds::default(), Lifetimes::default(), AgeClock::default())
    }

    /// Returns an empty cache of at most this many objects and bytes.
    #[must_use]
    pub fn bounded(entries: u64, bytes: u64) -> Self {
        let bounds = MemoryBounds { entries, bytes, ..MemoryBounds::default() };
        Self::with(bounds, Lifetimes::default(), AgeClock::default())
    }

    /// Returns an empty cache with the given bounds and lifetimes.
    #[must_use]
    pub fn with(bounds: MemoryBounds, lifetimes: Lifetimes, clock: AgeClock) -> Self {
        let MemoryBounds { entries, bytes, idle } = bounds;
        let entries = entries.max(1);
        Self {
            entries: room(entries, bytes),
            generations: Stripes::default(),
            lifetimes,
            clock,
            tally: Tally::of("l1"),
            // There is one bound, on the sum of weights. An entry weighs at least its share of the bytes, so that
            // `entries` of the lightest entries reach the bound just as `bytes` of heavy ones do.
            share: bytes / entries,
            idle: u64::try_from(idle.as_millis()).unwrap_or(u64::MAX),
            started: Instant::now(),
            searched: AtomicU64::new(0),
        }
    }

    /// Returns the object under `key`, from memory or else from `fetch`, whose result says when its load began.
    pub(super) async fn get_or_fetch<L>(
        &self,
        key: &ObjectKey,
        fetch: L,
    ) -> Result<Option<Arc<Verified>>, Failure>
    where
        L: Future<Output = Result<Held, Failure>>,
    {
        let now = self.now();
        self.search(now);
        let generation = self.generations.of(key);
        // An entry whose load began before this call and after the key was last forgotten may answer it, and so may one
        // whose load begins later.
        let wanted = generation.load(Ordering::SeqCst);
        let place = loop {
            match self.entries.get_value_or_guard_async(key).await {
                Ok(Ok(entry)) if entry.generation >= wanted && self.is_fresh(key, &entry, now) => {
                    entry.used.fetch_max(now, Ordering::Relaxed);
                    self.tally.hit();
                    return Ok(entry.held.object.clone());
                }
                // Its time has passed, or its load began before the key was forgotten.
                Ok(Ok(entry)) => self.remove(key, &entry),
                Ok(Err(failure)) => return Err(failure),
                Err(place) => break place,
            }
        };
        self.tally.miss();
        let generation = generation.load(Ordering::SeqCst);
        match fetch.await {
            Ok(held) => {
                let object = held.object.clone();
                let body = object.as_ref().map_or(0, |object| object.size() as u64);
                let weight = (body + OVERHEAD_BYTES).max(self.share);
                let entry = Entry { generation, held, weight, used: AtomicU64::new(self.now()) };
                // If the place was taken from the cache meanwhile, nobody waits for the entry any more.
                let _ = place.insert(Ok(Arc::new(entry)));
                Ok(object)
            }
            Err(failure) => {
                let _ = place.insert(Err(failure.clone()));
                self.entries.remove_if(key, Result::is_err);
                Err(failure)
            }
        }
    }

    /// Forgets `key` at once.
    pub(super) fn forget(&self, key: &ObjectKey) {
        self.generations.of(key).fetch_add(1, Ordering::SeqCst);
    }

    /// Returns the statistics of the layer. An entry that is lighter than its share of the bound counts as that share.
    pub(super) fn layer(&self) -> LayerStats {
        self.search(self.now());
        self.tally.stats(Some((self.entries.len() as u64, self.entries.weight())))
    }

    /// Returns the milliseconds since the start of the cache.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns `true` if the lifetime of `entry` has not ended, and somebody used it within the idle time.
    fn is_fresh(&self, key: &ObjectKey, entry: &Entry, now: u64) -> bool {
        let lifetime = self.lifetimes.of(key, entry.held.object.as_deref());
        now.saturating_sub(entry.used.load(Ordering::Relaxed)) <= self.idle
            && left(lifetime, entry.held.loaded, self.clock.now()).is_some()
    }

    /// Removes `entry`, unless another one has taken its place.
    fn remove(&self, key: &ObjectKey, entry: &Arc<Entry>) {
        self.entries
            .remove_if(key, |loaded| loaded.as_ref().is_ok_and(|present| Arc::ptr_eq(present, entry)));
    }

    /// Removes the entries whose time has passed, if the last search is a while ago. It only frees memory: a read
    /// checks its entry itself.
    fn search(&self, now: u64) {
        let searched = self.searched.load(Ordering::Relaxed);
        if now.saturating_sub(searched) < SEARCH_INTERVAL
            || self.searched.compare_exchange(searched, now, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        self.entries.retain(|key, loaded| {
            loaded.as_ref().is_ok_and(|entry| {
                entry.generation == self.generations.of(key).load(Ordering::SeqCst)
                    && self.is_fresh(key, entry, now)
            })
        });
    }
}

/// Returns room for this many entries and bytes.
fn room(entries: u64, bytes: u64) -> Room {
    let entries = usize::try_from(entries).unwrap_or(usize::MAX);
    // Each shard has a share of the bound, which the longest manifests would not fit into, so there is one. A
    // hit holds its lock for less than a microsecond, and the search once a second for some 20.
    let options = OptionsBuilder::new()
        .shards(1)
        .ghost_allocation(REMEMBERED)
        .estimated_items_capacity(entries)
        .weight_capacity(bytes)
        .build();
    let (hasher, lifecycle) = (RandomState::new(), DefaultLifecycle::default());
    match options {
        Ok(options) => Room::with_options(options, Weights, hasher, lifecycle),
        // Only missing bounds are refused.
        Err(_) => Room::with(entries, bytes, Weights, hasher, lifecycle),
    }
}

impl Cache for MemoryCache {
    async fn get_or_load<L>(&self, key: &ObjectKey, load: L) -> Result<Option<Arc<Verified>>, Failure>
    where
        L: Future<Output = Result<Option<Verified>, Failure>>,
    {
        let fetch = async {
            let loaded = self.clock.now();
            Ok(Held { object: load.await?.map(Arc::new), loaded })
        };
        self.get_or_fetch(key, fetch).await
    }

    async fn invalidate(&self, key: &ObjectKey) {
        self.forget(key);
    }

    fn stats(&self) -> CacheStats {
        let layer = self.layer();
        CacheStats {
            hits: layer.hits,
            misses: layer.misses,
            entries: layer.entries.unwrap_or_default(),
            bytes: layer.bytes.unwrap_or_default(),
            layers: vec![layer],
        }
    }
}
