//! Legacy IDs: the origin knows which proof an alias leads to, and the edge keeps the redirect for as long as it is
//! fresh.

use std::time::Duration;

use credlink_service::router::MARK;
use http::header::{AGE, AUTHORIZATION, CONTENT_LENGTH, LOCATION, RETRY_AFTER};
use http::{Method, Response, StatusCode};
use serde_json::json;

use super::ground::{CACHE_STATUS, Ground};
use super::origin::Origin;
use super::seeds::{kind, read, slow, state};
use crate::engines::edge::{Edge, Mode};
use crate::http::ask::{ask, get, json as request, media, proof, with};

use crate::world::tokens;

const HOUR: Duration = Duration::from_secs(3_600);

/// Imports a proof under this legacy ID, behind the origin.
async fn take_over(origin: &Origin, name: &str, id: &str) {
    let body = json!({
        "media_hash": media(name).to_string(), "manifest": {},
        "origin": {"created": "2020-01-01T00:00:00Z", "expires": "9999-01-01T00:00:00Z", "legacy_id": id},
    });
    let store =
        with(request(Method::POST, "/v1/proofs", &body), AUTHORIZATION, format!("Bearer {}", tokens::OWNER));
    assert_eq!(origin.world().answer(store).await.status(), 201);
}

async fn edge_over(origin: &str) -> Edge {
    edge_with(origin, 1_500, 5).await
}

/// An edge with this timeout in milliseconds, which keeps an absence for `absent` seconds.
async fn edge_with(origin: &str, timeout: u64, absent: u64) -> Edge {
    let own = [
        ("CREDLINK_ORIGIN_URL", origin.to_owned()),
        ("CREDLINK_TIMEOUT", timeout.to_string()),
        ("CREDLINK_ABSENT", absent.to_string()),
    ];
    Edge::with(slow().into_iter().filter(|(name, _)| *name != "CREDLINK_ABSENT").chain(own)).await
}

/// The API's answer that no proof has this ID.
fn nothing() -> Response<bytes::Bytes> {
    let body = r#"{"type":"urn:credlink:problem:not-found","title":"x","status":404,"detail":"x"}"#;
    Response::builder().status(404).body(bytes::Bytes::from_static(body.as_bytes())).unwrap()
}

/// Headers and body, without those that the edge or a server adds.
fn shown(answer: &Response<bytes::Bytes>) -> String {
    let added = [AGE, CACHE_STATUS, http::header::DATE, CONTENT_LENGTH];
    // In this test the API has a caller that may be told more than others.
    let is_shared = |name: &http::HeaderName| !name.as_str().starts_with("access-control-");
    let headers = answer.headers().iter().filter(|(name, _)| !added.contains(name) && is_shared(name));
    let mut lines: Vec<String> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    lines.sort();
    format!("{}\n{}\n{:?}", answer.status(), lines.join("\n"), answer.body())
}

/// The Worker answers as the API does, from the cache and past it, and asks the API once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_legacy_id_leads_where_the_api_says() {
    let origin = Origin::start().await;
    take_over(&origin, "there", "p-1").await;
    let edge = edge_over(origin.url()).await;
    let named = |method: Method, target: &str| {
        with(ask(method, target), http::HeaderName::from_static("x-request-id"), "trace-1")
    };
    let mut states = Vec::new();
    for (method, target) in [
        (Method::GET, "/proofs/p-1"),
        (Method::GET, "/proofs/p-1"),
        (Method::HEAD, "/proofs/p%2D1?utm_source=x"),
        (Method::GET, "/proofs/p-2"),
        (Method::HEAD, "/proofs/p-2"),
        (Method::GET, "/proofs/p%202"),
        (Method::POST, "/proofs/p-1"),
        (Method::OPTIONS, "/proofs/p-1"),
    ] {
        let answer = edge.send(named(method.clone(), target)).await;
        let mut own = origin.world().answer(named(method.clone(), target)).await;
        // Only the API marks its answers as its own.
        assert!(own.headers_mut().remove(MARK).is_some() && !answer.headers().contains_key(MARK));
        assert_eq!(shown(&answer), shown(&own), "{method} {target}");
        states
            .push(answer.headers().get(CACHE_STATUS).map_or("-", |state| state.to_str().unwrap()).to_owned());
        edge.settle().await;
    }
    let expected = [
        "credlink; fwd=uri-miss; stored",
        "credlink; hit",
        "credlink; hit",
        "credlink; fwd=uri-miss; stored",
        "credlink; hit; detail=absent",
        "-",
        "-",
        "-",
    ];
    assert_eq!(states, expected);
    let asked = origin.asked();
    let targets: Vec<_> = asked.iter().map(|asked| (&*asked.method, &*asked.target)).collect();
    assert_eq!(targets, [("GET", "/v1/proofs/p-1"), ("GET", "/v1/proofs/p-2")]);
    assert_eq!(asked[0].headers["x-request-id"], "trace-1");
    assert_eq!(edge.count("bucket").await, 0, "R2 knows no legacy id");
    let led = edge.send(get("/proofs/p-1")).await;
    assert_eq!(
        (led.status(), &led.headers()[LOCATION]),
        (StatusCode::PERMANENT_REDIRECT, &http::HeaderValue::from_str(&proof("there").to_string()).unwrap(),)
    );
}

/// A redirect is kept for an hour, and an absence for as long as any other absence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_of_a_legacy_id_grows_old() {
    let origin = Origin::start().await;
    take_over(&origin, "there", "p-1").await;
    let edge = edge_over(origin.url()).await;
    assert_eq!(state(&edge, "/proofs/p-1").await.0, 308);
    assert_eq!(state(&edge, "/proofs/p-2").await.0, 404);
    edge.settle().await;
    take_over(&origin, "another", "p-2").await;
    assert_eq!(state(&edge, "/proofs/p-2").await, (404, "credlink; hit; detail=absent".to_owned()));
    edge.set_ahead(Duration::from_secs(6)).await;
    assert_eq!(state(&edge, "/proofs/p-2").await, (308, "credlink; fwd=uri-miss; stored".to_owned()));
    edge.set_ahead(HOUR - Duration::from_secs(10)).await;
    let (answer, how) = read(&edge, "/proofs/p-1").await;
    assert_eq!((answer.status().as_u16(), &*how), (308, "credlink; hit"));
    let age: u64 = answer.headers()[AGE].to_str().unwrap().parse().unwrap();
    assert!((3_590..3_600).contains(&age), "{age}");
    origin.asked();
    // The migration was rolled back and repeated for another tenant.
    let led = proof("another").to_string();
    let other = led.clone();
    origin.answer_with(move |_| {
        let redirect = Response::builder().status(308).header(LOCATION, &other);
        Some(redirect.body(bytes::Bytes::new()).unwrap())
    });
    edge.set_ahead(HOUR + Duration::from_secs(1)).await;
    for expected in ["credlink; fwd=stale", "credlink; hit"] {
        let (answer, how) = read(&edge, "/proofs/p-1").await;
        assert_eq!((answer.status().as_u16(), &*how), (308, expected));
        assert_eq!(answer.headers()[LOCATION], *led);
        edge.settle().await;
    }
    assert_eq!(origin.count(), 1);
}

/// The age of an answer counts from the request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_takes_long_is_old_when_it_comes() {
    let origin = Origin::start().await;
    take_over(&origin, "there", "p-1").await;
    let edge = edge_with(origin.url(), 25_000, 5).await;
    origin.hold(true);
    let (first, ()) = tokio::join!(state(&edge, "/proofs/p-1"), async {
        origin.wait_for(1).await;
        edge.set_ahead(Duration::from_secs(20)).await;
        origin.hold(false);
    });
    assert_eq!(first.0, 308);
    edge.settle().await;
    let (answer, how) = read(&edge, "/proofs/p-1").await;
    let age: u64 = answer.headers()[AGE].to_str().unwrap().parse().unwrap();
    assert!((20..60).contains(&age) && how == "credlink; hit", "{age} {how}");
}

/// An answer of the origin is reused until the cache has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_origin_says_is_shared_until_it_is_kept() {
    let origin = Origin::start().await;
    take_over(&origin, "there", "p-1").await;
    let edge = edge_with(origin.url(), 25_000, 1_000).await;
    edge.set("cache.put", Mode::Held).await;
    for (path, status) in [("/proofs/p-1", 308), ("/proofs/p-2", 404)] {
        for _ in 0..3 {
            assert_eq!(state(&edge, path).await, (status, "credlink; fwd=uri-miss; stored".to_owned()));
        }
    }
    assert_eq!(origin.count(), 2);
    edge.set("cache.put", Mode::Well).await;
    edge.settle().await;
    assert_eq!(state(&edge, "/proofs/p-1").await, (308, "credlink; hit".to_owned()));
}

/// A migration was rolled back: the ID leads nowhere any more, and no old redirect contradicts that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_leads_nowhere_any_more_is_forgotten() {
    for (absent, then) in [(1_000, "credlink; hit; detail=absent"), (0, "credlink; fwd=uri-miss")] {
        let origin = Origin::start().await;
        take_over(&origin, "there", "p-1").await;
        let edge = edge_with(origin.url(), 1_500, absent).await;
        assert_eq!(state(&edge, "/proofs/p-1").await.0, 308);
        edge.settle().await;
        origin.answer_with(|_| Some(nothing()));
        edge.set_ahead(HOUR + Duration::from_secs(1)).await;
        assert_eq!(state(&edge, "/proofs/p-1").await, (404, "credlink; fwd=stale".to_owned()), "{absent}");
        edge.settle().await;
        assert_eq!(state(&edge, "/proofs/p-1").await, (404, then.to_owned()), "{absent}");
        edge.settle().await;
        edge.set_ahead(HOUR + Duration::from_secs(1_002)).await;
        origin.answer_with(|_| Some(Response::builder().status(500).body(bytes::Bytes::new()).unwrap()));
        assert_eq!(state(&edge, "/proofs/p-1").await.0, 503, "{absent}: the redirect is gone");
    }
}

/// Without an answer of the origin, an old redirect is served instead, and nothing else is claimed or kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_out_of_reach_is_no_absence() {
    let origin = Origin::start().await;
    take_over(&origin, "there", "p-1").await;
    let edge = edge_over(origin.url()).await;
    assert_eq!(state(&edge, "/proofs/p-1").await.0, 308);
    edge.settle().await;
    let location = |status: u16, location: &'static str| {
        Response::builder().status(status).header(LOCATION, location).body(bytes::Bytes::new()).unwrap()
    };
    let plain = |status: u16, body: &'static str| {
        Response::builder().status(status).body(bytes::Bytes::from_static(body.as_bytes())).unwrap()
    };
    let no_route = r#"{"type":"urn:credlink:problem:no-such-route","title":"x","status":404,"detail":"x"}"#;
    for (name, instead) in [
        ("a server that fails", plain(500, "")),
        ("a page that is not the API's", plain(404, "<h1>Not found</h1>")),
        ("an API without the path", plain(404, no_route)),
        ("a redirect to elsewhere", location(308, "https://elsewhere.example/")),
        ("a redirect to nowhere", plain(308, "")),
        ("a redirect of another kind", location(302, "am7zumw65tztb3q3vjjfiiqaa4or5l5r")),
        ("a body that is too long", plain(404, Box::leak("x".repeat(70_000).into_boxed_str()))),
    ] {
        let instead = instead.clone();
        origin.answer_with(move |_| Some(instead.clone()));
        edge.set_ahead(HOUR * 3 / 2).await;
        let (answer, how) = read(&edge, "/proofs/p-1").await;
        assert_eq!((answer.status().as_u16(), &*how), (308, "credlink; hit; detail=error"), "{name}");
        let age: u64 = answer.headers()[AGE].to_str().unwrap().parse().unwrap();
        assert!((5_400..5_460).contains(&age), "{name}: {age}");
        let (answer, how) = read(&edge, "/proofs/p-2").await;
        assert_eq!((answer.status().as_u16(), &*kind(&answer)), (503, "unavailable"), "{name}");
        assert!(
            answer.headers().contains_key(RETRY_AFTER) && how == "credlink; fwd=uri-miss",
            "{name}: {how}"
        );
        edge.settle().await;
    }
    let said = edge.logs().await;
    let said = said.iter().filter(|line| line["message"] == "the origin does not answer").count();
    assert_eq!(said, 14);
    edge.set_ahead(HOUR + Duration::from_secs(5_001)).await;
    assert_eq!(state(&edge, "/proofs/p-1").await.0, 503, "the redirect is too old");
    origin.answer_with(|_| None);
    assert_eq!(state(&edge, "/proofs/p-2").await.0, 404, "nothing was kept");
    assert_eq!(state(&edge, "/proofs/p-1").await.0, 308);
    // Nothing listens on this port.
    let edge = edge_over("http://127.0.0.1:9").await;
    assert_eq!(state(&edge, "/proofs/p-1").await.0, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_ask_for_a_legacy_id_ask_the_origin_once() {
    let origin = Origin::start().await;
    take_over(&origin, "there", "p-1").await;
    let edge = edge_over(origin.url()).await;
    origin.hold(true);
    let asking = futures_util::future::join_all((0..20).map(|_| state(&edge, "/proofs/p-1")));
    let (answers, ()) = tokio::join!(asking, async {
        origin.wait_for(1).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        origin.hold(false);
    });
    assert!(answers.iter().all(|(status, _)| *status == 308), "{answers:?}");
    assert_eq!(origin.count(), 1);
}

/// An edge without an origin knows no legacy ID, and answers so in the API's words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_origin_no_legacy_id_is_known() {
    let ground = Ground::new().await;
    for method in [Method::GET, Method::HEAD] {
        let answer = ground.ask("aliases.test", ask(method, "/proofs/p-1")).await;
        assert_eq!(answer.status(), 404);
    }
    assert_eq!(ground.edge.calls().await, [""; 0], "neither the cache nor R2 is asked");
}
