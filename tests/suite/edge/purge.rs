//! Purging: the cache forgets entries before their lifetime is over.

use bytes::Bytes;
use credlink_core::proof_id::ProofId;
use futures_util::future::join_all;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response};
use serde_json::{Value, json};

use super::origin::Origin;
use super::seeds::{Seed, kind, read, slow, state, warm};
use crate::engines::edge::{Edge, Mode};
use crate::engines::proxy::{Fault, Proxy};
use crate::http::ask::{ask, proof, text, with};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const ZONE: &str = "fedcba9876543210fedcba9876543210";
const ZONE_TOKEN: &str = "a-token-of-the-zone";

fn token() -> (&'static str, String) {
    ("CREDLINK_PURGE_TOKEN", TOKEN.to_owned())
}

/// A purge with this body by an authorised caller.
fn purge(body: &Value) -> Request<Bytes> {
    with(text(Method::POST, "/purge", &body.to_string()), AUTHORIZATION, format!("Bearer {TOKEN}"))
}

fn told(answer: &Response<Bytes>) -> Value {
    assert_eq!(answer.status(), 200, "{:?}", answer.body());
    serde_json::from_slice(answer.body()).unwrap()
}

fn id(seed: &Seed) -> String {
    let key = seed.key.to_string();
    let (_, id) = key.split_once('/').unwrap();
    id.replace("%3A", ":")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_purged_is_looked_for_again() {
    let edge = Edge::with(slow().into_iter().chain([token()])).await;
    let (record, manifest, other) = (Seed::record("purged"), Seed::manifest("purged"), Seed::record("other"));
    let (revised, revision) = (Seed::record("revised"), Seed::revision("revised", 1));
    let all = [&record, &manifest, &other, &revised, &revision];
    for seed in all {
        seed.put(&edge).await;
    }
    warm(&edge, &all).await;
    assert_eq!(state(&edge, &Seed::record("later").path()).await.0, 404);
    edge.settle().await;
    for seed in all {
        seed.delete(&edge).await;
    }
    // The deletion of a proof also puts tombstones over its earlier records. One that it has missed shares the fate of
    // the current record.
    revision.put(&edge).await;
    Seed::record("later").put(&edge).await;
    assert_eq!(state(&edge, &record.path()).await, (200, "credlink; hit".to_owned()));
    let body = json!({"proofs": [id(&record), id(&revised), proof("later").to_string()], "manifests": [id(&manifest)]});
    let answer = edge.send(purge(&body)).await;
    assert_eq!(told(&answer), json!({"purged": 4, "zone": false}));
    for seed in [&record, &manifest, &revised, &revision] {
        let (answer, _) = read(&edge, &seed.path()).await;
        assert_eq!((answer.status().as_u16(), &*kind(&answer)), (410, "deleted"), "{}", seed.key);
    }
    assert_eq!(state(&edge, &Seed::record("later").path()).await.0, 200, "also an absence is forgotten");
    assert_eq!(state(&edge, &other.path()).await, (200, "credlink; hit".to_owned()));
    // Absent objects can be purged as well, and a second purge does no harm.
    assert_eq!(told(&edge.send(purge(&body)).await)["purged"], 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_needs_the_token_and_ids() {
    let edge = Edge::with([token()]).await;
    let record = Seed::record("kept");
    record.put(&edge).await;
    warm(&edge, &[&record]).await;
    let body = json!({"proofs": [id(&record)]}).to_string();
    let plain = || text(Method::POST, "/purge", &body);
    for (what, request) in [
        ("none", plain()),
        ("another", with(plain(), AUTHORIZATION, "Bearer 0123456789abcdef0123456789abcdee")),
        ("the beginning of it", with(plain(), AUTHORIZATION, "Bearer 0123456789abcdef")),
        ("more than it", with(plain(), AUTHORIZATION, format!("Bearer {TOKEN}0"))),
        ("in capitals", with(plain(), AUTHORIZATION, format!("Bearer {}", TOKEN.to_uppercase()))),
        ("nothing of it", with(plain(), AUTHORIZATION, "Bearer ")),
        ("another scheme", with(plain(), AUTHORIZATION, format!("Basic {TOKEN}"))),
        ("no scheme", with(plain(), AUTHORIZATION, TOKEN)),
    ] {
        let answer = edge.send(request).await;
        assert_eq!((answer.status().as_u16(), &*kind(&answer)), (401, "unauthenticated"), "{what}");
        assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"), "{what}");
    }
    let many: Vec<String> = (0..101).map(|number| proof(&number.to_string()).to_string()).collect();
    for (body, status, expected) in [
        (String::new(), 400, "invalid-request"),
        ("[]".to_owned(), 400, "invalid-request"),
        ("{}".to_owned(), 400, "invalid-request"),
        (r#"{"proofs":"all"}"#.to_owned(), 400, "invalid-request"),
        (r#"{"everything":true}"#.to_owned(), 400, "invalid-request"),
        (r#"{"proofs":["../x"]}"#.to_owned(), 400, "invalid-field"),
        (r#"{"manifests":["a/b"]}"#.to_owned(), 400, "invalid-field"),
        (json!({"proofs": many}).to_string(), 400, "invalid-request"),
        (" ".repeat(30_001), 413, "too-large"),
    ] {
        let request = with(text(Method::POST, "/purge", &body), AUTHORIZATION, format!("Bearer {TOKEN}"));
        let answer = edge.send(request).await;
        assert_eq!((answer.status().as_u16(), &*kind(&answer)), (status, expected), "{body:.40}");
    }
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = edge.send(ask(method, "/purge")).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["allow"]),
            (405, &"POST, OPTIONS".parse().unwrap())
        );
    }
    assert_eq!(edge.count("cache.delete").await, 0);
    assert_eq!(told(&edge.send(purge(&json!({"proofs": many[1..]}))).await)["purged"], 100);

    let without = Edge::start().await;
    let answer = without.send(purge(&json!({"proofs": [id(&record)]}))).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (404, "no-such-route"));
}

/// A Worker that knows a zone, and takes `api` for Cloudflare's API.
async fn with_zone(api: &str) -> Edge {
    let zone = [
        ("CREDLINK_ZONE_ID", ZONE.to_owned()),
        ("CREDLINK_ZONE_TOKEN", ZONE_TOKEN.to_owned()),
        ("CREDLINK_CLOUDFLARE_API", format!("{api}/client/v4")),
        ("CREDLINK_TIMEOUT", "1500".to_owned()),
    ];
    Edge::with(slow().into_iter().chain([token()]).chain(zone)).await
}

fn purged() -> Response<Bytes> {
    let said = json!({"success": true, "errors": [], "messages": [], "result": {"id": ZONE}});
    Response::builder().header("content-type", "application/json").body(said.to_string().into()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_zone_forgets_by_tags() {
    let cloudflare = Origin::start().await;
    cloudflare.answer_with(|_| Some(purged()));
    let edge = with_zone(cloudflare.url()).await;
    let proofs: Vec<ProofId> = (0..64).map(|number| proof(&number.to_string())).collect();
    let body = json!({"proofs": proofs, "manifests": ["urn:c2pa:x"]});
    assert_eq!(told(&edge.send(purge(&body)).await), json!({"purged": 65, "zone": true}));
    let asked = cloudflare.asked();
    let mut tags: Vec<String> = Vec::new();
    for asked in &asked {
        assert_eq!(
            (&*asked.method, &*asked.target),
            ("POST", &*format!("/client/v4/zones/{ZONE}/purge_cache"))
        );
        assert_eq!(asked.headers[AUTHORIZATION], format!("Bearer {ZONE_TOKEN}"));
        assert_eq!(asked.headers["content-type"], "application/json");
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        let some: Vec<String> = serde_json::from_value(body["tags"].clone()).unwrap();
        assert!(some.len() <= 30, "a call takes 30 tags");
        assert_eq!(body.as_object().unwrap().len(), 1, "nothing else is purged");
        tags.extend(some);
    }
    assert_eq!(asked.len(), 3);
    let expected: Vec<String> = proofs
        .iter()
        .map(|id| format!("proofs/{id}"))
        .chain(["manifests/urn%3Ac2pa%3Ax".to_owned()])
        .collect();
    assert_eq!(tags, expected);
    assert_eq!(told(&edge.send(purge(&json!({"manifests": ["urn:c2pa:x"]}))).await)["zone"], true);
    assert_eq!(cloudflare.count(), 1);
}

/// The caller is told that the zone was not purged and may try again; this data center has forgotten the entries by
/// then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_that_is_not_purged_is_said() {
    let cloudflare = Origin::start().await;
    cloudflare.answer_with(|_| Some(purged()));
    let proxy = Proxy::to(cloudflare.url().trim_start_matches("http://").parse().unwrap());
    let edge = with_zone(&proxy.url()).await;
    let record = Seed::record("zone");
    record.put(&edge).await;
    let faults = [
        Fault::Refuse,
        Fault::Answer(403),
        Fault::Answer(429),
        Fault::Answer(500),
        Fault::Hang,
        Fault::ResetAfter(20),
    ];
    for fault in faults {
        proxy.set(fault);
        warm(&edge, &[&record]).await;
        let answer = edge.send(purge(&json!({"proofs": [id(&record)]}))).await;
        assert_eq!((answer.status().as_u16(), &*kind(&answer)), (503, "unavailable"), "{fault:?}");
        assert!(answer.headers().contains_key("retry-after"));
        let said = edge.logs().await;
        let is_said = |line: &Value| line["message"] == "Cloudflare's API does not purge the zone";
        assert_eq!(said.iter().filter(|line| is_said(line)).count(), 1, "{said:?}");
        assert_eq!(state(&edge, &record.path()).await, (200, "credlink; fwd=uri-miss; stored".to_owned()));
        edge.settle().await;
    }
    proxy.set(Fault::Pass);
    assert_eq!(told(&edge.send(purge(&json!({"proofs": [id(&record)]}))).await)["zone"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_does_not_forget_is_said() {
    let edge = Edge::with([token()]).await;
    edge.set("cache.delete", Mode::Fails).await;
    let bodies = [json!({"proofs": [proof("x")]}), json!({"manifests": ["urn:c2pa:x"]})];
    for answer in join_all(bodies.iter().map(|body| edge.send(purge(body)))).await {
        assert_eq!((answer.status().as_u16(), &*kind(&answer)), (503, "unavailable"));
    }
    let said = edge.logs().await;
    assert_eq!(
        said.iter().filter(|line| line["message"] == "the cache does not forget an object").count(),
        2
    );
}
