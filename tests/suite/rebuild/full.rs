//! A store with one of everything in it.

use bytes::Bytes;
use credlink_core::hash::MediaHash;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, State};
use credlink_core::testing::manifest_store;
use credlink_ports::{Index, Listing, Ports};
use credlink_service::Service;
use data_encoding::BASE64;
use http::header::{AUTHORIZATION, IF_MATCH};
use http::{Method, Request, Response};
use serde_json::{Value, json};

use crate::http::ask::{self, ask, c2pa, media, proof, proof_path, with};
use crate::world::tokens::{OPERATOR, OWNER, STRANGER};

/// The ID of a manifest.
pub fn urn(name: &str) -> String {
    let hex = MediaHash::of(name.as_bytes()).digest().to_string().replace("sha256:", "");
    format!("urn:c2pa:{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30])
}

/// Sends requests to a service.
pub struct Client<'a, P>(pub &'a Service<P>);

impl<P: Ports> Client<'_, P> {
    pub async fn send(&self, request: Request<Bytes>, token: &str) -> Response<Bytes> {
        let (parts, body) = with(request, AUTHORIZATION, format!("Bearer {token}")).into_parts();
        Box::pin(self.0.handle(&parts, async { Ok(body) })).await
    }

    async fn done(&self, request: Request<Bytes>, token: &str, status: u16) -> Response<Bytes> {
        let what = format!("{} {}", request.method(), request.uri());
        let response = self.send(request, token).await;
        assert_eq!(response.status(), status, "{what}: {}", String::from_utf8_lossy(response.body()));
        response
    }

    pub async fn store(&self, name: &str, more: Value, status: u16) {
        let mut body = json!({"media_hash": media(name).to_string(), "manifest": {"name": name}});
        merge(&mut body, more);
        self.done(ask::json(Method::POST, "/v1/proofs", &body), OWNER, status).await;
    }

    /// Stores a proof with a C2PA manifest.
    pub async fn signed(&self, name: &str, manifest: &str, more: Value, token: &str, status: u16) {
        let mut body =
            json!({"media_hash": media(name).to_string(), "manifest_base64": rebound(name, manifest)});
        merge(&mut body, more);
        self.done(ask::json(Method::POST, "/v1/proofs", &body), token, status).await;
    }

    /// Replaces the proof of a file with the next revision.
    pub async fn replace(&self, name: &str, more: Value) {
        let path = proof_path(name);
        let tag = self.done(ask::get(&path), OWNER, 200).await.headers()["etag"].clone();
        let request = with(ask::json(Method::PUT, &path, &more), IF_MATCH, tag.as_bytes());
        self.done(request, OWNER, 200).await;
    }

    pub async fn delete(&self, name: &str) {
        self.done(ask(Method::DELETE, &proof_path(name)), OWNER, 204).await;
    }

    pub async fn put_manifest(&self, manifest: &str, token: &str, status: u16) {
        let body = BASE64.decode(store_of(manifest).as_bytes()).unwrap();
        self.done(c2pa(Method::POST, "/v1/manifests", body), token, status).await;
    }

    pub async fn delete_manifest(&self, manifest: &str, token: &str) {
        self.done(ask(Method::DELETE, &format!("/v1/manifests/{}", urn(manifest))), token, 204).await;
    }

    pub async fn bind(&self, legacy: &str, name: &str, status: u16) {
        self.bind_as(OWNER, legacy, json!({"proof": proof(name).to_string()}), status).await;
    }

    pub async fn bind_as(&self, token: &str, legacy: &str, body: Value, status: u16) {
        self.done(ask::json(Method::PUT, &format!("/v1/aliases/{legacy}"), &body), token, status).await;
    }

    pub async fn withdraw(&self, legacy: &str, name: &str) {
        let path = format!("/v1/aliases/{legacy}?proof={}", proof(name));
        self.done(ask(Method::DELETE, &path), OWNER, 204).await;
    }
}

/// The other tenant's proof of a file.
pub fn others(name: &str) -> ProofId {
    ProofId::derive(&"other".parse().unwrap(), &media(name))
}

/// The manifest store for the file of the same name.
pub fn store_of(manifest: &str) -> String {
    BASE64.encode(&manifest_store(&urn(manifest), media(manifest).digest()))
}

fn merge(body: &mut Value, more: Value) {
    if let (Value::Object(body), Value::Object(more)) = (body, more) {
        if more.contains_key("manifest_base64") {
            body.remove("manifest");
        }
        body.extend(more);
    }
}

/// The origin of an imported proof.
pub fn origin(legacy: &str) -> Value {
    json!({"origin": {"created": "2020-01-01T00:00:00Z", "expires": "9999-01-01T00:00:00Z", "legacy_id": legacy}})
}

/// Fills a store with the objects of two tenants.
pub async fn fill<P: Ports>(service: &Service<P>) {
    fill_for_one(service).await;
    let client = Client(service);
    client.signed("shared", "shared", json!({}), STRANGER, 201).await;
    client.signed("shared", "shared", json!({}), OWNER, 201).await;
    client.put_manifest("shared", OWNER, 201).await;
    // A legacy ID that an operator transferred to the other tenant's proof.
    client.store("given", origin("given-1"), 201).await;
    client
        .bind_as(OPERATOR, "given-1", json!({"proof": others("shared").to_string(), "reassign": true}), 201)
        .await;
}

/// Fills a store whose callers all belong to one tenant.
pub async fn fill_for_one<P: Ports>(service: &Service<P>) {
    let client = Client(service);
    // JSON and C2PA, public and private, with a signature.
    client.store("plain", json!({"signature": "c2ln"}), 201).await;
    client.store("private", json!({"visibility": "private"}), 201).await;
    client.signed("signed", "signed", json!({}), OWNER, 201).await;
    client.signed("hidden", "hidden", json!({"visibility": "private"}), OWNER, 201).await;
    // Revisions, some with several manifests.
    client.store("revised", json!({}), 201).await;
    for revision in 2..=4 {
        client.replace("revised", json!({"manifest": {"revision": revision}})).await;
    }
    client.signed("resigned", "resigned-1", json!({}), OWNER, 201).await;
    for revision in 2..=3 {
        let manifest = rebound("resigned", &format!("resigned-{revision}"));
        client.replace("resigned", json!({"manifest_base64": manifest})).await;
    }
    // Deleted, with revisions and a manifest; and stored again.
    client.store("deleted", json!({}), 201).await;
    client.replace("deleted", json!({"manifest": {"revision": 2}})).await;
    client.delete("deleted").await;
    client.signed("gone", "gone", json!({}), OWNER, 201).await;
    client.delete("gone").await;
    client.signed("again", "again", json!({}), OWNER, 201).await;
    client.delete("again").await;
    client.signed("again", "again", json!({}), OWNER, 201).await;
    client.replace("again", json!({"manifest": {"life": 2}})).await;
    // Manifests by themselves: one that a proof holds too, one that was deleted, and one that was stored again.
    client.put_manifest("alone", OWNER, 201).await;
    client.put_manifest("held", OWNER, 201).await;
    client.signed("held", "held", json!({}), OWNER, 201).await;
    client.signed("held-later", "held-later", json!({}), OWNER, 201).await;
    client.put_manifest("held-later", OWNER, 201).await;
    client.put_manifest("left", OWNER, 201).await;
    client.signed("left", "left", json!({}), OWNER, 201).await;
    client.delete("left").await;
    client.put_manifest("alone-gone", OWNER, 201).await;
    client.delete_manifest("alone-gone", OWNER).await;
    client.put_manifest("alone-again", OWNER, 201).await;
    client.delete_manifest("alone-again", OWNER).await;
    client.put_manifest("alone-again", OWNER, 201).await;
    // A refused store leaves a void tombstone.
    client.signed("plain", "void", json!({}), OWNER, 200).await;
    // Legacy IDs: of originals and duplicates, withdrawn, and bound again.
    client.store("old", origin("old-1"), 201).await;
    client.store("old", json!({}), 200).await;
    client.bind("old-2", "old", 201).await;
    client.store("taken", origin("taken-1"), 201).await;
    client.withdraw("taken-1", "taken").await;
    client.store("moved", origin("moved-1"), 201).await;
    client.withdraw("moved-1", "moved").await;
    client.bind("moved-1", "old", 201).await;
    client.store("lapsed", origin("lapsed-1"), 201).await;
    client.delete("lapsed").await;
    client.store("named", origin("named-1"), 201).await;
    client.replace("named", json!({"manifest": {"revision": 2}})).await;
}

/// Another manifest for a file, which binds the file whatever its name.
fn rebound(name: &str, manifest: &str) -> String {
    BASE64.encode(&manifest_store(&urn(manifest), media(name).digest()))
}

/// Every row by its key, without the fields that no object records: versions and reads.
pub async fn rows(index: &impl Index) -> Vec<(RowKey, Row)> {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = index.list(&Listing::All, after.as_deref(), 1_000).await.unwrap().unwrap();
        rows.extend(page.items.into_iter().filter_map(|row| Some((row.key(), plain(row)?))));
        after = page.next;
        if after.is_none() {
            rows.sort_by(|a, b| a.0.cmp(&b.0));
            return rows;
        }
    }
}

fn plain(row: Row) -> Option<Row> {
    Some(match row {
        Row::Proof(mut row) => {
            (row.version, row.reads) = (0, Reads::default());
            Row::Proof(row)
        }
        Row::Manifest(mut row) => {
            row.version = 0;
            // On a live manifest this flag says only that a replacement once began with it.
            row.void &= row.state != State::Live;
            Row::Manifest(row)
        }
        Row::Alias(mut row) => {
            row.version = 0;
            Row::Alias(row)
        }
        Row::LegacyItem(_)
        | Row::Replica(_)
        | Row::Store(_)
        | Row::File(_)
        | Row::Blob(_)
        | Row::List(_)
        | Row::Upload(_)
        | Row::Quota(_) => return None,
    })
}
