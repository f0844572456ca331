//! The operations as HTTP has them, and the OpenAPI 3.1 document that is generated from them.

pub(crate) mod aliases;

use std::sync::LazyLock;

use bytes::Bytes;
use credlink_core::access::{Caller, Scope};
use credlink_core::hash::MediaHash;
use credlink_core::http::problem::{Document, Kind, Problem};
use credlink_core::http::reply::{Body, Reply};
use credlink_core::job::JobName;
use credlink_core::link;
use credlink_core::manifest::Manifest;
use credlink_core::manifest_id::ManifestId;
use credlink_core::object::{JSON_TYPE, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::ProofRow;
use credlink_core::rules::migration::MigrationBody;
use credlink_core::rules::store::{BatchDeleteBody, Draft, StoreBody, manifest_problem};
use credlink_core::time::Timestamp;
use futures_util::{StreamExt as _, stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, IF_MATCH, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::OpenApi as _;

use crate::error::Error;
use crate::list::{ProofPage, Summary, list};
use crate::migrate::jobs::{Begun, JobError, JobRequest, Jobs as _, Progress};
use crate::overview::{self, Health, Stats, Status};
use crate::ports::Ports;
use crate::router::with_tag;
use crate::service::{Service, owned};
use crate::store::{Stored, store_manifest as store_alone};
use crate::supersede::{live_row, supersede};
use crate::take_over::take_over;
use crate::{delete, ports};

/// Deletions of one batch that are under way at once.
const BATCH_CONCURRENCY: usize = 16;

/// When a proof was deleted, in the answer to a conditional deletion.
const DELETED: HeaderName = HeaderName::from_static("credlink-deleted");

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

/// The answer to a batch of deletions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct BatchReply {
    /// Ids that have no proof now.
    deleted: Vec<String>,
    /// Ids that could not be deleted.
    failed: Vec<BatchFailure>,
}

/// An id that could not be deleted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct BatchFailure {
    /// The id as it was sent.
    id: String,
    /// The kind of problem: the end of its `type`.
    problem: &'static str,
    /// What is wrong, in words.
    detail: String,
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

/// The answer to a manifest that is stored by itself.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct ManifestReply {
    /// The active manifest's id.
    manifest_id: String,
    /// Where it is.
    url: String,
}

impl<P: Ports> Service<P> {
    fn url(&self, key: &ObjectKey) -> String {
        format!("{}/v1{}", self.settings.public_url, link::path(key))
    }

    fn store_reply(&self, stored: &Stored) -> Reply {
        let row = &stored.row;
        let record = ObjectKey::Record(row.id);
        let body = StoreReply {
            deduplicated: stored.deduplicated,
            identical: stored.identical,
            proof: Summary::from(row),
            url: self.url(&record),
            manifest_url: row.manifest_id.clone().map(|id| self.url(&ObjectKey::Manifest(id))),
        };
        let created = !stored.deduplicated && row.revision == row.first_revision;
        let status = if created { StatusCode::CREATED } else { StatusCode::OK };
        let reply = Reply::json(status, &body).with(LOCATION, &format!("/v1{}", link::path(&record)));
        with_tag(reply, &row.record_sha256)
    }
}

/// Store a proof
///
/// The same media file always has the same proof: a second store is answered with the first one's, `deduplicated`,
/// and says whether it is `identical`. Nothing is replaced.
#[utoipa::path(
    post, path = "/v1/proofs", tag = "proofs", operation_id = "storeProof",
    request_body(content = StoreBody, content_type = "application/json"),
    responses(
        (status = 201, description = "Stored", body = StoreReply),
        (status = 200, description = "There already", body = StoreReply),
        (status = 409, description = "The manifest id has another content", body = Document, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Document, content_type = "application/problem+json"),
        (status = 415, description = "Not JSON", body = Document, content_type = "application/problem+json"),
        (status = 422, description = "The manifest binds another file", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["store:manifests"]))
)]
pub(crate) async fn store_proof<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    body: Bytes,
) -> Result<Reply, Error> {
    let draft = Draft::parse(&body, caller.tenant.clone(), None)?;
    if let Some(legacy) = service.alone() {
        return Ok(service.store_reply(&service.store_alone(legacy, caller, &draft).await?));
    }
    if draft.origin.is_some() {
        may_take_over(caller)?;
    }
    Ok(service.store_reply(&take_over(service, &draft).await?))
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
/// `If-Match` names the record that is replaced, by its ETag. The earlier record stays readable under its revision.
#[utoipa::path(
    put, path = "/v1/proofs/{id}", tag = "proofs", operation_id = "supersedeProof",
    params(
        ("id" = String, Path, description = "The proof"),
        ("If-Match" = String, Header, description = "The ETag of the current record, or `*`"),
    ),
    request_body(content = StoreBody, content_type = "application/json", description = "As for a store; `media_hash` may be left out"),
    responses(
        (status = 200, description = "Replaced", body = StoreReply),
        (status = 404, description = "No such proof", body = Document, content_type = "application/problem+json"),
        (status = 410, description = "Deleted or expired", body = Document, content_type = "application/problem+json"),
        (status = 412, description = "It has changed since", body = Document, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = Document, content_type = "application/problem+json"),
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
    let draft = |row: &ProofRow| -> Result<Draft, Problem> {
        let known: &MediaHash = &row.media_hash;
        let draft = Draft::parse(&body, caller.tenant.clone(), Some(known))?;
        if draft.origin.is_some() {
            may_take_over(caller)?;
        }
        Ok(draft)
    };
    let stored = supersede(service, id, &caller.tenant, headers, draft).await?;
    Ok(service.store_reply(&stored))
}

/// Delete a proof
#[utoipa::path(
    delete, path = "/v1/proofs/{id}", tag = "proofs", operation_id = "deleteProof",
    params(
        ("id" = String, Path, description = "The proof"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the record that shall go, where no other shall"),
    ),
    responses(
        (status = 204, description = "It is not there (any more)", headers(
            ("credlink-deleted" = String, description = "When this request deleted it, where `If-Match` was sent; not there where there was nothing to delete"),
        )),
        (status = 412, description = "It has changed since", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "Any problem", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["delete:manifests"]))
)]
pub(crate) async fn delete_proof<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: &ProofId,
    headers: &HeaderMap,
) -> Result<Reply, Error> {
    let deleted = delete::delete_proof(service, id, &caller.tenant, headers).await?;
    let reply = Reply::empty(StatusCode::NO_CONTENT);
    Ok(match deleted.filter(|_| headers.contains_key(IF_MATCH)) {
        Some(at) => reply.with(DELETED, &at.to_string()),
        None => reply,
    })
}

/// A deletion of a batch.
async fn delete_one<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: &ProofId,
    any: &HeaderMap,
) -> Result<(), Error> {
    service.bring(id).await?;
    delete::delete_proof(service, id, &caller.tenant, any).await.map(drop)
}

/// Delete up to 1,000 proofs
#[utoipa::path(
    post, path = "/v1/proofs/batch-delete", tag = "proofs", operation_id = "batchDelete",
    request_body(content = BatchDeleteBody, content_type = "application/json"),
    responses(
        (status = 200, description = "What became of each", body = BatchReply),
        (status = "default", description = "Any problem", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["delete:manifests"]))
)]
pub(crate) async fn batch_delete<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    body: Bytes,
) -> Result<Reply, Error> {
    let ids = BatchDeleteBody::parse(&body)?.ids;
    let any = HeaderMap::new();
    let results: Vec<(String, Option<Problem>)> = stream::iter(ids)
        .map(async |id: String| {
            let problem = match id.parse::<ProofId>() {
                Err(error) => Some(Problem::field("id", error)),
                Ok(parsed) => match delete_one(service, caller, &parsed, &any).await {
                    Ok(()) => None,
                    Err(error) => {
                        if let Error::Failure(failure) = &error {
                            tracing::error!(proof_id = %parsed, reason = %failure, "a deletion of a batch failed");
                        }
                        Some(error.problem())
                    }
                },
            };
            (id, problem)
        })
        .buffered(BATCH_CONCURRENCY)
        .collect()
        .await;
    let mut reply = BatchReply { deleted: Vec::new(), failed: Vec::new() };
    for (id, problem) in results {
        match problem {
            None => reply.deleted.push(id),
            Some(problem) => {
                reply.failed.push(BatchFailure { id, problem: problem.kind.slug(), detail: problem.detail });
            }
        }
    }
    Ok(Reply::json(StatusCode::OK, &reply))
}

/// List proofs, or find one by its media hash
///
/// With `media_hash` the answer is that proof's record, as at `/v1/proofs/{id}`, and public like it.
#[utoipa::path(
    get, path = "/v1/proofs", tag = "proofs", operation_id = "listProofs",
    params(
        ("media_hash" = Option<String>, Query, description = "`sha256:` and 64 hexadecimal digits"),
        ("tenant" = Option<String>, Query, description = "With `media_hash`: the owner, `default` by default"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000, 100 by default"),
        ("form" = Option<String>, Query, description = "With `media_hash`, `stored`: as it is stored, for who keeps a copy"),
    ),
    responses(
        (status = 200, description = "A page; or, with `media_hash`, the record", content((ListReply = "application/json"), (Vec<u8> = "application/vnd.credlink.object")), headers(
            ("credlink-attributes" = Option<String>, description = "With `form=stored`: what is stored beside the bytes, as JSON"),
        )),
        (status = 206, description = "The part that `Range` asks for, of the record", body = String, content_type = "application/json"),
        (status = 304, description = "The client has it"),
        (status = 404, description = "No such proof", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "Any problem", body = Document, content_type = "application/problem+json"),
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

/// Begin a migration
///
/// A message is queued that has the source listed; the items are copied from the queue. The same job again is another
/// run of it: what is done is not done twice.
#[utoipa::path(
    post, path = "/v1/migrations", tag = "migrations", operation_id = "beginMigration",
    request_body(content = MigrationBody, content_type = "application/json"),
    responses(
        (status = 202, description = "Queued", body = Progress, headers(("location" = String, description = "Where its progress is"))),
        (status = 409, description = "The job has another source, or is being listed", body = Document, content_type = "application/problem+json"),
        (status = 501, description = "There is no queue or no table", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["admin"]))
)]
pub(crate) async fn begin_migration<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    body: Bytes,
    request_id: &str,
) -> Result<Reply, Error> {
    let body = MigrationBody::parse(&body)?;
    let request = JobRequest {
        batch_size: body.batch_size(),
        name: body.name,
        from: body.from,
        tenant: caller.tenant.clone(),
        request_id: request_id.to_owned(),
    };
    match service.ports.jobs().begin(&request).await.map_err(job_error)? {
        Begun::Queued(job) => {
            let location = format!("/v1/migrations/{}", job.name);
            Ok(Reply::json(StatusCode::ACCEPTED, &Progress::of(job)).with(LOCATION, &location))
        }
        Begun::Held => {
            let detail = format!(
                "the source of the job `{}` is being listed; try again when it is done",
                request.name
            );
            Err(Problem::new(Kind::Contended, detail).into())
        }
        Begun::Differs(job) => {
            // Whose it is, and where that one's proofs are, is nobody else's business.
            let detail = if job.tenant == caller.tenant {
                format!("the job `{}` is from {} to {}; take another name", job.name, job.from, job.to)
            } else {
                format!("the job `{}` is another tenant's; take another name", job.name)
            };
            Err(Problem::new(Kind::JobConflict, detail).at("name").into())
        }
    }
}

/// Read how far a migration is
///
/// It counts the items of 20,000 entries at most. Where there are more, `next` says where the counting goes on.
#[utoipa::path(
    get, path = "/v1/migrations/{job}", tag = "migrations", operation_id = "showMigration",
    params(
        ("job" = String, Path, description = "The job's name"),
        ("after" = Option<String>, Query, description = "`next` of the answer before"),
    ),
    responses(
        (status = 200, description = "The job, and its items by what became of them", body = Progress),
        (status = 404, description = "No such job", body = Document, content_type = "application/problem+json"),
        (status = 501, description = "There is no queue or no table", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["admin"]))
)]
pub(crate) async fn show_migration<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    job: &JobName,
    after: Option<&str>,
) -> Result<Reply, Error> {
    let progress = service.ports.jobs().progress(job, after).await.map_err(job_error)?;
    match progress.filter(|progress| progress.tenant == caller.tenant) {
        Some(progress) => Ok(Reply::json(StatusCode::OK, &progress)),
        None => Err(Problem::new(Kind::NotFound, format!("there is no job `{job}`")).into()),
    }
}

fn job_error(error: JobError) -> Error {
    match error {
        JobError::NotConfigured(what) => Problem::new(Kind::NotConfigured, what).into(),
        JobError::Source(why) => Problem::field("from", why).into(),
        JobError::Failure(failure) => failure.into(),
    }
}

/// Sign a link
///
/// Who holds the link may read the proof and its manifest until it expires, also where they are private.
#[utoipa::path(
    get, path = "/v1/proofs/{id}/url", tag = "proofs", operation_id = "signLink",
    params(
        ("id" = String, Path, description = "The proof"),
        ("expires_in" = Option<u64>, Query, description = "Seconds, 1 to 604,800, 3,600 by default"),
    ),
    responses(
        (status = 200, description = "The link", body = LinkReply),
        (status = 404, description = "No such proof", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["store:manifests"]))
)]
pub(crate) async fn sign_link<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: &ProofId,
    expires_in: u64,
) -> Result<Reply, Error> {
    let row = live_row(service, id).await?;
    owned(&row.tenant, &caller.tenant)?;
    let Some(keys) = &service.settings.link_keys else {
        return Err(ports::Failure {
            provider: "links",
            kind: ports::FailureKind::AccessDenied,
            message: "no link key is configured".to_owned(),
        }
        .into());
    };
    let expires = service.now().plus_seconds(expires_in);
    let sign = |key: &ObjectKey| format!("{}?{}", service.url(key), keys.sign(key, expires));
    let reply = LinkReply {
        url: sign(&ObjectKey::Record(row.id)),
        manifest_url: row.manifest_id.map(|id| sign(&ObjectKey::Manifest(id))),
        expires,
    };
    Ok(Reply::json(StatusCode::OK, &reply))
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
    params(("manifest_id" = String, Path, description = "The active manifest's id")),
    responses(
        (status = 204, description = "It is not there (any more)"),
        (status = 409, description = "Proofs hold it", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["delete:manifests"]))
)]
pub(crate) async fn delete_manifest<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: &ManifestId,
) -> Result<Reply, Error> {
    delete::delete_manifest(service, id, &caller.tenant).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// The state of each provider
#[utoipa::path(
    get, path = "/v1/health", tag = "operation", operation_id = "health",
    responses(
        (status = 200, description = "Everything answers, or something stands in for what does not", body = Health),
        (status = 503, description = "The service cannot store or find a proof", body = Health),
        (status = "default", description = "Any problem", body = Document, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn health<P: Ports>(service: &Service<P>) -> Reply {
    let health = overview::health(service).await;
    let status = match health.status {
        Status::Ok | Status::Degraded => StatusCode::OK,
        Status::Down => StatusCode::SERVICE_UNAVAILABLE,
    };
    Reply::json(status, &health)
}

/// Counts, bytes and the cache's hits by layer
#[utoipa::path(
    get, path = "/v1/stats", tag = "operation", operation_id = "stats",
    responses(
        (status = 200, description = "Statistics", body = Stats),
        (status = "default", description = "Any problem", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["admin"]))
)]
pub(crate) async fn stats<P: Ports>(service: &Service<P>) -> Result<Reply, Error> {
    Ok(Reply::json(StatusCode::OK, &overview::stats(service).await?))
}

/// This document
#[utoipa::path(
    get, path = "/v1/openapi.json", tag = "operation", operation_id = "openapi",
    responses(
        (status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json"),
        (status = "default", description = "Any problem", body = Document, content_type = "application/problem+json"),
    )
)]
pub(crate) fn document() -> Reply {
    let mut reply = Reply::empty(StatusCode::OK);
    reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON_TYPE));
    reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    reply.body = Body::Bytes(DOCUMENT.clone());
    reply
}

/// Read a record
///
/// Public, unless the proof is private. Conditional requests, ranges and content codings as RFC 9110 has them.
#[utoipa::path(
    get, path = "/v1/proofs/{id}", tag = "proofs", operation_id = "readProof",
    params(
        ("id" = String, Path, description = "The proof; or the id that it had in a store that was taken over, which leads to it"),
        ("If-None-Match" = Option<String>, Header, description = "ETags of what the client has"),
        ("form" = Option<String>, Query, description = "`stored`: as it is stored, for who keeps a copy"),
    ),
    responses(
        (status = 200, description = "The record", content((Record = "application/json"), (Vec<u8> = "application/vnd.credlink.object")), headers(
            ("credlink-attributes" = Option<String>, description = "With `form=stored`: what is stored beside the bytes, as JSON"),
        )),
        (status = 206, description = "The part that `Range` asks for", body = String, content_type = "application/json"),
        (status = 304, description = "The client has it"),
        (status = 308, description = "By an earlier id: where the proof is", headers(
            ("location" = String, description = "The proof's id: a reference relative to this path"),
        )),
        (status = 404, description = "No such proof", body = Document, content_type = "application/problem+json"),
        (status = 410, description = "Deleted or expired", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = Document, content_type = "application/problem+json"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn read_proof() {}

/// Read an earlier record
#[utoipa::path(
    get, path = "/v1/proofs/{id}/{revision}", tag = "proofs", operation_id = "readRevision",
    params(
        ("id" = String, Path, description = "The proof"),
        ("revision" = u32, Path, description = "From 1"),
        ("form" = Option<String>, Query, description = "`stored`: as it is stored, for who keeps a copy"),
    ),
    responses(
        (status = 200, description = "The record", content((Record = "application/json"), (Vec<u8> = "application/vnd.credlink.object")), headers(
            ("credlink-attributes" = Option<String>, description = "With `form=stored`: what is stored beside the bytes, as JSON"),
        )),
        (status = 206, description = "The part that `Range` asks for", body = String, content_type = "application/json"),
        (status = 304, description = "The client has it"),
        (status = 404, description = "No such revision, or the current one", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = Document, content_type = "application/problem+json"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn read_revision() {}

/// Read a record by its media hash
#[utoipa::path(
    get, path = "/v1/proofs/by-hash/{media_hash}", tag = "proofs", operation_id = "readByHash",
    params(
        ("media_hash" = String, Path, description = "64 hexadecimal digits"),
        ("tenant" = Option<String>, Query, description = "The owner, `default` by default"),
        ("form" = Option<String>, Query, description = "`stored`: as it is stored, for who keeps a copy"),
    ),
    responses(
        (status = 200, description = "The record", content((Record = "application/json"), (Vec<u8> = "application/vnd.credlink.object")), headers(
            ("credlink-attributes" = Option<String>, description = "With `form=stored`: what is stored beside the bytes, as JSON"),
        )),
        (status = 206, description = "The part that `Range` asks for", body = String, content_type = "application/json"),
        (status = 304, description = "The client has it"),
        (status = 404, description = "No such proof", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = Document, content_type = "application/problem+json"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn read_by_hash() {}

/// Read a C2PA manifest
///
/// What the XMP of a picture points to. The bytes are exactly those that were stored.
#[utoipa::path(
    get, path = "/v1/manifests/{manifest_id}", tag = "manifests", operation_id = "readManifest",
    params(
        ("manifest_id" = String, Path, description = "The active manifest's id; colons plain or as `%3A`"),
        ("form" = Option<String>, Query, description = "`stored`: as it is stored, for who keeps a copy"),
    ),
    responses(
        (status = 200, description = "The manifest store", content((Vec<u8> = "application/c2pa"), (Vec<u8> = "application/vnd.credlink.object")), headers(
            ("credlink-attributes" = Option<String>, description = "With `form=stored`: what is stored beside the bytes, as JSON"),
        )),
        (status = 206, description = "The part that `Range` asks for", body = Vec<u8>, content_type = "application/c2pa"),
        (status = 304, description = "The client has it"),
        (status = 404, description = "No such manifest", body = Document, content_type = "application/problem+json"),
        (status = 410, description = "Deleted", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "Any other problem", body = Document, content_type = "application/problem+json"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn read_manifest() {}

/// What holds for all paths.
const DESCRIPTION: &str = "\
Keeps the proof of a picture or a video outside the file, and finds it again.

HEAD is taken wherever GET is, and OPTIONS everywhere. The CDN domain has the paths that read without `/v1`: \
`/proofs/{id}`, `/proofs/{id}/{revision}`, `/proofs/by-hash/{media_hash}`, `/manifests/{manifest_id}` and `/health`.

With `form=stored` in the query, a record or a manifest is answered as it is stored, as `application/vnd.credlink.object`, \
with its attributes as JSON in the header `credlink-attributes`: for who keeps a copy.

Bodies may be sent with `Content-Encoding: gzip`. Every answer has an `x-request-id`: the client's own, if it sent a \
sensible one. Whatever goes wrong is told as `application/problem+json` (RFC 9457); a credential that is shown has to \
be good, also where none is needed.";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "CredLink", description = DESCRIPTION),
    paths(
        store_proof, list_proofs, read_proof, supersede_proof, delete_proof, read_revision, read_by_hash, sign_link,
        batch_delete, aliases::list_aliases, aliases::bind_alias, aliases::withdraw_alias, aliases::list_manifests,
        store_manifest, read_manifest, delete_manifest, begin_migration, show_migration, health, stats,
        document,
    ),
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

static DOCUMENT: LazyLock<Bytes> =
    LazyLock::new(|| Api::openapi().to_json().map(Bytes::from).unwrap_or_default());
