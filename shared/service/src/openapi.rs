//! The operations over HTTP, and the OpenAPI 3.1 document that is generated from them.

pub(crate) mod aliases;
pub mod batches;
mod complete;
#[expect(dead_code, reason = "describes what a handler around the service performs")]
mod files;
pub(crate) mod manifests;
pub(crate) mod migrations;
mod parameters;
pub mod proofs;
mod reads;

use std::sync::LazyLock;

use bytes::Bytes;
use credlink_core::access::{Caller, Scope};
use credlink_core::file::{CollectionName, EntityId, EntityType, FileId, OwnerId, UploadId};
use credlink_core::http::deletion::{self, DELETED};
use credlink_core::http::problem::{Document, Problem};
use credlink_core::http::reply::{Body, Reply};
use credlink_core::link;
use credlink_core::media_type::JSON_TYPE;
use credlink_core::object::ObjectKey;
use credlink_core::time::Timestamp;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use utoipa::OpenApi as _;

use credlink_ports::Ports;

use crate::error::Error;
use crate::overview::{self, Health, Stats, Status};
use crate::service::Service;

/// Answers a deletion, with its time if that is to be reported.
fn gone(at: Option<Timestamp>) -> Reply {
    let reply = Reply::empty(StatusCode::NO_CONTENT);
    match at {
        Some(at) => reply.with(DELETED, &at.to_string()),
        None => reply,
    }
}

/// Returns the requested time of a deletion, which only an administrator may set.
fn requested_instant<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<Option<Timestamp>, Problem> {
    let at = deletion::requested(headers, service.now())?;
    if at.is_some() && !caller.may(Scope::Admin) {
        return Err(Problem::insufficient_scope(Scope::Admin).at(DELETED.as_str()));
    }
    Ok(at)
}

impl<P: Ports> Service<P> {
    fn url(&self, key: &ObjectKey) -> String {
        format!("{}/v1{}", self.settings.public_url, self.path(key))
    }

    /// Returns the path of an object. With several tenants, a manifest has its tenant's own address.
    fn path(&self, key: &ObjectKey) -> String {
        match key {
            ObjectKey::Manifest(key) if self.settings.has_tenants => link::own_path(key),
            _ => link::path(key),
        }
    }
}

/// Show the state of each provider
///
/// The operation is public. An operator also sees why credentials cannot be read.
#[utoipa::path(
    get, path = "/v1/health", tag = "operation", operation_id = "health",
    responses(
        (status = 200, description = "Every provider answers, or a fallback is in use, or proofs can be found but not stored", body = Health),
        (status = 503, description = "The index, or every object provider, does not answer", body = Health),
    )
)]
pub(crate) async fn health<P: Ports>(service: &Service<P>, caller: &Caller) -> Reply {
    let is_operator = caller.authenticated && caller.may(Scope::Operator);
    let health = overview::health(service, is_operator).await;
    let status = match health.status {
        Status::Ok | Status::Degraded => StatusCode::OK,
        Status::Down => StatusCode::SERVICE_UNAVAILABLE,
    };
    Reply::json(status, &health)
}

/// Show counts, bytes and cache hits by layer
///
/// The numbers are sums over all tenants, and only an operator may see them. There are no statistics of a single
/// tenant; its proofs can be counted by listing them.
#[utoipa::path(
    get, path = "/v1/stats", tag = "operation", operation_id = "stats",
    responses(
        (status = 200, description = "Statistics", body = Stats),
    ),
    security(("token" = ["operator"]))
)]
pub(crate) async fn stats<P: Ports>(service: &Service<P>) -> Result<Reply, Error> {
    Ok(Reply::json(StatusCode::OK, &overview::stats(service).await?))
}

/// Read this document
#[utoipa::path(
    get, path = "/v1/openapi.json", tag = "operation", operation_id = "openapi",
    responses(
        (status = 200, description = "The OpenAPI 3.1 document", body = Object, content_type = "application/json"),
    )
)]
pub(crate) fn document() -> Reply {
    let mut reply = Reply::empty(StatusCode::OK);
    reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON_TYPE));
    reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    reply.body = Body::Bytes(DOCUMENT.clone());
    reply
}

/// The general description, which applies to all paths.
const DESCRIPTION: &str = "\
Keeps the proof of a picture or a video outside the file, and finds it again.

HEAD is supported wherever GET is, and OPTIONS everywhere. The CDN domain serves the read paths without `/v1`: \
`/proofs/{id}`, `/proofs/{id}/{revision}`, `/proofs/by-hash/{media_hash}`, `/manifests/{manifest_id}`, \
`/tenants/{tenant}/manifests/{manifest_id}`, `/media/{file}/{name}` and `/health`.

With `form=stored` in the query, the answer is the stored bytes of a record or a manifest, as `application/vnd.credlink.object`, \
with its attributes as JSON in the header `credlink-attributes`, for a client that mirrors the store.

Bodies may be sent with `Content-Encoding: gzip`. Every answer has an `x-request-id`, which is the client's own if it sent a \
valid one, and `credlink-api: 1`, which distinguishes it from the answer of another server at the same address. Problems are reported as `application/problem+json` (RFC 9457). A credential that is sent must be \
valid, even where none is required.";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "CredLink", description = DESCRIPTION),
    paths(
        proofs::store_proof, proofs::list_proofs, reads::read_proof, proofs::supersede_proof, proofs::delete_proof,
        reads::read_revision, reads::read_by_hash, proofs::sign_link, batches::batch_delete, aliases::list_aliases,
        aliases::bind_alias, aliases::withdraw_alias, manifests::list_manifests, manifests::store_manifest,
        reads::read_manifest, manifests::delete_manifest, reads::read_tenant_manifest,
        manifests::delete_tenant_manifest, reads::show_front, manifests::decide_front, manifests::change_visibility,
        manifests::change_tenant_manifest_visibility,
        files::announce_upload, files::sign_upload, files::show_upload, files::abort_upload, files::address_parts,
        files::complete_upload, files::receive_bytes, files::find_files, files::batch_delete_files, files::show_file,
        files::change_file, files::delete_file, files::render_file, files::audit_file, files::sign_file_link, files::show_list,
        files::put_list, files::change_list, files::put_only_file, files::read_media,
        migrations::begin_migration, migrations::show_migration, migrations::remove_migration, health, stats, document,
    ),
    components(schemas(Document, UploadId, FileId, OwnerId, EntityType, EntityId, CollectionName)),
    modifiers(&Token),
)]
struct Api;

/// The bearer token (RFC 6750).
struct Token;

impl utoipa::Modify for Token {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        api.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let mut document = serde_json::to_value(Api::openapi()).unwrap_or_default();
    complete::complete(&mut document);
    serde_json::to_vec(&document).map(Bytes::from).unwrap_or_default()
});
