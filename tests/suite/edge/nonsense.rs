//! An origin whose answers are not valid: a page of a server in front of it, half an object, another object, nothing.

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::object::ATTRIBUTES_HEADER;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderName, Response, StatusCode};
use serde_json::json;

use super::origin::{Origin, stored_form};
use super::seeds::{Seed, kind, read, slow, state};
use crate::engines::edge::Edge;

/// The invalid answer in place of an object, by an origin at this URL.
type Nonsense = fn(&Seed, &str) -> Response<Bytes>;

/// Each invalid answer with the resulting status: 502 if the origin has sent a damaged object.
const ANSWERS: [(&str, u16, Nonsense); 22] = [
    ("a page of 200", 503, |_, _| page(200)),
    ("a page of 404", 503, |_, _| page(404)),
    ("a page of 410", 503, |_, _| page(410)),
    ("a page of 403", 503, |_, _| page(403)),
    ("another problem", 503, |_, _| problem(404, "no-such-route")),
    ("no problem of ours", 503, |_, _| problem(404, "unheard-of")),
    ("401", 503, |_, _| problem(401, "unauthenticated")),
    ("500", 503, |_, _| problem(500, "internal")),
    ("204", 503, |seed, _| status(seed, StatusCode::NO_CONTENT)),
    ("301", 503, |seed, _| status(seed, StatusCode::MOVED_PERMANENTLY)),
    ("307 to nowhere", 503, |seed, _| status(seed, StatusCode::TEMPORARY_REDIRECT)),
    ("307 to what is not there", 503, |seed, base| redirect(seed, &format!("{base}/not-there"))),
    ("307 to no URL", 503, |seed, _| redirect(seed, "//:99999/?signature=x")),
    ("no attributes", 503, |seed, _| header(seed, ATTRIBUTES_HEADER, None)),
    ("attributes that are no JSON", 503, |seed, _| header(seed, ATTRIBUTES_HEADER, Some("{"))),
    ("attributes that say nothing", 502, |seed, _| {
        header(seed, ATTRIBUTES_HEADER, Some(r#"{"content_type":"a"}"#))
    }),
    ("another type", 503, |seed, _| header(seed, CONTENT_TYPE, Some("application/json"))),
    ("another content", 502, |seed, _| stored_form(seed).map(|_| Bytes::from_static(b"{}"))),
    ("another digest", 502, |seed, _| {
        stored_form(&seed.clone().but(|facts| facts.sha256 = Digest::of(b"another")))
    }),
    ("half a content", 502, |seed, _| stored_form(seed).map(|body| body.slice(..40))),
    ("no content", 502, |seed, _| stored_form(seed).map(|_| Bytes::new())),
    ("too much content", 503, |seed, _| stored_form(seed).map(|_| vec![7; 10_000_001].into())),
];

/// The edge claims nothing about the object and keeps nothing. The object can be read as soon as the origin recovers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_talks_nonsense_is_out_of_reach() {
    let origin = Origin::start().await;
    let variables =
        [("CREDLINK_TIMEOUT", "1500".to_owned()), ("CREDLINK_ORIGIN_URL", origin.url().to_owned())];
    let edge = Edge::with(slow().into_iter().chain(variables)).await;
    for (number, (what, expected, nonsense)) in ANSWERS.into_iter().enumerate() {
        let seed = Seed::record(&format!("nonsense {number}"));
        let (own, base) = (seed.clone(), origin.url().to_owned());
        origin.answer_with(move |request| {
            request.uri().path().starts_with("/v1/").then(|| nonsense(&own, &base))
        });
        let (answer, how) = read(&edge, &seed.path()).await;
        assert_eq!((answer.status().as_u16(), &*how), (expected, "credlink; fwd=uri-miss"), "{what}");
        assert_eq!(kind(&answer), if expected == 503 { "unavailable" } else { "damaged" }, "{what}");
        edge.settle().await;
        let calls = edge.calls().await;
        assert!(!calls.iter().any(|call| call.contains(".put")), "{what}: {calls:?}");
        let said = edge.logs().await;
        assert!(said.iter().any(|line| line["level"] == "error"), "{what}: {said:?}");
        let own = seed.clone();
        origin.answer_with(move |_| Some(stored_form(&own)));
        seed.assert_is(&read(&edge, &seed.path()).await.0);
        edge.settle().await;
        edge.forget().await;
    }
    origin.hold(true);
    let seed = Seed::record("hanging");
    assert_eq!(state(&edge, &seed.path()).await, (503, "credlink; fwd=uri-miss".to_owned()));
    origin.hold(false);
}

/// The object's answer with another status.
fn status(seed: &Seed, status: StatusCode) -> Response<Bytes> {
    let mut answer = stored_form(seed);
    *answer.status_mut() = status;
    answer
}

/// A redirect in place of the object.
fn redirect(seed: &Seed, to: &str) -> Response<Bytes> {
    let mut answer = status(seed, StatusCode::TEMPORARY_REDIRECT);
    answer.headers_mut().insert(LOCATION, to.parse().unwrap());
    answer
}

/// The object's answer with another header, or without one.
fn header(seed: &Seed, name: HeaderName, value: Option<&str>) -> Response<Bytes> {
    let mut answer = stored_form(seed);
    answer.headers_mut().remove(&name);
    answer.headers_mut().extend(value.map(|value| (name, value.parse().unwrap())));
    answer
}

fn page(status: u16) -> Response<Bytes> {
    let response = Response::builder().status(status).header(CONTENT_TYPE, "text/html");
    response.body("<html><h1>Something</h1></html>".into()).unwrap()
}

fn problem(status: u16, slug: &str) -> Response<Bytes> {
    let response = Response::builder().status(status).header(CONTENT_TYPE, "application/problem+json");
    let said =
        json!({"type": format!("urn:credlink:problem:{slug}"), "status": status, "detail": "it says so"});
    response.body(said.to_string().into()).unwrap()
}
