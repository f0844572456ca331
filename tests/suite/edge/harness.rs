//! What the tests of the edge stand on: what the Worker calls is seen, fails and waits as a test says, its clock goes
//! ahead, and what it logs and does after an answer is known.

use std::sync::Arc;
use std::time::Duration;

use credlink_core::object::Coding;
use credlink_service::ports::Objects as _;
use http::Method;

use super::ground::{CACHE_STATUS, Ground};
use super::thing::{Thing, manifest};
use crate::engines::edge::Mode;
use crate::http::ask::get;

async fn ground() -> (Ground, Thing) {
    let thing = Thing::new(manifest(1), Some(Coding::Gzip));
    (Ground::holding(std::slice::from_ref(&thing)).await, thing)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bucket_is_the_one_that_our_adapter_writes_to() {
    let (ground, thing) = ground().await;
    let kept = ground.edge.objects().get(&thing.key).await.unwrap().unwrap();
    assert_eq!(kept.body, thing.stored);
    let answer = ground.edge.send(thing.asked(Method::GET)).await;
    assert_eq!(answer.body(), &thing.content);
    let domain = ground.edge.url();
    ground.edge.settle().await;
    let url = format!("{domain}{}", thing.path());
    let expected = [
        format!("cache.match {url}"),
        format!("bucket.get {}", thing.key),
        format!("body {}", thing.key),
        format!("cache.put {url}"),
    ];
    assert_eq!(ground.edge.calls().await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_fail_when_they_shall() {
    let (ground, thing) = ground().await;
    ground.edge.set("bucket", Mode::Fails).await;
    assert_eq!(ground.edge.send(thing.asked(Method::GET)).await.status(), 503);
    assert_eq!(ground.edge.count("bucket.get").await, 1);
    let logs = ground.edge.logs().await;
    assert!(logs.iter().any(|line| line["level"] == "error"), "{logs:?}");
    ground.edge.set("bucket", Mode::Well).await;
    ground.edge.set("cache", Mode::Fails).await;
    assert_eq!(ground.edge.send(thing.asked(Method::GET)).await.status(), 200);
    assert_eq!(ground.edge.count("bucket.get").await, 2);
    ground.edge.forget().await;
    assert_eq!((ground.edge.calls().await.len(), ground.edge.logs().await.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_wait_when_they_shall() {
    let (ground, thing) = ground().await;
    let ground = Arc::new(ground);
    ground.edge.set("bucket.get", Mode::Held).await;
    let waiting = tokio::spawn({
        let (ground, request) = (Arc::clone(&ground), thing.asked(Method::GET));
        async move { ground.edge.send(request).await }
    });
    while ground.edge.count("bucket.get").await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!waiting.is_finished());
    // Other calls go on.
    assert_eq!(ground.edge.send(get("/health")).await.status(), 200);
    ground.edge.set("bucket.get", Mode::Well).await;
    assert_eq!(waiting.await.unwrap().body(), &thing.content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_goes_ahead() {
    let (ground, thing) = ground().await;
    let mut states = Vec::new();
    for ahead in [0, 0, 299, 301] {
        ground.edge.set_ahead(Duration::from_secs(ahead)).await;
        let answer = ground.edge.send(thing.asked(Method::GET)).await;
        states.push(answer.headers()[CACHE_STATUS].to_str().unwrap().to_owned());
        ground.edge.settle().await;
    }
    let expected =
        ["credlink; fwd=uri-miss; stored", "credlink; hit", "credlink; hit", "credlink; hit; detail=stale"];
    assert_eq!(states, expected);
}
