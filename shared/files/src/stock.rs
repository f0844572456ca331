//! Taking stock of a quarantine that the server writes itself. It finds uploads whose bytes are all there although their rows do
//! not say so, because the process ended in between, and bytes that no upload needs.

use credlink_core::bounds::UPLOAD_SECONDS;
use credlink_core::file::UploadId;
use credlink_core::row::{UploadRow, UploadState};
use credlink_core::rules::upload::{Found, Progress};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

use credlink_ports::{Ports, Quarantine};
use credlink_service::Service;
use credlink_service::error::Error;

use crate::files::Files;
use crate::rows;

/// The remains of an upload in quarantine: all that is known of its bytes without the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remains {
    /// The tenant.
    pub tenant: Tenant,
    /// The upload.
    pub upload: UploadId,
    /// The time at which a file of the upload last came or went.
    pub changed: Timestamp,
}

/// The fate of the remains of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The bytes stay as they are.
    Kept,
    /// All bytes are there, and the upload is received now.
    Received,
    /// The upload has ended, and the bytes were removed.
    Removed,
    /// The bytes belong to no upload, and have to be removed.
    Ownerless,
}

impl<Q: Quarantine> Files<Q> {
    /// Decides the fate of remains in quarantine. It is carried out here, except that [`Fate::Ownerless`] is left to the caller.
    ///
    /// Bytes of which no row knows are kept for a day, and for as long as the guard doubts the index, because an index that is
    /// older than an upload does not know it.
    ///
    /// # Errors
    /// Fails if the guard forbids to remove them, or if a provider or the index fails.
    pub async fn take_stock<P: Ports>(&self, service: &Service<P>, remains: &Remains) -> Result<Fate, Error> {
        let row = rows::upload(service, &remains.upload).await?;
        let Some(row) = row.filter(|row| row.tenant == remains.tenant) else {
            if remains.changed.plus_seconds(UPLOAD_SECONDS) > service.now() {
                return Ok(Fate::Kept);
            }
            service.may_collect().await?;
            return Ok(Fate::Ownerless);
        };
        if row.state.needs_no_bytes() {
            service.may_destroy().await?;
            self.quarantine.remove(&row).await?;
            return Ok(Fate::Removed);
        }
        let found = self.quarantine.found(&row).await?;
        let is_received = self.receive_complete(service, &row, &found).await?;
        Ok(if is_received { Fate::Received } else { Fate::Kept })
    }

    /// Notes that an upload is received if all its bytes were `found` and nothing has noted it yet. Returns `true` if its
    /// bytes now wait for a finaliser.
    ///
    /// # Errors
    /// Fails if other processes keep changing the upload, or if the quarantine or the index fails.
    pub(crate) async fn receive_complete<P: Ports>(
        &self,
        service: &Service<P>,
        row: &UploadRow,
        found: &Found,
    ) -> Result<bool, Error> {
        let is_open = matches!(row.state, UploadState::Pending | UploadState::Uploading);
        if !is_open || !Progress::of(row.size, found).is_complete {
            return Ok(false);
        }
        service.may_change().await?;
        if let Found::Parts(_) = found {
            self.quarantine.join(row).await?;
        }
        let row = self.received(service, &row.id).await?;
        if row.state.is_final() {
            return Ok(false);
        }
        self.notices.arrived(row.id).await;
        Ok(true)
    }
}
