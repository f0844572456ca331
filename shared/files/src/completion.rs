//! The hint of a client that it has sent everything. It only saves time, because arriving bytes and the sweeper have the same
//! effect.

use credlink_core::access::Caller;
use credlink_core::file::UploadId;
use credlink_core::http::reply::Reply;
use credlink_core::row::{Row, UploadRow, UploadState};
use credlink_core::rules::upload::{Completion, Event, Found, complete, follow};
use http::StatusCode;

use credlink_ports::{Ports, Quarantine};
use credlink_service::Service;
use credlink_service::error::{Error, contended};
use credlink_service::service::MAX_ATTEMPTS;

use crate::changes::Changes;
use crate::files::Files;
use crate::progress::own_upload;
use crate::rows;

impl<Q: Quarantine> Files<Q> {
    /// Answers `POST /v1/uploads/{id}/complete`, any number of times.
    ///
    /// # Errors
    /// Fails with 404 if there is no such upload of the caller, with 409 and the missing parts if bytes are missing, and with
    /// 410 if the upload has expired. Also fails if the quarantine or the index fails.
    pub(crate) async fn complete<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        id: &UploadId,
    ) -> Result<Reply, Error> {
        let mut row = own_upload(service, caller, id).await?;
        let is_open = matches!(row.state, UploadState::Pending | UploadState::Uploading);
        let found = if is_open { self.quarantine.found(&row).await? } else { Found::Nothing };
        match complete(&row, &found)? {
            Completion::Tell => {}
            Completion::Join => {
                self.quarantine.join(&row).await?;
                row = self.received(service, id).await?;
            }
            Completion::Receive => row = self.received(service, id).await?,
            Completion::Reject(reason) => {
                self.end(service, id, &Event::Rejected(reason)).await?;
                row = own_upload(service, caller, id).await?;
            }
        }
        if !row.state.is_final() {
            self.notices.arrived(*id).await;
        }
        Ok(Reply::json(StatusCode::ACCEPTED, &self.upload_document(&row).await?))
    }

    /// Notes that all bytes of an upload are in quarantine, and returns its row.
    ///
    /// # Errors
    /// Fails if there is no such upload, if other processes keep changing it, or if the index fails.
    pub(crate) async fn received<P: Ports>(
        &self,
        service: &Service<P>,
        id: &UploadId,
    ) -> Result<UploadRow, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let Some(row) = rows::upload(service, id).await? else { break };
            // An event that has happened, or that comes after the end, changes nothing.
            let Ok(Some(next)) = follow(&row, &Event::Received, service.now()) else { return Ok(row) };
            let mut changes = Changes::default();
            changes.put(Row::Upload(next.clone()));
            if changes.commit(service).await? {
                return Ok(next);
            }
        }
        Err(contended())
    }
}
