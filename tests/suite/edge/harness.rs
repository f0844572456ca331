//! Tests of the harness itself: calls of the Worker are seen, and fail and wait as a test orders, its clock can be
//! moved ahead, and its log and its work after an answer are known.

use std::sync::Arc;
use std::time::Duration;

use credlink_ports::Objects as _;
use http::Method;

use super::forms::manifest;
use super::ground::{CACHE_STATUS, Ground};
use super::seeds::Seed;
use crate::engines::edge::Mode;
use crate::http::ask::get;

async fn ground() -> (Ground, Seed) {
    let seed = Seed::packed(manifest(1));
    (Ground::holding(std::slice::from_ref(&seed)).await, seed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bucket_is_the_one_that_our_adapter_writes_to() {
    let (ground, seed) = ground().await;
    let kept = ground.edge.objects().get(&seed.key).await.unwrap().unwrap();
    assert_eq!(kept.body, seed.stored());
    let answer = ground.edge.send(seed.asked(Method::GET)).await;
    assert_eq!(answer.body(), &seed.content);
    let domain = ground.edge.url();
    ground.edge.settle().await;
    let url = format!("{domain}{}", seed.path());
    let expected = [
        format!("cache.match {url}"),
        format!("bucket.get {}", seed.key),
        format!("body {}", seed.key),
        format!("cache.put {url}"),
    ];
    assert_eq!(ground.edge.calls().await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_fail_when_they_shall() {
    let (ground, seed) = ground().await;
    ground.edge.set("bucket", Mode::Fails).await;
    assert_eq!(ground.edge.send(seed.asked(Method::GET)).await.status(), 503);
    assert_eq!(ground.edge.count("bucket.get").await, 1);
    let logs = ground.edge.logs().await;
    assert!(logs.iter().any(|line| line["level"] == "error"), "{logs:?}");
    ground.edge.set("bucket", Mode::Well).await;
    ground.edge.set("cache", Mode::Fails).await;
    assert_eq!(ground.edge.send(seed.asked(Method::GET)).await.status(), 200);
    assert_eq!(ground.edge.count("bucket.get").await, 2);
    ground.edge.forget().await;
    assert_eq!((ground.edge.calls().await.len(), ground.edge.logs().await.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_wait_when_they_shall() {
    let (ground, seed) = ground().await;
    let ground = Arc::new(ground);
    ground.edge.set("bucket.get", Mode::Held).await;
    let waiting = tokio::spawn({
        let (ground, request) = (Arc::clone(&ground), seed.asked(Method::GET));
        async move { ground.edge.send(request).await }
    });
    while ground.edge.count("bucket.get").await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!waiting.is_finished());
    // Other calls continue.
    assert_eq!(ground.edge.send(get("/health")).await.status(), 200);
    ground.edge.set("bucket.get", Mode::Well).await;
    assert_eq!(waiting.await.unwrap().body(), &seed.content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_goes_ahead() {
    let (ground, seed) = ground().await;
    let mut states = Vec::new();
    for ahead in [0, 0, 299, 301] {
        ground.edge.set_ahead(Duration::from_secs(ahead)).await;
        let answer = ground.edge.send(seed.asked(Method::GET)).await;
        states.push(answer.headers()[CACHE_STATUS].to_str().unwrap().to_owned());
        ground.edge.settle().await;
    }
    let expected =
        ["credlink; fwd=uri-miss; stored", "credlink; hit", "credlink; hit", "credlink; hit; detail=stale"];
    assert_eq!(states, expected);
}
