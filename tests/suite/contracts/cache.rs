//! The contract of `Cache`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use credlink_cache::{MemoryCache, NoCache};
use credlink_core::access::Visibility;
use credlink_core::object::{Facts, Head, Object, ObjectKey, StoredTag, Verified};
use credlink_core::tenant::Tenant;
use credlink_ports::{Cache, CacheStats, Failure, FailureKind};
use futures_util::future::{FutureExt as _, join, join_all};
use tokio::sync::Notify;

use super::{at, over_every_adapter, proof_id};
use crate::caches;

over_every_adapter! {
    {
        what_is_loaded_is_answered,
        what_is_forgotten_is_loaded_anew,
        what_was_absent_is_loaded_anew,
        a_load_under_way_does_not_bring_back_what_was_forgotten,
        nobody_joins_a_load_that_began_before_the_key_was_forgotten,
        a_failed_load_is_not_kept,
        absence_is_not_kept_for_long,
        a_call_that_was_cut_short_has_forgotten,
    }
    memory => ((), MemoryCache::new()),
    no_cache => ((), NoCache),
    all_layers => caches::all_layers(),
    folder_alone => caches::folder_alone(),
    redis_dead => caches::redis_dead(),
    redis_hanging => caches::redis_hanging(),
}

pub fn key(name: &str) -> ObjectKey {
    ObjectKey::Manifest(format!("urn:c2pa:{name}").parse().unwrap())
}

pub fn object(body: impl Into<Bytes>) -> Verified {
    let body = body.into();
    let facts = Facts::of(&body, Tenant::default(), Visibility::Public, at(1));
    let attributes = facts.attributes(&key("x"), BTreeMap::new());
    let tag = StoredTag(facts.sha256.to_string());
    let head = Head { attributes, size: facts.length, tag, modified: at(1) };
    Verified::check(Object { head, body }).unwrap()
}

/// Reads `key`, while the store holds `body`.
pub async fn read(cache: &impl Cache, key: &ObjectKey, body: &'static str) -> Arc<Verified> {
    cache.get_or_load(key, async { Ok(Some(object(body))) }).await.unwrap().unwrap()
}

async fn what_is_loaded_is_answered(cache: &impl Cache) {
    let first = read(cache, &key("x"), "body").await;
    assert_eq!(*first, object("body"));
    assert_eq!(read(cache, &key("x"), "body").await, first);
    assert_eq!(read(cache, &key("y"), "other").await.stored(), "other");
}

async fn what_is_forgotten_is_loaded_anew(cache: &impl Cache) {
    for (before, after) in [("1", "2"), ("2", "3")] {
        cache.invalidate(&key("x")).await;
        assert_eq!(read(cache, &key("x"), before).await.stored(), before);
        cache.invalidate(&key("x")).await;
        assert_eq!(read(cache, &key("x"), after).await.stored(), after);
    }
}

async fn what_was_absent_is_loaded_anew(cache: &impl Cache) {
    assert!(cache.get_or_load(&key("x"), async { Ok(None) }).await.unwrap().is_none());
    cache.forget_absence(&key("x")).await;
    assert_eq!(read(cache, &key("x"), "there").await.stored(), "there");
    // A key that was absent for the caller that filled it need not have been absent for this cache.
    cache.forget_absence(&key("x")).await;
    assert_eq!(read(cache, &key("x"), "anew").await.stored(), "anew");
}

/// A reader whose load has read "old", notifies `begun`, and then waits for `release`.
async fn slow_reader(cache: &impl Cache, begun: &Notify, release: &Notify) -> Arc<Verified> {
    let load = async {
        let old = object("old");
        begun.notify_one();
        release.notified().await;
        Ok(Some(old))
    };
    cache.get_or_load(&key("x"), load).await.unwrap().unwrap()
}

async fn a_load_under_way_does_not_bring_back_what_was_forgotten(cache: &impl Cache) {
    let (begun, release) = (Notify::new(), Notify::new());
    let forget = async {
        begun.notified().await;
        cache.invalidate(&key("x")).await;
        release.notify_one();
    };
    join(slow_reader(cache, &begun, &release), forget).await;
    assert_eq!(read(cache, &key("x"), "new").await.stored(), "new");
}

async fn nobody_joins_a_load_that_began_before_the_key_was_forgotten(cache: &impl Cache) {
    let (begun, release) = (Notify::new(), Notify::new());
    let later = async {
        begun.notified().await;
        cache.invalidate(&key("x")).await;
        // Several readers start while the old load is held up. It ends while they wait for it, or for their own load.
        let key = key("x");
        let readers = join_all((0..10).map(|_| read(cache, &key, "new")));
        let end = async {
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            release.notify_one();
        };
        let (seen, ()) = join(readers, end).await;
        assert!(seen.iter().all(|object| object.stored() == "new"));
    };
    join(slow_reader(cache, &begun, &release), later).await;
    assert_eq!(read(cache, &key("x"), "new").await.stored(), "new");
}

async fn a_failed_load_is_not_kept(cache: &impl Cache) {
    let failure = Failure { provider: "test", kind: FailureKind::Throttled, message: "slow down".into() };
    let answer = cache.get_or_load(&key("x"), async { Err(failure) }).await;
    assert_eq!(answer.unwrap_err().kind, FailureKind::Throttled);
    assert_eq!(read(cache, &key("x"), "there").await.stored(), "there");
}

async fn absence_is_not_kept_for_long(cache: &impl Cache) {
    assert_eq!(cache.get_or_load(&key("x"), async { Ok(None) }).await.unwrap(), None);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(read(cache, &key("x"), "there").await.stored(), "there");
}

async fn a_call_that_was_cut_short_has_forgotten(cache: &impl Cache) {
    read(cache, &key("x"), "old").await;
    // Polled only once: the client went away during a wait for Redis or the disk.
    let _ = cache.invalidate(&key("x")).now_or_never();
    assert_eq!(read(cache, &key("x"), "new").await.stored(), "new");
}

#[tokio::test]
async fn one_load_serves_all_who_wait() {
    let (cache, loads, key) = (MemoryCache::new(), AtomicU64::new(0), key("x"));
    let readers = (0..50).map(|_| {
        cache.get_or_load(&key, async {
            loads.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(Some(object("x")))
        })
    });
    assert!(join_all(readers).await.into_iter().all(|answer| answer.unwrap().unwrap().stored() == "x"));
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    let CacheStats { hits, misses, .. } = cache.stats();
    assert_eq!((hits, misses), (49, 1));
}

#[tokio::test]
async fn a_failed_load_fails_all_who_wait_and_nobody_after() {
    let (cache, loads, key) = (MemoryCache::new(), AtomicU64::new(0), key("x"));
    let readers = (0..50).map(|_| {
        cache.get_or_load(&key, async {
            loads.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Err(Failure { provider: "test", kind: FailureKind::TimedOut, message: "too slow".into() })
        })
    });
    let failed = join_all(readers).await.into_iter().filter_map(Result::err);
    assert_eq!(failed.filter(|failure| failure.kind == FailureKind::TimedOut).count(), 50);
    assert_eq!(loads.load(Ordering::SeqCst), 1, "an outage is not waited for once by each");
    assert_eq!(read(&cache, &key, "there").await.stored(), "there");
}

#[tokio::test]
async fn a_waiter_loads_when_the_loader_goes_away() {
    let cache = MemoryCache::new();
    let gone = async {
        let key = key("x");
        let load = cache.get_or_load(&key, std::future::pending());
        assert!(tokio::time::timeout(Duration::from_millis(20), load).await.is_err());
    };
    let (object, ()) = join(
        async {
            tokio::task::yield_now().await;
            read(&cache, &key("x"), "x").await
        },
        gone,
    )
    .await;
    assert_eq!(object.stored(), "x");
}

#[tokio::test]
async fn absence_is_kept_for_a_moment_and_forgotten_like_anything_else() {
    let cache = MemoryCache::new();
    assert_eq!(cache.get_or_load(&key("x"), async { Ok(None) }).await.unwrap(), None);
    let again = cache.get_or_load(&key("x"), async { Ok(Some(object("x"))) }).await.unwrap();
    assert_eq!(again, None, "within the second");
    cache.invalidate(&key("x")).await;
    assert_eq!(read(&cache, &key("x"), "x").await.stored(), "x");
}

#[tokio::test]
async fn both_bounds_hold() {
    for (entries, length) in [(100, 10), (1_000, 100_000)] {
        // 100 small entries, or ten entries of a tenth of the bytes each.
        let cache = MemoryCache::bounded(entries, 1_000_000);
        for number in 0..2_000 {
            let body = vec![0; length];
            let key = key(&number.to_string());
            cache.get_or_load(&key, async { Ok(Some(object(body))) }).await.unwrap();
        }
        let mut held = BTreeSet::new();
        for number in 0..2_000 {
            let load =
                async { Err(Failure { provider: "", kind: FailureKind::Unavailable, message: "".into() }) };
            if cache.get_or_load(&key(&number.to_string()), load).await.is_ok() {
                held.insert(number);
            }
        }
        let bound = if length == 10 { 100 } else { 9 };
        assert!(
            (bound / 2..=bound).contains(&held.len()),
            "{} of {bound} entries of {length} bytes",
            held.len()
        );
        let CacheStats { entries, bytes, .. } = cache.stats();
        assert_eq!(entries, held.len() as u64, "failures are not kept");
        assert!(bytes <= 1_000_000);
    }
}

#[tokio::test]
async fn records_and_manifests_are_counted_alike() {
    let (cache, record) = (MemoryCache::new(), ObjectKey::Record(proof_id("x")));
    for _ in 0..3 {
        read(&cache, &record, "x").await;
    }
    let CacheStats { hits, misses, .. } = cache.stats();
    assert_eq!((hits, misses), (2, 1));
}
