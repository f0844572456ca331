//! Legacy IDs on their own.

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
use crate::service::Service;

/// List legacy IDs
///
/// Lists the legacy IDs of the credential's tenant: the IDs that imported proofs had in their previous store, and that
/// lead to a proof.
#[utoipa::path(
    get, path = "/v1/aliases", tag = "aliases", operation_id = "listAliases",
    params(
        Page,
    ),
    responses(
        (status = 200, description = "A page of legacy IDs", body = AliasPage),
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

/// Bind a legacy ID to a proof
///
/// For importing another store: the ID leads to the proof permanently, at `/proofs/{id}`. An ID that has led to a proof
/// of a tenant remains that tenant's, even after the proof is gone; an operator can give it to another tenant with
/// `reassign`.
#[utoipa::path(
    put, path = "/v1/aliases/{id}", tag = "aliases", operation_id = "bindAlias",
    params(("id" = LegacyId, Path, description = "The ID that the proof had in the store from which it was imported. A proof ID is refused, because it already leads to its proof")),
    request_body = AliasBody,
    responses(
        (status = 201, description = "The ID now leads to the proof", body = Alias),
        (status = 200, description = "The ID already led to the proof", body = Alias),
        (status = 404, description = "There is no such proof"),
        (status = 403, description = "The proof is another tenant's, or a scope is missing"),
        (status = 409, description = "The ID names another proof, or is another tenant's"),
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

/// Withdraw a legacy ID
///
/// The ID no longer leads to the proof. This is for rolling back a migration.
#[utoipa::path(
    delete, path = "/v1/aliases/{id}", tag = "aliases", operation_id = "withdrawAlias",
    params(
        ("id" = LegacyId, Path, description = "The ID that the proof had in the store from which it was imported"),
        ("proof" = ProofId, Query, description = "The proof to which the ID leads"),
    ),
    responses(
        (status = 204, description = "The ID leads nowhere", headers(
            ("credlink-deleted" = String, description = "The time at which the ID was withdrawn; absent if it never led anywhere"),
        )),
        (status = 412, description = "The ID leads to another proof"),
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
