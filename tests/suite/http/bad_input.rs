//! The mistakes of clients, and the answers to them, in one table and one snapshot.
//!
//! Each row gives the expected status and a part of `detail`; the snapshot shows the rest to a reviewer. For every row
//! the answer must be a problem document for its request, in plain words and not in Rust's debug notation, and nothing
//! may have been stored.

mod bodies;
mod credentials;
mod fields;
mod manifests;
mod targets;

use bytes::Bytes;
use credlink_core::bounds::MAX_BODY_BYTES;
use credlink_core::http::problem::PROBLEM_TYPE;
use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, Request, Response};
use serde_json::{Value, json};

use super::ask::{ask, get, json, media, proof, with};
use super::session::exchange;
use crate::world::{Ground, World, tokens};

/// A manifest ID that is taken.
const TAKEN: &str = "urn:c2pa:00000000-0000-4000-8000-00000000000a";

/// A bad request, and the answer that its sender must get.
pub struct Bad {
    name: &'static str,
    request: Request<Bytes>,
    status: u16,
    /// The text that `detail` must contain, which says what is allowed.
    says: &'static str,
}

/// A bad request by the owner of everything.
fn bad(name: &'static str, request: Request<Bytes>, status: u16, says: &'static str) -> Bad {
    let credential = format!("Bearer {}", tokens::OWNER);
    Bad { name, request: with(request, AUTHORIZATION, credential), status, says }
}

/// A world that holds a proof of the owner with a C2PA manifest, and a private one of another tenant.
async fn world() -> World {
    let world = World::with_tokens(Ground::Memory);
    let c2pa = BASE64.encode(&manifest_store(TAKEN, media("there").digest()));
    for (token, body) in [
        (
            tokens::OWNER,
            json!({
                "media_hash": media("there").to_string(), "manifest_base64": c2pa,
                "origin": {
                    "created": "2020-01-01T00:00:00Z", "expires": "9999-01-01T00:00:00Z", "legacy_id": "old-there",
                },
            }),
        ),
        (
            tokens::STRANGER,
            json!({"media_hash": media("theirs").to_string(), "manifest": {}, "visibility": "private"}),
        ),
    ] {
        let store = json(Method::POST, "/v1/proofs", &body);
        let stored = exchange(&world, with(store, AUTHORIZATION, format!("Bearer {token}"))).await;
        assert_eq!(stored.status(), 201);
    }
    world
}

/// Words of Rust's debug notation and of its libraries, which clients should not see.
const DEBUG_NOTATION: [&str; 12] = [
    "Some(",
    "None",
    "Ok(",
    "Err(",
    "Error(",
    "::",
    " { ",
    "\\\"",
    "panicked",
    "Utf8Error",
    "struct ",
    "Kind",
];

/// Returns the problem document, and the ways in which the answer violates the rules for all problem documents.
fn check(bad: &Bad, response: &Response<Bytes>) -> (Value, Vec<String>) {
    let text = String::from_utf8_lossy(response.body());
    let document: Value = serde_json::from_str(&text).unwrap_or_default();
    let detail = document["detail"].as_str().unwrap_or_default();
    let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap());
    let mut wrong = Vec::new();
    let mut expect = |holds: bool, what: &str| {
        if !holds {
            wrong.push(format!("{}: {what}: {} {text}", bad.name, response.status()));
        }
    };
    expect(response.status() == bad.status, "the status");
    expect(document["status"] == bad.status, "the status in the document");
    expect(header("content-type") == PROBLEM_TYPE, "the content type");
    expect(header("cache-control") == "no-store", "the cache policy");
    expect(document["request_id"] == header("x-request-id"), "the request id");
    expect(detail.contains(bad.says), &format!("it does not say `{}`", bad.says));
    expect(detail.len() < 1_000, "a detail of unreasonable length");
    for notation in DEBUG_NOTATION {
        expect(!detail.contains(notation), &format!("it has `{notation}`"));
    }
    match bad.status {
        401 => expect(header("www-authenticate").starts_with("Bearer "), "no challenge"),
        // RFC 9110, sections 12.5.1 and 12.5.3: the accepted types or codings.
        415 => {
            let header_of = [("content-type", "accept"), ("content-encoding", "accept-encoding")];
            let told =
                header_of.iter().find(|(field, _)| document["field"] == *field).map(|(_, name)| header(name));
            expect(told.is_some_and(|told| !told.is_empty()), "nothing of what is taken");
        }
        405 => expect(!header("allow").is_empty() && detail.contains(header("allow")), "no methods"),
        _ => {}
    }
    (document, wrong)
}

#[tokio::test]
async fn every_bad_request_is_told_what_is_allowed_and_stores_nothing() {
    let world = world().await;
    let before = world.totals().await;
    let (mut table, mut wrong) = (String::new(), Vec::new());
    for (title, rows) in [
        ("Bodies", bodies::rows()),
        ("Fields", fields::rows()),
        ("Manifests", manifests::rows()),
        ("Targets", targets::rows()),
        ("Credentials", credentials::rows()),
    ] {
        table += &format!("## {title}\n\n");
        for bad in rows {
            let (document, mut found) = check(&bad, &exchange(&world, bad.request.clone()).await);
            wrong.append(&mut found);
            let kind = document["type"].as_str().unwrap_or("-").trim_start_matches("urn:credlink:problem:");
            let text = |member: &str| document[member].as_str().unwrap_or("-").replace('\n', "\\n");
            let (field, detail) = (text("field"), text("detail"));
            table += &format!("{}\n    {} {kind} {field}\n    {detail}\n", bad.name, bad.status);
            assert_eq!(world.totals().await, before, "{}: something was stored or deleted", bad.name);
        }
        table += "\n";
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    insta::with_settings!({omit_expression => true}, { insta::assert_snapshot!("table", table.trim_end()) });
    world.assert_tidy().await;
}

#[tokio::test]
async fn a_batch_of_a_stranger_deletes_nothing() {
    let world = world().await;
    let before = world.totals().await;
    let ids = json!({"ids": [proof("there").to_string()]});
    let batch = json(Method::POST, "/v1/proofs/batch-delete", &ids);
    let batch = with(batch, AUTHORIZATION, format!("Bearer {}", tokens::STRANGER));
    let answer: Value = serde_json::from_slice(exchange(&world, batch).await.body()).unwrap();
    assert_eq!((&answer["deleted"], &answer["failed"][0]["problem"]), (&json!([]), &json!("other-tenant")));
    assert_eq!(world.totals().await, before);
}

#[tokio::test]
async fn a_body_is_not_read_from_who_may_not_send_it() {
    let world = world().await;
    let post = |token: &str| {
        let request = json(Method::POST, "/v1/proofs", &json!({}));
        with(request, AUTHORIZATION, format!("Bearer {token}"))
    };
    let anonymous = json(Method::POST, "/v1/proofs", &json!({}));
    let stated = with(post(tokens::OWNER), CONTENT_LENGTH, (MAX_BODY_BYTES + 1).to_string());
    for (request, status) in [
        (anonymous, 401),
        (post("unknown"), 401),
        (post(tokens::DELETER), 403),
        (with(post(tokens::OWNER), CONTENT_TYPE, "text/plain"), 415),
        (with(post(tokens::OWNER), http::header::CONTENT_ENCODING, "br"), 415),
        (stated, 413),
        (ask(Method::POST, "/v1/proof"), 404),
        (ask(Method::PATCH, "/v1/proofs"), 405),
        (get("/v1/health"), 200),
    ] {
        let response = world.answer_without_reading(request.clone()).await;
        assert_eq!(response.status(), status, "{request:?}");
    }
}
