//! The cache in the process's memory, in front of `Objects::get`.
//!
//! A forgotten key must not come back through a load that was under way when it was forgotten. Each key belongs to a
//! stripe with a *generation*, which [`Cache::invalidate`] raises. An entry carries the generation that its load began
//! in, and is used only while the stripe is still in it. So forgetting is one addition, and needs to find nothing.

use std::hash::{BuildHasher as _, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use credlink_core::object::{ObjectKey, Verified};
use credlink_service::ports::{Cache, CacheStats, Failure};
use moka::Expiry;

/// Most objects.
pub const MAX_ENTRIES: u64 = 1_000;
/// Most bytes of objects.
pub const MAX_BYTES: u64 = 50_000_000;
/// An object that nobody asks for is dropped after this: one hour.
pub const IDLE: Duration = Duration::from_secs(3_600);
/// A current record is dropped after this: another process may replace it, and tells nobody.
pub const MUTABLE: Duration = Duration::from_secs(60);
/// Absence is dropped after this, as the port says.
pub const ABSENT: Duration = Duration::from_secs(1);

/// What an entry takes beside its body, in bytes: its key (twice), a dozen short texts of attributes, the nodes of the
/// cache. An estimate on the high side.
const OVERHEAD_BYTES: u64 = 1_500;
/// Stripes of keys that are forgotten together. A deletion costs one of 1,024 unrelated entries a load.
const STRIPES: usize = 1_024;

/// A cache over moka.
#[derive(Debug)]
pub struct MokaCache {
    entries: moka::future::Cache<ObjectKey, Entry>,
    generations: Box<[AtomicU64]>,
    hasher: RandomState,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Debug, Clone)]
struct Entry {
    generation: u64,
    object: Option<Arc<Verified>>,
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
        Self::bounded(MAX_ENTRIES, MAX_BYTES)
    }

    /// An empty cache of at most so many objects, and bytes.
    #[must_use]
    pub fn bounded(entries: u64, bytes: u64) -> Self {
        // moka has one bound, on the sum of weights. An entry that weighs at least its share of the bytes counts
        // against both: `entries` of the lightest ones reach the bound as well as `bytes` of heavy ones.
        let share = bytes / entries.max(1);
        let weigh = move |_: &ObjectKey, entry: &Entry| {
            let body = entry.object.as_ref().map_or(0, |object| object.size() as u64);
            u32::try_from((body + OVERHEAD_BYTES).max(share)).unwrap_or(u32::MAX)
        };
        Self {
            entries: moka::future::Cache::builder()
                .max_capacity(bytes)
                .weigher(weigh)
                .time_to_idle(IDLE)
                .expire_after(Lifetime)
                .build(),
            generations: (0..STRIPES).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    fn generation(&self, key: &ObjectKey) -> &AtomicU64 {
        let stripe = self.hasher.hash_one(key) % STRIPES as u64;
        &self.generations[usize::try_from(stripe).unwrap_or(0)]
    }

    fn hit(&self, entry: &Entry) -> Option<Arc<Verified>> {
        self.hits.fetch_add(1, Ordering::Relaxed);
        entry.object.clone()
    }
}

impl Cache for MokaCache {
    async fn get_or_load<L>(&self, key: &ObjectKey, load: L) -> Result<Option<Arc<Verified>>, Failure>
    where
        L: Future<Output = Result<Option<Verified>, Failure>>,
    {
        let generation = self.generation(key);
        // What began before this call and was not forgotten since is good enough for it.
        let wanted = generation.load(Ordering::SeqCst);
        if let Some(entry) = self.entries.get(key).await {
            if entry.generation == wanted {
                return Ok(self.hit(&entry));
            }
            self.entries.invalidate(key).await;
        }
        let mut load = pin!(load);
        let loaded = AtomicBool::new(false);
        loop {
            let own = async {
                loaded.store(true, Ordering::Relaxed);
                self.misses.fetch_add(1, Ordering::Relaxed);
                let generation = generation.load(Ordering::SeqCst);
                load.as_mut().await.map(|object| Entry { generation, object: object.map(Arc::new) })
            };
            let joined = self.entries.try_get_with_by_ref(key, own).await;
            match joined {
                Ok(entry) if loaded.load(Ordering::Relaxed) => return Ok(entry.object.clone()),
                Ok(entry) if entry.generation >= wanted => return Ok(self.hit(&entry)),
                // Somebody's load that began before the key was forgotten. Ours did not begin yet.
                Ok(_) => self.entries.invalidate(key).await,
                Err(failure) => return Err(Failure::clone(&failure)),
            }
        }
    }

    fn invalidate(&self, key: &ObjectKey) {
        self.generation(key).fetch_add(1, Ordering::SeqCst);
    }

    /// What it has seen. Entries and bytes are as of moka's last housekeeping, at most some hundred reads ago; an
    /// entry that is lighter than its share of the bound counts as that share.
    fn stats(&self) -> CacheStats {
        CacheStats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            entries: self.entries.entry_count(),
            bytes: self.entries.weighted_size(),
        }
    }
}

/// How long entries live, in use or not.
struct Lifetime;

impl Lifetime {
    fn of(key: &ObjectKey, entry: &Entry) -> Option<Duration> {
        match &entry.object {
            None => Some(ABSENT),
            Some(_) if key.is_mutable() => Some(MUTABLE),
            Some(_) => None,
        }
    }
}

impl Expiry<ObjectKey, Entry> for Lifetime {
    fn expire_after_create(&self, key: &ObjectKey, entry: &Entry, _: Instant) -> Option<Duration> {
        Self::of(key, entry)
    }

    // An entry that takes another one's place: the default would leave it the other one's remaining time.
    fn expire_after_update(
        &self,
        key: &ObjectKey,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Self::of(key, entry)
    }
}

/// No cache: every read loads.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCache;

impl Cache for NoCache {
    async fn get_or_load<L>(&self, _: &ObjectKey, load: L) -> Result<Option<Arc<Verified>>, Failure>
    where
        L: Future<Output = Result<Option<Verified>, Failure>>,
    {
        Ok(load.await?.map(Arc::new))
    }

    fn invalidate(&self, _: &ObjectKey) {}

    fn stats(&self) -> CacheStats {
        CacheStats::default()
    }
}

#[cfg(test)]
mod tests {
    use credlink_core::hash::MediaHash;
    use credlink_core::object::{Attributes, Head, Object, StoredTag};
    use credlink_core::proof_id::ProofId;
    use credlink_core::tenant::Tenant;
    use credlink_core::time::Timestamp;
    use credlink_core::tombstone::Tombstone;

    use super::*;

    fn object(key: &ObjectKey) -> Verified {
        let now = Timestamp::from_milliseconds(0);
        let (body, attributes): (Vec<u8>, Attributes) =
            Tombstone::new(now, 1).object(key, &Tenant::default());
        let head = Head { attributes, size: body.len() as u64, tag: StoredTag(String::new()), modified: now };
        Verified::check(Object { head, body: body.into() }).unwrap()
    }

    #[test]
    fn lifetimes_follow_what_can_change() {
        let record = ObjectKey::Record(ProofId::derive(&Tenant::default(), &MediaHash::of(b"x")));
        let manifest = ObjectKey::Manifest("urn:c2pa:x".parse().unwrap());
        let there = Entry { generation: 0, object: Some(Arc::new(object(&record))) };
        let absent = Entry { generation: 0, object: None };
        for (key, entry, lifetime) in [
            (&record, &there, Some(MUTABLE)),
            (&manifest, &there, None),
            (&record, &absent, Some(ABSENT)),
            (&manifest, &absent, Some(ABSENT)),
        ] {
            let now = Instant::now();
            assert_eq!(Lifetime.expire_after_create(key, entry, now), lifetime);
            assert_eq!(Lifetime.expire_after_update(key, entry, now, Some(IDLE)), lifetime);
        }
    }
}
