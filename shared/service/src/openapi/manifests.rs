//! C2PA manifests by themselves.

use bytes::Bytes;
use credlink_core::access::Caller;
use credlink_core::http::problem::{Document, Problem};
use credlink_core::http::reply::Reply;
use credlink_core::link;
use credlink_core::manifest::Manifest;
use credlink_core::manifest_id::ManifestId;
use credlink_core::object::ObjectKey;
use credlink_core::rules::store::manifest_problem;
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::{gone, requested_instant};
use crate::delete;
use crate::error::Error;
use crate::ports::Ports;
use crate::router::with_tag;
use crate::service::Service;
use crate::store::store_manifest as store_alone;

/// The answer to a manifest that is stored by itself.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct ManifestReply {
    /// The active manifest's id.
    manifest_id: String,
    /// Where it is.
    url: String,
}

/// Store a C2PA manifest by itself
///
/// The C2PA Soft Binding Resolution API's route. No media file is named, so nothing is findable by its hash.
#[utoipa::path(
    post, path = "/v1/manifests", tag = "manifests", operation_id = "storeManifest",
    request_body(content = Vec<u8>, content_type = "application/c2pa"),
    responses(
        (status = 201, description = "Stored", body = ManifestReply),
        (status = 200, description = "There already", body = ManifestReply),
        (status = 409, description = "The manifest id has another content", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["store:manifests"]))
)]
pub(crate) async fn store_manifest<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    body: Bytes,
) -> Result<Reply, Error> {
    let manifest = Manifest::c2pa(body).map_err(|error| manifest_problem("body", &error))?;
    let created = store_alone(service, &manifest, &caller.tenant).await?;
    let id = manifest.id().cloned().ok_or_else(|| Problem::field("body", "a manifest without an id"))?;
    let key = ObjectKey::Manifest(id.clone());
    let body = ManifestReply { manifest_id: id.to_string(), url: service.url(&key) };
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let reply = Reply::json(status, &body).with(LOCATION, &format!("/v1{}", link::path(&key)));
    Ok(with_tag(reply, manifest.sha256()))
}

/// Delete a C2PA manifest that no proof holds
#[utoipa::path(
    delete, path = "/v1/manifests/{manifest_id}", tag = "manifests", operation_id = "deleteManifest",
    params(
        ("manifest_id" = String, Path, description = "The active manifest's id"),
        ("credlink-deleted" = Option<String>, Header, description = "The instant that the deletion shall have, as RFC 3339 writes it: the same request again is answered as the first. Needs the scope `admin`"),
    ),
    responses(
        (status = 204, description = "It is not there (any more)", headers(
            ("credlink-deleted" = String, description = "When this request deleted it, where `credlink-deleted` was sent; not there where there was nothing to delete"),
        )),
        (status = 409, description = "Proofs hold it", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["delete:manifests"]))
)]
pub(crate) async fn delete_manifest<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: &ManifestId,
    headers: &HeaderMap,
) -> Result<Reply, Error> {
    let at = requested_instant(service, caller, headers)?;
    let deleted = delete::delete_manifest(service, id, &caller.tenant, at).await?;
    Ok(gone(deleted.filter(|_| at.is_some())))
}
