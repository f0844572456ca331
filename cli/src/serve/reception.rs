//! `PUT /v1/uploads/{id}/bytes`: the bytes of an upload go to the disk as they arrive.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use credlink_core::bounds::{MAX_FILE_BYTES, MAX_PARTS, MAX_PUT_BYTES};
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::route::{Route, Uploads};
use credlink_core::row::UploadRow;
use credlink_deployment::deployment::Deployment;
use credlink_disk::quarantine::{Incoming, NotReceived};
use credlink_files::reception::{Expected, takes_no_bytes};
use credlink_ports::{Failure, FailureKind};
use credlink_server::handler::Pieces;
use credlink_service::error::Error;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{Response, StatusCode};
use tokio::task::{JoinError, spawn_blocking};

use super::logged::LoggedRequest;

/// The number of bytes that are written at a time. A piece of a body has a few kilobytes, and handing each of them to a thread
/// would cost more than the write. Each connection holds up to this many bytes.
pub(super) const STEP_BYTES: usize = 65_536;

/// The `Retry-After` of an upload whose bytes other requests are sending, in seconds. A connection that broke without notice ends
/// after 30 seconds, so a client may have to try several times.
const AGAIN_SECONDS: u32 = 5;

/// Returns the longest body of a request for this operation: a whole file, or a part of the longest one. Returns `None` for
/// other requests.
pub fn longest(deployment: &Deployment, head: &Parts) -> Option<usize> {
    deployment.files()?;
    asked(head)?;
    let longest = MAX_PUT_BYTES.max(MAX_FILE_BYTES.div_ceil(MAX_PARTS.into()));
    usize::try_from(longest).ok()
}

/// Returns the operation if a request sends bytes of an upload to a signed address.
fn asked(head: &Parts) -> Option<Uploads> {
    if head.method != http::Method::PUT {
        return None;
    }
    match Route::parse(&head.method, head.uri.path(), head.uri.query().unwrap_or_default()) {
        Ok(Route::Uploads(receive @ Uploads::Receive { .. })) => Some(receive),
        _ => None,
    }
}

/// Receives bytes, and answers with 204 once they are durable.
pub async fn receive(deployment: &Arc<Deployment>, head: &Parts, body: &mut dyn Pieces) -> Response<Bytes> {
    let logged = LoggedRequest::begin(deployment, head, "receive_bytes");
    let mut received = 0;
    let answered = try_to_receive(deployment, head, body, &mut received).await;
    let answered = answered.map(|()| {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    });
    logged.end(head, answered, received)
}

async fn try_to_receive(
    deployment: &Arc<Deployment>,
    head: &Parts,
    body: &mut dyn Pieces,
    received: &mut u64,
) -> Result<(), Error> {
    let files = deployment.files().ok_or_else(takes_no_bytes)?;
    let Some(Uploads::Receive { id, part, signature }) = asked(head) else {
        return Err(takes_no_bytes().into());
    };
    let stated = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let expected = files.expect_bytes(deployment.service(), &id, part, &signature, stated).await?;
    let mut incoming = begin(deployment, &expected).await?;
    let mut waiting = BytesMut::new();
    while let Some(piece) = body.next().await? {
        *received += piece.len() as u64;
        waiting.extend_from_slice(&piece);
        if waiting.len() >= STEP_BYTES {
            incoming = write(incoming, waiting.split().freeze()).await?;
        }
    }
    incoming = write(incoming, waiting.freeze()).await?;
    // All bytes are here. From now on it does not matter whether the client still is.
    let deployment = Arc::clone(deployment);
    let finished = tokio::spawn(async move {
        let finished = spawn_blocking(move || incoming.finish()).await;
        if let Ok(Err(NotReceived::Arrived)) = finished {
            note_arrived(&deployment, &expected.upload).await;
        }
        refused(finished)?;
        let Some(files) = deployment.files() else { return Ok(()) };
        files.note_received(deployment.service(), &expected).await
    });
    finished.await.unwrap_or_else(|error| Err(ended(&error).into()))
}

async fn begin(deployment: &Deployment, expected: &Expected) -> Result<Incoming, Error> {
    let folder = deployment.files().and_then(|files| files.quarantine().folder().cloned());
    let quarantine = folder.ok_or_else(takes_no_bytes)?;
    let Expected { upload, part } = expected.clone();
    let begun = spawn_blocking(move || quarantine.receive(&upload, part.as_ref())).await;
    if let Ok(Err(NotReceived::Arrived)) = begun {
        note_arrived(deployment, &expected.upload).await;
    }
    refused(begun)
}

/// Notes that all bytes of an upload are here. The request that should have noted it was cut off, or is just about to.
pub(super) async fn note_arrived(deployment: &Deployment, upload: &UploadRow) {
    let Some(files) = deployment.files() else { return };
    let expected = Expected { upload: upload.clone(), part: None };
    if let Err(error) = files.note_received(deployment.service(), &expected).await {
        tracing::warn!(upload = %upload.id, reason = %error, "an upload is whole, and not received yet");
    }
}

async fn write(mut incoming: Incoming, bytes: Bytes) -> Result<Incoming, Error> {
    let written = spawn_blocking(move || incoming.write(&bytes).map(|()| incoming));
    refused(written.await)
}

/// Returns the result of a step on another thread, with the answer to bytes that are not received as its error.
fn refused<T>(done: Result<Result<T, NotReceived>, JoinError>) -> Result<T, Error> {
    let error = match done {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => error,
        Err(error) => return Err(ended(&error).into()),
    };
    Err(refusal(&error))
}

/// Returns the answer to bytes that are not received for this reason.
pub(super) fn refusal(error: &NotReceived) -> Error {
    if let Some(failure) = error.failure() {
        return failure.into();
    }
    let detail = error.to_string();
    match error {
        NotReceived::TooLong | NotReceived::TooShort => Problem::field("content-length", detail),
        NotReceived::Locked => Problem::new(ProblemKind::UploadLocked, detail).again_in(AGAIN_SECONDS),
        NotReceived::Offset(offset) => {
            Problem::new(ProblemKind::UploadConflict, detail).with("offset", *offset)
        }
        NotReceived::Busy(_) | NotReceived::Crowded => {
            Problem::new(ProblemKind::UploadConflict, detail).again_in(AGAIN_SECONDS)
        }
        NotReceived::Arrived | NotReceived::Removed | NotReceived::Io(_) => {
            Problem::new(ProblemKind::UploadConflict, detail)
        }
    }
    .into()
}

/// Returns the failure of a step that was cut off.
pub(super) fn ended(error: &JoinError) -> Failure {
    let message = format!("receiving bytes of an upload was cut off: {error}");
    Failure { provider: "uploads folder", kind: FailureKind::Unavailable, message }
}
