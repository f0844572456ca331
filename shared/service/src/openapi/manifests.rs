//! C2PA manifests by themselves.

use bytes::Bytes;
use credlink_core::access::{Caller, Scope, Visibility};
use credlink_core::front::Front;
use credlink_core::http::conditional::with_tag;
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::http::reply::Reply;
use credlink_core::manifest::Manifest;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::rules::store::manifest_problem;
use credlink_core::tenant::Tenant;
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use credlink_ports::Ports;

use super::parameters::DeletedAt;
use super::{gone, requested_instant};
use crate::delete;
use crate::error::Error;
use crate::front::Arrival;
use crate::service::{Service, other_tenant};
use crate::store::store_manifest as store_alone;
use crate::visibility;

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
    params(
        ("visibility" = Option<Visibility>, Query, description = "The readers of the manifest: everybody (`public`, the default), or the tenant alone (`private`)"),
        ("tenant" = Option<Tenant>, Query, description = "The tenant that shall own it. A credential of another tenant is refused, and nothing is stored. By default the credential's"),
        ("imported" = Option<bool>, Query, description = "`true` if it is copied from another store: it is not published where it was private when it was deleted here, and gets no plain address that an operator has freed"),
    ),
    request_body(content = Vec<u8>, content_type = "application/c2pa"),
    responses(
        (status = 201, description = "Stored", body = ManifestReply),
        (status = 200, description = "There already", body = ManifestReply),
        (status = 403, description = "`tenant` names another tenant than the caller's, or a scope is missing"),
        (status = 409, description = "The manifest id has another content, or other readers"),
    ),
    security(("token" = ["store:manifests"]))
)]
pub(crate) async fn store_manifest<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    (visibility, arrival): (Visibility, Arrival),
    body: Bytes,
) -> Result<Reply, Error> {
    let read = |body| Manifest::c2pa(body).map_err(|error| manifest_problem("body", &error));
    let manifest = service.read(body, read).await?;
    let created = store_alone(service, &manifest, &caller.tenant, visibility, arrival).await?;
    let id = manifest.id().cloned().ok_or_else(|| Problem::field("body", "a manifest without an id"))?;
    let key = ObjectKey::Manifest(ManifestKey::new(&caller.tenant, &id));
    let body = ManifestReply { manifest_id: id.to_string(), url: service.url(&key) };
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let reply = Reply::json(status, &body).with(LOCATION, &format!("/v1{}", service.path(&key)));
    Ok(with_tag(reply, manifest.sha256()))
}

/// Delete a C2PA manifest of the caller's tenant that no proof holds
#[utoipa::path(
    delete, path = "/v1/manifests/{manifest_id}", tag = "manifests", operation_id = "deleteManifest",
    params(
        ("manifest_id" = ManifestId, Path, description = "The active manifest's id"),
        ("imported" = Option<bool>, Query, description = "`true`: only where nobody but an import has stored it by itself, as a rollback wants it"),
        DeletedAt,
    ),
    responses(
        (status = 204, description = "It is not there (any more)", headers(
            ("credlink-deleted" = String, description = "When this request deleted it, where `credlink-deleted` was sent; not there where there was nothing to delete"),
        )),
        (status = 412, description = "With `imported`: its tenant has stored it by itself"),
        (status = 409, description = "Proofs hold it"),
    ),
    security(("token" = ["delete:manifests"]))
)]
pub(crate) async fn delete_manifest<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    (id, tenant): (&ManifestId, Option<Tenant>),
    only_imported: bool,
    headers: &HeaderMap,
) -> Result<Reply, Error> {
    let tenant = tenant.unwrap_or_else(|| caller.tenant.clone());
    if tenant != caller.tenant && !caller.may(Scope::Operator) {
        return Err(other_tenant().into());
    }
    let at = requested_instant(service, caller, headers)?;
    let deleted = delete::delete_manifest(service, &ManifestKey::new(&tenant, id), at, only_imported).await?;
    Ok(gone(deleted.filter(|_| at.is_some())))
}

/// Whose manifest a plain address is to serve.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct FrontRequest {
    /// The tenant; `null` frees the address: the next public manifest that is stored under the id is served there.
    #[schema(value_type = Option<String>, pattern = "^[a-z0-9][a-z0-9_-]{0,59}$", required)]
    #[serde(deserialize_with = "Option::deserialize")]
    tenant: Option<Tenant>,
}

/// Decide whose manifest a plain address serves
///
/// Where several tenants store manifests under one id, `/v1/manifests/{manifest_id}` serves the one of the tenant that was first,
/// or of the one whose signer the operator lists. This decides otherwise. What the other tenants stored stays at their own
/// addresses.
///
/// The tenant need not have a manifest under the id yet: until it stores one, nothing is served at the plain address. With one
/// tenant alone the decision is kept, and plain addresses serve the tenant `default` all the same.
#[utoipa::path(
    put, path = "/v1/manifests/{manifest_id}/front", tag = "manifests", operation_id = "decideFront",
    params(("manifest_id" = ManifestId, Path, description = "The manifest id")),
    request_body = FrontRequest,
    responses(
        (status = 200, description = "Decided", body = Front),
    ),
    security(("token" = ["operator"]))
)]
pub(crate) async fn decide_front<P: Ports>(
    service: &Service<P>,
    id: &ManifestId,
    body: Bytes,
) -> Result<Reply, Error> {
    let request: FrontRequest = read(&body, "`{\"tenant\": \"NAME\"}`, or `{\"tenant\": null}`")?;
    let front = service.decide_front(id, request.tenant).await?;
    Ok(Reply::json(StatusCode::OK, &front))
}

/// Delete a C2PA manifest at its tenant's own address
///
/// For the tenant itself, and for the operator.
#[utoipa::path(
    delete, path = "/v1/tenants/{tenant}/manifests/{manifest_id}", tag = "manifests", operation_id = "deleteTenantManifest",
    params(
        ("tenant" = Tenant, Path, description = "The tenant that stored it"),
        ("manifest_id" = ManifestId, Path, description = "The active manifest's id"),
        ("imported" = Option<bool>, Query, description = "As for `deleteManifest`"),
        ("credlink-deleted" = Option<String>, Header, description = "As for `deleteManifest`"),
    ),
    responses(
        (status = 204, description = "It is not there (any more)"),
        (status = 412, description = "With `imported`: its tenant has stored it by itself"),
        (status = 403, description = "The path names another tenant, and the caller is not the operator"),
        (status = 409, description = "Proofs hold it"),
    ),
    security(("token" = ["delete:manifests"]))
)]
#[expect(dead_code, reason = "describes the other path of `delete_manifest`")]
fn delete_tenant_manifest() {}

/// Who may read a manifest.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct VisibilityRequest {
    /// Everybody, or the tenant alone.
    visibility: Visibility,
}

/// Withdraw a C2PA manifest, or publish it again
///
/// The manifest stays where it is and the proofs that name it keep their history; as `private` it is read with a credential of its
/// tenant or a signed link alone, and to everybody else it is not there.
#[utoipa::path(
    put, path = "/v1/manifests/{manifest_id}/visibility", tag = "manifests", operation_id = "changeVisibility",
    params(("manifest_id" = ManifestId, Path, description = "The active manifest's id")),
    request_body = VisibilityRequest,
    responses(
        (status = 204, description = "Done, or so already"),
        (status = 404, description = "The tenant has no such manifest"),
        (status = 410, description = "It was deleted"),
    ),
    security(("token" = ["store:manifests"]))
)]
pub(crate) async fn change_visibility<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: &ManifestId,
    tenant: Option<Tenant>,
    body: Bytes,
) -> Result<Reply, Error> {
    if tenant.is_some_and(|tenant| tenant != caller.tenant) {
        return Err(other_tenant().into());
    }
    let request: VisibilityRequest =
        read(&body, "`{\"visibility\": \"private\"}`, or `{\"visibility\": \"public\"}`")?;
    let manifest = ManifestKey::new(&caller.tenant, id);
    visibility::change_visibility(service, &manifest, request.visibility).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// Withdraw a C2PA manifest at its tenant's own address, or publish it again
///
/// For the tenant itself. As `changeVisibility`, and it names the tenant: a caller of another one is refused, and no manifest of
/// the caller's own tenant under the same id is changed in its place.
#[utoipa::path(
    put, path = "/v1/tenants/{tenant}/manifests/{manifest_id}/visibility", tag = "manifests",
    operation_id = "changeTenantManifestVisibility",
    params(
        ("tenant" = Tenant, Path, description = "The tenant that stored it"),
        ("manifest_id" = ManifestId, Path, description = "The active manifest's id"),
    ),
    request_body = VisibilityRequest,
    responses(
        (status = 204, description = "Done, or so already"),
        (status = 403, description = "The path names another tenant than the caller's"),
        (status = 404, description = "The tenant has no such manifest"),
        (status = 410, description = "It was deleted"),
    ),
    security(("token" = ["store:manifests"]))
)]
#[expect(dead_code, reason = "describes the other path of `change_visibility`")]
fn change_tenant_manifest_visibility() {}

/// Reads a small body.
fn read<T: serde::de::DeserializeOwned>(body: &[u8], allowed: &str) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::new(Kind::InvalidRequest, format!("the body has to be {allowed}: {error}")).at("body")
    })
}
