//! What is deleted, expired, private or not there: it is told so before any condition is looked at (RFC 9110,
//! section 13.2.1), and as the API tells it.

use credlink_core::access::Visibility;
use credlink_core::link::LinkKeys;
use credlink_core::object::{Coding, Facts, ObjectKey};
use credlink_core::time::Timestamp;
use http::header::{IF_MATCH, IF_NONE_MATCH, RANGE};
use http::{Method, Request};

use super::ground::{CACHE_STATUS, Ground, LINK_KEYS};
use super::thing::{Thing, manifest, record, revision, stored_at};
use crate::http::ask::{get, media, with};

fn expired(facts: &mut Facts) {
    facts.expires = Some(stored_at().plus_seconds(60));
}

fn private(facts: &mut Facts) {
    facts.visibility = Visibility::Private;
}

/// A link to an object, good for a long time.
fn link(key: &ObjectKey) -> String {
    let keys: LinkKeys = LINK_KEYS.parse().unwrap();
    let expires: Timestamp = "2100-01-01T00:00:00Z".parse().unwrap();
    format!("{}?{}", credlink_core::link::path(key), keys.sign(key, expires))
}

/// Requests for an object: plainly, under conditions, and for a part.
fn requests(target: &str) -> Vec<Request<bytes::Bytes>> {
    let head = crate::http::ask::ask(Method::HEAD, target);
    vec![
        get(target),
        head,
        with(get(target), IF_MATCH, "\"other\""),
        with(get(target), IF_NONE_MATCH, "*"),
        with(get(target), RANGE, "bytes=99999-"),
    ]
}

/// Every request for `target` is answered so, past the cache and by it.
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
    let things = [
        Thing::deleted(record("deleted")),
        Thing::deleted(manifest(1)),
        Thing::new(record("expired"), Some(Coding::Gzip)).but(expired),
        // What a deletion has not come to yet.
        Thing::new(revision("deleted", 1), None),
        Thing::new(revision("expired", 1), None),
    ];
    let ground = Ground::holding(&things).await;
    for thing in &things {
        check(&ground, &thing.path(), 410).await;
    }
    let hex = media("deleted").to_string().replace("sha256:", "");
    check(&ground, &format!("/proofs/by-hash/{hex}"), 410).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_not_there() {
    let things = [
        Thing::new(record("there"), None).but(|facts| facts.generation = 3),
        // Of an earlier life, and of none.
        Thing::new(revision("there", 3), None),
        Thing::new(revision("nowhere", 1), None),
    ];
    let ground = Ground::holding(&things).await;
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
    let things = [
        Thing::new(record("private"), Some(Coding::Gzip)).but(private),
        Thing::new(revision("private", 1), None).but(private),
        Thing::new(manifest(1), Some(Coding::Gzip)).but(private),
    ];
    let ground = Ground::holding(&things).await;
    for thing in &things {
        check(&ground, &thing.path(), 403).await;
        let link = link(&thing.key);
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
            assert_eq!((answer.status().as_u16(), answer.body()), (200, &thing.content));
            assert_eq!(answer.headers()[CACHE_STATUS], "credlink; fwd=uri-miss");
        }
    }
    assert_eq!(ground.edge.count("cache.put").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_private_and_expired_says_so_to_who_has_a_link_only() {
    let thing = Thing::new(record("both"), None).but(private).but(expired);
    let ground = Ground::holding(std::slice::from_ref(&thing)).await;
    check(&ground, &thing.path(), 403).await;
    check(&ground, &link(&thing.key), 410).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_handed_out_as_it_is_stored() {
    let things = [
        Thing::new(record("copied"), Some(Coding::Gzip)),
        Thing::new(revision("copied", 1), None),
        Thing::new(manifest(1), Some(Coding::Gzip)),
    ];
    let ground = Ground::holding(&things).await;
    for thing in &things {
        let target = format!("{}?form=stored", thing.path());
        for method in [Method::GET, Method::HEAD] {
            for _ in 0..2 {
                let answer = ground.ask("copies.test", crate::http::ask::ask(method.clone(), &target)).await;
                ground.edge.settle().await;
                assert_eq!(answer.status(), 200, "{target}");
                assert!(answer.headers().contains_key("credlink-attributes"), "{target}");
                let body = if method == Method::HEAD { &b""[..] } else { &thing.stored };
                assert_eq!(answer.body(), body, "{target}");
            }
        }
    }
}
