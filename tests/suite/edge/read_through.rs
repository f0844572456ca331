//! Objects that R2 does not have: the origin is asked, its answer is passed on, and public objects are put into R2.

use std::time::Duration;

use bytes::Bytes;
use credlink_core::link::LinkKeys;
use credlink_core::media_type::TOMBSTONE_TYPE;
use credlink_core::object::{Attributes, ObjectKey};
use credlink_ports::Objects as _;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, IF_MATCH, LOCATION};
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::origin::{Origin, stored_form};
use super::seeds::{LINK_KEYS, Seed, kind, now, read, slow, state, until, write};
use crate::engines::edge::{Edge, Mode};
use crate::http::ask::{ask, get, json as request, media, proof, with};
use crate::world::{Ground, World, tokens};

/// A Worker with an empty bucket, over this origin.
async fn edge_over(origin: &Origin) -> Edge {
    let own =
        [("CREDLINK_ORIGIN_URL", origin.url().to_owned()), ("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned())];
    Edge::with(slow().into_iter().chain(own)).await
}

/// Sends a request to the service behind the origin, and asserts its status.
async fn told(origin: &Origin, status: u16, request: Request<Bytes>) -> Response<Bytes> {
    let request = with(request, AUTHORIZATION, format!("Bearer {}", tokens::OWNER));
    let response = origin.world().answer(request).await;
    assert_eq!(response.status(), status, "{:?}", response.body());
    response
}

/// Stores a proof in the service behind the origin.
async fn store(origin: &Origin, name: &str, more: Value) {
    let mut body = json!({"media_hash": media(name).to_string()});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    told(origin, 201, request(Method::POST, "/v1/proofs", &body)).await;
}

fn long(note: &str) -> Value {
    json!({"manifest": {"note": note.repeat(100)}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miss_asks_the_origin_once_and_r2_from_then_on() {
    let origin = Origin::start().await;
    store(&origin, "there", long("once ")).await;
    let edge = edge_over(&origin).await;
    let path = format!("/proofs/{}", proof("there"));
    let request =
        with(get(&format!("{path}?utm_source=x")), http::HeaderName::from_static("x-request-id"), "trace-1");
    let answer = edge.send(request).await;
    let own = told(&origin, 200, get(&format!("/v1{path}"))).await;
    assert_eq!((answer.status(), answer.body()), (own.status(), own.body()));
    edge.settle().await;
    let asked = origin.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!((&*asked[0].method, &*asked[0].target), ("GET", &*format!("/v1{path}?form=stored")));
    assert_eq!(asked[0].headers["x-request-id"], "trace-1");
    // The cache may forget at any time. R2 has the object now.
    edge.set_ahead(Duration::from_secs(6_000)).await;
    assert_eq!(state(&edge, &path).await.0, 200);
    assert_eq!((origin.count(), edge.count("bucket.put").await), (0, 1));
}

/// R2 holds an object whose attributes cannot be read, and the origin has it intact. The object in R2 is left to the
/// operator.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_r2_cannot_describe_the_origin_may_have() {
    let origin = Origin::start().await;
    store(&origin, "garbled", long("once ")).await;
    let edge = edge_over(&origin).await;
    let (path, key) = (format!("/proofs/{}", proof("garbled")), ObjectKey::Record(proof("garbled")));
    let attributes = Attributes { content_type: "text/plain".to_owned(), ..Attributes::default() };
    write(&edge.objects(), &key, Bytes::from_static(b"what is this?"), &attributes).await;
    let answer = edge.send(get(&path)).await;
    let own = told(&origin, 200, get(&format!("/v1{path}"))).await;
    assert_eq!((answer.status(), answer.body()), (own.status(), own.body()));
    edge.settle().await;
    let left = edge.objects().get(&key).await.unwrap().unwrap();
    assert_eq!(left.body, b"what is this?".as_slice());
}

/// 404 and 410 are passed on in the API's words, and kept. A private object looks like an absent one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_origin_does_not_hand_out_is_handed_on() {
    let origin = Origin::of(World::with_tokens(Ground::Memory)).await;
    store(&origin, "deleted", long("")).await;
    store(&origin, "private", json!({"manifest": {}, "visibility": "private"})).await;
    let deleted = format!("/proofs/{}", proof("deleted"));
    told(&origin, 204, ask(Method::DELETE, &format!("/v1{deleted}"))).await;
    let edge = edge_over(&origin).await;
    let (absent, private) = (format!("/proofs/{}", proof("absent")), format!("/proofs/{}", proof("private")));
    let manifest = Seed::manifest("absent").path();
    for (path, first, again) in [
        (&absent, "credlink; fwd=uri-miss; stored", "credlink; hit; detail=absent"),
        (&manifest, "credlink; fwd=uri-miss; stored", "credlink; hit; detail=absent"),
        (&deleted, "credlink; fwd=uri-miss; stored", "credlink; hit; detail=absent"),
        (&private, "credlink; fwd=uri-miss; stored", "credlink; hit; detail=absent"),
    ] {
        let same = |path: &str| with(get(path), http::HeaderName::from_static("x-request-id"), "the-same");
        let own = origin.world().answer(same(&format!("/v1{path}"))).await;
        for expected in [first, again] {
            let answer = edge.send(same(path)).await;
            assert_eq!(answer.headers()["cache-status"], expected, "{path}");
            assert_eq!((answer.status(), answer.body()), (own.status(), own.body()));
            edge.settle().await;
        }
    }
    assert_eq!(edge.count("bucket.put").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_private_is_read_through_by_its_link_and_left_nowhere() {
    let origin = Origin::of(World::with_tokens(Ground::Memory)).await;
    store(&origin, "private", json!({"manifest": {"is": "first"}, "visibility": "private"})).await;
    let record = Seed::record("private");
    let (id, current) = (proof("private"), format!("/v1{}", record.path()));
    let supersede =
        request(Method::PUT, &current, &json!({"manifest": {"is": "second"}, "visibility": "private"}));
    told(&origin, 200, with(supersede, IF_MATCH, "*")).await;
    let edge = edge_over(&origin).await;
    let link = told(&origin, 200, get(&format!("{current}/url"))).await;
    let link: Value = serde_json::from_slice(link.body()).unwrap();
    let url = link["url"].as_str().unwrap();
    let target = &url[url.find("/proofs/").unwrap()..];
    let (answer, how) = read(&edge, target).await;
    assert_eq!((answer.status().as_u16(), &*how), (200, "credlink; fwd=uri-miss"), "{:?}", answer.body());
    assert_eq!(answer.headers()["cache-control"], "private, no-store");
    let (answer, _) = read(&edge, &record.path()).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (404, "not-found"));
    // An earlier record has its own link, which does not open the current record.
    let keys: LinkKeys = LINK_KEYS.parse().unwrap();
    let revision = ObjectKey::Revision(id, 1);
    let query = keys.sign(&revision, 0, now().plus_seconds(60));
    let (answer, _) = read(&edge, &format!("/{revision}?{query}")).await;
    assert_eq!(answer.status(), 200, "{:?}", answer.body());
    let another = query.replacen("expires=", "expires=1", 1);
    for target in [format!("{}?{query}", record.path()), format!("/{revision}?{another}")] {
        let (answer, _) = read(&edge, &target).await;
        assert_eq!((answer.status().as_u16(), &*kind(&answer)), (403, "invalid-link"), "{target}");
    }
    let (answer, _) = read(&edge, &format!("/{revision}")).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (404, "not-found"));
    edge.settle().await;
    assert_eq!((edge.count("bucket.put").await, edge.kept().await), (0, 0), "{:?}", edge.calls().await);
}

/// A tombstone in R2 is an answer and is never overwritten, even if the deletion happens while the origin's answer is
/// on its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_is_never_filled_again() {
    let origin = Origin::start().await;
    store(&origin, "before", long("before ")).await;
    store(&origin, "meanwhile", long("meanwhile ")).await;
    let (before, meanwhile) = (Seed::record("before"), Seed::record("meanwhile"));
    let edge = edge_over(&origin).await;
    before.delete(&edge).await;
    let (answer, _) = read(&edge, &before.path()).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (410, "deleted"));
    assert_eq!(origin.count(), 0);

    origin.hold(true);
    let path = meanwhile.path();
    let (late, ()) = tokio::join!(state(&edge, &path), async {
        origin.wait_for(1).await;
        meanwhile.delete(&edge).await;
        origin.hold(false);
    });
    assert_eq!(late.0, 200, "it was asked for before the deletion");
    edge.settle().await;
    assert_eq!(edge.count("bucket.put").await, 1, "it was tried");
    let (attributes, _) = meanwhile.there(&edge).await.unwrap();
    assert_eq!(attributes.content_type, TOMBSTONE_TYPE);
    edge.set_ahead(Duration::from_secs(2_000)).await;
    let (answer, _) = read(&edge, &path).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (410, "deleted"));
}

/// A function cannot answer with more than 4.4 MB, and redirects to a longer object instead. The server there may
/// compress the object once more for transfer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_origin_may_send_elsewhere() {
    let origin = Origin::start().await;
    let (plain, packed) = (Seed::record("plain"), Seed::record("packed"));
    let (base, seeds) = (origin.url().to_owned(), [plain.clone(), packed.clone()]);
    origin.answer_with(move |request| {
        let path = request.uri().path();
        let seed = seeds.iter().find(|seed| path.ends_with(&seed.path()))?;
        if path.starts_with("/v1/") {
            let mut answer = stored_form(seed);
            *answer.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            answer.headers_mut().remove(CONTENT_TYPE);
            let elsewhere = format!("{base}/bucket{}?X-Amz-Signature=secret", seed.path());
            answer.headers_mut().insert(LOCATION, elsewhere.parse().unwrap());
            *answer.body_mut() = Bytes::new();
            return Some(answer);
        }
        // The bucket labels an object stored as gzip as such, and the runtime decompresses it.
        let mut answer = Response::new(seed.stored());
        if seed.path() == seeds[1].path() {
            answer.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        }
        Some(answer)
    });
    let edge = edge_over(&origin).await;
    for (seed, is_filled) in [(&plain, true), (&packed, false)] {
        let (answer, how) = read(&edge, &seed.path()).await;
        seed.assert_is(&answer);
        assert_eq!(how, "credlink; fwd=uri-miss; stored");
        edge.settle().await;
        let expected = is_filled.then(|| (seed.attributes(), seed.stored()));
        assert_eq!(seed.there(&edge).await, expected);
        let (answer, how) = read(&edge, &seed.path()).await;
        seed.assert_is(&answer);
        assert_eq!(how, "credlink; hit");
        for asked in origin.asked() {
            let is_elsewhere = asked.target.starts_with("/bucket");
            assert!(!(is_elsewhere && asked.headers.contains_key("x-request-id")), "of no concern there");
        }
    }
}

/// R2 accepts no writes, or none now: no client is told, and none waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_put_into_r2_is_answered_all_the_same() {
    let origin = Origin::start().await;
    let edge = edge_over(&origin).await;
    for (name, mode) in [("fails", Mode::Fails), ("held", Mode::Held)] {
        store(&origin, name, long(name)).await;
        edge.set("bucket.put", mode).await;
        let path = Seed::record(name).path();
        assert_eq!(state(&edge, &path).await, (200, "credlink; fwd=uri-miss; stored".to_owned()));
        until("it is kept", async || state(&edge, &path).await.1 == "credlink; hit").await;
        assert_eq!(
            origin.asked().len(),
            1,
            "{name}: what is kept, or is about to be, is not asked for again"
        );
    }
    edge.set("bucket.put", Mode::Well).await;
    edge.settle().await;
    let said = edge.logs().await;
    assert_eq!(
        said.iter().filter(|line| line["message"] == "R2 does not take an object").count(),
        1,
        "{said:?}"
    );
    assert!(Seed::record("held").there(&edge).await.is_some());
}
