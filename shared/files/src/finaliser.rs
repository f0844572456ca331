//! The finaliser, which makes a file of the bytes of an upload.
//!
//! 1. If there is a scanner, it has the bytes scanned for malware (`scan`).
//! 2. It takes the upload, so that no other finaliser works on it for a while.
//! 3. It reads the bytes once (`content`): SHA-256, size, type. What differs from the announcement is rejected.
//! 4. A picture is rendered, which also proves that it is one.
//! 5. With `provenance = sign`, the renditions that are not there yet are signed (`signing`).
//! 6. Original and renditions are written, each only where nothing stands. A rendition gets a proof: its signed manifest,
//!    which is stored before the bytes that point to it, or else a record (`provenance`).
//! 7. The file's record is written, and then one commit has it all: upload, file, blob, list and quotas (`publication`).
//! 8. The bytes in quarantine are removed.
//!
//! A finaliser that is cut off leaves nothing that is read, and the next one goes through the same steps: the ID of the
//! file follows from that of the upload, and all keys from content and names.

mod content;
mod provenance;
pub(crate) mod publication;
mod scan;
pub(crate) mod signing;

use credlink_core::file::{FileClass, FileType, FocalPoint, Rejection, UploadId};
use credlink_core::row::{Row, UploadRow, UploadState};
use credlink_core::rules::upload::{Event, Found, Progress, follow};

use credlink_ports::{
    Clock as _, Event as Counted, Events as _, Failure, NotRendered, Ports, Quarantine, RenderOrder,
    RenderedPicture,
};
use credlink_service::Service;
use credlink_service::error::{Error, contended};
use credlink_service::service::MAX_ATTEMPTS;

use crate::changes::Changes;
use crate::files::Files;
use crate::rows;
use content::Content;

/// The number of attempts that may be cut off before a server that starts no longer tries the upload at once. After two, its bytes
/// may be what ends the server, so the next attempt waits until the upload is due.
const ATTEMPTS_AT_START: u32 = 2;

/// A reason why no file came of an upload.
#[derive(Debug)]
pub(crate) enum Unfinished {
    /// The upload is rejected.
    Rejected(Rejection),
    /// Another attempt may succeed.
    Error(Error),
}

impl From<Error> for Unfinished {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Failure> for Unfinished {
    fn from(failure: Failure) -> Self {
        Self::Error(failure.into())
    }
}

impl From<NotRendered> for Unfinished {
    fn from(error: NotRendered) -> Self {
        match error {
            NotRendered::Refused(reason) => Self::Rejected(reason),
            NotRendered::Failed(failure) => Self::Error(failure.into()),
        }
    }
}

/// The processes that may finalise uploads besides this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Others may be working on the upload, until its row is due.
    Possible,
    /// There are none, since this is the only process and has just started. A process that worked on the upload before was
    /// cut off.
    None,
}

impl<Q: Quarantine> Files<Q> {
    /// Makes a file of an upload whose bytes have all arrived, or rejects it. If bytes are missing, or another finaliser has
    /// the upload, nothing is done.
    ///
    /// # Errors
    /// Fails if a port fails. The upload keeps its bytes and is `received`, so that it can be tried again at once, and the
    /// sweeper tries it again after a pause that grows.
    pub async fn finalise<P: Ports>(
        &self,
        service: &Service<P>,
        id: &UploadId,
        others: Others,
    ) -> Result<(), Error> {
        service.may_change().await?;
        let Some(row) = rows::upload(service, id).await? else { return Ok(()) };
        if row.state.is_final() {
            if row.state.needs_no_bytes() {
                // The last finaliser was cut off before it removed the bytes.
                self.quarantine.remove(&row).await?;
            }
            return Ok(());
        }
        // A process that had the upload is gone, but it may have been ended by the upload.
        let others = if row.attempts < ATTEMPTS_AT_START { others } else { Others::Possible };
        let Some(row) = Box::pin(self.scanned(service, row, others)).await? else { return Ok(()) };
        let Some(row) = self.take(service, row, others).await? else { return Ok(()) };
        let done = self.process_taken(service, &row).await;
        if done.is_err()
            && let Err(error) = give_back(service, &row).await
        {
            tracing::warn!(upload = %id, reason = %error, "an upload is not given back; it is taken over when it is due");
        }
        done
    }

    async fn process_taken<P: Ports>(&self, service: &Service<P>, row: &UploadRow) -> Result<(), Error> {
        let began = service.ports().clock().monotonic_microseconds();
        match Box::pin(self.process(service, row)).await {
            Ok(is_new) => {
                if is_new {
                    let ended = service.ports().clock().monotonic_microseconds();
                    let microseconds = ended.saturating_sub(began);
                    service.ports().events().record(Counted::UploadReady { microseconds });
                }
                Ok(self.quarantine.remove(row).await?)
            }
            Err(Unfinished::Rejected(reason)) => {
                self.end(service, &row.id, &Event::Rejected(reason)).await.map(drop)
            }
            Err(Unfinished::Error(error)) => Err(error),
        }
    }

    /// Claims an upload whose bytes are all there, so that no other finaliser works on it for a while. Returns its row, or
    /// `None` if there is nothing to do.
    async fn take<P: Ports>(
        &self,
        service: &Service<P>,
        mut row: UploadRow,
        others: Others,
    ) -> Result<Option<UploadRow>, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let id = row.id;
            let found = self.quarantine.found(&row).await?;
            let is_open = matches!(row.state, UploadState::Pending | UploadState::Uploading);
            let is_complete = Progress::of(row.size, &found).is_complete;
            let rejected = match found {
                Found::Whole(_) => (!is_complete).then_some(Rejection::SizeMismatch),
                Found::Parts(_) if is_complete => {
                    self.quarantine.join(&row).await?;
                    None
                }
                // The hint came too early.
                Found::Nothing | Found::Parts(_) | Found::Beginning(_) if is_open => return Ok(None),
                Found::Nothing | Found::Parts(_) | Found::Beginning(_) => Some(Rejection::Lost),
            };
            if let Some(reason) = rejected {
                self.end(service, &id, &Event::Rejected(reason)).await?;
                return Ok(None);
            }
            let now = service.now();
            if others == Others::None {
                // A process that had claimed the upload is gone.
                row.due = row.due.map(|due| due.min(now));
            }
            let Ok(Some(next)) = follow(&row, &Event::ProcessingBegun, now) else { return Ok(None) };
            if let UploadState::Rejected { reason } = next.state {
                self.end(service, &id, &Event::Rejected(reason)).await?;
                return Ok(None);
            }
            let mut changes = Changes::default();
            changes.put(Row::Upload(next.clone()));
            if changes.commit(service).await? {
                tracing::info!(upload = %id, attempt = next.attempts, "an upload is processed");
                return Ok(Some(next));
            }
            match rows::upload(service, &id).await? {
                Some(current) if !current.state.is_final() => row = current,
                _ => return Ok(None),
            }
        }
        Err(contended())
    }

    /// Makes a file of the bytes. Returns `false` if another finaliser was first.
    async fn process<P: Ports>(&self, service: &Service<P>, row: &UploadRow) -> Result<bool, Unfinished> {
        let rules =
            self.collection(&row.collection).ok_or(Unfinished::Rejected(Rejection::CollectionChanged))?;
        let content = Content::read(&self.quarantine, row).await?;
        let kind = content.kind.filter(|kind| rules.types.contains(kind));
        let kind = kind.ok_or(Unfinished::Rejected(Rejection::TypeNotAllowed))?;
        if kind != row.kind {
            return Err(Unfinished::Rejected(Rejection::TypeMismatch));
        }
        let picture = match kind.class() {
            FileClass::Picture => Some(self.rendered(row, kind, &content).await?),
            FileClass::Video | FileClass::Document => None,
        };
        self.publish(service, row, kind, content, picture).await
    }

    async fn rendered(
        &self,
        row: &UploadRow,
        kind: FileType,
        content: &Content,
    ) -> Result<RenderedPicture, Unfinished> {
        let rules =
            self.collection(&row.collection).ok_or(Unfinished::Rejected(Rejection::CollectionChanged))?;
        let focal = row.focal.unwrap_or(FocalPoint::CENTRE);
        let order = RenderOrder { kind, collection: rules.clone(), focal };
        Ok(self.renderer.render(content.bytes.clone(), order).await?)
    }
}

/// Gives back an upload that this finaliser claimed with `row`, and whose processing failed. An upload that has ended, or
/// that another finaliser has claimed by now, stays as it is.
async fn give_back<P: Ports>(service: &Service<P>, row: &UploadRow) -> Result<(), Failure> {
    let Ok(Some(next)) = follow(row, &Event::GivenBack, service.now()) else { return Ok(()) };
    let mut changes = Changes::default();
    changes.put(Row::Upload(next));
    changes.commit(service).await.map(drop)
}
