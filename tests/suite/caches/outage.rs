//! A Redis that goes away and comes back, and a cache folder that is not a folder.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use credlink_cache::folder::FolderSettings;
use credlink_cache::redis::RedisSettings;
use credlink_ports::Cache as _;

use super::gate::Gate;
use super::{a_clock, a_redis, layer, process, redis_at, with_redis_at};
use crate::contracts::cache::{key, read};
use crate::engines::free_port;
use crate::engines::redis::{Server, shared};

#[tokio::test]
async fn a_restart_of_redis_costs_hits_only() {
    let (clock, port) = (a_clock(), free_port());
    let server = Server::at(port);
    let redis = redis_at(&server.url());
    let cache = process(&clock, Some(&redis), None);
    read(&cache, &key("x"), "1").await;
    assert_eq!(read(&process(&clock, Some(&redis), None), &key("x"), "2").await.stored(), "1");
    drop(server);
    for number in 0..10 {
        assert_eq!(read(&cache, &key(&format!("down-{number}")), "2").await.stored(), "2");
    }
    assert!(layer(&cache, "l2").errors > 0);
    let _server = Server::at(port);
    assert_eq!(read(&process(&clock, Some(&redis), None), &key("x"), "3").await.stored(), "3", "it is empty");
    // The old process uses Redis again: another process finds what it loads.
    read(&cache, &key("y"), "4").await;
    assert_eq!(read(&process(&clock, Some(&redis), None), &key("y"), "5").await.stored(), "4");
}

/// A process behind a gate, which has put "old" into Redis under x.
async fn behind_a_gate(remembered: usize) -> (Gate, RedisSettings, credlink_cache::Layered) {
    let gate = Gate::before(shared().port()).await;
    let direct = a_redis();
    let through = RedisSettings { namespace: direct.namespace.clone(), remembered, ..redis_at(&gate.url()) };
    let cache = process(&a_clock(), Some(&through), None);
    read(&cache, &key("x"), "old").await;
    (gate, direct, cache)
}

#[tokio::test]
async fn an_invalidation_that_did_not_arrive_is_repeated() {
    let (gate, direct, cache) = behind_a_gate(100).await;
    gate.shut();
    cache.invalidate(&key("x")).await;
    let other = process(&a_clock(), Some(&direct), None);
    assert_eq!(read(&other, &key("x"), "new").await.stored(), "old", "Redis was not told");
    gate.open();
    // The invalidation is sent first, no matter which key is read next.
    read(&cache, &key("y"), "y").await;
    let third = process(&a_clock(), Some(&direct), None);
    assert_eq!(read(&third, &key("x"), "new").await.stored(), "new");
}

#[tokio::test]
async fn what_this_process_forgot_is_not_read_while_redis_was_not_told() {
    let (gate, _, cache) = behind_a_gate(100).await;
    gate.shut();
    cache.invalidate(&key("x")).await;
    gate.open();
    assert_eq!(read(&cache, &key("x"), "new").await.stored(), "new");
}

#[tokio::test]
async fn what_cannot_be_remembered_is_not_trusted() {
    let (gate, direct, cache) = behind_a_gate(0).await;
    gate.shut();
    cache.invalidate(&key("x")).await;
    gate.open();
    let other = process(&a_clock(), Some(&direct), None);
    assert_eq!(read(&other, &key("x"), "new").await.stored(), "old", "it is still there");
    assert_eq!(read(&cache, &key("x"), "new").await.stored(), "new");
}

#[tokio::test]
async fn a_redis_that_hangs_is_tried_three_times() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = accepted.clone();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        while let Ok((connection, _)) = listener.accept() {
            count.fetch_add(1, Ordering::SeqCst);
            open.push(connection);
        }
    });
    let (_folder, cache) = with_redis_at(port, |redis| redis.rest = Duration::from_secs(3_600));
    for number in 0..100 {
        assert_eq!(read(&cache, &key(&number.to_string()), "there").await.stored(), "there");
        cache.invalidate(&key(&number.to_string())).await;
    }
    assert_eq!(layer(&cache, "l2").misses, 100);
    assert_eq!((layer(&cache, "l2").errors, accepted.load(Ordering::SeqCst)), (3, 3));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_costs_hits_only() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a file");
    std::fs::write(&file, "x").unwrap();
    let cache =
        process(&a_clock(), None, Some(&FolderSettings { path: file.join("cache"), bytes: 1_000_000 }));
    for body in ["1", "2", "3"] {
        assert_eq!(read(&cache, &key("x"), body).await.stored(), body);
        cache.invalidate(&key("x")).await;
    }
    assert!(layer(&cache, "l3").errors > 0);
}
