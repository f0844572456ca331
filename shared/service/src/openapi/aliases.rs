//! Legacy ids by themselves, and the manifests that were stored for themselves: what a migration lists beside proofs.

use bytes::Bytes;
use credlink_core::access::{Caller, Scope};
use credlink_core::http::problem::Problem;
use credlink_core::http::reply::Reply;
use credlink_core::legacy::LegacyId;
use credlink_core::proof_id::ProofId;
use credlink_core::rules::alias::AliasBody;
use http::StatusCode;

use credlink_ports::Ports;

use super::gone;
use super::parameters::Page;
use crate::aliases::{self, Alias, AliasPage};
use crate::error::Error;
use crate::list::{self, ManifestPage};
use crate::service::Service;

/// List legacy ids
///
/// The ids that proofs had in a store that was taken over, and that lead to a proof: those of the credential's tenant.
#[utoipa::path(
    get, path = "/v1/aliases", tag = "aliases", operation_id = "listAliases",
    params(
        Page,
    ),
    responses(
        (status = 200, description = "A page", body = AliasPage),
    ),
    security(("token" = ["admin"]))
)]
pub(crate) async fn list_aliases<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    after: Option<&str>,
    limit: usize,
) -> Result<Reply, Error> {
    let page = aliases::list(service, caller.tenant.clone(), after, limit).await?;
    Ok(Reply::json(StatusCode::OK, &page))
}

/// Let a legacy id lead to a proof
///
/// For who takes a store over: it leads there for ever, at `/proofs/{id}`. An id that led to a proof of a tenant stays the
/// tenant's, whatever becomes of the proof; an operator can give it to another one, with `reassign`.
#[utoipa::path(
    put, path = "/v1/aliases/{id}", tag = "aliases", operation_id = "bindAlias",
    params(("id" = LegacyId, Path, description = "The id that the proof had in the store that was taken over; what is a proof id leads to that proof already, and is refused")),
    request_body = AliasBody,
    responses(
        (status = 201, description = "It leads there now", body = Alias),
        (status = 200, description = "It led there already", body = Alias),
        (status = 404, description = "No such proof"),
        (status = 403, description = "The proof is another tenant's, or a scope is missing"),
        (status = 409, description = "It names another proof, or is another tenant's"),
        (status = 410, description = "The proof is deleted or expired"),
    ),
    security(("token" = ["admin"]), ("token" = ["operator"]))
)]
pub(crate) async fn bind_alias<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: LegacyId,
    body: Bytes,
) -> Result<Reply, Error> {
    let AliasBody { proof, reassign } = service.read(body, |body| AliasBody::parse(&body)).await?;
    let bound = if reassign {
        if !caller.may(Scope::Operator) {
            return Err(Problem::insufficient_scope(Scope::Operator).at("reassign").into());
        }
        aliases::reassign(service, &id, &proof).await?
    } else {
        aliases::name(service, &id, &proof, &caller.tenant).await?
    };
    let status = if bound { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Reply::json(status, &Alias { id, proof }))
}

/// Take a legacy id back
///
/// It leads nowhere any more: for who takes a migration back.
#[utoipa::path(
    delete, path = "/v1/aliases/{id}", tag = "aliases", operation_id = "withdrawAlias",
    params(
        ("id" = LegacyId, Path, description = "The id that the proof had in the store that was taken over"),
        ("proof" = ProofId, Query, description = "The proof that it leads to"),
    ),
    responses(
        (status = 204, description = "It leads nowhere (any more)", headers(
            ("credlink-deleted" = String, description = "When it was taken back; not there where it never led anywhere"),
        )),
        (status = 412, description = "It leads to another proof"),
    ),
    security(("token" = ["admin"]))
)]
pub(crate) async fn withdraw_alias<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: &LegacyId,
    proof: &ProofId,
) -> Result<Reply, Error> {
    Ok(gone(aliases::withdraw(service, id, proof, &caller.tenant).await?))
}

/// List the C2PA manifests that were stored by themselves
///
/// Those of the credential's tenant. They stay where no proof holds them.
#[utoipa::path(
    get, path = "/v1/manifests", tag = "manifests", operation_id = "listManifests",
    params(
        Page,
    ),
    responses(
        (status = 200, description = "A page", body = ManifestPage),
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
