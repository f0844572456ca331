//! L1: the cache in the process's memory.
//!
//! A forgotten key must not come back through a load that was under way when it was forgotten. Each key belongs to a
//! stripe with a *generation*, which forgetting raises. An entry carries the generation that its load began in, and is
//! used only while the stripe is still in it. So forgetting is one addition, and needs to find nothing.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use credlink_core::object::{ObjectKey, Verified};
use credlink_ports::{Cache, CacheStats, Failure, LayerStats};
use moka::Expiry;

use super::Held;
use super::lifetime::{AgeClock, Lifetimes, left};
use super::stripes::Stripes;
use super::tally::Tally;

/// Most objects.
pub const MAX_ENTRIES: u64 = 1_000;
/// Most bytes of objects.
pub const MAX_BYTES: u64 = 50_000_000;
/// An object that nobody asks for is dropped after this, if its lifetime lets it stay as long: one hour.
pub const IDLE: Duration = Duration::from_secs(3_600);

/// What an entry takes beside its body, in bytes: its key (twice), a dozen short texts of attributes, the nodes of the
/// cache. An estimate on the high side.
const OVERHEAD_BYTES: u64 = 1_500;

/// Shortest object that makes room as soon as it is kept, in bytes. moka does its housekeeping after 64 writes, or at the
/// first use that comes 0.3 s after the last time; until then what is new is kept beside what it takes the place of. That
/// is 8 MB at most for shorter objects, and would be 640 MB for the longest.
const LONG_BYTES: usize = 131_072;

/// The bounds of a cache in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryBounds {
    /// Most objects: [`MAX_ENTRIES`].
    pub entries: u64,
    /// Most bytes of objects: [`MAX_BYTES`].
    pub bytes: u64,
    /// How long an object that nobody asks for is kept: [`IDLE`].
    pub idle: Duration,
}

impl Default for MemoryBounds {
    fn default() -> Self {
        Self { entries: MAX_ENTRIES, bytes: MAX_BYTES, idle: IDLE }
    }
}

/// A cache over moka.
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
    /// What was left of its lifetime when it came.
    keep: Duration,
}

impl Default for MokaCache {
    fn default() -> Self {
        Self::new()
    }
}

impl MokaCache {
    /// An empty cache with the bounds of this module.
    #[must_use]
    pub fn new() -> Self {
        Self::with(MemoryBounds::default(), Lifetimes::default(), AgeClock::default())
    }

    /// An empty cache of at most so many objects, and bytes.
    #[must_use]
    pub fn bounded(entries: u64, bytes: u64) -> Self {
        let bounds = MemoryBounds { entries, bytes, ..MemoryBounds::default() };
        Self::with(bounds, Lifetimes::default(), AgeClock::default())
    }

    /// An empty cache with bounds and lifetimes of one's own.
    #[must_use]
    pub fn with(bounds: MemoryBounds, lifetimes: Lifetimes, clock: AgeClock) -> Self {
        let MemoryBounds { entries, bytes, idle } = bounds;
        // moka has one bound, on the sum of weights. An entry that weighs at least its share of the bytes counts
        // against both: `entries` of the lightest ones reach the bound as well as `bytes` of heavy ones.
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

    /// The object under `key`, from memory or else from `fetch`, which says itself when its load began.
    pub(super) async fn get_or_fetch<L>(
        &self,
        key: &ObjectKey,
        fetch: L,
    ) -> Result<Option<Arc<Verified>>, Failure>
    where
        L: Future<Output = Result<Held, Failure>>,
    {
        let generation = self.generations.of(key);
        // What began before this call and was not forgotten since is good enough for it.
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
                // Somebody's load that began before the key was forgotten. Ours did not begin yet.
                Ok(_) => self.entries.invalidate(key).await,
                Err(failure) => return Err(Failure::clone(&failure)),
            }
        }
    }

    /// Forgets `key`, at once.
    pub(super) fn forget(&self, key: &ObjectKey) {
        self.generations.of(key).fetch_add(1, Ordering::SeqCst);
    }

    /// What it has seen. Entries and bytes are as of moka's last housekeeping, at most some hundred reads ago; an
    /// entry that is lighter than its share of the bound counts as that share.
    pub(super) fn layer(&self) -> LayerStats {
        self.tally.stats(Some((self.entries.entry_count(), self.entries.weighted_size())))
    }

    /// What is left of the lifetime of `held`.
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

/// Drops what has no lifetime left, in use or not. A read checks it too, by the time of day: this clock may stand still
/// while a function is frozen, and frees memory only.
struct Lifetime;

impl Expiry<ObjectKey, Entry> for Lifetime {
    fn expire_after_create(&self, _: &ObjectKey, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.keep)
    }

    // An entry that takes another one's place: the default would leave it the other one's remaining time.
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
