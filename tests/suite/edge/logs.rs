//! The log: one line per request, with these members and no others. `engines::edge` asserts for every line of every
//! test that it holds no query and no secret.

use std::time::Duration;

use http::{HeaderName, Method};
use serde_json::{Value, json};

use super::seeds::{LINK_KEYS, Seed, slow, warm};
use crate::engines::edge::{Edge, Mode};
use crate::http::ask::{ask, get, text, with};

/// The only log line of a request, without its latency, which is a whole number of milliseconds.
async fn line_of(edge: &Edge, request: http::Request<bytes::Bytes>) -> Value {
    edge.settle().await;
    edge.forget().await;
    let request = with(request, HeaderName::from_static("x-request-id"), "the-request");
    let answer = edge.send(request).await;
    assert_eq!(answer.headers()["x-request-id"], "the-request");
    let mut lines = edge.logs().await;
    lines.retain(|line| line["level"] != "error");
    assert_eq!(lines.len(), 1, "{lines:?}");
    let mut line = lines.remove(0);
    let latency = line.as_object_mut().unwrap().remove("latency_ms");
    assert!(latency.is_some_and(|latency| latency.is_u64()), "{line}");
    line
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_leaves_one_line() {
    let token = "0123456789abcdef0123456789abcdef";
    let own = [("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned()), ("CREDLINK_PURGE_TOKEN", token.to_owned())];
    let edge = Edge::with(slow().into_iter().chain(own)).await;
    let (record, revision, manifest) = (Seed::record("log"), Seed::revision("log", 1), Seed::manifest("log"));
    let private = Seed::record("private").private();
    for seed in [&record, &revision, &manifest, &private] {
        seed.put(&edge).await;
    }
    let absent = Seed::record("absent").path();
    let (packed, unpacked) = (record.stored().len(), record.content.len());
    let gzip = |path: &str| with(get(path), http::header::ACCEPT_ENCODING, "gzip");
    let head = |path: &str| ask(Method::HEAD, path);
    let expect = |method: &str, route: &str, status: u16, cache: &str, bytes: usize| {
        json!({"level": "info", "message": "request", "request_id": "the-request", "method": method, "route": route,
            "status": status, "cache": cache, "bytes": bytes})
    };
    let path = format!("{}?utm_source=secret&form=content", record.path()).replace("&form=content", "");
    for (request, expected) in [
        (get(&path), expect("GET", "read_proof", 200, "miss", unpacked)),
        (get(&path), expect("GET", "read_proof", 200, "hit", unpacked)),
        (gzip(&path), expect("GET", "read_proof", 200, "hit", packed)),
        (head(&path), expect("HEAD", "read_proof", 200, "hit", 0)),
        (with(get(&path), http::header::RANGE, "bytes=1-7"), expect("GET", "read_proof", 206, "hit", 7)),
        (with(get(&path), http::header::IF_NONE_MATCH, "*"), expect("GET", "read_proof", 304, "hit", 0)),
        (get(&revision.path()), expect("GET", "read_revision", 200, "miss", unpacked_of(&revision))),
        (get(&manifest.path()), expect("GET", "read_manifest", 200, "miss", unpacked_of(&manifest))),
        (get(&private.link()), expect("GET", "read_proof", 200, "miss", unpacked_of(&private))),
        (ask(Method::OPTIONS, &path), expect("OPTIONS", "options", 204, "none", 0)),
    ] {
        let what = format!("{} {}", request.method(), request.uri());
        assert_eq!(line_of(&edge, request).await, expected, "{what}");
    }
    // The length of a problem's body depends on the problem.
    let purge = |shown: &str| {
        let request = text(Method::POST, "/purge", &json!({"manifests": ["urn:c2pa:x"]}).to_string());
        with(request, http::header::AUTHORIZATION, format!("Bearer {shown}"))
    };
    for (request, method, route, status, cache) in [
        (get(&absent), "GET", "read_proof", 404, "miss"),
        (get(&absent), "GET", "read_proof", 404, "absent"),
        (get(&private.path()), "GET", "read_proof", 404, "absent"),
        (get("/proofs/no%20id"), "GET", "none", 400, "none"),
        (get("/proofs/no-id"), "GET", "read_alias", 404, "none"),
        (get("/v1/proofs?after=secret"), "GET", "none", 404, "none"),
        (get("/elsewhere?signature=secret"), "GET", "none", 404, "none"),
        (ask(Method::DELETE, &path), "DELETE", "none", 405, "none"),
        (get("/health?x"), "GET", "health", 200, "none"),
        (purge(token), "POST", "purge", 200, "none"),
        (purge("a-token-that-is-not-the-right-one-at-all"), "POST", "purge", 401, "none"),
    ] {
        let what = format!("{} {}", request.method(), request.uri());
        let mut line = line_of(&edge, request).await;
        assert!(line["bytes"].as_u64().unwrap() > 0, "{what}: {line}");
        line["bytes"] = json!(0);
        assert_eq!(line, expect(method, route, status, cache, 0), "{what}");
    }
    // The same object as it grows old.
    warm(&edge, &[&record]).await;
    for (ahead, mode, cache) in
        [(1_500, Mode::Well, "stale"), (4_000, Mode::Well, "revalidated"), (6_500, Mode::Fails, "error")]
    {
        edge.set_ahead(Duration::from_secs(ahead)).await;
        edge.set("bucket", mode).await;
        let line = line_of(&edge, get(&path)).await;
        assert_eq!(line, expect("GET", "read_proof", 200, cache, unpacked));
    }
}

fn unpacked_of(seed: &Seed) -> usize {
    seed.content.len()
}

/// The line names the call that failed, the request and the reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_leaves_a_line_of_its_own() {
    let edge = Edge::with([("CREDLINK_ORIGIN_URL", "http://127.0.0.1:9".to_owned())]).await;
    edge.set("bucket", Mode::Fails).await;
    let link = Seed::record("failure").link();
    let request = with(get(&link), HeaderName::from_static("x-request-id"), "the-request");
    assert_eq!(edge.send(request).await.status(), 503);
    let lines = edge.logs().await;
    let errors: Vec<_> = lines.iter().filter(|line| line["level"] == "error").collect();
    let messages: Vec<_> = errors.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["R2 does not answer", "the origin does not answer"], "{lines:?}");
    for error in errors {
        assert_eq!(error["request_id"], "the-request");
        assert!(error["reason"].as_str().unwrap().starts_with("proofs/"), "{error}");
        assert_eq!(error.as_object().unwrap().len(), 4, "{error}");
    }
}

/// An address that a URL cannot have: the runtime repeats all of it in its refusal, including the link's signature.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_is_not_in_the_reason_of_a_failure() {
    let edge = Edge::with([("CREDLINK_ORIGIN_URL", "http://127.0.0.1:99999".to_owned())]).await;
    let answer = edge.send(get(&Seed::record("failure").link())).await;
    assert!(answer.status().is_server_error());
    assert!(edge.logs().await.iter().any(|line| line["level"] == "error"));
}
