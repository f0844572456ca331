//! Everything a client may do, over both providers and all layers of the cache. At the end both providers hold the
//! same.

use std::collections::BTreeSet;
use std::sync::Arc;

use credlink_core::testing::manifest_store;
use credlink_metrics::catalogue;
use data_encoding::BASE64;
use http::header::{AUTHORIZATION, ETAG, IF_MATCH};
use http::{Method, Request, Response};
use serde_json::{Value, json};

use super::functions::Functions;
use super::ground::{Ground, everything};
use super::migrate::work_off;
use crate::http::api::Api as _;
use crate::http::ask::{ask, get, json as request, media, proof, proof_path, with};
use crate::world::tokens;

struct Client(Functions);

impl Client {
    async fn send(&self, status: u16, request: Request<bytes::Bytes>) -> Response<bytes::Bytes> {
        let asked = format!("{} {}", request.method(), request.uri());
        let request = with(request, AUTHORIZATION, format!("Bearer {}", tokens::OWNER));
        let response = self.0.send(request).await;
        assert_eq!(response.status(), status, "{asked}: {}", String::from_utf8_lossy(response.body()));
        response
    }

    async fn told(&self, status: u16, request: Request<bytes::Bytes>) -> Value {
        serde_json::from_slice(self.send(status, request).await.body()).unwrap()
    }
}

#[tokio::test]
async fn both_providers_hold_the_same_after_a_session() {
    let ground = Arc::new(Ground::whole().await);
    let client = Client(Functions::start(&ground));
    let store = |body: &Value| request(Method::POST, "/v1/proofs", body);

    // Long enough to be compressed at rest.
    let json =
        json!({"media_hash": media("json").to_string(), "manifest": {"note": "provenance ".repeat(100)}});
    let stored = client.send(201, store(&json)).await;
    let id = "urn:c2pa:00000000-0000-4000-8000-000000000001";
    let manifest = manifest_store(id, media("c2pa").digest());
    let c2pa = json!({"media_hash": media("c2pa").to_string(), "manifest_base64": BASE64.encode(&manifest)});
    client.send(201, store(&c2pa)).await;
    for name in ["one", "two", "three"] {
        let body = json!({"media_hash": media(name).to_string(), "manifest": {"name": name}});
        client.send(201, store(&body)).await;
    }
    let duplicate = client.told(200, store(&json)).await;
    assert_eq!((&duplicate["deduplicated"], &duplicate["identical"]), (&true.into(), &true.into()));

    // First cold, then from the memory of the process, then from Redis by another process.
    let target = format!("/v1/manifests/{id}");
    assert_eq!(client.send(200, get(&target)).await.body(), &manifest);
    assert_eq!(client.send(200, get(&target)).await.body(), &manifest);
    // One hit for the front of the ID, and one for the manifest.
    client.0.hits("l1", 2).await;
    let replacement = request(Method::PUT, &proof_path("json"), &json!({"manifest": {"draft": 2}}));
    client.send(200, with(replacement, IF_MATCH, stored.headers()[ETAG].as_bytes())).await;
    assert_eq!(client.send(200, get(&target)).await.body(), &manifest);
    client.0.hits("l2", 2).await;

    let current = client.told(200, get(&proof_path("json"))).await;
    assert_eq!(current["manifest"]["json"], json!({"draft": 2}), "{current}");
    client.send(200, get(&format!("{}/1", proof_path("json")))).await;
    client.send(204, ask(Method::DELETE, &proof_path("one"))).await;
    client.send(410, get(&proof_path("one"))).await;
    let ids = json!({"ids": [proof("two").to_string(), proof("three").to_string()]});
    let deleted = client.told(200, request(Method::POST, "/v1/proofs/batch-delete", &ids)).await;
    assert_eq!(deleted["deleted"].as_array().map(Vec::len), Some(2), "{deleted}");
    client.send(410, get(&proof_path("two"))).await;
    client.send(204, ask(Method::DELETE, &proof_path("c2pa"))).await;
    client.send(410, get(&target)).await;

    let line = client.0.store().line(|line| line["credlink_stores"] == 1).await;
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!((&directive["Namespace"], &line["Function"]), (&"CredLink".into(), &"store".into()), "{line}");
    for provider in ["primary", "fallback"] {
        let calls =
            |line: &Value| line["provider"] == provider && line["credlink_provider_latency_ms"].is_array();
        client.0.store().line(calls).await;
    }
    let told = client.0.store().printed();
    let told: Vec<Value> = told.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let metrics = told.iter().filter_map(|line| line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array());
    let names: BTreeSet<_> = metrics.flatten().filter_map(|metric| metric["Name"].as_str()).collect();
    assert!(names.contains("credlink_request_ms"), "{names:?}");
    let unknown: Vec<_> = names.into_iter().filter(|name| catalogue::find(name).is_none()).collect();
    assert_eq!(unknown, [""; 0], "metrics that are not in the documentation");

    // A provider that was slow for a moment is repaired through the queue.
    work_off(&ground).await;
    let held = everything(&ground.s3).await;
    assert_eq!(held, everything(ground.r2.as_ref().unwrap()).await);
    assert!(held.len() >= 6, "the markers of what was deleted are there too");
    ground.assert_sound().await;
}
