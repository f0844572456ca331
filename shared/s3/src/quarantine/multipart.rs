//! Multipart uploads whose parts clients send: begun, listed, joined and aborted by the service.

use std::time::Duration;

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use credlink_aws::{Error, ErrorKind, Limits};
use credlink_core::row::UploadRow;
use credlink_core::rules::upload::{Arrived, Found, Plan, Progress};
use credlink_runtime::deadline::at_most;
use tokio::time::Instant;

use super::S3Quarantine;

/// The time beyond the usual limits that joining may take. S3 begins its answer at once, and sends blanks for up to
/// several minutes until the parts are joined (S3 API, `CompleteMultipartUpload`). A caller that gives up earlier may ask
/// again.
const JOIN: Duration = Duration::from_secs(60);

/// The longest pause between attempts to join parts that others join at the same time.
const MAX_PAUSE_MILLISECONDS: u64 = 800;

/// A part that the provider has.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) arrived: Arrived,
    /// The provider's tag of the part, which it wants back when parts are joined.
    tag: String,
}

impl S3Quarantine {
    /// Returns the multipart upload of an upload that has one.
    pub(super) fn multipart<'a>(&self, upload: &'a UploadRow) -> Result<&'a str, Error> {
        let none = || self.refused(format!("the upload {} has no multipart upload", upload.id));
        upload.multipart.as_deref().ok_or_else(none)
    }

    /// Begins a multipart upload. If the caller is cancelled before it learns the ID, the lifecycle of the bucket aborts
    /// the upload. No checksum is agreed on: it would have to be in every request of the client.
    pub(super) async fn create(&self, upload: &UploadRow) -> Result<String, Error> {
        let objects = &self.objects;
        let key = upload.key();
        let create = objects
            .client()
            .create_multipart_upload()
            .bucket(objects.bucket())
            .key(key.to_string())
            .content_type(key.content_type())
            .set_server_side_encryption(objects.encryption())
            .set_ssekms_key_id(objects.kms_key());
        let created = Box::pin(create.customize().config_override(objects.config()).send()).await;
        let created = created.map_err(|error| objects.error(&error))?;
        created.upload_id.ok_or_else(|| {
            Error::new(self.provider(), ErrorKind::Unavailable, "a multipart upload was begun without an ID")
        })
    }

    /// Returns the parts that have arrived, in the order of their numbers, or `None` if the multipart upload was joined or
    /// aborted. S3 lists 1,000 at a time.
    pub(super) async fn parts(
        &self,
        upload: &UploadRow,
        multipart: &str,
    ) -> Result<Option<Vec<Sent>>, Error> {
        let objects = &self.objects;
        let key = upload.key().to_string();
        let mut sent: Vec<Sent> = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let list = objects.client().list_parts().bucket(objects.bucket()).key(&key).upload_id(multipart);
            let list = list.set_part_number_marker(after.clone());
            let page = match Box::pin(list.customize().config_override(objects.config()).send()).await {
                Ok(page) => page,
                Err(error) => {
                    let error = objects.error(&error);
                    return if is_gone(&error) { Ok(None) } else { Err(error) };
                }
            };
            for part in page.parts() {
                let number = part.part_number().and_then(|number| u32::try_from(number).ok());
                let size = part.size().and_then(|size| u64::try_from(size).ok());
                let (Some(number), Some(size)) = (number, size) else { continue };
                let tag = part.e_tag().unwrap_or_default().to_owned();
                sent.push(Sent { arrived: Arrived { number, size }, tag });
            }
            if page.is_truncated() != Some(true) {
                sent.sort_unstable_by_key(|part| part.arrived.number);
                return Ok(Some(sent));
            }
            let next = page.next_part_number_marker;
            if next.is_none() || next == after {
                let what = format!("the listing of the parts of {key} does not go on after {after:?}");
                return Err(Error::new(self.provider(), ErrorKind::Unavailable, what));
            }
            after = next;
        }
    }

    /// Joins the parts.
    ///
    /// Two processes may do so at the same time. For the one that is later, the multipart upload is gone (404), the
    /// object is there (412), or both are under way (409), after which it looks again.
    pub(super) async fn join_parts(&self, upload: &UploadRow) -> Result<(), Error> {
        let multipart = self.multipart(upload)?;
        let until = Instant::now() + at_most(self.objects.limits().operation);
        let mut pause = 25;
        loop {
            let Some(parts) = self.parts(upload, multipart).await? else {
                return self.expect_whole(upload, "its parts are gone").await;
            };
            let parts = self.complete_list(upload, parts)?;
            let Err(error) = self.complete(upload, multipart, parts).await else { return Ok(()) };
            match error.kind {
                // Whatever is there has arrived before, and these parts are not needed.
                ErrorKind::PreconditionFailed => {
                    self.expect_whole(upload, "it was there while its parts were joined").await?;
                    return self.abort_one(upload, multipart).await;
                }
                ErrorKind::NotFound if is_gone(&error) => {}
                ErrorKind::Conflict => {
                    let wait = Duration::from_millis(fastrand::u64(1..=pause));
                    pause = (pause * 2).min(MAX_PAUSE_MILLISECONDS);
                    if wait >= until.saturating_duration_since(Instant::now()) {
                        return Err(error);
                    }
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// Returns the parts of the upload's plan for the provider, if they are all there.
    fn complete_list(&self, upload: &UploadRow, parts: Vec<Sent>) -> Result<Vec<CompletedPart>, Error> {
        let found = Found::Parts(parts.iter().map(|part| part.arrived).collect());
        let progress = Progress::of(upload.size, &found);
        if !progress.is_complete {
            let what = format!(
                "the parts of {} have {} bytes together, and not {}",
                upload.key(),
                progress.bytes,
                upload.size
            );
            return Err(Error::new(self.provider(), ErrorKind::Damaged, what));
        }
        let plan = Plan::of(upload.size);
        let planned = parts.into_iter().filter(|part| plan.part(part.arrived.number).is_some());
        Ok(planned
            .map(|part| {
                let number = i32::try_from(part.arrived.number).unwrap_or(i32::MAX);
                CompletedPart::builder().part_number(number).e_tag(part.tag).build()
            })
            .collect())
    }

    async fn complete(
        &self,
        upload: &UploadRow,
        multipart: &str,
        parts: Vec<CompletedPart>,
    ) -> Result<(), Error> {
        let objects = &self.objects;
        let limits = objects.limits();
        let longer = Limits {
            attempt: limits.attempt.saturating_add(JOIN),
            operation: limits.operation.saturating_add(JOIN),
            ..limits
        };
        let complete = objects
            .client()
            .complete_multipart_upload()
            .bucket(objects.bucket())
            .key(upload.key().to_string())
            .upload_id(multipart)
            .if_none_match("*")
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build());
        let config = objects.config().timeout_config(longer.timeouts());
        let completed = Box::pin(complete.customize().config_override(config).send()).await;
        completed.map(drop).map_err(|error| objects.error(&error))
    }

    /// Checks that the whole is there.
    async fn expect_whole(&self, upload: &UploadRow, otherwise: &str) -> Result<(), Error> {
        if self.whole(upload).await?.is_some() {
            return Ok(());
        }
        let what = format!("{} is not there, although {otherwise}", upload.key());
        Err(Error::new(self.provider(), ErrorKind::Unavailable, what))
    }

    /// Aborts a multipart upload, if it is still there.
    pub(super) async fn abort_one(&self, upload: &UploadRow, multipart: &str) -> Result<(), Error> {
        let objects = &self.objects;
        let abort = objects
            .client()
            .abort_multipart_upload()
            .bucket(objects.bucket())
            .key(upload.key().to_string())
            .upload_id(multipart);
        match Box::pin(abort.customize().config_override(objects.config()).send()).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = objects.error(&error);
                if is_gone(&error) { Ok(()) } else { Err(error) }
            }
        }
    }
}

/// Returns `true` if a multipart upload is absent, as opposed to its bucket.
fn is_gone(error: &Error) -> bool {
    error.code.as_deref() == Some("NoSuchUpload")
}
