//! R2 and the origin out of reach: cached objects are served for a while, and all others are answered with 503. A
//! missing answer is never reported as an absence.

use std::time::Duration;

use http::Method;
use http::header::AUTHORIZATION;

use super::origin::{Origin, stored_form};
use super::seeds::{Seed, kind, read, slow, state, until, warm};
use crate::engines::edge::{Edge, Mode};
use crate::engines::proxy::{Fault, Proxy};
use crate::http::ask::{text, with as ask_with};

const SECOND: Duration = Duration::from_secs(1);

/// Variables that give R2 and the origin 1.5 s.
fn impatient() -> Vec<(&'static str, String)> {
    slow().into_iter().chain([("CREDLINK_TIMEOUT", "1500".to_owned())]).collect()
}

/// Asserts that the answer is 503.
async fn assert_unavailable(edge: &Edge, seed: &Seed) {
    let (answer, how) = read(edge, &seed.path()).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (503, "unavailable"), "{}", seed.key);
    let seconds: u32 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(seconds > 0);
    assert!(!how.contains("hit") && !how.contains("stored"), "{how}");
}

/// Asserts that an old entry is served instead.
async fn assert_stands_in(edge: &Edge, seed: &Seed, seconds: u64) {
    let (answer, how) = read(edge, &seed.path()).await;
    seed.assert_is(&answer);
    assert_eq!(how, "credlink; hit; detail=error");
    let age: u64 = answer.headers()["age"].to_str().unwrap().parse().unwrap();
    assert!(age >= seconds, "{age}");
}

/// R2 throws, and R2 never answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_entry_stands_in_for_r2_for_a_while() {
    let outage = |mode| async move {
        let edge = Edge::with(impatient()).await;
        let (record, manifest, unread) = (Seed::record("old"), Seed::manifest("old"), Seed::record("unread"));
        for seed in [&record, &manifest, &unread] {
            seed.put(&edge).await;
        }
        warm(&edge, &[&record, &manifest]).await;
        assert_eq!(state(&edge, &Seed::record("absent").path()).await.0, 404);
        edge.settle().await;
        edge.set("bucket", mode).await;
        edge.set_ahead(4_000 * SECOND).await;
        edge.forget().await;
        tokio::join!(
            assert_stands_in(&edge, &record, 4_000),
            assert_stands_in(&edge, &manifest, 4_000),
            assert_unavailable(&edge, &unread),
            // The absence was known once, and no longer is.
            async { assert_unavailable(&edge, &Seed::record("absent")).await },
        );
        let said = edge.logs().await;
        assert_eq!(said.iter().filter(|line| line["message"] == "R2 does not answer").count(), 4, "{said:?}");
        edge.set_ahead(6_000 * SECOND).await;
        tokio::join!(assert_unavailable(&edge, &record), assert_unavailable(&edge, &manifest));
        edge.settle().await;
        assert_eq!(edge.count("cache.put").await, 0, "{:?}", edge.calls().await);

        edge.set("bucket", Mode::Well).await;
        for seed in [&record, &manifest, &unread] {
            let (answer, how) = read(&edge, &seed.path()).await;
            seed.assert_is(&answer);
            assert_eq!(how, "credlink; fwd=uri-miss; stored");
        }
        assert_eq!(state(&edge, &Seed::record("absent").path()).await.0, 404);
    };
    tokio::join!(outage(Mode::Fails), outage(Mode::Held));
}

/// A stale entry is served whatever R2 does, and is still there to serve in the outage once it is old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_fails_takes_nothing_away() {
    let edge = Edge::with(impatient()).await;
    let seed = Seed::record("stale");
    seed.put(&edge).await;
    warm(&edge, &[&seed]).await;
    edge.set("bucket", Mode::Fails).await;
    edge.set_ahead(1_500 * SECOND).await;
    for _ in 0..2 {
        let (answer, how) = read(&edge, &seed.path()).await;
        seed.assert_is(&answer);
        assert_eq!(how, "credlink; hit; detail=stale");
        edge.settle().await;
    }
    edge.set_ahead(2_500 * SECOND).await;
    assert_stands_in(&edge, &seed, 2_500).await;
    edge.set("bucket", Mode::Well).await;
    assert_eq!(state(&edge, &seed.path()).await, (200, "credlink; fwd=stale".to_owned()));
}

/// R2 answers that it does not have the object, and the origin cannot confirm that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_entry_stands_in_for_a_dying_origin() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(origin.url().trim_start_matches("http://").parse().unwrap());
    let variables = impatient().into_iter().chain([("CREDLINK_ORIGIN_URL", proxy.url())]);
    let edge = Edge::with(variables).await;
    let seed = Seed::record("dying");
    seed.put(&edge).await;
    warm(&edge, &[&seed]).await;
    credlink_ports::Objects::delete(&edge.objects(), &seed.key).await.unwrap();
    edge.set_ahead(4_000 * SECOND).await;
    let faults = [
        Fault::Refuse,
        Fault::Hang,
        Fault::Answer(500),
        Fault::Answer(503),
        Fault::Answer(429),
        Fault::ResetAfter(40),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        proxy.set(fault);
        let other = Seed::record(&format!("unknown {number}"));
        tokio::join!(assert_stands_in(&edge, &seed, 4_000), assert_unavailable(&edge, &other));
    }
    edge.settle().await;
    assert_eq!(edge.count("cache.put").await, 0);
    proxy.set(Fault::Pass);
    assert_eq!(state(&edge, &seed.path()).await.0, 404, "the origin does not have it either");
    assert_eq!(state(&edge, &Seed::record("unknown 0").path()).await.0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_origin_answers_while_r2_is_out_of_reach() {
    let origin = Origin::start().await;
    let seed = Seed::record("elsewhere");
    let answered = seed.clone();
    origin.answer_with(move |request| {
        let is_asked_for = request.uri().path().ends_with(&answered.path());
        is_asked_for.then(|| stored_form(&answered))
    });
    let outage = |mode| {
        let (origin, seed) = (origin.clone(), seed.clone());
        async move {
            let variables = [("CREDLINK_ORIGIN_URL", origin.url().to_owned())];
            let edge = Edge::with(impatient().into_iter().chain(variables)).await;
            edge.set("bucket", mode).await;
            let (answer, how) = read(&edge, &seed.path()).await;
            seed.assert_is(&answer);
            assert_eq!(how, "credlink; fwd=uri-miss; stored");
            let (absent, _) = read(&edge, &Seed::record("absent").path()).await;
            assert_eq!((absent.status().as_u16(), &*kind(&absent)), (404, "not-found"));
            edge.settle().await;
            assert_eq!(edge.count("bucket.put").await, 0, "what R2 holds is not known");
            assert_eq!(state(&edge, &seed.path()).await, (200, "credlink; hit".to_owned()));
        }
    };
    tokio::join!(outage(Mode::Fails), outage(Mode::Held));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_fails_is_gone_without() {
    let edge = Edge::start().await;
    let seed = Seed::record("without");
    seed.put(&edge).await;
    edge.set("cache", Mode::Fails).await;
    for _ in 0..2 {
        seed.assert_is(&read(&edge, &seed.path()).await.0);
        edge.settle().await;
    }
    assert_eq!(edge.count("bucket.get").await, 2);
    let said = edge.logs().await;
    for message in ["the cache does not answer", "the cache does not keep an object"] {
        assert!(said.iter().any(|line| line["message"] == message), "{message}: {said:?}");
    }
}

/// A loaded object is reused until the cache has it. If the cache never stores it, it is dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_never_keeps_is_not_waited_for() {
    let edge = Edge::with(slow().into_iter().chain([("CREDLINK_TIMEOUT", "500".to_owned())])).await;
    let seed = Seed::record("never kept");
    seed.put(&edge).await;
    edge.set("cache.put", Mode::Held).await;
    until("R2 is asked again", async || {
        seed.assert_is(&read(&edge, &seed.path()).await.0);
        edge.count("bucket.get").await >= 2
    })
    .await;
    edge.set("cache.put", Mode::Well).await;
    edge.settle().await;
}

/// An earlier record in the cache is served while R2 is unreachable, but only together with a cached current record:
/// without that, it is not known whether the proof is still live.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_record_needs_the_current_one_in_an_outage() {
    let edge = Edge::with(slow().into_iter().chain([("CREDLINK_PURGE_TOKEN", "0".repeat(32))])).await;
    let revisions = ["with", "without"].map(|name| (Seed::record(name), Seed::revision(name, 1)));
    for (current, revision) in &revisions {
        current.put(&edge).await;
        revision.put(&edge).await;
        warm(&edge, &[revision]).await;
    }
    let [(_, with), (current, without)] = &revisions;
    let body = format!(r#"{{"proofs":["{}"]}}"#, current.path().trim_start_matches("/proofs/"));
    let purge = text(Method::POST, "/purge", &body);
    let purge = ask_with(purge, AUTHORIZATION, format!("Bearer {}", "0".repeat(32)));
    assert_eq!(edge.send(purge).await.status(), 200);
    edge.set("bucket", Mode::Fails).await;
    edge.set_ahead(4_000 * SECOND).await;
    assert_stands_in(&edge, with, 4_000).await;
    assert_unavailable(&edge, without).await;
}
