//! Refused requests leave nothing behind: nothing that is served, nothing that is claimed, nothing for cleanup
//! (guarantee 11).
//!
//! `races` and `replacements` have many concurrent clients, and `refusals` one request after the other. `records` tests
//! the objects of a store that is refused late, and `readers` what a caller sees that reads after a request was cut
//! off.

mod races;
mod readers;
mod records;
mod refusals;
mod replacements;

use bytes::Bytes;
use credlink_core::hash::MediaHash;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ManifestRow, ProofRow, Row, RowKey};
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use credlink_ports::{Index as _, Ports as _};
use credlink_service::fsck::Severity;
use data_encoding::BASE64;
use http::{Method, Request};
use serde_json::json;

use crate::http::ask::{c2pa, get, json, media};
use crate::world::World;

/// The ID of the manifest with this number.
fn id(number: usize) -> String {
    format!("urn:c2pa:00000000-0000-4000-8000-{number:012}")
}

/// The manifest with this number, for a file.
fn content(media: &MediaHash, number: usize) -> Vec<u8> {
    manifest_store(&id(number), media.digest())
}

/// Stores a file's proof with the manifest of this number.
fn store(media: &MediaHash, number: usize) -> Request<Bytes> {
    let body =
        json!({"media_hash": media.to_string(), "manifest_base64": BASE64.encode(&content(media, number))});
    json(Method::POST, "/v1/proofs", &body)
}

/// Stores the manifest of this number by itself, for a file.
fn store_alone(media: &MediaHash, number: usize) -> Request<Bytes> {
    c2pa(Method::POST, "/v1/manifests", content(media, number))
}

/// The status of a manifest's answer.
async fn served(world: &World, number: usize) -> u16 {
    world.answer(get(&format!("/v1/manifests/{}", id(number)))).await.status().as_u16()
}

/// Asserts that no caller can tell that the manifest of this number was ever sent: it is not found, and another content
/// can have its ID.
async fn assert_never_brought(world: &World, number: usize) {
    assert_eq!(served(world, number).await, 404, "the manifest {number} of a refused request is there");
    let other = world.answer(store_alone(&media("another file"), number)).await;
    assert_eq!(other.status(), 201, "the id {number} is claimed: {:?}", other.body());
}

/// Asserts that fsck finds nothing at all, even without a cleanup before.
async fn assert_clean(world: &World) {
    world.assert_sound().await;
    assert_eq!(world.findings(Severity::Leftover).await, [""; 0]);
}

/// The row of a file's proof.
async fn proof_row(world: &World, media: &MediaHash) -> ProofRow {
    let key = RowKey::Proof(ProofId::derive(&Tenant::default(), media));
    world.service().ports().index().get(&key).await.unwrap().and_then(Row::proof).unwrap()
}

/// The row of a manifest.
async fn manifest_row(world: &World, number: usize) -> Option<ManifestRow> {
    let key = RowKey::Manifest(id(number).parse::<ManifestKey>().unwrap());
    world.service().ports().index().get(&key).await.unwrap().and_then(Row::manifest)
}
