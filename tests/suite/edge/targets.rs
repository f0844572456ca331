//! Paths, IDs, parameters and methods: invalid ones are refused without a look at R2 or the cache.

use bytes::Bytes;
use credlink_core::http::problem::PROBLEM_TYPE;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, CONTENT_TYPE, ORIGIN,
};
use http::{HeaderValue, Method, Request, Response};
use serde_json::Value;

use super::forms::{manifest, record};
use super::ground::{CACHE_STATUS, Ground};
use super::seeds::Seed;
use crate::engines::edge::Edge;
use crate::http::ask::{ask, get, media, proof, with};

/// The methods of every path of the edge that can be read.
const READS: &str = "GET, HEAD, OPTIONS";

/// Invalid targets, each with the status of its refusal.
fn bad_targets() -> Vec<(String, u16)> {
    let id = proof("there").to_string();
    let hex = media("there").to_string().replace("sha256:", "");
    let of = |status: u16, targets: &[&str]| -> Vec<(String, u16)> {
        targets.iter().map(|target| ((*target).to_owned(), status)).collect()
    };
    [
        of(404, &["/proofs/abc", "/proofs/by-hash", &format!("/proofs/{}", id.to_uppercase())]),
        of(400, &["/proofs/", "/proofs/a%20b", "/proofs/.", "/proofs/..", "/proofs/%2e%2e", "/proofs/%2E"]),
        of(400, &["/proofs/..%2f..%2f..%2fetc%2fpasswd", "/proofs/a%2Fb", "/proofs/%00", "/proofs/100%"]),
        of(400, &["/proofs/%ff%fe", "/proofs/by-hash/abc", "/proofs/by-hash/"]),
        of(400, &[&format!("/proofs/{id}%00"), &format!("/proofs/{}", "x".repeat(129))]),
        of(400, &[&format!("/proofs/{id}%2F1"), &format!("/proofs/%2561{}", &id[1..])]),
        of(400, &[&format!("/proofs/{id}/0"), &format!("/proofs/{id}/01"), &format!("/proofs/{id}/-1")]),
        of(
            400,
            &[&format!("/proofs/{id}/99999999999"), &format!("/proofs/{id}/"), &format!("/proofs/{id}/x")],
        ),
        of(400, &["/manifests/", "/manifests/..", "/manifests/%2e%2e", "/manifests/manifest"]),
        of(
            400,
            &[
                "/manifests/urn:a%2Fb",
                "/manifests/urn:%00",
                "/manifests/urn:a%0d%0ax:y",
                "/manifests/urn:%ff",
            ],
        ),
        of(400, &[&format!("/manifests/urn:{}", "x".repeat(252))]),
        of(
            400,
            &[&format!("/proofs/by-hash/{hex}?tennant=a"), &format!("/proofs/by-hash/{hex}?tenant=..%2Fa")],
        ),
        of(
            400,
            &[
                &format!("/proofs/by-hash/{hex}?tenant=a&tenant=b"),
                &format!("/proofs/{id}?expires=1&expires=2"),
            ],
        ),
        of(400, &[&format!("/proofs/by-hash/{hex}0"), &format!("/proofs/{id}?form=packed")]),
        of(403, &[&format!("/proofs/{id}?expires=1&key=a"), &format!("/proofs/{id}?signature=AA")]),
        of(403, &[&format!("/proofs/{id}?expires=x&key=a&life=0&signature=AA")]),
        of(
            404,
            &["/", "/proofs", "/manifests", "/stats", "/openapi.json", "/health/", "/purges", "/v2/proofs"],
        ),
        of(404, &["//proofs/abc", "/PROOFS/abc", "/manifests/urn:a/b", "/%70roofs/abc", "/v1x"]),
        of(
            404,
            &[
                &format!("/proofs/{id}/1/2"),
                &format!("/./proofs/{id}"),
                &format!("/proofs/../proofs/{id}/1/2"),
            ],
        ),
        of(
            414,
            &[&format!("/manifests/{}", "x".repeat(8_192)), &format!("/proofs/{id}?x={}", "x".repeat(8_192))],
        ),
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_id_is_told_so_without_a_look_at_r2() {
    let ground = Ground::new().await;
    for (target, status) in bad_targets() {
        for method in [Method::GET, Method::HEAD] {
            let answer = ground.ask("targets.test", ask(method, &target)).await;
            assert_eq!(answer.status(), status, "{target}");
            assert_eq!(answer.headers()[CONTENT_TYPE], PROBLEM_TYPE, "{target}");
            assert!(!answer.headers().contains_key(CACHE_STATUS), "{target}");
        }
    }
    ground.edge.settle().await;
    assert_eq!(ground.edge.calls().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_of_the_api_are_not_those_of_the_edge() {
    let edge = Edge::start().await;
    let id = proof("there");
    for target in ["/v1", "/v1/", "/v1/proofs", "/v1/health", "/v1/openapi.json", &format!("/v1/proofs/{id}")]
    {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let answer = edge.send(ask(method, target)).await;
            let document: Value = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!((answer.status().as_u16(), &document["status"]), (404, &404.into()), "{target}");
            assert_eq!(document["type"], "urn:credlink:problem:no-such-route", "{target}");
        }
    }
    assert_eq!(edge.calls().await, [""; 0]);
}

fn allowed(answer: &Response<Bytes>) -> &str {
    answer.headers()[ALLOW].to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_that_a_path_does_not_take_is_told_which_it_takes() {
    let ground = Ground::new().await;
    // The runtime does not forward a TRACE.
    ground.edge.without_front().await;
    let id = proof("there");
    for target in [format!("/proofs/{id}"), format!("/proofs/{id}/1"), "/manifests/urn:x".to_owned()] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE] {
            let answer = ground.ask("methods.test", ask(method.clone(), &target)).await;
            assert_eq!((answer.status().as_u16(), allowed(&answer)), (405, READS), "{method} {target}");
        }
    }
    for target in ["/health", "/proofs/by-hash/abc"] {
        let answer = ground.ask("methods.test", ask(Method::POST, target)).await;
        assert_eq!((answer.status().as_u16(), allowed(&answer)), (405, READS), "{target}");
    }
    let sent = ask(Method::PUT, "/manifests/urn:x").map(|_| Bytes::from_static(b"a body that nobody reads"));
    assert_eq!(ground.ask("methods.test", sent).await.status(), 405);
    assert_eq!(ground.edge.calls().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_may_read_from_anywhere() {
    let seed = Seed::plain(manifest(1));
    let ground = Ground::holding(std::slice::from_ref(&seed)).await;
    let asked = with(seed.asked(Method::OPTIONS), ORIGIN, "https://reader.test");
    // RFC 9110, section 9.3.7, and the WHATWG's Fetch, section 3.3.
    let answer = ground.ask("browsers.test", with(asked, ACCESS_CONTROL_REQUEST_METHOD, "GET")).await;
    let header = |name| answer.headers()[name].to_str().unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().len()), (204, 0));
    assert_eq!((header(ALLOW), header(ACCESS_CONTROL_ALLOW_METHODS)), (READS, READS));
    assert_eq!(header(ACCESS_CONTROL_ALLOW_ORIGIN), "*");
    for name in ["range", "if-none-match", "if-range"] {
        assert!(header(ACCESS_CONTROL_ALLOW_HEADERS).contains(name), "{name}");
    }
    assert_eq!(ground.edge.calls().await, [""; 0]);
    for target in [seed.path().as_str(), "/manifests/urn:absent", "/proofs/none", "/nothing"] {
        let answer = ground.ask("browsers.test", with(get(target), ORIGIN, "https://reader.test")).await;
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*", "{target}");
        let exposed = answer.headers()[ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
        assert!(exposed.contains("etag") && exposed.contains("content-range"), "{target}: {exposed}");
    }
}

/// Asserts that each spelling of a target names the same object, in the cache too.
async fn check_spellings(ground: &Ground, seed: &Seed, domain: &str, spellings: &[String]) {
    for (number, target) in spellings.iter().enumerate() {
        let answer = ground.ask(domain, get(target)).await;
        ground.edge.settle().await;
        assert_eq!((answer.status().as_u16(), answer.body()), (200, &seed.content), "{target}");
        let cached = if number == 0 { "credlink; fwd=uri-miss; stored" } else { "credlink; hit" };
        assert_eq!(answer.headers()[CACHE_STATUS], cached, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_has_one_place_in_the_cache_however_it_is_spelt() {
    let seeds = [Seed::packed(record("there")), Seed::plain(manifest(0xabc))];
    let ground = Ground::holding(&seeds).await;
    let [record, manifest] = &seeds;
    let (path, capitals) = (manifest.path(), manifest.path().to_uppercase());
    let capitals = capitals.replace("/MANIFESTS/URN:C2PA", "/manifests/urn:c2pa");
    let escaped = |path: &str| path.replace(':', "%3A");
    let spellings = [
        path.clone(),
        capitals.clone(),
        escaped(&path),
        escaped(&capitals),
        path.replace(':', "%3a"),
        path.replace("urn", "%75rn"),
        format!("{path}?"),
        format!("{path}?utm_source=newsletter&x=%C3%A4"),
    ];
    check_spellings(&ground, manifest, "spellings.test", &spellings).await;
    let hex = media("there").to_string().replace("sha256:", "");
    let path = record.path();
    let spellings = [
        path.clone(),
        format!("{path}?x=1"),
        path.replace('a', "%61"),
        format!("/proofs/by-hash/{hex}"),
        format!("/proofs/by-hash/{}", hex.to_uppercase()),
        format!("/proofs/by-hash/sha256:{hex}"),
        format!("/proofs/by-hash/{hex}?tenant=default"),
    ];
    check_spellings(&ground, record, "spellings.test", &spellings).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_keeps_the_id_that_its_client_gave_it() {
    let edge = Edge::start().await;
    let ask_as = |id: &'static [u8]| {
        let mut request: Request<Bytes> = get("/manifests/urn:absent");
        request.headers_mut().insert("x-request-id", HeaderValue::from_bytes(id).unwrap());
        edge.send(request)
    };
    assert_eq!(
        ask_as(b"from-the-client_1.2:3/4+5=").await.headers()["x-request-id"],
        "from-the-client_1.2:3/4+5="
    );
    for id in [b"".as_slice(), b"two words", b"\xe4", &[b'x'; 500]] {
        let given = ask_as(id).await.headers()["x-request-id"].clone();
        assert!(given.len() == 36 && given.as_bytes() != id, "{given:?}");
    }
}
