//! L1: the cache in the process's memory.
//!
//! A forgotten key must not come back through a load that was under way when it was forgotten. So each key belongs to a
//! stripe with a *generation*, which forgetting raises. An entry carries the generation in which its load began, and is
//! used only while the stripe is still in that generation. Forgetting is thus one addition, and need not find the
//! entry.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use credlink_core::object::{ObjectKey, Verified};
use credlink_ports::{Cache, CacheStats, Failure, LayerStats};
use moka::Expiry;

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

/// The minimum length of an object that triggers housekeeping as soon as it is stored, in bytes. moka does its
/// housekeeping after 64 writes, or on the first use at least 0.3 s after the last; until then, new entries take memory
/// in addition to those that they displace. That is 8 MB at most for shorter objects, and would be 640 MB for the
/// longest.
const LONG_BYTES: usize = 131_072;

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

/// A cache in memory, built on moka.
#[derive(Debug)]
pub struct MokaCache {
    entries: moka::future::Cache<ObjectKey, Entry>,
    generations: Stripes,
    lifetimes: Lifetimes,
    clock: AgeClock,
    tally: Tally,
}

#[derive(Debug, Clone)]
struct Entry {
    generation: u64,
    held: Held,
    /// The rest of its lifetime when it was stored.
    keep: Duration,
}

impl Default for MokaCache {
    fn default() -> Self {
        Self::new()
    }
}

impl MokaCache {
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
        // moka has one bound, on the sum of weights. Here an entry weighs at least its share of the bytes, so that
        // `entries` of the lightest entries reach the bound just as `bytes` of heavy ones do.
        let share = bytes / entries.max(1);
        let weigh = move |_: &ObjectKey, entry: &Entry| {
            let body = entry.held.object.as_ref().map_or(0, |object| object.size() as u64);
            u32::try_from((body + OVERHEAD_BYTES).max(share)).unwrap_or(u32::MAX)
        };
        Self {
            entries: moka::future::Cache::builder()
                .max_capacity(bytes)
                .weigher(weigh)
                .time_to_idle(idle)
                .expire_after(Lifetime)
                .build(),
            generations: Stripes::default(),
            lifetimes,
            clock,
            tally: Tally::of("l1"),
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
        let generation = self.generations.of(key);
        // An entry that was loaded before this call and has not been forgotten since may answer it.
        let wanted = generation.load(Ordering::SeqCst);
        if let Some(entry) = self.entries.get(key).await {
            if entry.generation == wanted && self.left(key, &entry.held).is_some() {
                return Ok(self.hit(&entry));
            }
            self.entries.invalidate(key).await;
        }
        let mut fetch = pin!(fetch);
        let fetched = AtomicBool::new(false);
        loop {
            let own = async {
                fetched.store(true, Ordering::Relaxed);
                self.tally.miss();
                let generation = generation.load(Ordering::SeqCst);
                fetch.as_mut().await.map(|held| {
                    let keep = self.left(key, &held).unwrap_or_default();
                    Entry { generation, held, keep }
                })
            };
            let joined = self.entries.try_get_with_by_ref(key, own).await;
            match joined {
                Ok(entry) if fetched.load(Ordering::Relaxed) => {
                    if entry.held.object.as_ref().is_some_and(|object| object.size() >= LONG_BYTES) {
                        self.entries.run_pending_tasks().await;
                    }
                    return Ok(entry.held.object);
                }
                Ok(entry) if entry.generation >= wanted => return Ok(self.hit(&entry)),
                // Another caller's load began before the key was forgotten, and this caller's has not begun yet.
                Ok(_) => self.entries.invalidate(key).await,
                Err(failure) => return Err(Failure::clone(&failure)),
            }
        }
    }

    /// Forgets `key` at once.
    pub(super) fn forget(&self, key: &ObjectKey) {
        self.generations.of(key).fetch_add(1, Ordering::SeqCst);
    }

    /// Returns the statistics of the layer. Entries and bytes are as of moka's last housekeeping, at most some hundred
    /// reads ago; an entry that is lighter than its share of the bound counts as that share.
    pub(super) fn layer(&self) -> LayerStats {
        self.tally.stats(Some((self.entries.entry_count(), self.entries.weighted_size())))
    }

    /// Returns the rest of the lifetime of `held`.
    fn left(&self, key: &ObjectKey, held: &Held) -> Option<Duration> {
        left(self.lifetimes.of(key, held.object.as_deref()), held.loaded, self.clock.now())
    }

    fn hit(&self, entry: &Entry) -> Option<Arc<Verified>> {
        self.tally.hit();
        entry.held.object.clone()
    }
}

impl Cache for MokaCache {
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

/// The expiry of entries whose lifetime has ended, used or not. It only frees memory: a read checks the lifetime as
/// well, by the time of day, since moka's clock may stand still while a function is frozen.
struct Lifetime;

impl Expiry<ObjectKey, Entry> for Lifetime {
    fn expire_after_create(&self, _: &ObjectKey, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.keep)
    }

    // The default would leave a replacement the remaining time of the entry that it replaces.
    fn expire_after_update(
        &self,
        _: &ObjectKey,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.keep)
    }
}
