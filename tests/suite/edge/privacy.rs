//! Guarantee 13 at the edge: no part of an answer, and no call that the Worker makes for it, reveals to a caller that
//! may not read an object whether that object exists.

use credlink_core::object::ObjectKey;
use http::header::HOST;

use super::origin::Origin;
use super::seeds::{LINK_KEYS, Seed, slow};
use super::unlinked::{questions, shown};
use crate::engines::edge::Edge;
use crate::engines::proxy::{Fault, Proxy};
use crate::http::ask::with;

/// The edge's answers to every request for an object, twice each, and the calls that they cause. Each request uses a
/// domain of its own, whose cache is empty.
async fn answers(edge: &Edge, seed: &Seed) -> Vec<(String, Vec<String>)> {
    let id = match &seed.key {
        ObjectKey::Record(id) | ObjectKey::Revision(id, _) => id.to_string(),
        ObjectKey::Manifest(key) => key.id.to_string(),
        other => panic!("nobody reads {other}"),
    };
    let mut all = Vec::new();
    for (number, question) in questions(&seed.path()).into_iter().enumerate() {
        for _ in 0..2 {
            edge.forget().await;
            let answer = edge.send(with(question.clone(), HOST, format!("question-{number}.test"))).await;
            edge.settle().await;
            // The head of an object arrives with the beginning of its body, which is discarded.
            let calls = edge.calls().await.into_iter().filter(|call| !call.starts_with("body "));
            let calls = calls.map(|call| call.replace("%3A", ":").replace(&id, "ID")).collect();
            all.push((shown(&answer, &id), calls));
        }
    }
    all
}

/// Pairs of a private object and an absent one, with IDs of the same length.
fn pairs() -> Vec<(&'static str, Seed, Seed)> {
    let gone = |seed: Seed| seed.private().but(|facts| facts.tombstone = true);
    vec![
        ("a record", Seed::record("private").private(), Seed::record("absent")),
        ("a deleted record", gone(Seed::record("gone")), Seed::record("never")),
        ("a manifest", Seed::manifest("private").private(), Seed::manifest("nothing")),
        ("a deleted manifest", gone(Seed::manifest("gone")), Seed::manifest("none")),
        ("a long manifest", long("long-one").private(), Seed::manifest("no-long1")),
        ("a damaged manifest", damaged("damaged").private(), Seed::manifest("missing")),
        ("an earlier record", Seed::revision("earlier", 1).private(), Seed::revision("neither", 1)),
    ]
}

/// A manifest of more than 1 MiB.
fn long(name: &str) -> Seed {
    let seed = Seed::manifest(name);
    Seed::new(seed.key, seed.content.repeat(1_000))
}

/// A manifest whose content does not match its digest.
fn damaged(name: &str) -> Seed {
    let other = Seed::manifest("other");
    Seed::manifest(name).but(|facts| facts.sha256 = other.facts.sha256)
}

async fn check(edge: &Edge) {
    for (what, private, absent) in pairs() {
        private.put(edge).await;
        let (left, right) = (answers(edge, &private).await, answers(edge, &absent).await);
        for (number, ((answer, calls), (expected, expected_calls))) in left.iter().zip(&right).enumerate() {
            assert_eq!(
                answer, expected,
                "{what}, question {number}: what is private (left) is told from what is not there"
            );
            assert_eq!(calls, expected_calls, "{what}, question {number}: it takes longer, or less long");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_private_looks_as_if_it_were_not_there() {
    let keys = ("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned());
    for own in [Some(keys), None] {
        let edge = Edge::with(slow().into_iter().chain(own)).await;
        check(&edge).await;
    }
}

/// The origin is asked for objects that R2 does not have, which takes time, and fails when the origin is unreachable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_private_looks_as_if_it_were_not_there_before_an_origin_too() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(origin.url().trim_start_matches("http://").parse().unwrap());
    for fault in [Fault::Pass, Fault::Refuse, Fault::Answer(503)] {
        proxy.set(fault);
        let own = [("CREDLINK_ORIGIN_URL", proxy.url()), ("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned())];
        let edge = Edge::with(slow().into_iter().chain(own)).await;
        check(&edge).await;
    }
}

/// The origin could judge a link that this edge cannot check, so links are not passed to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_does_where_links_cannot_be_checked_here_and_the_origin_checks_them() {
    let origin = Origin::start().await;
    let edge = Edge::with(slow().into_iter().chain([("CREDLINK_ORIGIN_URL", origin.url().to_owned())])).await;
    check(&edge).await;
}
