//! C2PA manifests on their own.

use bytes::Bytes;
use credlink_core::access::{Caller, Scope, Visibility};
use credlink_core::front::Front;
use credlink_core::http::conditional::with_tag;
use credlink_core::http::problem::{Problem, ProblemKind};
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

use super::parameters::{DeletedAt, Page};
use super::{gone, requested_instant};
use crate::delete;
use crate::error::Error;
use crate::front::Arrival;
use crate::list::{self, ManifestPage};
use crate::service::{Service, other_tenant};
use crate::store::store_manifest as store_alone;
use crate::visibility;

/// The answer to the store of a manifest for itself.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct ManifestReply {
    /// The ID of the active manifest.
    manifest_id: String,
    /// The URL of the manifest.
    url: String,
}

/// List the C2PA manifests that were stored for themselves
///
/// Lists the manifests of the credential's tenant. These manifests are kept even if no proof holds them.
#[utoipa::path(
    get, path = "/v1/manifests", tag = "manifests", operation_id = "listManifests",
    params(
        Page,
    ),
    responses(
        (status = 200, description = "A page of manifests", body = ManifestPage),
    ),
    security(("token" = ["admin"]))
)]
pub(crate) async fn list_manifests<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    after: Option<&str>,
    limit: usize,
) -> Result<Reply, Error> {
    let page = list::list_manifests(service, caller.tenant.clone(), after, limit).await?;
    Ok(Reply::json(StatusCode::OK, &page))
}

/// Store a C2PA manifest for itself
///
/// This is the route of the C2PA Soft Binding Resolution API. The request names no media file, so the manifest cannot
/// be found by a media hash.
#[utoipa::path(
    post, path = "/v1/manifests", tag = "manifests", operation_id = "storeManifest",
    params(
        ("visibility" = Option<Visibility>, Query, description = "The readers of the manifest: everybody (`public`, the default), or only its tenant (`private`)"),
        ("tenant" = Option<Tenant>, Query, description = "The tenant that is to own the manifest; by default the tenant of the credential. A credential of another tenant is refused, and nothing is stored"),
        ("imported" = Option<bool>, Query, description = "`true` if the manifest is copied from another store. Such a manifest is not published if it was private when it was deleted here, and does not get a plain address that an operator has freed"),
    ),
    request_body(content = Vec<u8>, content_type = "application/c2pa"),
    responses(
        (status = 201, description = "The manifest is stored", body = ManifestReply),
        (status = 200, description = "The manifest was already stored", body = ManifestReply),
        (status = 403, description = "`tenant` names a tenant other than the caller's, or a scope is missing"),
        (status = 409, description = "The manifest ID has another content, or another visibility"),
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
        ("manifest_id" = ManifestId, Path, description = "The ID of the active manifest"),
        ("imported" = Option<bool>, Query, description = "`true` if the manifest is only to be deleted if nobody but an import has stored it for itself, as in a rollback"),
        DeletedAt,
    ),
    responses(
        (status = 204, description = "The manifest is deleted, or there was none", headers(
            ("credlink-deleted" = String, description = "The time at which this request deleted the manifest, if `credlink-deleted` was sent; absent if there was nothing to delete"),
        )),
        (status = 412, description = "With `imported`: the tenant has stored the manifest for itself"),
        (status = 409, description = "Proofs hold the manifest"),
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

/// The tenant whose manifest a plain address is to serve.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct FrontRequest {
    /// The tenant. `null` frees the address: it then serves the next public manifest that is stored under the ID.
    #[schema(value_type = Option<String>, pattern = "^[a-z0-9][a-z0-9_-]{0,59}$", required)]
    #[serde(deserialize_with = "Option::deserialize")]
    tenant: Option<Tenant>,
}

/// Decide which tenant's manifest a plain address serves
///
/// If several tenants store manifests under one ID, `/v1/manifests/{manifest_id}` serves the manifest of the first
/// tenant, or of the tenant for which the operator lists the signer. This operation overrides that choice. The
/// manifests of the other tenants remain available at their own addresses.
///
/// The tenant need not have a manifest under the ID yet: until it stores one, nothing is served at the plain address.
/// In a deployment with one tenant the decision is recorded, but plain addresses still serve the tenant `default`.
#[utoipa::path(
    put, path = "/v1/manifests/{manifest_id}/front", tag = "manifests", operation_id = "decideFront",
    params(("manifest_id" = ManifestId, Path, description = "The manifest ID")),
    request_body = FrontRequest,
    responses(
        (status = 200, description = "The decision", body = Front),
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
/// This is for the tenant itself, and for the operator.
#[utoipa::path(
    delete, path = "/v1/tenants/{tenant}/manifests/{manifest_id}", tag = "manifests", operation_id = "deleteTenantManifest",
    params(
        ("tenant" = Tenant, Path, description = "The tenant that stored the manifest"),
        ("manifest_id" = ManifestId, Path, description = "The ID of the active manifest"),
        ("imported" = Option<bool>, Query, description = "The same as for `deleteManifest`"),
        ("credlink-deleted" = Option<String>, Header, description = "The same as for `deleteManifest`"),
    ),
    responses(
        (status = 204, description = "The manifest is deleted, or there was none"),
        (status = 412, description = "With `imported`: the tenant has stored the manifest for itself"),
        (status = 403, description = "The path names another tenant, and the caller is not an operator"),
        (status = 409, description = "Proofs hold the manifest"),
    ),
    security(("token" = ["delete:manifests"]))
)]
#[expect(dead_code, reason = "describes the other path of `delete_manifest`")]
fn delete_tenant_manifest() {}

/// The requested visibility of a manifest.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct VisibilityRequest {
    /// The readers of the manifest: everybody (`public`), or only its tenant (`private`).
    visibility: Visibility,
}

/// Withdraw a C2PA manifest, or publish it again
///
/// The manifest stays in its place, and the proofs that name it keep their history. A `private` manifest can only be
/// read with a credential of its tenant or a signed link; to everybody else it is absent.
#[utoipa::path(
    put, path = "/v1/manifests/{manifest_id}/visibility", tag = "manifests", operation_id = "changeVisibility",
    params(("manifest_id" = ManifestId, Path, description = "The ID of the active manifest")),
    request_body = VisibilityRequest,
    responses(
        (status = 204, description = "The manifest has this visibility, now or already before"),
        (status = 404, description = "The tenant has no such manifest"),
        (status = 410, description = "The manifest was deleted"),
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
/// This is for the tenant itself. It works like `changeVisibility`, but the path names the tenant: a caller of another
/// tenant is refused, and the caller's own manifest under the same ID is not changed.
#[utoipa::path(
    put, path = "/v1/tenants/{tenant}/manifests/{manifest_id}/visibility", tag = "manifests",
    operation_id = "changeTenantManifestVisibility",
    params(
        ("tenant" = Tenant, Path, description = "The tenant that stored the manifest"),
        ("manifest_id" = ManifestId, Path, description = "The ID of the active manifest"),
    ),
    request_body = VisibilityRequest,
    responses(
        (status = 204, description = "The manifest has this visibility, now or already before"),
        (status = 403, description = "The path names a tenant other than the caller's"),
        (status = 404, description = "The tenant has no such manifest"),
        (status = 410, description = "The manifest was deleted"),
    ),
    security(("token" = ["store:manifests"]))
)]
#[expect(dead_code, reason = "describes the other path of `change_visibility`")]
fn change_tenant_manifest_visibility() {}

/// Reads a small body.
fn read<T: serde::de::DeserializeOwned>(body: &[u8], allowed: &str) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::new(ProblemKind::InvalidRequest, format!("the body has to be {allowed}: {error}")).at("body")
    })
}
