//! Storing: a new proof, an identical one, and one with another manifest.

use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use flate2::Compression;
use flate2::read::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{Method, Response};
use serde_json::{Value, json};
use std::io::Read as _;

use crate::http::api::Api;
use crate::http::ask::{json, media, text, with};
use crate::http::session::Session;

const MANIFEST_ID: &str = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

/// The members `deduplicated` and `identical` of an answer.
pub fn verdict(response: &Response<bytes::Bytes>) -> (bool, bool) {
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    (body["deduplicated"].as_bool().unwrap(), body["identical"].as_bool().unwrap())
}

pub async fn chapter(session: &mut Session<'_, impl Api>) {
    let store = |body: &Value| json(Method::POST, "/v1/proofs", body);
    let exact = r#"{"media_hash":"HASH","manifest":{"title":"Gr\u00fc\u00dfe, 世界", "n": [1.0, 1e3, -0]}}"#;
    let exact = exact.replace("HASH", &media("json").to_string());
    let first = session.send("A JSON manifest is stored", text(Method::POST, "/v1/proofs", &exact)).await;
    assert_eq!((first.status().as_u16(), verdict(&first)), (201, (false, true)));

    let again = session.send("The same again", text(Method::POST, "/v1/proofs", &exact)).await;
    assert_eq!((again.status().as_u16(), verdict(&again)), (200, (true, true)));

    let other = store(&json!({"media_hash": media("json").to_string(), "manifest": {"other": true}}));
    let other = session.send("Another manifest for the same file", other).await;
    assert_eq!((other.status().as_u16(), verdict(&other)), (200, (true, false)));

    let mut signed: Value = serde_json::from_str(&exact).unwrap();
    signed["signature"] = "c2lnbmVk".into();
    let signed = session.send("The same manifest with a signature is not the same", store(&signed)).await;
    assert_eq!(verdict(&signed), (true, false));

    let everything = json!({
        "media_hash": media("everything").to_string().to_uppercase().replace("SHA256", "sha256"),
        "media_type": "image/jpeg",
        "manifest_base64": BASE64.encode(b" {\"white\": \"space\"}\n"),
        "manifest_type": "application/json",
        "signature": "c2lnbmVk",
        "expires_in": 86_400,
        "tags": {"album": "first", "größe": ""},
        "visibility": "private",
    });
    let stored = session.send("Everything that can be said of a proof", store(&everything)).await;
    assert_eq!(stored.status(), 201);

    let c2pa = manifest_store(MANIFEST_ID, media("c2pa").digest());
    let c2pa = json!({"media_hash": media("c2pa").to_string(), "manifest_base64": BASE64.encode(&c2pa)});
    let stored = session.send("A C2PA manifest is stored", store(&c2pa)).await;
    assert_eq!(stored.status(), 201);
    let again = session.send("The same C2PA manifest again", store(&c2pa)).await;
    assert_eq!((again.status().as_u16(), verdict(&again)), (200, (true, true)));

    // Long enough to be stored, and served, as gzip.
    let long =
        json!({"media_hash": media("long").to_string(), "manifest": {"note": "provenance ".repeat(100)}});
    let mut packed = Vec::new();
    GzEncoder::new(long.to_string().as_bytes(), Compression::best()).read_to_end(&mut packed).unwrap();
    let packed = store(&long).map(|_| packed.into());
    let packed = with(packed, CONTENT_ENCODING, "gzip");
    let packed = with(packed, CONTENT_TYPE, "Application/JSON; charset=utf-8");
    let stored = session.send("A body that is gzipped", packed).await;
    assert_eq!(stored.status(), 201);
    let again = session.send("The same body, not gzipped", store(&long)).await;
    assert_eq!(verdict(&again), (true, true));
    session.end_chapter("storing");
}
