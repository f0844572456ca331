//! The progress of an upload, by what is in quarantine.

use credlink_core::access::{Caller, Scope};
use credlink_core::collection::Collection;
use credlink_core::file::{FileType, Rejection, UploadId};
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::Reply;
use credlink_core::row::{UploadRow, UploadState};
use credlink_core::rules::upload::{Found, Plan, Progress};
use http::StatusCode;
use serde_json::{Value, json};

use credlink_ports::{Ports, Quarantine};
use credlink_service::Service;
use credlink_service::error::Error;

use crate::files::Files;
use crate::rows;

/// Returns the row of an upload that the caller announced, or may administer.
///
/// # Errors
/// Fails with 404 if there is no such upload. Also fails if the index fails.
pub(crate) async fn own_upload<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: &UploadId,
) -> Result<UploadRow, Error> {
    let row = rows::upload(service, id).await?;
    let is_own = |row: &UploadRow| {
        let is_owner = caller.subject.is_some() && caller.subject == row.owner;
        caller.authenticated && caller.tenant == row.tenant && (is_owner || caller.may(Scope::MediaAdmin))
    };
    let absent = || Problem::new(ProblemKind::NotFound, format!("no upload has the id {id}"));
    Ok(row.filter(is_own).ok_or_else(absent)?)
}

impl<Q: Quarantine> Files<Q> {
    /// Answers `GET /v1/uploads/{id}`.
    ///
    /// # Errors
    /// Fails with 404 if there is no such upload of the caller. Also fails if the quarantine or the index fails.
    pub(crate) async fn show_upload<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        id: &UploadId,
    ) -> Result<Reply, Error> {
        let mut row = own_upload(service, caller, id).await?;
        if matches!(row.state, UploadState::Pending | UploadState::Uploading) {
            // All bytes may be there although the request that should have noted it was cut off.
            let found = self.quarantine.found(&row).await?;
            let received = match &found {
                Found::Whole(_) => self.receive_complete(service, &row, &found).await,
                _ => Ok(false),
            };
            match received {
                Ok(true) => row = own_upload(service, caller, id).await?,
                Ok(false) => {
                    let progress = Progress::of(row.size, &found);
                    let document = document(&row, &progress, self.collection(&row.collection));
                    return Ok(Reply::json(StatusCode::OK, &document));
                }
                Err(error) => {
                    tracing::warn!(upload = %id, reason = %error, "an upload is whole, and not received yet");
                }
            }
        }
        Ok(Reply::json(StatusCode::OK, &self.upload_document(&row).await?))
    }

    /// Returns the document of an upload: its state, its progress, and its outcome.
    pub(crate) async fn upload_document(&self, row: &UploadRow) -> Result<Value, Error> {
        let progress = match row.state {
            UploadState::Pending | UploadState::Uploading => {
                Progress::of(row.size, &self.quarantine.found(row).await?)
            }
            UploadState::Expired | UploadState::Rejected { .. } if row.state.needs_no_bytes() => {
                Progress::of(row.size, &Found::Nothing)
            }
            _ => Progress::of(row.size, &Found::Whole(row.size)),
        };
        Ok(document(row, &progress, self.collection(&row.collection)))
    }
}

/// Returns the document of an upload into a collection with these rules, if there still is one.
fn document(row: &UploadRow, progress: &Progress, rules: Option<&Collection>) -> Value {
    let mut document = json!({
        "id": row.id,
        "state": row.state.name(),
        "collection": row.collection,
        "size": row.size,
        "type": row.kind,
        "bytes": progress.bytes,
        "percent": progress.percent,
        "created": row.created,
        "expires": row.expires,
    });
    if let Plan::Parts { part_size, count, .. } = Plan::of(row.size) {
        document["part_size"] = json!(part_size);
        document["parts"] = json!(count);
        document["arrived"] = json!(progress.arrived);
    }
    match row.state {
        UploadState::Ready { file } => document["file"] = json!(file),
        UploadState::Rejected { reason } => {
            document["reason"] = json!(reason);
            document["detail"] = match (reason, rules) {
                (Rejection::TypeNotAllowed, Some(rules)) => {
                    json!(format!("{reason}; it accepts {}", FileType::join(&rules.types)))
                }
                _ => json!(reason.explanation()),
            };
        }
        _ => {}
    }
    document
}
