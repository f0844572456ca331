//! Multipart uploads: begun, completed or aborted, and those that were never completed.
//!
//! The parts of an upload that was never completed cost money and appear nowhere. An upload is aborted if it fails or
//! is dropped. A process that is killed leaves its uploads behind, and [`S3Objects::abort_uploads`] finds them.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use credlink_aws::{Error, ErrorKind};
use credlink_core::hash::Digest;
use credlink_core::object::Attributes;
use credlink_core::time::Timestamp;
use data_encoding::BASE64;

use super::S3Objects;
use crate::attributes::{Headers, timestamp};

/// A multipart upload under way.
pub(super) struct Upload {
    objects: S3Objects,
    key: String,
    /// The upload's ID, or `None` once it is completed or aborted.
    id: Option<String>,
}

impl Upload {
    /// Begins an upload, in a task of its own: a caller that is cancelled while it waits would never learn the ID under
    /// which to abort the upload.
    pub(super) async fn begin(
        objects: &S3Objects,
        key: &str,
        attributes: &Attributes,
    ) -> Result<Self, Error> {
        let (objects, key, attributes) = (objects.clone(), key.to_owned(), attributes.clone());
        let kind = objects.kind().name();
        let begun = tokio::spawn(async move { Self::create(objects, key, &attributes).await }).await;
        begun.unwrap_or_else(|error| Err(Error::new(kind, ErrorKind::Unavailable, error.to_string())))
    }

    async fn create(objects: S3Objects, key: String, attributes: &Attributes) -> Result<Self, Error> {
        let headers = Headers::of(attributes, None);
        let create = objects
            .client()
            .create_multipart_upload()
            .bucket(objects.bucket())
            .key(&key)
            .content_type(headers.content_type)
            .set_content_encoding(headers.content_encoding)
            .set_cache_control(headers.cache_control)
            .set_metadata(Some(headers.metadata))
            .set_tagging(headers.tagging.filter(|_| objects.takes_tags()))
            .set_storage_class(objects.storage_class())
            .set_server_side_encryption(objects.encryption())
            .set_ssekms_key_id(objects.kms_key())
            .set_checksum_algorithm(objects.part_checksum());
        let created = Box::pin(create.customize().config_override(objects.config()).send()).await;
        let created = created.map_err(|error| objects.error(&error))?;
        let id = created.upload_id().map(str::to_owned).ok_or_else(|| {
            Error::new(objects.kind().name(), ErrorKind::Unavailable, "an upload was begun without an id")
        })?;
        Ok(Self { objects, key, id: Some(id) })
    }

    /// Sends one part, numbered from 1.
    pub(super) async fn part(&self, number: i32, bytes: Bytes) -> Result<CompletedPart, Error> {
        let objects = &self.objects;
        let config = objects.config_for(bytes.len());
        let sha256 = objects.part_checksum().map(|_| BASE64.encode(Digest::of(&bytes).as_bytes()));
        let part = objects
            .client()
            .upload_part()
            .bucket(objects.bucket())
            .key(&self.key)
            .set_upload_id(self.id.clone())
            .part_number(number)
            .set_checksum_sha256(sha256.clone())
            .body(ByteStream::from(bytes));
        let sent = Box::pin(part.customize().config_override(config).send()).await;
        let sent = sent.map_err(|error| objects.error(&error))?;
        let part = CompletedPart::builder().part_number(number).set_checksum_sha256(sha256);
        Ok(part.set_e_tag(sent.e_tag).build())
    }

    /// Completes the upload, which makes an object of the parts.
    pub(super) async fn complete(mut self, parts: Vec<CompletedPart>) -> Result<(), Error> {
        let upload = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let objects = self.objects.clone();
        let complete = objects
            .client()
            .complete_multipart_upload()
            .bucket(objects.bucket())
            .key(&self.key)
            .set_upload_id(self.id.clone())
            .multipart_upload(upload);
        match Box::pin(complete.customize().config_override(objects.config()).send()).await {
            Ok(_) => {
                self.id = None;
                Ok(())
            }
            Err(error) => {
                let error = objects.error(&error);
                self.abort().await;
                Err(error)
            }
        }
    }

    /// Aborts the upload. If that fails, [`S3Objects::abort_uploads`] will find it.
    pub(super) async fn abort(mut self) {
        if let Some(id) = self.id.take() {
            abort(&self.objects, &self.key, &id).await;
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        // If the runtime has ended as well, the upload is left to `abort_uploads`.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (objects, key) = (self.objects.clone(), std::mem::take(&mut self.key));
            runtime.spawn(async move { abort(&objects, &key, &id).await });
        }
    }
}

async fn abort(objects: &S3Objects, key: &str, id: &str) {
    let abort = objects.client().abort_multipart_upload().bucket(objects.bucket()).key(key).upload_id(id);
    if let Err(error) = Box::pin(abort.customize().config_override(objects.config()).send()).await {
        let error = objects.error(&error);
        if error.kind != ErrorKind::NotFound {
            tracing::warn!(key, reason = %error, "an upload could not be aborted");
        }
    }
}

impl S3Objects {
    /// Aborts the uploads that were begun before `before` and never completed. Returns their number.
    ///
    /// # Errors
    /// The provider failed. Uploads that are already aborted stay so.
    pub async fn abort_uploads(&self, before: Timestamp) -> Result<u64, Error> {
        let (mut key_marker, mut id_marker, mut aborted) = (None, None, 0);
        loop {
            let list = self.client().list_multipart_uploads().bucket(self.bucket());
            let list = list.set_key_marker(key_marker).set_upload_id_marker(id_marker);
            let page = Box::pin(list.customize().config_override(self.config()).send()).await;
            let page = page.map_err(|error| self.error(&error))?;
            for upload in page.uploads() {
                let begun = upload.initiated().map(timestamp);
                let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
                if begun.is_none_or(|begun| begun >= before) {
                    continue;
                }
                let abort =
                    self.client().abort_multipart_upload().bucket(self.bucket()).key(key).upload_id(id);
                match Box::pin(abort.customize().config_override(self.config()).send()).await {
                    Ok(_) => aborted += 1,
                    Err(error) => match self.error(&error) {
                        // The upload was completed or aborted after the page was made.
                        Error { kind: ErrorKind::NotFound, .. } => {}
                        error => return Err(error),
                    },
                }
            }
            if page.is_truncated() != Some(true) {
                return Ok(aborted);
            }
            (key_marker, id_marker) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }

    /// Returns the checksum algorithm of parts.
    fn part_checksum(&self) -> Option<ChecksumAlgorithm> {
        self.sends_sha256().then_some(ChecksumAlgorithm::Sha256)
    }
}
