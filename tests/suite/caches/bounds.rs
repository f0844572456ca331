//! The bounds of each layer, and the counters of the cache.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use credlink_cache::folder::FolderSettings;
use credlink_cache::lifetime::{AgeClock, Lifetimes};
use credlink_cache::memory::MemoryBounds;
use credlink_cache::{Layered, MemoryCache};
use credlink_ports::Cache as _;
use redis::AsyncCommands as _;

use super::{a_clock, a_folder, a_redis, layer, process, raw, value_name};
use crate::contracts::cache::{key, object, read};
use crate::engines::redis::shared;

#[tokio::test]
async fn the_folder_keeps_its_bound() {
    let directory = tempfile::tempdir().unwrap();
    let folder = FolderSettings { path: directory.path().join("cache"), bytes: 1_000_000 };
    let clock = a_clock();
    let held = || {
        let files = fs::read_dir(&folder.path).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>()
    };
    let load = async |cache: &Layered, name: &str, length: usize| {
        cache.get_or_load(&key(name), async { Ok(Some(object(vec![1; length]))) }).await.unwrap()
    };
    // Processes run one after another, and each finds the entries that its predecessors left.
    for round in 0..4 {
        let cache = process(&clock, None, Some(&folder));
        for number in 0..20 {
            load(&cache, &format!("{round}-{number}"), 90_000).await;
            assert!(held() <= folder.bytes, "{} bytes", held());
        }
        let (entries, bytes) = (layer(&cache, "l3").entries, layer(&cache, "l3").bytes);
        assert!(held() > folder.bytes / 2, "{} bytes", held());
        assert!(bytes.unwrap() <= folder.bytes && entries.unwrap() >= 5, "{entries:?} {bytes:?}");
    }
    let cache = process(&clock, None, Some(&folder));
    load(&cache, "over-a-quarter", 300_000).await;
    assert_eq!(read(&process(&clock, None, Some(&folder)), &key("over-a-quarter"), "x").await.stored(), "x");
}

/// Nothing is used afterwards that would make the cache check its bounds.
#[tokio::test]
async fn long_objects_leave_the_memory_as_others_come() {
    let cache = MemoryCache::bounded(1_000, 10_000_000);
    let mut seen = Vec::new();
    for number in 0..40 {
        let load = async { Ok(Some(object(vec![1; 2_000_000]))) };
        let object = cache.get_or_load(&key(&number.to_string()), load).await.unwrap().unwrap();
        seen.push(Arc::downgrade(&object));
    }
    // There is room for four.
    let held = seen.iter().filter(|object| object.strong_count() > 0).count();
    assert!((1..=4).contains(&held), "{held} of 2 MB each");
}

#[tokio::test]
async fn what_has_lived_its_time_leaves_the_memory_though_nobody_asks_for_it() {
    let clock = a_clock();
    let cache = MemoryCache::with(MemoryBounds::default(), Lifetimes::default(), AgeClock::by(clock.clone()));
    let old = Arc::downgrade(&read(&cache, &key("old"), "old").await);
    let forgotten = Arc::downgrade(&read(&cache, &key("forgotten"), "forgotten").await);
    cache.invalidate(&key("forgotten")).await;
    clock.advance_seconds(200);
    let young = Arc::downgrade(&read(&cache, &key("young"), "young").await);
    clock.advance_seconds(200);
    // Longer than the interval between two searches.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    read(&cache, &key("another"), "another").await;
    assert_eq!([&old, &forgotten, &young].map(|object| object.strong_count()), [0, 0, 1]);
    assert_eq!(cache.stats().entries, 2);
}

#[tokio::test]
async fn what_nobody_asks_for_leaves_the_memory() {
    let bounds = MemoryBounds { idle: Duration::from_millis(20), ..MemoryBounds::default() };
    let cache = MemoryCache::with(bounds, Lifetimes::default(), AgeClock::by(a_clock()));
    read(&cache, &key("x"), "old").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(read(&cache, &key("x"), "new").await.stored(), "new");
}

#[tokio::test]
async fn memory_keeps_no_object_longer_than_its_lifetime_however_often_it_is_read() {
    let clock = a_clock();
    let cache = MemoryCache::with(MemoryBounds::default(), Lifetimes::default(), AgeClock::by(clock.clone()));
    read(&cache, &key("x"), "old").await;
    for _ in 0..29 {
        clock.advance_seconds(10);
        assert_eq!(read(&cache, &key("x"), "new").await.stored(), "old");
    }
    clock.advance_seconds(10);
    assert_eq!(read(&cache, &key("x"), "new").await.stored(), "new");
}

#[tokio::test]
async fn each_layer_counts_what_it_answered() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, redis, folder) = (a_clock(), a_redis(), a_folder(directory.path()));
    let counts = |cache: &Layered| {
        let stats = cache.stats();
        let layers: Vec<_> =
            stats.layers.iter().map(|layer| (layer.name, layer.hits, layer.misses)).collect();
        ((stats.hits, stats.misses), layers)
    };
    let first = process(&clock, Some(&redis), Some(&folder));
    for _ in 0..3 {
        read(&first, &key("x"), "x").await;
    }
    assert_eq!(counts(&first), ((2, 1), vec![("l1", 2, 1), ("l2", 0, 1), ("l3", 0, 1)]));
    let second = process(&clock, Some(&redis), Some(&folder));
    for _ in 0..2 {
        read(&second, &key("x"), "x").await;
    }
    assert_eq!(counts(&second), ((2, 0), vec![("l1", 1, 1), ("l2", 1, 0), ("l3", 0, 0)]));
    let _: () = raw(&shared().url()).await.del(value_name(&redis, &key("x"))).await.unwrap();
    let third = process(&clock, Some(&redis), Some(&folder));
    read(&third, &key("x"), "x").await;
    assert_eq!(counts(&third), ((1, 0), vec![("l1", 0, 1), ("l2", 0, 1), ("l3", 1, 0)]));
    assert_eq!(layer(&first, "l3").entries, Some(1));
}
