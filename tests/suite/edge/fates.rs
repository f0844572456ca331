//! Objects that are deleted, expired, private or absent: the answer says so before any condition is evaluated (RFC
//! 9110, section 13.2.1), in the same way as the API.

use credlink_core::object::Facts;
use http::header::{IF_MATCH, IF_NONE_MATCH, RANGE};
use http::{Method, Request};

use super::forms::{manifest, record, revision};
use super::ground::{CACHE_STATUS, Ground};
use super::seeds::Seed;
use crate::http::ask::{ask, get, media, with};

fn expired(facts: &mut Facts) {
    facts.expires = Some(facts.created.plus_seconds(60));
}

/// Requests for an object: plain, conditional, and for a part.
fn requests(target: &str) -> Vec<Request<bytes::Bytes>> {
    let head = ask(Method::HEAD, target);
    vec![
        get(target),
        head,
        with(get(target), IF_MATCH, "\"other\""),
        with(get(target), IF_NONE_MATCH, "*"),
        with(get(target), RANGE, "bytes=99999-"),
    ]
}

/// Asserts that every request for `target` gets this status, past the cache and from it.
async fn check(ground: &Ground, target: &str, status: u16) {
    for request in requests(target) {
        for _ in 0..2 {
            let answer = ground.ask("fates.test", request.clone()).await;
            ground.edge.settle().await;
            assert_eq!(answer.status(), status, "{request:?}: {:?}", answer.body());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_or_expired_is_gone() {
    let seeds = [
        Seed::tombstone(record("deleted")),
        Seed::tombstone(manifest(1)),
        Seed::packed(record("expired")).but(expired),
        // An earlier record that the deletion has not reached yet.
        Seed::plain(revision("deleted", 1)),
        Seed::plain(revision("expired", 1)),
    ];
    let ground = Ground::holding(&seeds).await;
    for seed in &seeds {
        check(&ground, &seed.path(), 410).await;
    }
    let hex = media("deleted").to_string().replace("sha256:", "");
    check(&ground, &format!("/proofs/by-hash/{hex}"), 410).await;
}

/// The tombstone of an object that was never acknowledged: a refused request took it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_back_was_never_there() {
    let void = |key| Seed::tombstone(key).but(|facts| facts.void = true);
    let seeds = [
        void(record("refused")),
        void(manifest(1)),
        // An object left behind beside such a record.
        Seed::plain(revision("refused", 1)),
    ];
    let ground = Ground::holding(&seeds).await;
    for seed in &seeds {
        check(&ground, &seed.path(), 404).await;
    }
    let hex = media("refused").to_string().replace("sha256:", "");
    check(&ground, &format!("/proofs/by-hash/{hex}"), 404).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_not_there() {
    let seeds = [
        Seed::plain(record("there")).but(|facts| facts.generation = 3),
        // Earlier records from before a deletion, and of a proof that does not exist.
        Seed::plain(revision("there", 3)),
        Seed::plain(revision("nowhere", 1)),
    ];
    let ground = Ground::holding(&seeds).await;
    for key in [
        record("nowhere"),
        revision("nowhere", 1),
        revision("there", 2),
        revision("there", 3),
        revision("there", 4),
        manifest(1),
    ] {
        check(&ground, &credlink_core::link::path(&key), 404).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_private_is_for_who_has_a_link_and_in_no_cache() {
    let seeds = [
        Seed::packed(record("private")).private(),
        Seed::plain(revision("private", 1)).private(),
        Seed::packed(manifest(1)).private(),
    ];
    let ground = Ground::holding(&seeds).await;
    for seed in &seeds {
        check(&ground, &seed.path(), 404).await;
        let link = seed.link();
        check(&ground, &link.replace("signature=", "signature=AAAA"), 403).await;
        check(&ground, &link.replace("key=first", "key=other"), 403).await;
        for (condition, status) in [(RANGE, 206), (IF_MATCH, 412), (IF_NONE_MATCH, 304)] {
            let value = if condition == RANGE {
                "bytes=0-9"
            } else if condition == IF_MATCH {
                "\"other\""
            } else {
                "*"
            };
            let answer = ground.ask("fates.test", with(get(&link), condition, value)).await;
            assert_eq!(answer.status(), status, "{link}");
        }
        for _ in 0..2 {
            let answer = ground.ask("fates.test", get(&link)).await;
            ground.edge.settle().await;
            assert_eq!((answer.status().as_u16(), answer.body()), (200, &seed.content));
            assert_eq!(answer.headers()[CACHE_STATUS], "credlink; fwd=uri-miss");
        }
    }
    assert_eq!(ground.edge.kept().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_private_and_expired_says_so_to_who_has_a_link_only() {
    let seed = Seed::plain(record("both")).private().but(expired);
    let ground = Ground::holding(std::slice::from_ref(&seed)).await;
    check(&ground, &seed.path(), 404).await;
    check(&ground, &seed.link(), 410).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_handed_out_as_it_is_stored() {
    let seeds =
        [Seed::packed(record("copied")), Seed::plain(revision("copied", 1)), Seed::packed(manifest(1))];
    let ground = Ground::holding(&seeds).await;
    for seed in &seeds {
        let target = format!("{}?form=stored", seed.path());
        for method in [Method::GET, Method::HEAD] {
            for _ in 0..2 {
                let answer = ground.ask("copies.test", ask(method.clone(), &target)).await;
                ground.edge.settle().await;
                assert_eq!(answer.status(), 200, "{target}");
                assert!(answer.headers().contains_key("credlink-attributes"), "{target}");
                let body = if method == Method::HEAD { &b""[..] } else { &seed.stored()[..] };
                assert_eq!(answer.body(), body, "{target}");
            }
        }
    }
}
