//! Signed links and private objects.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use credlink_core::link::LinkKeys;
use credlink_core::time::Timestamp;
use futures_util::future::join_all;
use http::{Method, Response};

use super::origin::{Origin, stored_form};
use super::seeds::{LINK_KEYS, Seed, kind, now, read, slow, state, warm};
use crate::engines::edge::Edge;
use crate::engines::proxy::{Fault, Proxy};
use crate::http::ask::ask;

/// `tests/vectors/links.json`: links that another implementation signed, and links that it did not.
#[derive(serde::Deserialize)]
struct Vectors {
    link_keys: String,
    objects: BTreeMap<String, Named>,
    asked: Vec<Asked>,
}

#[derive(serde::Deserialize)]
struct Named {
    key: String,
}

#[derive(serde::Deserialize)]
struct Asked {
    what: String,
    method: String,
    target: String,
    object: String,
    answer: String,
    /// Seconds since 1970. Without it, the answer is the same from 2026 to 2096.
    now: Option<i64>,
}

fn keys() -> (&'static str, String) {
    ("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned())
}

fn second(seconds: i64) -> Timestamp {
    Timestamp::from_milliseconds(seconds * 1_000)
}

/// The outcome of a request: `opens`, or the type of a problem.
fn answered(answer: &Response<Bytes>) -> String {
    if answer.status() == 200 { "opens".to_owned() } else { kind(answer) }
}

/// The requests of the vectors, end to end. All objects are private.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_opens_what_another_implementation_signed() {
    let vectors: Vectors = serde_json::from_str(include_str!("../../vectors/links.json")).unwrap();
    let edge = &Edge::with([("CREDLINK_LINK_KEYS", vectors.link_keys.clone())]).await;
    let objects: BTreeMap<_, _> = vectors
        .objects
        .iter()
        .map(|(name, named)| {
            (name.as_str(), Seed::new(named.key.parse().unwrap(), name.clone().into_bytes()).private())
        })
        .collect();
    for seed in objects.values() {
        seed.put(edge).await;
    }
    let check = async |asked: &Asked, at: i64| {
        let request = ask(asked.method.parse().unwrap(), &asked.target);
        let answer = edge.send(request).await;
        let what = format!("{} at {at}: {} {}", asked.what, asked.method, asked.target);
        if asked.method == "HEAD" {
            let opens = asked.answer == "opens";
            assert_eq!(answer.status(), if opens { 200 } else { 403 }, "{what}");
            return;
        }
        assert_eq!(answered(&answer), asked.answer, "{what}");
        if asked.answer == "opens" {
            objects[asked.object.as_str()].assert_is(&answer);
            assert_eq!(answer.headers()["cache-control"], "private, no-store", "{what}");
        }
    };
    for at in [1_780_000_000, 3_999_999_999] {
        edge.stop_clock(second(at)).await;
        join_all(vectors.asked.iter().filter(|asked| asked.now.is_none()).map(|asked| check(asked, at)))
            .await;
    }
    let mut timed = 0;
    for asked in &vectors.asked {
        if let Some(at) = asked.now {
            edge.stop_clock(second(at)).await;
            check(asked, at).await;
            timed += 1;
        }
    }
    assert!(timed >= 3, "a second before, at, and after the expiry");
    edge.settle().await;
    assert_eq!(edge.kept().await, 0, "what is private is not kept");
}

/// A link allows GET and HEAD. No other method accepts links.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_for_reading() {
    let edge = Edge::with([keys()]).await;
    let seed = Seed::record("methods").private();
    seed.put(&edge).await;
    let link = seed.link();
    for (method, status) in [
        (Method::GET, 200),
        (Method::HEAD, 200),
        (Method::OPTIONS, 204),
        (Method::POST, 405),
        (Method::PUT, 405),
        (Method::PATCH, 405),
        (Method::DELETE, 405),
    ] {
        let answer = edge.send(ask(method.clone(), &link)).await;
        assert_eq!(answer.status(), status, "{method}");
        if status == 405 {
            assert_eq!(answer.headers()["allow"], "GET, HEAD, OPTIONS");
        }
    }
    assert!(seed.there(&edge).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_not_replayed_after_its_time() {
    let edge = Edge::with(slow().into_iter().chain([keys()])).await;
    let seed = Seed::manifest("replayed").private();
    seed.put(&edge).await;
    let link = seed.link();
    for _ in 0..2 {
        seed.assert_is(&read(&edge, &link).await.0);
    }
    edge.set_ahead(Duration::from_secs(3_600)).await;
    let (answer, _) = read(&edge, &link).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (403, "invalid-link"));
}

/// An operator that rotates the keys lists the old key after the new one until the last link signed with the old key
/// has expired.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_keys_breaks_no_link() {
    let (new, seed) = (format!("second:{}", "08".repeat(32)), Seed::record("rotated").private());
    let both = format!("{new},{LINK_KEYS}");
    let new_keys: LinkKeys = new.parse().unwrap();
    let new_link = format!("{}?{}", seed.path(), new_keys.sign(&seed.key, 0, now().plus_seconds(60)));
    for (set, old_opens, new_opens) in [
        (Some(LINK_KEYS.to_owned()), "opens", "invalid-link"),
        (Some(both), "opens", "opens"),
        (Some(new), "invalid-link", "opens"),
        // Without keys no link opens anything, and the answer does not mention links.
        (None, "not-found", "not-found"),
    ] {
        let edge = Edge::with(set.map(|set| ("CREDLINK_LINK_KEYS", set))).await;
        seed.put(&edge).await;
        assert_eq!(answered(&read(&edge, &seed.link()).await.0), old_opens);
        assert_eq!(answered(&read(&edge, &new_link).await.0), new_opens);
        assert_eq!(answered(&read(&edge, &seed.path()).await.0), "not-found");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_private_is_kept_for_nobody() {
    let edge = Edge::with(slow().into_iter().chain([keys()])).await;
    for seed in [Seed::record("private").private(), Seed::manifest("private").private()] {
        seed.put(&edge).await;
        for _ in 0..2 {
            let (answer, how) = read(&edge, &seed.link()).await;
            seed.assert_is(&answer);
            assert_eq!(
                (&*how, &answer.headers()["cache-control"]),
                ("credlink; fwd=uri-miss", &"private, no-store".parse().unwrap())
            );
            edge.settle().await;
            let (answer, how) = read(&edge, &seed.path()).await;
            assert_eq!(
                (answer.status().as_u16(), &*kind(&answer), &*how),
                (404, "not-found", "credlink; hit; detail=absent")
            );
            let head = edge.send(ask(Method::HEAD, &seed.path())).await;
            assert_eq!(head.status(), 404);
        }
    }
    edge.settle().await;
    assert_eq!(edge.kept().await, 0, "{:?}", edge.calls().await);
}

/// A record changes by its content; a manifest, which was deleted and stored again with the same bytes, by its
/// attributes alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_turns_private_is_forgotten_when_it_is_next_looked_at() {
    let edge = Edge::with(slow().into_iter().chain([keys()])).await;
    let (record, manifest) = (Seed::record("turned"), Seed::manifest("turned"));
    for (public, private, how) in [
        (record.clone(), record.replaced().private(), "stale"),
        (manifest.clone(), manifest.private(), "stale"),
        (Seed::record("old"), Seed::record("old").replaced().private(), "old"),
        (Seed::manifest("old"), Seed::manifest("old").private(), "old"),
    ] {
        edge.set_ahead(Duration::ZERO).await;
        public.put(&edge).await;
        warm(&edge, &[&public]).await;
        private.put(&edge).await;
        if how == "stale" {
            edge.set_ahead(Duration::from_secs(1_500)).await;
            assert_eq!(state(&edge, &public.path()).await, (200, "credlink; hit; detail=stale".to_owned()));
        } else {
            edge.set_ahead(Duration::from_secs(2_500)).await;
            let (answer, _) = read(&edge, &public.path()).await;
            assert_eq!((answer.status().as_u16(), &*kind(&answer)), (404, "not-found"));
        }
        edge.settle().await;
        assert_eq!(edge.kept().await, 0, "{how} {}: {:?}", public.key, edge.calls().await);
        assert_eq!(edge.count("cache.put").await, 1, "{how} {}: nothing is in its place", public.key);
        let (answer, _) = read(&edge, &public.path()).await;
        assert_eq!((answer.status().as_u16(), &*kind(&answer)), (404, "not-found"), "{how} {}", public.key);
        private.assert_is(&read(&edge, &private.link()).await.0);
    }
}

/// An object that was read through is kept without an entity tag of R2. When R2 reports it as private, an unreachable
/// origin does not keep it alive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_through_and_turns_private_is_forgotten_without_the_origin() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(origin.url().trim_start_matches("http://").parse().unwrap());
    let edge = Edge::with(slow().into_iter().chain([keys(), ("CREDLINK_ORIGIN_URL", proxy.url())])).await;
    for (number, fault) in [Fault::Refuse, Fault::Answer(503)].into_iter().enumerate() {
        for how in ["stale", "old"] {
            for public in [Seed::record, Seed::manifest].map(|seed| seed(&format!("{how}-{number}"))) {
                proxy.set(Fault::Pass);
                edge.set_ahead(Duration::ZERO).await;
                let answered = public.clone();
                origin.answer_with(move |request| {
                    let is_asked_for = request.uri().path().ends_with(&answered.path());
                    is_asked_for.then(|| stored_form(&answered))
                });
                warm(&edge, &[&public]).await;
                assert_eq!(origin.asked().len(), 1, "{}: it is read through", public.key);
                let private = public.clone().private();
                private.put(&edge).await;
                proxy.set(fault);
                if how == "stale" {
                    edge.set_ahead(Duration::from_secs(1_500)).await;
                    let expected = (200, "credlink; hit; detail=stale".to_owned());
                    assert_eq!(state(&edge, &public.path()).await, expected);
                    edge.settle().await;
                } else {
                    edge.set_ahead(Duration::from_secs(2_500)).await;
                }
                for _ in 0..2 {
                    let (answer, _) = read(&edge, &public.path()).await;
                    let told = (answer.status().as_u16(), kind(&answer));
                    assert_eq!(told, (404, "not-found".to_owned()), "{how} {}: {fault:?}", public.key);
                    edge.settle().await;
                }
                assert_eq!(edge.kept().await, 0, "{how} {}: {:?}", public.key, edge.calls().await);
                assert_eq!(edge.count("cache.put").await, 1, "{how} {}: nothing is in its place", public.key);
                private.assert_is(&read(&edge, &private.link()).await.0);
            }
        }
    }
}
