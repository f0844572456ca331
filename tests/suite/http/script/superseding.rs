//! Superseding: replacing a manifest on purpose, and reading the earlier one.

use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use http::Method;
use http::header::{ETAG, IF_MATCH};
use serde_json::json;

use super::storing::verdict;
use crate::http::api::Api;
use crate::http::ask::{get, json, media, proof_path, with};
use crate::http::session::Session;

pub async fn chapter(session: &mut Session<'_, impl Api>) {
    let path = &proof_path("revised");
    let put = |body: &serde_json::Value| json(Method::PUT, path, body);
    let (first, second) = (json!({"manifest": {"draft": 1}}), json!({"manifest": {"draft": 2}}));

    let absent = with(put(&first), IF_MATCH, "*");
    let absent = session.send("Nothing is there to be replaced", absent).await;
    assert_eq!(absent.status(), 404);

    let body = json!({"media_hash": media("revised").to_string(), "manifest": {"draft": 1}});
    let stored = session.send("A first manifest", json(Method::POST, "/v1/proofs", &body)).await;
    let tag = stored.headers()[ETAG].clone();
    let earlier = session.send("Its record", get(path)).await;
    assert_eq!(earlier.headers()[ETAG], tag);

    let blind = session.send("Without If-Match", put(&second)).await;
    assert_eq!(blind.status(), 428);
    let stale = with(put(&second), IF_MATCH, "\"another\"");
    let stale = session.send("With another ETag", stale).await;
    assert_eq!((stale.status().as_u16(), &stale.headers()[ETAG]), (412, &tag));
    let moved = json!({"media_hash": media("other").to_string(), "manifest": {}});
    let moved =
        session.send("A replacement cannot move it to another file", with(put(&moved), IF_MATCH, "*")).await;
    assert_eq!(moved.status(), 400);

    let replaced = session.send("With its ETag", with(put(&second), IF_MATCH, tag.as_bytes())).await;
    assert_eq!((replaced.status().as_u16(), verdict(&replaced)), (200, (false, true)));
    let again = session.send("The same ETag once more", with(put(&second), IF_MATCH, tag.as_bytes())).await;
    assert_eq!((again.status().as_u16(), &again.headers()[ETAG]), (200, &replaced.headers()[ETAG]));
    let other = json!({"manifest": {"draft": 3}});
    let other = with(put(&other), IF_MATCH, tag.as_bytes());
    let other = session.send("The same ETag with another manifest", other).await;
    assert_eq!(other.status(), 412);

    let current = session.send_as_it_is("The record now", get(path)).await;
    assert_eq!(current.headers()[ETAG], replaced.headers()[ETAG]);
    let kept = session.send_as_it_is("The earlier record", get(&format!("{path}/1"))).await;
    assert_eq!(kept.body(), earlier.body());
    let cdn = format!("{}/1", path.replace("/v1", ""));
    let kept = session.send_as_it_is("The earlier record, as the CDN has it", get(&cdn)).await;
    assert_eq!(kept.body(), earlier.body());
    let current = session.send_as_it_is("The current one is no earlier one", get(&format!("{path}/2"))).await;
    assert_eq!(current.status(), 404);

    let id = "urn:c2pa:00000000-0000-4000-8000-000000000002";
    let c2pa = BASE64.encode(&manifest_store(id, media("revised").digest()));
    let c2pa = json!({"manifest_base64": c2pa, "visibility": "public"});
    let replaced = session.send("By a C2PA manifest", with(put(&c2pa), IF_MATCH, "*")).await;
    assert_eq!(replaced.status(), 200);
    let manifest = session.send_as_it_is("Which is readable", get(&format!("/v1/manifests/{id}"))).await;
    assert_eq!(manifest.status(), 200);
    session.end_chapter("superseding");
}
