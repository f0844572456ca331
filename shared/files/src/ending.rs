//! The end of an upload without a file: rejected, aborted or expired.

use credlink_core::access::Caller;
use credlink_core::file::{Rejection, UploadId};
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::Reply;
use credlink_core::row::{Row, UploadRow, UploadState};
use credlink_core::rules::upload::{Event, follow};
use http::StatusCode;

use credlink_ports::{Event as Counted, Events as _, Ports, Quarantine};
use credlink_service::Service;
use credlink_service::error::{Error, contended};
use credlink_service::service::MAX_ATTEMPTS;

use crate::changes::Changes;
use crate::files::Files;
use crate::objects::remove_uncommitted;
use crate::progress::own_upload;
use crate::{quotas, rows};

impl<Q: Quarantine> Files<Q> {
    /// Answers `DELETE /v1/uploads/{id}`, and ends an upload that its client gives up.
    ///
    /// # Errors
    /// Fails with 404 if there is no such upload of the caller, and with 409 if it has become a file. Also fails if the guard
    /// forbids to end uploads, if other processes keep changing this one, or if the quarantine or the index fails.
    pub async fn abort<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        id: &UploadId,
    ) -> Result<Reply, Error> {
        own_upload(service, caller, id).await?;
        match self.end(service, id, &Event::Rejected(Rejection::Aborted)).await? {
            Some(UploadRow { state: UploadState::Ready { file }, .. }) => {
                let detail = format!("the upload has become the file {file}; delete that");
                Err(Problem::new(ProblemKind::UploadConflict, detail).with("file", file.to_string()).into())
            }
            _ => Ok(Reply::empty(StatusCode::NO_CONTENT)),
        }
    }

    /// Ends an upload with `event`, releases its reservation, and removes its bytes, except those of an upload whose processing was
    /// cut off too often: unless its client gives it up, they are kept until its row is due. Returns its present row, which tells
    /// whether it had ended otherwise before. Returns `None` if there is no such upload.
    ///
    /// # Errors
    /// Fails if the guard forbids to end uploads, if other processes keep changing this one, or if the quarantine or the
    /// index fails.
    pub(crate) async fn end<P: Ports>(
        &self,
        service: &Service<P>,
        id: &UploadId,
        event: &Event,
    ) -> Result<Option<UploadRow>, Error> {
        // An index that is older than the store does not know what became of the upload.
        service.may_destroy().await?;
        for attempt in 0..MAX_ATTEMPTS {
            let Some(row) = rows::upload(service, id).await? else { return Ok(None) };
            if !row.state.is_final() {
                let file = self.settings.link_keys.file_of(id);
                // A rebuild of the index found its record. An index that was restored before may know the upload in any state.
                if rows::file(service, &file).await?.is_some() {
                    self.close(service, &row, &file).await?;
                    self.quarantine.remove(&row).await?;
                    return Ok(rows::upload(service, id).await?);
                }
            }
            let next = match follow(&row, event, service.now()) {
                Ok(Some(next)) => next,
                // Bytes arrived after the sweeper looked, or the upload became a file.
                Err(_) => return Ok(Some(row)),
                Ok(None) => {
                    if row.state.needs_no_bytes() || *event == Event::Rejected(Rejection::Aborted) {
                        self.quarantine.remove(&row).await?;
                    }
                    return Ok(Some(row));
                }
            };
            let mut changes = Changes::default();
            let Some(released) = quotas::released(service, &row).await? else { continue };
            changes.put_all(released);
            changes.put(Row::Upload(next.clone()));
            if changes.commit(service).await? {
                let reason = match next.state {
                    UploadState::Rejected { reason } => reason.name(),
                    _ => "not all bytes arrived in time",
                };
                let (state, collection) = (next.state.name(), &row.collection);
                tracing::info!(upload = %id, state, reason, %collection, "an upload ended without a file");
                match next.state {
                    UploadState::Rejected { reason } => {
                        let reason = reason.name();
                        service.ports().events().record(Counted::UploadRejected { reason });
                    }
                    UploadState::Expired => service.ports().events().record(Counted::UploadExpired),
                    _ => {}
                }
                if matches!(
                    row.state,
                    UploadState::Received | UploadState::Scanning | UploadState::Processing
                ) {
                    // A finaliser may have written the record of the file, and have given the upload back since.
                    let file = self.settings.link_keys.file_of(id);
                    remove_uncommitted(service, &file, service.now()).await?;
                }
                if next.state.needs_no_bytes() {
                    self.quarantine.remove(&row).await?;
                }
                return Ok(Some(next));
            }
            self.give_way(attempt).await;
        }
        Err(contended())
    }
}
