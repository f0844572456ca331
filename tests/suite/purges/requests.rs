//! The purges of each request: a whole deployment over a folder, whose edge is configured by its variables.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use credlink_auth::gate::Gate;
use credlink_core::row::{Row, RowKey, State};
use credlink_core::testing::manifest_store;
use credlink_core::time::Timestamp;
use credlink_deployment::configuration::{Configuration, Variables};
use credlink_deployment::deployment::{Deployment, Machine, Opening};
use credlink_embedded::index::SERVING_CACHE_BYTES;
use credlink_ports::{Commit, Index as _, Write};
use credlink_service::cleanup::{Limits, cleanup};
use data_encoding::BASE64;
use http::header::{ETAG, IF_MATCH};
use http::{HeaderName, Method, Request, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::edge::{Call, Edge, Fault, TOKEN};
use crate::http::ask::{ask, c2pa, get, json as request, media, proof, proof_path, with};
use crate::outages::site::with_stack;

/// A deployment that purges an edge.
struct Told {
    deployment: Deployment,
    edge: Edge,
    _folder: TempDir,
}

impl Told {
    async fn start() -> Self {
        let (folder, edge) = (tempfile::tempdir().unwrap(), Edge::start());
        Self { deployment: open(folder.path(), &edge).await, edge, _folder: folder }
    }

    /// Sends a request, and asserts the status of the answer.
    async fn send(&self, status: u16, request: Request<Bytes>) -> Response<Bytes> {
        let asked = format!("{} {}", request.method(), request.uri());
        let (parts, body) = request.into_parts();
        let response = Box::pin(self.deployment.service().handle(&parts, async { Ok(body) })).await;
        assert_eq!(response.status(), status, "{asked}: {}", String::from_utf8_lossy(response.body()));
        response
    }

    async fn store(&self, name: &str) -> Response<Bytes> {
        self.send(201, stored(name, &json!({"name": name}))).await
    }

    /// Returns the calls since the last time, each as its set of keys.
    fn calls(&self) -> Vec<BTreeSet<String>> {
        self.edge.calls().into_iter().map(ids).collect()
    }
}

/// The key of the proof of `name` at the edge.
fn key(name: &str) -> String {
    format!("proofs/{}", proof(name))
}

fn ids(call: Call) -> BTreeSet<String> {
    let proofs = call.proofs.iter().map(|id| format!("proofs/{id}"));
    proofs.chain(call.manifests.iter().map(|id| format!("manifests/{id}"))).collect()
}

/// A store of a JSON manifest.
fn stored(name: &str, manifest: &Value) -> Request<Bytes> {
    let body = json!({"media_hash": media(name).to_string(), "manifest": manifest});
    request(Method::POST, "/v1/proofs", &body)
}

async fn open(folder: &Path, edge: &Edge) -> Deployment {
    let find = |name: &str| match name {
        "CREDLINK_EDGE_URL" => Some(edge.url().to_owned()),
        "CREDLINK_EDGE_TOKEN" => Some(TOKEN.to_owned()),
        _ => None,
    };
    let mut configuration = Configuration::read(&Variables::new(find)).unwrap();
    // Allows for a machine that is building at the same time. `calls` tests how long requests wait for the edge.
    configuration.edge = configuration.edge.map(|_| edge.settings());
    let opening = Opening {
        configuration: &configuration,
        machine: Some(Machine::new(folder, SERVING_CACHE_BYTES)),
        gate: Gate::of(None, None),
        public_url: "https://credlink.test".to_owned(),
        link_keys: None,
        count_reads: true,
    };
    Deployment::open(opening).await.unwrap()
}

#[test]
fn what_is_new_is_not_told() {
    with_stack(async || {
        let told = Told::start().await;
        told.store("x").await;
        told.send(200, stored("x", &json!({"another": true}))).await;
        let manifest = manifest_store("urn:c2pa:alone", media("alone").digest());
        told.send(201, c2pa(Method::POST, "/v1/manifests", manifest)).await;
        let manifest = BASE64.encode(&manifest_store("urn:c2pa:held", media("held").digest()));
        let body = json!({"media_hash": media("held").to_string(), "manifest_base64": manifest});
        told.send(201, request(Method::POST, "/v1/proofs", &body)).await;
        assert_eq!(told.calls(), [], "the edge keeps for seconds that nothing is there");
        // The edge keeps a tombstone for seconds too.
        told.send(204, ask(Method::DELETE, &proof_path("x"))).await;
        assert_eq!(told.calls(), [[key("x")].into()]);
        told.store("x").await;
        assert_eq!(told.calls(), []);
    });
}

#[test]
fn a_replacement_is_told() {
    with_stack(async || {
        let told = Told::start().await;
        let mut tag = told.store("x").await.headers()[ETAG].clone();
        for draft in 2..5 {
            let replacement = request(Method::PUT, &proof_path("x"), &json!({"manifest": {"draft": draft}}));
            let replaced = told.send(200, with(replacement, IF_MATCH, tag.as_bytes())).await;
            tag = replaced.headers()[ETAG].clone();
            assert_eq!(told.calls(), [[key("x")].into()], "draft {draft}");
        }
        let refused = request(Method::PUT, &proof_path("x"), &json!({"manifest": {}}));
        told.send(412, with(refused, IF_MATCH, "\"another\"")).await;
        assert_eq!(told.calls(), [], "nothing was changed");
    });
}

/// A proof is deleted with its revisions and its manifest, and one call purges all of them.
#[test]
fn a_deletion_is_told_with_all_that_goes_with_it() {
    with_stack(async || {
        let told = Told::start().await;
        let c2pa = BASE64.encode(&manifest_store("urn:c2pa:held", media("x").digest()));
        let tag = told.store("x").await.headers()[ETAG].clone();
        let replacement = request(Method::PUT, &proof_path("x"), &json!({"manifest_base64": c2pa}));
        told.send(200, with(replacement, IF_MATCH, tag.as_bytes())).await;
        told.calls();
        let deletion = with(ask(Method::DELETE, &proof_path("x")), REQUEST_ID, "of-the-client");
        told.send(204, deletion).await;
        let calls = told.edge.calls();
        assert_eq!(calls[0].request_id.as_deref(), Some("of-the-client"));
        let expected = BTreeSet::from([key("x"), "manifests/urn:c2pa:held".to_owned()]);
        assert_eq!(calls.into_iter().map(ids).collect::<Vec<_>>(), [expected]);
        told.send(204, ask(Method::DELETE, &proof_path("x"))).await;
        assert_eq!(told.calls(), [], "it was deleted already");
    });
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[test]
fn the_deletion_of_a_manifest_is_told() {
    with_stack(async || {
        let told = Told::start().await;
        let manifest = manifest_store("urn:c2pa:alone", media("alone").digest());
        told.send(201, c2pa(Method::POST, "/v1/manifests", manifest)).await;
        told.send(204, ask(Method::DELETE, "/v1/manifests/urn:c2pa:alone")).await;
        assert_eq!(told.calls(), [["manifests/urn:c2pa:alone".to_owned()].into()]);
    });
}

/// By the time of the answer everything was purged, in ten calls of a hundred IDs rather than in a thousand.
#[test]
fn a_batch_of_a_thousand_is_ten_calls() {
    with_stack(async || {
        let told = Told::start().await;
        let names: Vec<String> = (0..1_000).map(|number| format!("of-many-{number}")).collect();
        for some in names.chunks(50) {
            futures_util::future::join_all(some.iter().map(|name| told.store(name))).await;
        }
        let ids: Vec<String> = names.iter().map(|name| proof(name).to_string()).collect();
        let batch = request(Method::POST, "/v1/proofs/batch-delete", &json!({"ids": ids}));
        let answer = told.send(200, batch).await;
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(answer["deleted"].as_array().map(Vec::len), Some(1_000));
        assert_eq!(told.calls().len(), 10);
        assert_eq!(told.edge.told(), names.iter().map(|name| key(name)).collect());
    });
}

#[test]
fn a_cleanup_tells_what_it_deletes() {
    with_stack(async || {
        let told = Told::start().await;
        for name in ["cut off", "long"] {
            let whole = json!({"media_hash": media(name).to_string(), "manifest": {}});
            told.send(201, request(Method::POST, "/v1/proofs", &whole)).await;
        }
        // A deletion that was cut off after it had written its row.
        let rows = told.deployment.rows();
        let row = rows.get(&RowKey::Proof(proof("cut off"))).await.unwrap().and_then(Row::proof).unwrap();
        let deleting = row.in_state(State::Deleting(row.created));
        let write = Write { row: Row::Proof(deleting), expected: Some(row.version) };
        assert_eq!(rows.commit(&[write]).await.unwrap(), Commit::Done);
        let deadline = Timestamp::from_milliseconds(i64::MAX);
        let limits = Limits::until(deadline);
        let report = Box::pin(cleanup(told.deployment.service(), limits, None)).await.unwrap();
        assert_eq!(report.deleted, 1, "{report:?}");
        assert_eq!(told.calls(), [[key("cut off")].into()]);
    });
}

/// A deletion does not fail because of the edge, and the next change purges for both.
#[test]
fn what_the_edge_missed_is_told_with_the_next_change() {
    with_stack(async || {
        let told = Told::start().await;
        for name in ["x", "y"] {
            told.store(name).await;
        }
        told.edge.set(Fault::Answer(500));
        told.send(204, ask(Method::DELETE, &proof_path("x"))).await;
        told.send(410, get(&proof_path("x"))).await;
        assert_eq!(told.edge.told(), BTreeSet::new());
        told.edge.set(Fault::None);
        told.send(204, ask(Method::DELETE, &proof_path("y"))).await;
        assert_eq!(told.edge.told(), [key("x"), key("y")].into());
    });
}

/// The answer to a deletion waits for the edge. A read does not, even if purges are pending.
#[test]
fn reads_wait_for_no_edge() {
    with_stack(async || {
        let told = Told::start().await;
        for name in ["x", "y"] {
            told.store(name).await;
        }
        told.edge.set(Fault::Hold);
        let reads = async {
            told.edge.until_called(1).await;
            for (status, path) in
                [(200, proof_path("y")), (410, proof_path("x")), (200, "/v1/health".to_owned())]
            {
                told.send(status, get(&path)).await;
                assert_eq!(told.edge.open(), 1, "{path} was read while the edge was told");
            }
            told.edge.set(Fault::None);
        };
        tokio::join!(told.send(204, ask(Method::DELETE, &proof_path("x"))), reads);
        assert_eq!(told.edge.told(), [key("x")].into(), "the answer came after it");
    });
}

/// A client that disconnects in the middle of its deletion leaves nothing at the edge.
#[test]
fn what_a_request_that_was_cut_off_changed_is_told_with_the_next() {
    with_stack(async || {
        let told = Told::start().await;
        told.store("x").await;
        told.edge.set(Fault::Answer(500));
        let (parts, body) = ask(Method::DELETE, &proof_path("x")).into_parts();
        let mut deletion = Box::pin(told.deployment.service().handle(&parts, async { Ok(body) }));
        // Cut off as soon as the edge is called, before there is an answer.
        tokio::select! {
            biased;
            () = told.edge.until_called(1) => {}
            response = &mut deletion => panic!("{}", response.status()),
        }
        drop(deletion);
        told.edge.set(Fault::None);
        told.deployment.service().announce().await;
        told.edge.until_told(&key("x")).await;
    });
}
