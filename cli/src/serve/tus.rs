//! Uploads by [tus 1.0.0](https://tus.io/protocols/resumable-upload), for clients that have it: their bytes come in order, in
//! requests of any length, through this server. `credlink_core::rules::tus` reads the headers, and `body` takes the bytes.
//!
//! An upload is the same as one that `POST /v1/uploads` announces: the same row, rules and quotas, and the same ID. Its
//! bytes go to the same quarantine, and its client asks `GET /v1/uploads/{id}` for the file.

mod body;

use std::sync::Arc;

use bytes::Bytes;
use credlink_core::access::{Caller, Scope};
use credlink_core::file::UploadId;
use credlink_core::http::conditional::http_date;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::row::{UploadRow, UploadState};
use credlink_core::rules::tus::checksum::{ALGORITHMS, Checksum};
use credlink_core::rules::tus::metadata::{self, UPLOAD_METADATA};
use credlink_core::rules::tus::{
    EXTENSIONS, OFFSET_TYPE, PATH, TUS_CHECKSUM_ALGORITHM, TUS_EXTENSION, TUS_MAX_SIZE, TUS_RESUMABLE,
    TUS_VERSION, TusRoute, UPLOAD_EXPIRES, UPLOAD_LENGTH, UPLOAD_OFFSET, VERSION, check_version, length,
    offset,
};
use credlink_deployment::deployment::{DeployedFiles, Deployment};
use credlink_disk::quarantine::QuarantineFolder;
use credlink_server::handler::Pieces;
use credlink_service::error::Error;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use tokio::task::spawn_blocking;

use self::body::Outcome;
use super::logged::LoggedRequest;
use super::reception::{ended, note_arrived};

/// The status of a body that has another checksum than it states, which HTTP itself does not have.
const CHECKSUM_MISMATCH: u16 = 460;

/// Returns `true` if a request belongs to the protocol, and this deployment keeps files.
pub fn is_asked(deployment: &Deployment, head: &Parts) -> bool {
    TusRoute::is_at(head.uri.path()) && folder(deployment).is_some()
}

/// Returns the folder that the bytes of uploads are written to, if this deployment keeps files in one.
fn folder(deployment: &Deployment) -> Option<QuarantineFolder> {
    deployment.files()?.quarantine().folder().cloned()
}

/// Returns the refusal of a deployment that keeps no files in a folder.
fn no_files() -> Problem {
    Problem::new(ProblemKind::NotFound, "this deployment keeps no files")
}

/// Returns the longest body of a request that may have bytes of an upload. Returns `None` for other requests.
pub fn longest(deployment: &Deployment, head: &Parts) -> Option<usize> {
    let files = deployment.files().filter(|_| TusRoute::is_at(head.uri.path()))?;
    // The method that is meant may stand in a header.
    let has_bytes = matches!(head.method, Method::POST | Method::PATCH);
    has_bytes.then(|| usize::try_from(max_size(files)).unwrap_or(usize::MAX))
}

/// Returns the longest file of any collection, in bytes.
fn max_size(files: &DeployedFiles) -> u64 {
    let collections = &files.settings().collections;
    let sizes = collections.names().filter_map(|name| collections.get(name)).map(|rules| rules.max_bytes);
    sizes.max().unwrap_or_default()
}

/// Answers a request without bytes: `OPTIONS`, `HEAD`, `DELETE`.
pub async fn answer(deployment: &Arc<Deployment>, head: &Parts) -> Response<Bytes> {
    respond(deployment, head, None).await
}

/// Answers a request that may have bytes, and answers once they are durable.
pub async fn receive(deployment: &Arc<Deployment>, head: &Parts, body: &mut dyn Pieces) -> Response<Bytes> {
    respond(deployment, head, Some(body)).await
}

async fn respond(
    deployment: &Arc<Deployment>,
    head: &Parts,
    body: Option<&mut dyn Pieces>,
) -> Response<Bytes> {
    let asked = TusRoute::parse(&head.method, head.uri.path(), &head.headers);
    let logged = LoggedRequest::begin(deployment, head, asked.as_ref().map_or("tus", TusRoute::name));
    let mut received = 0;
    let answered = match asked {
        Ok(asked) => perform(deployment, head, asked, body, &mut received).await,
        Err(problem) => Err(problem.into()),
    };
    let mut response = logged.end(head, answered, received);
    response.headers_mut().insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    if head.method == Method::HEAD {
        *response.body_mut() = Bytes::new();
    }
    response
}

async fn perform(
    deployment: &Arc<Deployment>,
    head: &Parts,
    asked: TusRoute,
    body: Option<&mut dyn Pieces>,
    received: &mut u64,
) -> Result<Response<Bytes>, Error> {
    let files = deployment.files().ok_or_else(no_files)?;
    if asked == TusRoute::Options {
        return Ok(options(files, head));
    }
    check_version(&head.headers)?;
    let caller = deployment.service().authorize(head, Some(Scope::MediaWrite)).await?;
    let request = Request { deployment, files, head, caller };
    match (asked, body) {
        (TusRoute::Create, body) => request.create(body, received).await,
        (TusRoute::Show(id), _) => request.show(&id).await,
        (TusRoute::Append(id), Some(body)) => request.append(&id, body, received).await,
        (TusRoute::Terminate(id), _) => request.terminate(&id).await,
        (TusRoute::Options | TusRoute::Append(_), _) => {
            Err(Problem::new(ProblemKind::InvalidRequest, "the request has no body").into())
        }
    }
}

/// A request of a caller who may upload.
struct Request<'a> {
    deployment: &'a Arc<Deployment>,
    files: &'a DeployedFiles,
    head: &'a Parts,
    caller: Caller,
}

impl Request<'_> {
    /// Answers `POST`: an upload is created, perhaps with its first bytes.
    async fn create(
        &self,
        body: Option<&mut dyn Pieces>,
        received: &mut u64,
    ) -> Result<Response<Bytes>, Error> {
        let (service, headers) = (self.deployment.service(), &self.head.headers);
        service.may_change().await?;
        let (length, checksum) = (length(headers)?, Checksum::of(headers)?);
        let collections = &self.files.settings().collections;
        let announcement = metadata::announcement(headers, length, collections, &self.caller)?;
        let row = self.files.begin_upload(service, &self.caller, announcement).await?;
        keep_note(self.deployment, &row, headers).await?;
        let mut response = answer_of(StatusCode::CREATED, &row);
        set(&mut response, LOCATION, &format!("{}{PATH}/{}", self.files.settings().public_url, row.id));
        let Some(body) = body.filter(|_| has_offset_type(headers)) else { return Ok(response) };
        let outcome = body::receive(self.deployment, &row, 0, checksum, body, received).await;
        if let Ok(Outcome::Written(offset)) = outcome {
            set(&mut response, UPLOAD_OFFSET, &offset.to_string());
            return Ok(response);
        }
        // The client was not told the address of the upload, and cannot continue it.
        self.files.abort(service, &self.caller, &row.id).await?;
        outcome.map(|_| mismatch())
    }

    /// Answers `HEAD`: where the upload goes on.
    async fn show(&self, id: &UploadId) -> Result<Response<Bytes>, Error> {
        let row = self.files.upload_in_order(self.deployment.service(), &self.caller, id).await?;
        let is_open = matches!(row.state, UploadState::Pending | UploadState::Uploading);
        let (offset, note) = if is_open {
            let quarantine = folder(self.deployment).ok_or_else(no_files)?;
            let upload = row.clone();
            let read =
                spawn_blocking(move || Ok((quarantine.beginning(&upload)?, quarantine.note(&upload)?)));
            let (offset, note) = body::io("reading an upload", read.await)?;
            if offset == row.size {
                // The client sends nothing more, so this is the time to note that all bytes are here.
                note_arrived(self.deployment, &row).await;
            }
            (offset, note)
        } else {
            (row.size, None)
        };
        let mut response = answer_of(StatusCode::OK, &row);
        set(&mut response, UPLOAD_OFFSET, &offset.to_string());
        set(&mut response, UPLOAD_LENGTH, &row.size.to_string());
        set(&mut response, CACHE_CONTROL, "no-store");
        if let Some(note) = note.and_then(|note| HeaderValue::from_bytes(&note).ok()) {
            response.headers_mut().insert(UPLOAD_METADATA, note);
        }
        Ok(response)
    }

    /// Answers `PATCH`: the next bytes of an upload.
    async fn append(
        &self,
        id: &UploadId,
        body: &mut dyn Pieces,
        received: &mut u64,
    ) -> Result<Response<Bytes>, Error> {
        let headers = &self.head.headers;
        if !has_offset_type(headers) {
            let detail = format!("`content-type`: the bytes of an upload are `{OFFSET_TYPE}`");
            return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail).at("content-type").into());
        }
        let (at, checksum) = (offset(headers)?, Checksum::of(headers)?);
        let row = self.files.expect_more(self.deployment.service(), &self.caller, id).await?;
        check_rest(headers, row.size.saturating_sub(at))?;
        match body::receive(self.deployment, &row, at, checksum, body, received).await? {
            Outcome::Written(offset) => {
                let mut response = answer_of(StatusCode::NO_CONTENT, &row);
                set(&mut response, UPLOAD_OFFSET, &offset.to_string());
                Ok(response)
            }
            Outcome::WrongChecksum => Ok(mismatch()),
        }
    }

    /// Answers `DELETE`: the end of an upload.
    async fn terminate(&self, id: &UploadId) -> Result<Response<Bytes>, Error> {
        let service = self.deployment.service();
        service.may_change().await?;
        self.files.abort(service, &self.caller, id).await?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }
}

/// Returns the answer to `OPTIONS`.
fn options(files: &DeployedFiles, head: &Parts) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    set(&mut response, ALLOW, TusRoute::allow(head.uri.path()));
    set(&mut response, TUS_VERSION, VERSION);
    set(&mut response, TUS_EXTENSION, EXTENSIONS);
    set(&mut response, TUS_MAX_SIZE, &max_size(files).to_string());
    set(&mut response, TUS_CHECKSUM_ALGORITHM, ALGORITHMS);
    response
}

/// Stores `Upload-Metadata` as it was sent, because the answer to `HEAD` repeats it.
async fn keep_note(deployment: &Deployment, row: &UploadRow, headers: &HeaderMap) -> Result<(), Error> {
    let Some(note) = headers.get(UPLOAD_METADATA).cloned() else { return Ok(()) };
    let quarantine = folder(deployment).ok_or_else(no_files)?;
    let row = row.clone();
    let kept = spawn_blocking(move || quarantine.keep_note(&row, note.as_bytes()));
    body::io("keeping what a client said of an upload", kept.await)
}

/// Returns an answer about an upload that is under way.
fn answer_of(status: StatusCode, row: &UploadRow) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    set(&mut response, UPLOAD_EXPIRES, &http_date(row.expires));
    response
}

/// Returns the answer to bytes that have another checksum than the request states.
fn mismatch() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"the body has another checksum than it states\n"));
    *response.status_mut() = StatusCode::from_u16(CHECKSUM_MISMATCH).unwrap_or(StatusCode::BAD_REQUEST);
    set(&mut response, CONTENT_TYPE, "text/plain");
    response
}

/// Refuses a body that states a length beyond the end of the upload, before it is read.
fn check_rest(headers: &HeaderMap, rest: u64) -> Result<(), Problem> {
    let stated = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match stated.filter(|stated| *stated > rest) {
        Some(stated) => {
            let detail = format!("the rest of the upload has {rest} bytes; this has {stated}");
            Err(Problem::new(ProblemKind::TooLarge, detail).with("limit", rest))
        }
        None => Ok(()),
    }
}

fn has_offset_type(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == OFFSET_TYPE.as_bytes())
}

fn set(response: &mut Response<Bytes>, name: http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
