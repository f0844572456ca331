//! Several tenants in one deployment: no tenant takes, hides, replaces, deletes, pins, names or learns anything of
//! another's (guarantees 6 and 13).
//!
//! `manifests` has two tenants under one manifest ID, `fronts` tests what its plain address serves, `migrated` the
//! plain addresses after a migration, `privacy` what conflicts reveal to another tenant, `visibility` a manifest that
//! its owner withdraws, `commands` the folder of such a deployment without its server, and `table` every route in every
//! way.

mod commands;
mod fronts;
mod manifests;
mod migrated;
mod privacy;
mod table;
mod visibility;

use bytes::Bytes;
use credlink_auth::gate::Gate;
use credlink_auth::tokens::StaticTokens;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::proof_id::ProofId;
use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response};
use serde_json::{Value, json};

use crate::http::ask::{ask, c2pa, get, json as with_json, media, with};
use crate::http::session::exchange;
use crate::world::{Ground, World};

/// The manifest ID that all tenants use.
const ID: &str = "urn:c2pa:00000000-0000-4000-8000-0000000000aa";

/// The callers: one for each tenant, with every scope of the tenant, and the operator.
const CALLERS: [(&str, &str, &str); 4] = [
    ("acme", "acme", "admin"),
    ("bad", "bad", "admin"),
    ("default", "default", "admin"),
    ("operator", "default", "operator"),
];

/// The token file, as `credlink serve --tokens` and the functions read it.
fn token_file() -> String {
    let entries: Vec<Value> = CALLERS
        .iter()
        .map(|(name, tenant, scope)| {
            let sha256 = Digest::of(format!("the token of {name}").as_bytes());
            json!({"name": name, "sha256": sha256, "tenant": tenant, "scopes": [scope]})
        })
        .collect();
    Value::from(entries).to_string()
}

fn tokens() -> StaticTokens {
    StaticTokens::parse(token_file().as_bytes()).unwrap()
}

fn world() -> World {
    World::behind(Ground::Memory, Gate::of(Some(tokens()), None))
}

/// The same request by a caller, where `""` stands for an anonymous one.
fn by(caller: &str, request: Request<Bytes>) -> Request<Bytes> {
    match caller {
        "" => request,
        name => with(request, AUTHORIZATION, format!("Bearer the token of {name}")),
    }
}

async fn told(world: &World, caller: &str, request: Request<Bytes>) -> Response<Bytes> {
    exchange(world, by(caller, request)).await
}

async fn status(world: &World, caller: &str, request: Request<Bytes>) -> u16 {
    told(world, caller, request).await.status().as_u16()
}

fn body(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

/// A manifest with the shared ID, whose content is for the file of this name.
fn content(name: &str) -> Vec<u8> {
    manifest_store(ID, media(name).digest())
}

/// Stores the proof of a file with that manifest.
fn store(name: &str) -> Request<Bytes> {
    store_as(name, "public")
}

fn store_as(name: &str, visibility: &str) -> Request<Bytes> {
    let manifest = BASE64.encode(&content(name));
    let body = json!({
        "media_hash": media(name).to_string(), "manifest_base64": manifest, "visibility": visibility,
    });
    with_json(Method::POST, "/v1/proofs", &body)
}

/// Stores that manifest by itself.
fn store_alone(name: &str) -> Request<Bytes> {
    c2pa(Method::POST, "/v1/manifests", content(name))
}

fn proof_of(tenant: &str, media: &MediaHash) -> String {
    format!("/v1/proofs/{}", ProofId::derive(&tenant.parse().unwrap(), media))
}

fn own(tenant: &str) -> String {
    format!("/v1/tenants/{tenant}/manifests/{ID}")
}

fn plain() -> String {
    format!("/v1/manifests/{ID}")
}

/// The manifest that a caller is served, named by the file of its content, or the status.
async fn served(world: &World, caller: &str, target: &str) -> String {
    let response = told(world, caller, get(target)).await;
    let status = response.status();
    let names = ["acme", "bad", "default"];
    let name = names.into_iter().find(|name| status == 200 && **response.body() == content(name));
    name.map_or_else(|| status.as_u16().to_string(), str::to_owned)
}

async fn decide(world: &World, caller: &str, tenant: Option<&str>) -> u16 {
    let request = with_json(Method::PUT, &format!("{}/front", plain()), &json!({"tenant": tenant}));
    status(world, caller, request).await
}

/// Changes the visibility of the caller's manifest.
async fn make(world: &World, caller: &str, visibility: &str) -> u16 {
    let target = format!("{}/visibility", plain());
    status(world, caller, with_json(Method::PUT, &target, &json!({"visibility": visibility}))).await
}

fn delete(target: &str) -> Request<Bytes> {
    ask(Method::DELETE, target)
}
