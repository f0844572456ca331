//! The sweeper, which goes through the rows that are due: uploads whose finaliser or client was lost, files that expired or
//! are in no list, deletions that were cut off, and blobs that no file holds.

use credlink_core::bounds::{BLOB_TAKEOVER_SECONDS, UPLOAD_KEPT_SECONDS, UPLOAD_STEP_SECONDS};
use credlink_core::row::{Row, State, UploadRow, UploadState};
use credlink_core::rules::upload::{Event, Sweep, sweep};
use credlink_core::time::Timestamp;

use credlink_ports::{Failure, Index as _, Listing, Ports, Quarantine};
use credlink_service::Service;
use credlink_service::error::Error;
use serde::Serialize;

use crate::changes::Changes;
use crate::consistency::bring_together_by_record;
use crate::deletion::DeletionReason;
use crate::files::Files;
use crate::finaliser::Others;
use crate::objects::remove_uncommitted;

/// Rows of one page.
const PAGE: usize = 200;

/// The outcome of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Number of rows for which something was done.
    pub done: u64,
    /// Number of rows for which something failed. They are still due.
    pub failed: u64,
}

impl<Q: Quarantine> Files<Q> {
    /// Goes through the rows that are due. With [`Others::None`], uploads that another process was working on are
    /// finalised at once, and the removal of blobs goes on at once.
    ///
    /// # Errors
    /// Fails if the index cannot be listed.
    pub async fn sweep<P: Ports>(&self, service: &Service<P>, others: Others) -> Result<Swept, Failure> {
        self.sweep_until(service, others, Timestamp::from_milliseconds(i64::MAX)).await
    }

    /// Goes through the rows that are due, as [`sweep`](Self::sweep) does, and ends at `deadline`. What is left is still due.
    ///
    /// # Errors
    /// Fails if the index cannot be listed.
    pub async fn sweep_until<P: Ports>(
        &self,
        service: &Service<P>,
        others: Others,
        deadline: Timestamp,
    ) -> Result<Swept, Failure> {
        if let Err(failure) = self.note_refusals(service).await {
            tracing::warn!(reason = %failure, "refused accesses to private files are not in the log yet");
        }
        let mut swept = Swept::default();
        let until = match others {
            Others::Possible => service.now(),
            Others::None => service.now().plus_seconds(UPLOAD_STEP_SECONDS.max(BLOB_TAKEOVER_SECONDS)),
        };
        let listing = Listing::Due(until);
        let mut after: Option<String> = None;
        loop {
            let page = service.ports().index().list(&listing, after.as_deref(), PAGE).await?;
            let page = page.unwrap_or_default();
            for row in page.items {
                if service.now() >= deadline {
                    service.announce().await;
                    return Ok(swept);
                }
                let key = row.key();
                match self.deal_with(service, row, others).await {
                    Ok(true) => swept.done += 1,
                    Ok(false) => {}
                    Err(error) => {
                        swept.failed += 1;
                        tracing::warn!(row = %key, reason = %error, "a file or an upload that is due stays so");
                    }
                }
            }
            service.announce().await;
            after = page.next;
            if after.is_none() {
                return Ok(swept);
            }
        }
    }

    /// Deals with a row. Returns `true` if something was done.
    async fn deal_with<P: Ports>(
        &self,
        service: &Service<P>,
        row: Row,
        others: Others,
    ) -> Result<bool, Error> {
        let is_due = row.due().is_some_and(|due| due <= service.now());
        match row {
            Row::Upload(row) => Box::pin(self.deal_with_upload(service, &row, others)).await,
            Row::File(row) if is_due && !matches!(row.state, State::Deleted(_)) => {
                if row.state == State::Live {
                    bring_together_by_record(service, &row.id).await?;
                }
                self.delete_row(service, &row.id, DeletionReason::Due).await?;
                let reason = match row.has_expired(service.now()) {
                    true => "it has expired",
                    false => "it was in no list for nine days",
                };
                tracing::info!(file = %row.id, reason, "a file was deleted");
                Ok(true)
            }
            Row::Blob(row) => self.collect_blob(service, &row.id(), others).await,
            _ => Ok(false),
        }
    }

    async fn deal_with_upload<P: Ports>(
        &self,
        service: &Service<P>,
        row: &UploadRow,
        others: Others,
    ) -> Result<bool, Error> {
        let is_taken =
            matches!(row.state, UploadState::Received | UploadState::Scanning | UploadState::Processing);
        let now = match others {
            Others::None if is_taken => row.due.map_or(service.now(), |due| due.max(service.now())),
            Others::None | Others::Possible => service.now(),
        };
        let found = self.quarantine.found(row).await?;
        let next = sweep(row, &found, now);
        if matches!(next, Sweep::Expire | Sweep::Reject(_) | Sweep::RemoveBytes | Sweep::Close) {
            // The clock that decided this may be wrong.
            service.may_destroy().await?;
        }
        match next {
            Sweep::Wait => return Ok(false),
            Sweep::LookAgain(due) => {
                let mut changes = Changes::default();
                changes.put(Row::Upload(row.in_state(row.state, due)));
                changes.commit(service).await?;
            }
            Sweep::Join if !self.finalises => {
                // An upload that is received is whole.
                self.quarantine.join(row).await?;
                self.hand_on(service, row).await?;
            }
            Sweep::Receive | Sweep::Resend if !self.finalises => self.hand_on(service, row).await?,
            Sweep::Join => {
                self.quarantine.join(row).await?;
                self.finalise(service, &row.id, others).await?;
            }
            Sweep::Receive | Sweep::Resend => self.finalise(service, &row.id, others).await?,
            Sweep::Expire => {
                self.end(service, &row.id, &Event::TimedOut).await?;
            }
            Sweep::Reject(reason) => {
                self.end(service, &row.id, &Event::Rejected(reason)).await?;
            }
            Sweep::RemoveBytes => self.quarantine.remove(row).await?,
            Sweep::Close => {
                if let (UploadState::Rejected { .. }, Some(due)) = (row.state, row.due) {
                    // A finaliser that was cut off at the end may have left a record. One that was written later, or for
                    // an upload that expired, is that of a file which the index does not know.
                    let ended = due.minus_seconds(UPLOAD_KEPT_SECONDS);
                    let file = self.settings.link_keys.file_of(&row.id);
                    remove_uncommitted(service, &file, ended).await?;
                }
                // Even if no bytes are found, a part that broke off or the note of a client may be left.
                self.quarantine.remove(row).await?;
                let mut changes = Changes::default();
                changes.put(Row::Upload(row.closed()));
                changes.commit(service).await?;
            }
        }
        Ok(true)
    }

    /// Hands an upload on to the program that makes files. It is handed on again after the time that each step has.
    async fn hand_on<P: Ports>(&self, service: &Service<P>, row: &UploadRow) -> Result<(), Error> {
        match row.state {
            UploadState::Received | UploadState::Scanning => {
                let due = service.now().plus_seconds(UPLOAD_STEP_SECONDS);
                let mut changes = Changes::default();
                changes.put(Row::Upload(row.in_state(row.state, due)));
                if !changes.commit(service).await? {
                    return Ok(());
                }
            }
            // A finaliser takes over only what is due.
            UploadState::Processing => {}
            _ => {
                self.received(service, &row.id).await?;
            }
        }
        self.notices.arrived(row.id).await;
        Ok(())
    }
}
