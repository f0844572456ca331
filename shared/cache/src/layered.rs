//! The layers together: a read asks memory, then Redis, then a folder, then loads, and fills the layers upwards; a
//! deletion is forgotten everywhere.
//!
//! L1's single flight spans the whole chain: the lower layers are a part of its load. An object loaded from the
//! provider is stored in every layer. An object found in L2 or L3 is stored in L1 only: the folder's copy may be older
//! than an invalidation that Redis has seen ([`super::redis`]).
//!
//! **Forgetting.** L3 and L2 are marked before L1's generation rises, and all three before anything is waited for. A
//! reader in the new generation therefore sees the marks, and a value that was read without them belongs to the old
//! generation. The edge ([`super::purge`]) is told at the end, by [`Cache::announce`].

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use credlink_core::object::{ObjectKey, Verified};
use credlink_core::time::Timestamp;
use credlink_ports::{Cache, CacheStats, Failure};
use futures_util::future::{OptionFuture, join};

use crate::folder::{FolderLayer, FolderSettings};
use crate::held::Held;
use crate::lifetime::{AgeClock, Lifetimes};
use crate::memory::{MemoryBounds, MemoryCache};
use crate::purge::{Edge, EdgeSettings};
use crate::redis::{RedisEntry, RedisLayer, RedisSettings};

/// The layers of a cache, with their bounds.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// L1.
    pub memory: MemoryBounds,
    /// L2.
    pub redis: Option<RedisSettings>,
    /// L3.
    pub folder: Option<FolderSettings>,
    /// The edge, which answers readers in place of this process and must be told of changes.
    pub edge: Option<EdgeSettings>,
    /// The lifetimes of entries, in all layers.
    pub lifetimes: Lifetimes,
    /// The clock that ages are measured by.
    pub clock: AgeClock,
}

/// A cache of one to three layers.
#[derive(Debug)]
pub struct Layered {
    memory: MemoryCache,
    redis: Option<RedisLayer>,
    folder: Option<FolderLayer>,
    edge: Option<Edge>,
    clock: AgeClock,
    /// The start of the newest load, in milliseconds since 1970. If the clock was set back since, that is later than
    /// now.
    newest_load: AtomicI64,
    loads: AtomicU64,
}

impl Default for Layered {
    fn default() -> Self {
        Self::new(Layers::default())
    }
}

impl Layered {
    /// Returns a cache of these layers, which is empty except for what Redis and the folder hold. Nothing is opened or
    /// connected to yet.
    #[must_use]
    pub fn new(layers: Layers) -> Self {
        let Layers { memory, redis, folder, edge, lifetimes, clock } = layers;
        Self {
            memory: MemoryCache::with(memory, lifetimes, clock.clone()),
            redis: redis.map(|settings| RedisLayer::new(settings, lifetimes, clock.clone())),
            folder: folder.map(|settings| FolderLayer::new(settings, lifetimes, clock.clone())),
            edge: edge.as_ref().map(Edge::new),
            clock,
            newest_load: AtomicI64::new(0),
            loads: AtomicU64::new(0),
        }
    }

    /// Notes a change that only the edge can have missed: one at a provider that the edge reads from, and that this
    /// process's readers do not see. The edge is told with the next [`Cache::announce`].
    pub fn note_for_edge(&self, key: &ObjectKey) {
        if let Some(edge) = &self.edge {
            edge.note(key);
        }
    }

    /// Asks the lower layers, then loads.
    async fn fetch<L>(&self, key: &ObjectKey, load: L) -> Result<Held, Failure>
    where
        L: Future<Output = Result<Option<Verified>, Failure>>,
    {
        let mut lease = None;
        if let Some(redis) = &self.redis {
            match redis.read(key).await {
                RedisEntry::Held(held) => return Ok(held),
                RedisEntry::Missing(found) => lease = found,
            }
        }
        if let Some(folder) = &self.folder
            && let Some(held) = folder.read(key).await
        {
            return Ok(held);
        }
        let loaded = self.clock.now();
        self.newest_load.fetch_max(loaded.milliseconds(), Ordering::SeqCst);
        self.loads.fetch_add(1, Ordering::Relaxed);
        let object = load.await?.map(Arc::new);
        if let Some(object) = &object {
            let below = self.folder.as_ref().map(|folder| folder.fill(key, object, loaded));
            let shared = self.redis.as_ref().zip(lease.as_ref());
            let shared = shared.map(|(redis, lease)| redis.fill(key, object, loaded, lease));
            join(OptionFuture::from(below), OptionFuture::from(shared)).await;
        }
        Ok(Held { object, loaded })
    }
}

impl Cache for Layered {
    async fn get_or_load<L>(&self, key: &ObjectKey, load: L) -> Result<Option<Arc<Verified>>, Failure>
    where
        L: Future<Output = Result<Option<Verified>, Failure>>,
    {
        // Boxed, and created only when needed: a hit in memory needs none of it.
        self.memory.get_or_fetch(key, async { Box::pin(self.fetch(key, load)).await }).await
    }

    async fn invalidate(&self, key: &ObjectKey) {
        self.note_for_edge(key);
        self.forget_absence(key).await;
    }

    async fn forget_absence(&self, key: &ObjectKey) {
        let now = self.clock.now().milliseconds().max(self.newest_load.load(Ordering::SeqCst));
        let now = Timestamp::from_milliseconds(now);
        let below = self.folder.as_ref().map(|folder| folder.forget(key, now));
        let shared = self.redis.as_ref().map(|redis| redis.invalidate(key, now));
        self.memory.forget(key);
        join(OptionFuture::from(below), OptionFuture::from(shared)).await;
    }

    async fn announce(&self) {
        if let Some(edge) = &self.edge {
            edge.tell().await;
        }
    }

    fn stats(&self) -> CacheStats {
        let memory = self.memory.layer();
        let (entries, bytes) = (memory.entries.unwrap_or_default(), memory.bytes.unwrap_or_default());
        let redis = self.redis.as_ref().map(RedisLayer::layer);
        let folder = self.folder.as_ref().map(FolderLayer::layer);
        let layers: Vec<_> = [Some(memory), redis, folder].into_iter().flatten().collect();
        let hits = layers.iter().map(|layer| layer.hits).sum();
        CacheStats { hits, misses: self.loads.load(Ordering::Relaxed), entries, bytes, layers }
    }
}
