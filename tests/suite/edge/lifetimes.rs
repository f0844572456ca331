//! The lifetime of answers in the cache of a data center, and when R2 is consulted again.

use std::time::Duration;

use credlink_core::link::LinkKeys;
use futures_util::future::join_all;
use http::Method;
use tokio::time::{Instant, sleep, sleep_until};

use super::seeds::{LINK_KEYS, Seed, now, read, slow, state, until, warm};
use crate::engines::edge::{Edge, Mode};
use crate::http::ask::{ask, get, media};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_entry_is_answered_with_and_r2_is_left_alone() {
    let edge = Edge::with(slow()).await;
    for seed in [Seed::record("fresh"), Seed::manifest("fresh")] {
        seed.put(&edge).await;
        let (first, how) = read(&edge, &seed.path()).await;
        seed.assert_is(&first);
        assert_eq!((&*how, first.headers().get("age")), ("credlink; fwd=uri-miss; stored", None));
        edge.settle().await;
        edge.forget().await;
        edge.set_ahead(700 * SECOND).await;
        let (again, how) = read(&edge, &seed.path()).await;
        seed.assert_is(&again);
        assert_eq!(how, "credlink; hit");
        let age: u64 = again.headers()["age"].to_str().unwrap().parse().unwrap();
        assert!((700..1_000).contains(&age), "{age}");
        let head = edge.send(ask(Method::HEAD, &seed.path())).await;
        assert_eq!(
            (head.status().as_u16(), &head.headers()["cache-status"]),
            (200, &"credlink; hit".parse().unwrap())
        );
        assert_eq!(edge.count("bucket").await, 0, "{:?}", edge.calls().await);
        edge.set_ahead(Duration::ZERO).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_entry_is_answered_with_at_once_and_refreshed_once() {
    let edge = Edge::with(slow()).await;
    let old = Seed::record("stale");
    old.put(&edge).await;
    warm(&edge, &[&old]).await;
    let new = old.replaced();
    new.put(&edge).await;

    edge.set_ahead(1_500 * SECOND).await;
    edge.set("bucket", Mode::Held).await;
    let path = old.path();
    for (answer, how) in &join_all((0..12).map(|_| read(&edge, &path))).await {
        old.assert_is(answer);
        assert_eq!(how, "credlink; hit; detail=stale");
    }
    assert_eq!(edge.count("bucket.get").await, 1);
    // The fetched object is not kept yet, and a request in the meantime starts no second refresh.
    edge.set("cache.put", Mode::Held).await;
    edge.set("bucket", Mode::Well).await;
    until("it is about to be kept", async || edge.count("cache.put").await == 1).await;
    for _ in 0..3 {
        assert_eq!(state(&edge, &old.path()).await, (200, "credlink; hit; detail=stale".to_owned()));
    }
    assert_eq!(edge.count("bucket.get").await, 1, "{:?}", edge.calls().await);
    edge.set("cache.put", Mode::Well).await;
    edge.settle().await;
    let (answer, how) = read(&edge, &new.path()).await;
    new.assert_is(&answer);
    assert_eq!(how, "credlink; hit");
    assert_eq!(edge.count("bucket").await, 1, "{:?}", edge.calls().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unchanged_object_renews_its_entry_without_its_bytes() {
    let edge = Edge::with(slow()).await;
    let (record, manifest) = (Seed::record("unchanged"), Seed::manifest("unchanged"));
    for seed in [&record, &manifest] {
        seed.put(&edge).await;
    }
    warm(&edge, &[&record, &manifest]).await;
    // Stale, and then old: 1,500 s after the entry was renewed, and 2,500 s after that.
    for (ahead, expected) in [(1_500, "credlink; hit; detail=stale"), (4_000, "credlink; fwd=stale")] {
        edge.set_ahead(ahead * SECOND).await;
        for seed in [&record, &manifest] {
            let (answer, how) = read(&edge, &seed.path()).await;
            seed.assert_is(&answer);
            assert_eq!(how, expected);
        }
        edge.settle().await;
        assert_eq!(
            (edge.count("bucket.get").await, edge.count("body").await),
            (2, 0),
            "{:?}",
            edge.calls().await
        );
        for seed in [&record, &manifest] {
            let (answer, how) = read(&edge, &seed.path()).await;
            seed.assert_is(&answer);
            assert_eq!(how, "credlink; hit");
            let age: u64 = answer.headers()["age"].to_str().unwrap().parse().unwrap();
            assert!(age < 1_000, "{age}: it was not renewed");
        }
        edge.forget().await;
    }
}

/// Runs by the real clock. Readers that never stop keep entries warm; entries that are not read meanwhile grow old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_older_than_the_bound_is_answered() {
    let seconds = ["RECORD_FRESH", "RECORD_STALE", "IMMUTABLE_FRESH", "IMMUTABLE_STALE"];
    let names: Vec<String> = seconds.iter().map(|name| format!("CREDLINK_{name}")).collect();
    let edge = &Edge::with(names.iter().map(|name| (name.as_str(), "1".to_owned()))).await;
    let (deleted, manifest, replaced) =
        (&Seed::record("deleted"), &Seed::manifest("deleted"), &Seed::record("replaced"));
    let (current, revision) = (&Seed::record("revised"), &Seed::revision("revised", 1));
    let (quiet, quiet_manifest) = (&Seed::record("quiet"), &Seed::manifest("quiet"));
    let all = [deleted, manifest, replaced, current, revision, quiet, quiet_manifest];
    for seed in all {
        seed.put(edge).await;
    }
    warm(edge, &all).await;
    let new = &replaced.replaced();
    for seed in [deleted, manifest, current, quiet, quiet_manifest] {
        seed.delete(edge).await;
    }
    new.put(edge).await;
    let over = Instant::now() + 2 * SECOND;
    let watch = |seed: &'static str, path: String, expected: u16| async move {
        let mut seen_after = 0;
        while seen_after < 3 {
            let is_over = Instant::now() >= over;
            let answer = edge.send(get(&path)).await;
            if is_over {
                assert_eq!(answer.status(), expected, "{seed}: an answer from before");
                seen_after += 1;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let replacement = async {
        loop {
            let is_over = Instant::now() >= over;
            let (answer, _) = read(edge, &new.path()).await;
            if is_over {
                return new.assert_is(&answer);
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::join!(
        watch("a record", deleted.path(), 410),
        watch("a manifest", manifest.path(), 410),
        watch("an earlier record", revision.path(), 410),
        replacement,
        async {
            sleep_until(over).await;
            for seed in [quiet, quiet_manifest] {
                assert_eq!(state(edge, &seed.path()).await.0, 410, "{}: an answer from before", seed.key);
            }
        },
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_has_one_entry_however_it_is_asked_for() {
    let edge = Edge::with(slow().into_iter().chain([("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned())])).await;
    let (record, manifest) = (Seed::record("entry"), Seed::manifest("Entry-f095f30e"));
    for seed in [&record, &manifest] {
        seed.put(&edge).await;
        let (answer, _) = read(&edge, &format!("{}?utm_source=first", seed.path())).await;
        seed.assert_is(&answer);
    }
    edge.settle().await;
    let kept: Vec<String> =
        edge.calls().await.into_iter().filter(|call| call.starts_with("cache.put")).collect();
    let expected = [&record, &manifest].map(|seed| format!("cache.put {}{}", edge.url(), seed.path()));
    assert_eq!(kept, expected);
    edge.forget().await;
    let keys: LinkKeys = LINK_KEYS.parse().unwrap();
    let signed = keys.sign(&record.key, 0, now().plus_seconds(60));
    let hash = media("entry").to_string();
    let by_hash = format!("/proofs/by-hash/{}", hash.trim_start_matches("sha256:"));
    let (path, manifest_path) = (record.path(), manifest.path());
    let id = path.trim_start_matches("/proofs/");
    let escaped = format!("/proofs/%{:02x}{}", id.as_bytes()[0], &id[1..]);
    for (seed, target) in [
        (&record, path.clone()),
        (&record, format!("{path}?x=1&y=2")),
        (&record, format!("{path}?{signed}")),
        (&record, format!("{path}?expires=1&key=no&life=0&signature=AAAA")),
        (&record, escaped.clone()),
        (&record, by_hash.clone()),
        (&record, format!("{by_hash}?tenant=default&{signed}")),
        (&manifest, manifest_path.clone()),
        (&manifest, manifest_path.replace(':', "%3A")),
        (&manifest, manifest_path.replace(':', "%3a") + "?x"),
    ] {
        let (answer, how) = read(&edge, &target).await;
        seed.assert_is(&answer);
        assert_eq!(how, "credlink; hit", "{target}");
    }
    assert_eq!(edge.count("bucket").await, 0, "{:?}", edge.calls().await);
}
