//! Receiving the bytes of an upload where the server keeps them itself: who may send them, and what follows.

use credlink_core::access::Caller;
use credlink_core::file::UploadId;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::link::{Signature, unsigned};
use credlink_core::row::{UploadRow, UploadState};
use credlink_core::rules::expiry::expired;
use credlink_core::rules::upload::{Event, Found, Part, Plan, Progress};

use credlink_ports::{Ports, Quarantine};
use credlink_service::Service;
use credlink_service::error::Error;

use crate::addresses::check_open;
use crate::files::Files;
use crate::progress::own_upload;
use crate::rows;

/// The most parts of an upload that is examined after each of them. Examining lists the parts, so that an upload with many
/// is examined when its client says that it has sent everything, or when it is due.
const EXAMINED_PARTS: u32 = 128;

/// The bytes that an address takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The upload.
    pub upload: UploadRow,
    /// The part, or `None` for the whole file.
    pub part: Option<Part>,
}

impl Expected {
    /// Returns the number of bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.part.as_ref().map_or(self.upload.size, Part::length)
    }
}

/// Returns the refusal of a server that takes no bytes of uploads.
#[must_use]
pub fn takes_no_bytes() -> Problem {
    Problem::new(
        ProblemKind::NotFound,
        "this server takes no bytes of uploads: POST /v1/uploads says where they are sent",
    )
}

impl<Q: Quarantine> Files<Q> {
    /// Decides what is received at the address of a part of an upload, or of all of it. The signature is the sender's only
    /// credential. `stated` is the `Content-Length`, if there is one.
    ///
    /// # Errors
    /// Fails with 403 if the address was not signed for this, with 400 for a body of another length, with 409 if all bytes
    /// are there, and with 410 if the upload has expired. Also fails if the index fails.
    pub async fn expect_bytes<P: Ports>(
        &self,
        service: &Service<P>,
        id: &UploadId,
        part: Option<u32>,
        signature: &Signature,
        stated: Option<u64>,
    ) -> Result<Expected, Error> {
        service.may_change().await?;
        let upload = rows::upload(service, id).await?.ok_or_else(unsigned)?;
        let plan = Plan::of(upload.size);
        let part = match (part, plan) {
            (None, _) => None,
            (Some(number), Plan::Parts { .. }) => Some(plan.part(number).ok_or_else(unsigned)?),
            (Some(_), Plan::Put(_)) => return Err(unsigned().into()),
        };
        let expected = Expected { upload, part };
        let (number, length) = (expected.part.as_ref().map(|part| part.number), expected.length());
        signature.takes_bytes(&self.settings.link_keys, id, number, length, service.now())?;
        check_open(&expected.upload, service.now())?;
        if let Some(stated) = stated.filter(|stated| *stated != length) {
            let detail = format!("the address takes {length} bytes, and not {stated}");
            return Err(Problem::field("content-length", detail).into());
        }
        Ok(expected)
    }

    /// Returns the upload of `caller` whose bytes are sent in order. All of them may be there.
    ///
    /// # Errors
    /// Fails with 404 if there is no such upload, or if it is sent in parts, and with 410 if it has ended without a file.
    /// Also fails if the index fails.
    pub async fn upload_in_order<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        id: &UploadId,
    ) -> Result<UploadRow, Error> {
        let row = own_upload(service, caller, id).await?;
        if row.multipart.is_some() {
            let detail = format!("the upload {id} is sent in parts");
            return Err(Problem::new(ProblemKind::NotFound, detail).into());
        }
        match row.state {
            // The status tells the client to begin anew.
            UploadState::Rejected { .. } => {
                let detail = format!("the upload {id} is rejected; GET /v1/uploads/{id} says why");
                Err(Problem::new(ProblemKind::Deleted, detail).into())
            }
            UploadState::Expired => Err(expired(row.expires).into()),
            _ => Ok(row),
        }
    }

    /// Returns the upload of `caller` whose next bytes are received.
    ///
    /// # Errors
    /// Fails as [`upload_in_order`](Self::upload_in_order) does, with 409 if all bytes are there, and with 410 if the upload
    /// has expired.
    pub async fn expect_more<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        id: &UploadId,
    ) -> Result<UploadRow, Error> {
        service.may_change().await?;
        let row = self.upload_in_order(service, caller, id).await?;
        check_open(&row, service.now())?;
        Ok(row)
    }

    /// Notes that bytes were received, and wakes the finaliser if all have arrived.
    ///
    /// # Errors
    /// Fails if other processes keep changing the upload, or if the quarantine or the index fails. The bytes are there all
    /// the same, and the sweeper finds them.
    pub async fn note_received<P: Ports>(
        &self,
        service: &Service<P>,
        expected: &Expected,
    ) -> Result<(), Error> {
        let row = &expected.upload;
        if expected.part.is_some() && Plan::of(row.size).count() > EXAMINED_PARTS {
            return Ok(());
        }
        let found = self.quarantine.found(row).await?;
        if !Progress::of(row.size, &found).is_complete {
            return Ok(());
        }
        if let Found::Parts(_) = found {
            self.quarantine.join(row).await?;
        }
        let row = self.received(service, &row.id).await?;
        if row.state.is_final() {
            if row.state.needs_no_bytes() {
                // The upload was aborted meanwhile.
                self.quarantine.remove(&row).await?;
            }
            return Ok(());
        }
        tracing::debug!(upload = %row.id, event = ?Event::Received, "all bytes of an upload are here");
        self.notices.arrived(row.id).await;
        Ok(())
    }
}
