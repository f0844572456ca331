//! The scan of an upload for malware, before anything else is done with its bytes.

use credlink_core::file::Rejection;
use credlink_core::row::{Row, UploadRow, UploadState};
use credlink_core::rules::upload::{Event, Found, Progress, follow};

use credlink_ports::{Begun, Ports, Quarantine, Scan, Verdict};
use credlink_service::Service;
use credlink_service::error::Error;

use super::Others;
use super::content::STEP_BYTES;
use crate::changes::Changes;
use crate::files::Files;

impl<Q: Quarantine> Files<Q> {
    /// Scans an upload, if this deployment has a scanner. Returns its row if it may be processed, or `None` if there is
    /// nothing to do now: it was rejected, or the verdict is not there yet.
    ///
    /// # Errors
    /// Fails if the scanner, the quarantine or the index fails. The upload stays as it is, and the sweeper tries it again.
    pub(super) async fn scanned<P: Ports>(
        &self,
        service: &Service<P>,
        row: UploadRow,
        others: Others,
    ) -> Result<Option<UploadRow>, Error> {
        let Some(scanner) = self.scanner.clone() else { return Ok(Some(row)) };
        let is_with_another = others == Others::Possible && !row.is_due(service.now());
        if row.state == UploadState::Processing && is_with_another {
            return Ok(None);
        }
        let found = self.quarantine.found(&row).await?;
        if !Progress::of(row.size, &found).is_complete {
            // Decided here, because the bytes may arrive at any time, and would not be scanned.
            return match found {
                Found::Whole(_) => self.reject(service, &row, Rejection::SizeMismatch).await,
                // The hint came too early.
                _ if matches!(row.state, UploadState::Pending | UploadState::Uploading) => Ok(None),
                _ => self.reject(service, &row, Rejection::Lost).await,
            };
        }
        if let Found::Parts(_) = found {
            self.quarantine.join(&row).await?;
        }
        // An upload whose scan cannot begin stays as it was, so that it is not taken for one that is being scanned.
        let begun = scanner.begin(&row).await?;
        let Some((row, is_new)) = self.note_scan(service, row).await? else { return Ok(None) };
        let verdict = match begun {
            Begun::Said(verdict) => verdict,
            // Another finaliser is sending the bytes.
            Begun::Reads(_) if !is_new && is_with_another => return Ok(None),
            Begun::Reads(scan) => match self.send_all(&row, scan).await? {
                Some(verdict) => verdict,
                None => return self.reject(service, &row, Rejection::Lost).await,
            },
        };
        match verdict {
            Verdict::Clean => Ok(Some(row)),
            Verdict::Pending => Ok(None),
            Verdict::Malware(name) => {
                tracing::warn!(upload = %row.id, owner = ?row.owner, malware = name, "an upload is rejected: malware");
                self.reject(service, &row, Rejection::Malware).await
            }
            Verdict::Unchecked(why) => {
                tracing::warn!(upload = %row.id, reason = why, "an upload is rejected: the scanner cannot check it");
                self.reject(service, &row, Rejection::NotScanned).await
            }
        }
    }

    /// Notes that the scan of an upload has begun. Returns its row, and `true` if this call has noted it, or `None` if
    /// another commit was first. An upload whose finaliser was cut off while it processed the upload stays `processing`.
    async fn note_scan<P: Ports>(
        &self,
        service: &Service<P>,
        row: UploadRow,
    ) -> Result<Option<(UploadRow, bool)>, Error> {
        match follow(&row, &Event::ScanBegun, service.now()) {
            Ok(Some(next)) => {
                let mut changes = Changes::default();
                changes.put(Row::Upload(next.clone()));
                Ok(changes.commit(service).await?.then_some((next, true)))
            }
            Ok(None) | Err(_) => Ok(Some((row, false))),
        }
    }

    /// Sends all bytes to the scanner. Returns its verdict, or `None` if the bytes are gone.
    async fn send_all(&self, row: &UploadRow, mut scan: Box<dyn Scan>) -> Result<Option<Verdict>, Error> {
        let mut at = 0;
        while at < row.size {
            let end = row.size.min(at + STEP_BYTES);
            let Some(bytes) = self.quarantine.read(row, at..end).await? else { return Ok(None) };
            scan.send(bytes).await?;
            at = end;
        }
        Ok(Some(scan.finish().await?))
    }

    async fn reject<P: Ports>(
        &self,
        service: &Service<P>,
        row: &UploadRow,
        reason: Rejection,
    ) -> Result<Option<UploadRow>, Error> {
        self.end(service, &row.id, &Event::Rejected(reason)).await?;
        Ok(None)
    }
}
