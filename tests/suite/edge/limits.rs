//! The number of lookups that a client may cause if a rate limiter is bound. Answers from the cache do not count, and
//! neither do links.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Request, Response};

use super::ground::CACHE_STATUS;
use super::origin::Origin;
use super::seeds::{LINK_KEYS, Seed, kind, slow, warm};
use crate::engines::edge::{Edge, Mode};
use crate::http::ask::{get, with};

/// The header in which Cloudflare names the client's address.
const CLIENT: HeaderName = HeaderName::from_static("cf-connecting-ip");

/// The time after which an answer is considered never to come, on a machine that is building at the same time.
const PATIENCE: Duration = Duration::from_secs(120);

/// More requests than the limiter lets pass in two of its minutes. It starts a new count with each minute of the clock,
/// and one may begin in between.
const MANY: usize = 10;

async fn edge() -> Edge {
    Edge::limited(slow().into_iter().chain([("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned())])).await
}

fn from(address: &str, target: &str) -> Request<Bytes> {
    with(get(target), CLIENT, address)
}

/// Requests many objects that do not exist.
async fn flood(edge: &Edge, address: &str) -> Vec<Response<Bytes>> {
    let mut answers = Vec::new();
    for number in 0..MANY {
        answers.push(edge.send(from(address, &format!("/manifests/urn:c2pa:{number}-of-{address}"))).await);
        edge.settle().await;
    }
    answers
}

fn refused(answers: &[Response<Bytes>]) -> usize {
    answers.iter().filter(|answer| answer.status() == 429).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_what_is_not_there_is_told_to_stop() {
    let edge = edge().await;
    let seed = Seed::manifest("there");
    seed.put(&edge).await;
    warm(&edge, &[&seed]).await;
    let answers = flood(&edge, "192.0.2.1").await;
    let refusals = refused(&answers);
    assert!((2..=MANY - 4).contains(&refusals), "{refusals} of {MANY}");
    assert_eq!(edge.count("bucket.get").await, MANY - refusals, "nothing is looked for");
    let told = answers.iter().find(|answer| answer.status() == 429).unwrap();
    assert_eq!((&*kind(told), &told.headers()["retry-after"]), ("too-many-requests", &"60".parse().unwrap()));
    assert_eq!(told.headers()["cache-control"], "no-store");
    assert!(!told.headers().contains_key(CACHE_STATUS));
    // Answers from the cache are not limited.
    for _ in 0..MANY {
        let answer = edge.send(from("192.0.2.1", &seed.path())).await;
        seed.assert_is(&answer);
        assert_eq!(answer.headers()[CACHE_STATUS], "credlink; hit");
    }
    let answer = edge.send(from("192.0.2.2", "/manifests/urn:c2pa:another")).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (404, "not-found"), "others are not told");
}

/// An IPv4 address is one client too, however it is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_of_ipv6_is_one_client() {
    let edge = edge().await;
    let addresses = [
        "2001:db8:1:2:3:4:5:6",
        "2001:db8:1:2::7",
        "2001:db8:1:3::",
        "2001:db8::1",
        "::1",
        "192.0.2.1",
        "::ffff:192.0.2.2",
    ];
    for address in addresses {
        edge.send(from(address, "/manifests/urn:c2pa:x")).await;
        edge.set_ahead(Duration::from_secs(100_000)).await;
        edge.send(from(address, &format!("/manifests/urn:c2pa:of-{address}"))).await;
    }
    let calls = edge.calls().await;
    let keys: Vec<_> = calls.iter().filter_map(|call| call.strip_prefix("limiter.limit ")).collect();
    let expected = ["2001:db8:1:2", "2001:db8:1:3", "2001:db8", "", "192.0.2.1", "192.0.2.2"];
    assert_eq!(keys.iter().filter(|key| expected.contains(key)).count(), keys.len(), "{keys:?}");
    for key in expected {
        assert!(keys.contains(&key), "{key}: {keys:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_and_what_is_at_hand_are_not_counted() {
    let edge = edge().await;
    let (private, public) = (Seed::record("private").private(), Seed::record("public"));
    private.put(&edge).await;
    public.put(&edge).await;
    warm(&edge, &[&public]).await;
    flood(&edge, "192.0.2.1").await;
    edge.forget().await;
    for _ in 0..MANY {
        private.assert_is(&edge.send(from("192.0.2.1", &private.link())).await);
    }
    // The entry is old, so R2 is consulted again.
    edge.set_ahead(Duration::from_secs(2_500)).await;
    public.assert_is(&edge.send(from("192.0.2.1", &public.path())).await);
    edge.settle().await;
    assert_eq!((edge.count("limiter").await, edge.count("bucket.get").await), (0, MANY + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn legacy_ids_are_counted_too() {
    let origin = Origin::start().await;
    let own = [("CREDLINK_ORIGIN_URL", origin.url().to_owned())];
    let edge = Edge::limited(slow().into_iter().chain(own)).await;
    let mut answers = Vec::new();
    for number in 0..MANY {
        answers.push(edge.send(from("192.0.2.1", &format!("/proofs/legacy-{number}"))).await);
    }
    let refusals = refused(&answers);
    assert!((2..=MANY - 4).contains(&refusals), "{refusals} of {MANY}");
    assert_eq!(origin.count(), MANY - refusals);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limiter_that_fails_keeps_nobody_out() {
    let edge = edge().await;
    edge.set("limiter", Mode::Fails).await;
    let answers = flood(&edge, "192.0.2.1").await;
    assert!(answers.iter().all(|answer| answer.status() == 404));
    let logs = edge.logs().await;
    assert_eq!(logs.iter().filter(|line| line["message"] == "the limiter does not answer").count(), MANY);
}

/// The wait for a limiter that never answers is as long as for R2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limiter_that_hangs_keeps_nobody_out() {
    let origin = Origin::start().await;
    let own = [("CREDLINK_ORIGIN_URL", origin.url().to_owned()), ("CREDLINK_TIMEOUT", "1500".to_owned())];
    let edge = &Edge::limited(slow().into_iter().chain(own)).await;
    let seed = Seed::record("behind a limiter");
    seed.put(edge).await;
    edge.set("limiter", Mode::Held).await;
    let send = async |target: &str| {
        let answer = tokio::time::timeout(PATIENCE, edge.send(from("192.0.2.1", target))).await;
        answer.unwrap_or_else(|_| panic!("{target}: no answer"))
    };
    let path = seed.path();
    let (there, absent, legacy) =
        tokio::join!(send(&path), send("/manifests/urn:c2pa:absent"), send("/proofs/legacy-1"));
    seed.assert_is(&there);
    assert_eq!((absent.status().as_u16(), legacy.status().as_u16()), (404, 404));
    let logs = edge.logs().await;
    let said: Vec<_> = logs.iter().filter(|line| line["message"] == "the limiter does not answer").collect();
    assert_eq!(said.len(), 3, "{logs:?}");
    assert!(said.iter().all(|line| line["reason"] == "no answer within 1500 ms"), "{said:?}");
    edge.set("limiter", Mode::Well).await;
    edge.settle().await;
}
