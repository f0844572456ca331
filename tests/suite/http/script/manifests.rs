//! Manifests by themselves: the routes of the C2PA Soft Binding Resolution API.

use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use http::Method;
use serde_json::json;

use crate::http::api::Api;
use crate::http::ask::{ask, c2pa, get, json, media, proof_path};
use crate::http::session::Session;

const ALONE: &str = "urn:c2pa:00000000-0000-4000-8000-000000000004";
const HELD: &str = "urn:c2pa:00000000-0000-4000-8000-000000000005";

pub async fn chapter(session: &mut Session<'_, impl Api>) {
    let bytes = manifest_store(ALONE, media("alone").digest());
    let path = &format!("/v1/manifests/{ALONE}");
    let post = |bytes: &[u8]| c2pa(Method::POST, "/v1/manifests", bytes.to_vec());
    for (title, status) in [("A manifest is stored", 201), ("The same again", 200)] {
        let stored = session.send(title, post(&bytes)).await;
        assert_eq!(stored.status(), status, "{title}");
    }
    let other = manifest_store(ALONE, media("another").digest());
    let conflict = session.send("The same id with other bytes", post(&other)).await;
    assert_eq!(conflict.status(), 409);
    let read = session.send_as_it_is("It is read", get(path)).await;
    assert_eq!(read.body(), &bytes);

    for title in ["It is deleted", "It is deleted once more"] {
        let deleted = session.send(title, ask(Method::DELETE, path)).await;
        assert_eq!(deleted.status(), 204, "{title}");
    }
    let gone = session.send_as_it_is("It is gone", get(path)).await;
    assert_eq!(gone.status(), 410);
    let stored = session.send("It is stored again", post(&bytes)).await;
    assert_eq!(stored.status(), 201);
    let read = session.send_as_it_is("It is there again", get(path)).await;
    assert_eq!(read.body(), &bytes, "what was deleted before is kept in a frame, and served as it came");

    let bytes = manifest_store(HELD, media("held").digest());
    let body = json!({"media_hash": media("held").to_string(), "manifest_base64": BASE64.encode(&bytes)});
    session.send("A proof holds a manifest", json(Method::POST, "/v1/proofs", &body)).await;
    let path = &format!("/v1/manifests/{HELD}");
    let held = session.send("Which is not deleted by itself", ask(Method::DELETE, path)).await;
    assert_eq!(held.status(), 409);
    let deleted = session.send("But with the proof", ask(Method::DELETE, &proof_path("held"))).await;
    assert_eq!(deleted.status(), 204);
    let gone = session.send_as_it_is("It is gone", get(path)).await;
    assert_eq!(gone.status(), 410);
    session.end_chapter("manifests");
}
