//! Storing, replacing, deleting, listing and sharing proofs.

use bytes::Bytes;
use credlink_core::access::Caller;
use credlink_core::hash::MediaHash;
use credlink_core::http::conditional::{check_removal_form, check_replacement_form, with_tag};
use credlink_core::http::problem::Problem;
use credlink_core::http::reply::Reply;
use credlink_core::link;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::ProofRow;
use credlink_core::rules::store::{CheckedBody, Draft, StoreBody};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use http::header::{IF_MATCH, LOCATION};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use credlink_ports as ports;
use credlink_ports::Ports;

use super::parameters::{DeletedAt, Page};
use super::{gone, requested_instant};
use crate::delete;
use crate::error::Error;
use crate::import::{may_import, store_or_import};
use crate::list::{ProofPage, Summary, list};
use crate::rows::live_row;
use crate::service::Service;
use crate::stored::Stored;
use crate::supersede::supersede;

/// The answer to a store or a replacement.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct StoreReply {
    /// `true` if the proof already existed, and nothing was stored.
    deduplicated: bool,
    /// `true` if the existing proof has the manifest and the signature that were sent.
    identical: bool,
    #[serde(flatten)]
    proof: Summary,
    /// The URL of the record.
    url: String,
    /// The URL of a C2PA manifest, which the XMP of a picture points to.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_url: Option<String>,
}

/// The answer to a list: a page, or the one record with the requested media hash.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, clippy::large_enum_variant, reason = "describes two answers that are made elsewhere")]
enum ListReply {
    Page(ProofPage),
    Record(Record),
}

/// A signed link.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct LinkReply {
    /// A link to the record.
    url: String,
    /// A link to the C2PA manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_url: Option<String>,
    /// The time at which the links expire.
    #[schema(value_type = String, format = DateTime)]
    expires: Timestamp,
}

impl<P: Ports> Service<P> {
    fn store_reply(&self, stored: &Stored, status: StatusCode) -> Reply {
        let row = &stored.row;
        let record = ObjectKey::Record(row.id);
        let body = StoreReply {
            deduplicated: stored.deduplicated,
            identical: stored.identical,
            proof: Summary::from(row),
            url: self.url(&record),
            manifest_url: row.manifest_key().map(|key| self.url(&ObjectKey::Manifest(key))),
        };
        let reply = Reply::json(status, &body).with(LOCATION, &format!("/v1{}", link::path(&record)));
        with_tag(reply, &row.record_sha256)
    }
}

/// Returns the status of a store (RFC 9110, section 15.3.2).
const fn status_of(stored: &Stored) -> StatusCode {
    if stored.deduplicated { StatusCode::OK } else { StatusCode::CREATED }
}

/// Store a proof
///
/// A media file always has the same proof. If the proof already exists, it is returned with `deduplicated`, and
/// `identical` says whether it has the same manifest and signature; nothing is replaced. An expired proof gets another
/// revision (201). A refused request leaves nothing behind: its manifest is not served, and its manifest ID stays free.
#[utoipa::path(
    post, path = "/v1/proofs", tag = "proofs", operation_id = "storeProof",
    request_body = StoreBody,
    responses(
        (status = 201, description = "The proof is stored, or is the next revision of an expired proof", body = StoreReply),
        (status = 200, description = "The proof already existed", body = StoreReply),
        (status = 403, description = "`tenant` names a tenant other than the caller's, or a scope is missing"),
        (status = 409, description = "The manifest ID has another content; or, with `origin`, the manifest was private when it was deleted here, and would be published"),
        (status = 410, description = "With `origin`: the proof has been deleted here, and is not imported again"),
        (status = 413, description = "The body is too large"),
        (status = 415, description = "The body is not JSON"),
        (status = 422, description = "The manifest is bound to another file"),
    ),
    security(("token" = ["store:manifests"]))
)]
pub(crate) async fn store_proof<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    body: Bytes,
) -> Result<Reply, Error> {
    let draft = read_draft(service, caller, body).await?;
    store_draft(service, caller, &draft).await
}

/// Reads the body of a store.
///
/// # Errors
/// An invalid body, or a shutdown of the process.
pub async fn read_draft<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    body: Bytes,
) -> Result<Draft, Error> {
    let tenant = caller.tenant.clone();
    service.read(body, move |body| Draft::parse(&body, tenant, None)).await
}

/// Stores a draft, or imports it.
///
/// # Errors
/// The errors of [`store_or_import`].
pub async fn store_draft<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    draft: &Draft,
) -> Result<Reply, Error> {
    let stored = store_or_import(service, caller, draft).await?;
    Ok(store_reply(service, &stored))
}

/// Returns the answer to a store.
pub fn store_reply<P: Ports>(service: &Service<P>, stored: &Stored) -> Reply {
    service.store_reply(stored, status_of(stored))
}

/// Replace a proof's manifest
///
/// `If-Match` names the ETag of the record to replace. The earlier record stays readable under its revision. A repeated
/// request, for example after a lost answer, gets 200 and the same ETag, as long as nobody has replaced the proof
/// again. A refused request leaves nothing behind: its manifest is not served, and its manifest ID stays free.
#[utoipa::path(
    put, path = "/v1/proofs/{id}", tag = "proofs", operation_id = "supersedeProof",
    params(
        ("id" = ProofId, Path, description = "The proof ID"),
        ("If-Match" = String, Header, description = "The ETag of the current record, or `*`. A weak ETag (`W/`) never matches"),
    ),
    request_body(content = StoreBody, content_type = "application/json", description = "The same as for a store, except that `media_hash` is optional"),
    responses(
        (status = 200, description = "The proof is replaced, by this request or an identical earlier one", body = StoreReply),
        (status = 404, description = "There is no such proof"),
        (status = 410, description = "The proof is deleted or expired"),
        (status = 412, description = "The proof has changed since"),
        (status = 422, description = "The manifest is bound to another file"),
        (status = 428, description = "`If-Match` is missing"),
    ),
    security(("token" = ["store:manifests"]))
)]
pub(crate) async fn supersede_proof<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: &ProofId,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Reply, Error> {
    check_replacement_form(headers)?;
    // The body is read before anything else, but its errors are reported in turn: an absent proof is absent whatever
    // the body is.
    let read = service.read(body, |body| Ok(CheckedBody::of_replacement(&body))).await?;
    let draft = |row: &ProofRow| -> Result<Draft, Problem> {
        let draft = read.clone()?.draft(caller.tenant.clone(), &row.media_hash)?;
        if draft.origin.is_some() {
            may_import(caller)?;
        }
        Ok(draft)
    };
    let stored = supersede(service, id, &caller.tenant, headers, draft).await?;
    Ok(service.store_reply(&stored, StatusCode::OK))
}

/// Delete a proof
///
/// From then on, the proof, its earlier revisions, and the manifests that no other proof holds are answered with 410. A
/// deletion that fails may have begun: repeating the request finishes it, and cleanup does so within minutes.
#[utoipa::path(
    delete, path = "/v1/proofs/{id}", tag = "proofs", operation_id = "deleteProof",
    params(
        ("id" = ProofId, Path, description = "The proof ID"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the only record that may be deleted"),
        DeletedAt,
    ),
    responses(
        (status = 204, description = "The proof is deleted, or there was none", headers(
            ("credlink-deleted" = String, description = "The time at which this request deleted the proof, if `If-Match` or `credlink-deleted` was sent; absent if there was nothing to delete"),
        )),
        (status = 412, description = "The proof has changed since"),
    ),
    security(("token" = ["delete:manifests"]))
)]
pub(crate) async fn delete_proof<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: &ProofId,
    headers: &HeaderMap,
) -> Result<Reply, Error> {
    check_removal_form(headers)?;
    let at = requested_instant(service, caller, headers)?;
    let deleted = delete::delete_proof(service, id, &caller.tenant, headers, at).await?;
    let tells = headers.contains_key(IF_MATCH) || at.is_some();
    Ok(gone(deleted.filter(|_| tells)))
}

/// List proofs, or find one by its media hash
///
/// With `media_hash`, the answer is the record of that proof, as at `/v1/proofs/{id}`, and equally public; `after` and
/// `limit` are refused. Without `media_hash`, `tenant`, `form` and the parameters of a signed link are refused.
#[utoipa::path(
    get, path = "/v1/proofs", tag = "proofs", operation_id = "listProofs",
    params(
        ("media_hash" = Option<MediaHash>, Query, description = "The media hash: `sha256:` and 64 hexadecimal digits"),
        ("tenant" = Option<Tenant>, Query, description = "With `media_hash`: the tenant that owns the proof, `default` by default"),
        Page,
        ("form" = Option<String>, Query, description = "With `media_hash`: `stored` for the stored bytes and their attributes, for a client that mirrors the store"),
    ),
    responses(
        (status = 200, description = "A page of proofs; or, with `media_hash`, the record", body = ListReply),
        (status = 206, description = "The part of the record that `Range` requests"),
        (status = 404, description = "There is no such proof"),
    ),
    security(("token" = ["admin"]), ())
)]
pub(crate) async fn list_proofs<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    after: Option<&str>,
    limit: usize,
) -> Result<Reply, Error> {
    let page = list(service, caller.tenant.clone(), after, limit).await?;
    Ok(Reply::json(StatusCode::OK, &page))
}

/// Sign a link
///
/// Anybody who has the link may read the proof and its manifest until the link expires, even if they are private.
#[utoipa::path(
    get, path = "/v1/proofs/{id}/url", tag = "proofs", operation_id = "signLink",
    params(
        ("id" = ProofId, Path, description = "The proof ID"),
        ("expires_in" = Option<u64>, Query, description = "The lifetime of the link in seconds, from 1 to 604,800; 3,600 by default", minimum = 1, maximum = 604800),
    ),
    responses(
        (status = 200, description = "The signed links", body = LinkReply),
        (status = 404, description = "There is no such proof"),
        (status = 410, description = "The proof is deleted or expired"),
    ),
    security(("token" = ["store:manifests"]))
)]
pub(crate) async fn sign_link<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: &ProofId,
    expires_in: u64,
) -> Result<Reply, Error> {
    let row = live_row(service, id, &caller.tenant).await?;
    let Some(keys) = &service.settings.link_keys else {
        return Err(ports::Failure {
            provider: "links",
            kind: ports::FailureKind::AccessDenied,
            message: "no link key is configured".to_owned(),
        }
        .into());
    };
    let expires = service.now().plus_seconds(expires_in);
    let sign = |key: &ObjectKey, life| format!("{}?{}", service.url(key), keys.sign(key, life, expires));
    let manifest_url = match row.manifest_key() {
        None => None,
        Some(manifest) => {
            let life = service.manifest_row(&manifest).await?.map_or(0, |row| row.generation);
            Some(sign(&ObjectKey::Manifest(manifest), life))
        }
    };
    let reply = LinkReply {
        url: sign(&ObjectKey::Record(row.id), row.first_revision.saturating_sub(1)),
        manifest_url,
        expires,
    };
    Ok(Reply::json(StatusCode::OK, &reply))
}
