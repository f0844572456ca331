//! An origin whose answers are none: a page of whoever stands before it, half an object, another one, nothing.

use bytes::Bytes;
use credlink_core::object::ATTRIBUTES_HEADER;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{Response, StatusCode};
use serde_json::json;

use super::origin::{Origin, stored_form};
use super::seeds::{Seed, kind, read, slow, state};
use crate::engines::edge::Edge;

/// An answer that is no answer about the object: nothing is said of it, and nothing kept. The same object is read as soon
/// as the origin is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_talks_nonsense_is_out_of_reach() {
    let origin = Origin::start().await;
    let variables =
        [("CREDLINK_TIMEOUT", "1500".to_owned()), ("CREDLINK_ORIGIN_URL", origin.url().to_owned())];
    let edge = Edge::with(slow().into_iter().chain(variables)).await;
    let html = |status: u16| move |_: &Seed, _: &str| page(status);
    type Nonsense = Box<dyn Fn(&Seed, &str) -> Response<Bytes> + Send + Sync>;
    let but = |change: fn(&mut Response<Bytes>)| -> Nonsense {
        Box::new(move |seed: &Seed, _: &str| {
            let mut answer = stored_form(seed);
            change(&mut answer);
            answer
        })
    };
    let attributes = |text: &'static str| -> Nonsense {
        Box::new(move |seed: &Seed, _: &str| {
            let mut answer = stored_form(seed);
            answer.headers_mut().insert(ATTRIBUTES_HEADER, text.parse().unwrap());
            answer
        })
    };
    let to = |path: &'static str| -> Nonsense {
        Box::new(move |seed: &Seed, base: &str| {
            let mut answer = stored_form(seed);
            *answer.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            answer.headers_mut().insert(LOCATION, format!("{base}{path}").parse().unwrap());
            answer
        })
    };
    let table: Vec<(&str, u16, Nonsense)> = vec![
        ("a page of 200", 503, Box::new(html(200))),
        ("a page of 404", 503, Box::new(html(404))),
        ("a page of 410", 503, Box::new(html(410))),
        ("a page of 403", 503, Box::new(html(403))),
        ("another problem", 503, Box::new(|_: &Seed, _: &str| problem(404, "no-such-route"))),
        ("no problem of ours", 503, Box::new(|_: &Seed, _: &str| problem(404, "unheard-of"))),
        ("401", 503, Box::new(|_: &Seed, _: &str| problem(401, "unauthenticated"))),
        ("500", 503, Box::new(|_: &Seed, _: &str| problem(500, "internal"))),
        ("204", 503, but(|answer| *answer.status_mut() = StatusCode::NO_CONTENT)),
        ("301", 503, but(|answer| *answer.status_mut() = StatusCode::MOVED_PERMANENTLY)),
        ("307 to nowhere", 503, but(|answer| *answer.status_mut() = StatusCode::TEMPORARY_REDIRECT)),
        ("307 to what is not there", 503, to("/not-there")),
        (
            "307 to no URL",
            503,
            Box::new(|seed: &Seed, _: &str| {
                let mut answer = stored_form(seed);
                *answer.status_mut() = StatusCode::TEMPORARY_REDIRECT;
                answer.headers_mut().insert(LOCATION, "//:99999/?signature=x".parse().unwrap());
                answer
            }),
        ),
        ("no attributes", 503, but(|answer| drop(answer.headers_mut().remove(ATTRIBUTES_HEADER)))),
        ("attributes that are no JSON", 503, attributes("{")),
        ("attributes that say nothing", 502, attributes(r#"{"content_type":"application/json"}"#)),
        (
            "another type",
            503,
            but(|answer| {
                drop(answer.headers_mut().insert(CONTENT_TYPE, "application/json".parse().unwrap()))
            }),
        ),
        ("another content", 502, but(|answer| *answer.body_mut() = Bytes::from_static(b"{}"))),
        ("half a content", 502, but(|answer| *answer.body_mut() = answer.body().slice(..40))),
        ("no content", 502, but(|answer| *answer.body_mut() = Bytes::new())),
        ("too much content", 503, but(|answer| *answer.body_mut() = vec![7; 10_000_001].into())),
    ];
    for (number, (what, expected, nonsense)) in table.into_iter().enumerate() {
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
