//! Operating: lists, health, statistics, and the headers that browsers and logs need.

use http::Method;
use http::header::{AUTHORIZATION, HeaderName, ORIGIN};
use serde_json::Value;

use crate::http::api::Api;
use crate::http::ask::{ask, get, proof_path, with};
use crate::http::session::Session;
use crate::world::tokens;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub async fn chapter(session: &mut Session<'_, impl Api>) {
    let all = session.send("All proofs, oldest first", get("/v1/proofs")).await;
    let all: Value = serde_json::from_slice(all.body()).unwrap();
    let all = all["proofs"].as_array().unwrap();
    let (mut pages, mut target) = (Vec::new(), "/v1/proofs?limit=3".to_owned());
    loop {
        let page = session.send("The same, by threes", get(&target)).await;
        let page: Value = serde_json::from_slice(page.body()).unwrap();
        let proofs = page["proofs"].as_array().unwrap();
        assert!(proofs.len() <= 3);
        pages.extend(proofs.iter().map(|proof| proof["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        target = format!("/v1/proofs?limit=3&after={next}");
    }
    assert_eq!(pages, all.iter().map(|proof| proof["id"].clone()).collect::<Vec<_>>());
    let head = session.send("The headers of a list", ask(Method::HEAD, "/v1/proofs")).await;
    assert_eq!(head.status(), 200);

    session.send_as_it_is("Health is public", get("/v1/health")).await;
    session.send_as_it_is("Also where load balancers look", get("/health")).await;
    let by_operator = with(get("/v1/stats"), AUTHORIZATION, format!("Bearer {}", tokens::OPERATOR));
    let stats = session.send_as_it_is("Statistics are the operator's", by_operator).await;
    assert_eq!(stats.status(), 200);
    let refused = session.send("They are sums of all tenants", get("/v1/stats")).await;
    assert_eq!(refused.status(), 403);
    let refused = session.send_as_it_is("Without a credential", get("/v1/stats")).await;
    assert_eq!(refused.status(), 401);

    let record = proof_path("json");
    for (title, target) in [
        ("A browser asks what it may do with proofs", "/v1/proofs"),
        ("With one proof", record.as_str()),
        ("With a manifest, on the CDN", "/manifests/urn:c2pa:x"),
    ] {
        let preflight = with(ask(Method::OPTIONS, target), ORIGIN, "https://example.com");
        let preflight = session.send_as_it_is(title, preflight).await;
        assert_eq!(preflight.status(), 204, "{title}");
    }

    let own = with(get("/v1/health"), REQUEST_ID, "trace/1-2_3.4:5+6=");
    let own = session.send_as_it_is("A request id of the client's is kept", own).await;
    assert_eq!(own.headers()[REQUEST_ID], "trace/1-2_3.4:5+6=");
    for (title, id) in [
        ("One that could break a log is replaced", "a b"),
        ("One that is too long is replaced", &"x".repeat(129)),
        ("An empty one is replaced", ""),
    ] {
        let replaced = session.send_as_it_is(title, with(get("/v1/health"), REQUEST_ID, id)).await;
        let given = replaced.headers()[REQUEST_ID].to_str().unwrap();
        assert!(!given.is_empty() && given != id, "{title}");
    }
    session.end_chapter("operating");
}
