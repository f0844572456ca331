//! Storing, replacing, deleting, listing and sharing proofs.

use bytes::Bytes;
use credlink_core::access::{Caller, Scope};
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
use crate::list::{ProofPage, Summary, list};
use crate::service::Service;
use crate::store::Stored;
use crate::supersede::{live_row, supersede};
use crate::take_over::take_over;

/// The answer to a store or a replacement.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct StoreReply {
    /// Whether the proof was there already, and nothing was stored.
    deduplicated: bool,
    /// Whether the proof that is there has the manifest and the signature that were sent.
    identical: bool,
    #[serde(flatten)]
    proof: Summary,
    /// Where the record is.
    url: String,
    /// Where a C2PA manifest is: what the picture's XMP points to.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_url: Option<String>,
}

/// The answer to a list: a page, or the one record that was asked for by its media hash.
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
    /// Opens the record.
    url: String,
    /// Opens the C2PA manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_url: Option<String>,
    /// Until when.
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

/// The status of a store (RFC 9110, section 15.3.2).
const fn status_of(stored: &Stored) -> StatusCode {
    if stored.deduplicated { StatusCode::OK } else { StatusCode::CREATED }
}

/// Store a proof
///
/// The same media file always has the same proof: a second store is answered with the first one's, `deduplicated`,
/// and says whether it is `identical`. Nothing is replaced. A proof that has expired gets a next
/// revision (201). Whoever is refused leaves nothing: its manifest is not served, and its manifest id is free.
#[utoipa::path(
    post, path = "/v1/proofs", tag = "proofs", operation_id = "storeProof",
    request_body = StoreBody,
    responses(
        (status = 201, description = "Stored, or stored as the next revision of a proof that had expired", body = StoreReply),
        (status = 200, description = "There already", body = StoreReply),
        (status = 403, description = "`tenant` names another tenant than the caller's, or a scope is missing"),
        (status = 409, description = "The manifest id has another content; or, with `origin`, it was private when it was deleted here, and would be published"),
        (status = 410, description = "With `origin`: it was deleted since, and is not taken over"),
        (status = 413, description = "Too large"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "The manifest binds another file"),
    ),
    security(("token" = ["store:manifests"]))
)]
pub(crate) async fn store_proof<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    body: Bytes,
) -> Result<Reply, Error> {
    let tenant = caller.tenant.clone();
    let draft = service.read(body, move |body| Draft::parse(&body, tenant, None)).await?;
    if let Some(legacy) = service.alone() {
        let stored = service.store_alone(legacy, caller, &draft).await?;
        return Ok(service.store_reply(&stored, status_of(&stored)));
    }
    if draft.origin.is_some() {
        may_take_over(caller)?;
    }
    let stored = take_over(service, &draft).await?;
    Ok(service.store_reply(&stored, status_of(&stored)))
}

/// What a proof brings along from another store is the word of an administrator.
fn may_take_over(caller: &Caller) -> Result<(), Problem> {
    if caller.may(Scope::Admin) {
        Ok(())
    } else {
        Err(Problem::insufficient_scope(Scope::Admin).at("origin"))
    }
}

/// Replace a proof's manifest
///
/// `If-Match` names the record that is replaced, by its ETag. The earlier record stays readable under its revision. The same
/// request again, for whoever did not get the answer, is answered with 200 and the same ETag, as long as nobody went on from there.
/// Whoever is refused leaves nothing: its manifest is not served, and its manifest id is free.
#[utoipa::path(
    put, path = "/v1/proofs/{id}", tag = "proofs", operation_id = "supersedeProof",
    params(
        ("id" = ProofId, Path, description = "The proof"),
        ("If-Match" = String, Header, description = "The ETag of the current record, or `*`. A weak one (`W/`) never matches"),
    ),
    request_body(content = StoreBody, content_type = "application/json", description = "As for a store; `media_hash` may be left out"),
    responses(
        (status = 200, description = "Replaced, by this request or the same one before", body = StoreReply),
        (status = 404, description = "No such proof"),
        (status = 410, description = "Deleted or expired"),
        (status = 412, description = "It has changed since"),
        (status = 422, description = "The manifest binds another file"),
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
    // Read before anything else, and told of in its turn: a proof that is not there is not there whatever the body is.
    let read = service.read(body, |body| Ok(CheckedBody::of_replacement(&body))).await?;
    let draft = |row: &ProofRow| -> Result<Draft, Problem> {
        let draft = read.clone()?.draft(caller.tenant.clone(), &row.media_hash)?;
        if draft.origin.is_some() {
            may_take_over(caller)?;
        }
        Ok(draft)
    };
    let stored = supersede(service, id, &caller.tenant, headers, draft).await?;
    Ok(service.store_reply(&stored, StatusCode::OK))
}

/// Delete a proof
///
/// It is answered with 410 from then on, and so are its earlier revisions and the manifests that no other proof holds. A deletion that
/// fails may have begun: the same request again ends it, and cleanup does so within minutes.
#[utoipa::path(
    delete, path = "/v1/proofs/{id}", tag = "proofs", operation_id = "deleteProof",
    params(
        ("id" = ProofId, Path, description = "The proof"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the record that shall go, where no other shall"),
        DeletedAt,
    ),
    responses(
        (status = 204, description = "It is not there (any more)", headers(
            ("credlink-deleted" = String, description = "When this request deleted it, where `If-Match` or `credlink-deleted` was sent; not there where there was nothing to delete"),
        )),
        (status = 412, description = "It has changed since"),
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
/// With `media_hash` the answer is that proof's record, as at `/v1/proofs/{id}`, and public like it; `after` and `limit` are
/// refused beside it. Without it, `tenant`, `form` and the parameters of a signed link are.
#[utoipa::path(
    get, path = "/v1/proofs", tag = "proofs", operation_id = "listProofs",
    params(
        ("media_hash" = Option<MediaHash>, Query, description = "`sha256:` and 64 hexadecimal digits"),
        ("tenant" = Option<Tenant>, Query, description = "With `media_hash`: the owner, `default` by default"),
        Page,
        ("form" = Option<String>, Query, description = "With `media_hash`, `stored`: as it is stored, for who keeps a copy"),
    ),
    responses(
        (status = 200, description = "A page; or, with `media_hash`, the record", body = ListReply),
        (status = 206, description = "The part that `Range` asks for, of the record"),
        (status = 404, description = "No such proof"),
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
/// Who holds the link may read the proof and its manifest until it expires, also where they are private.
#[utoipa::path(
    get, path = "/v1/proofs/{id}/url", tag = "proofs", operation_id = "signLink",
    params(
        ("id" = ProofId, Path, description = "The proof"),
        ("expires_in" = Option<u64>, Query, description = "Seconds, 1 to 604,800, 3,600 by default", minimum = 1, maximum = 604800),
    ),
    responses(
        (status = 200, description = "The link", body = LinkReply),
        (status = 404, description = "No such proof"),
        (status = 410, description = "Deleted or expired"),
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
