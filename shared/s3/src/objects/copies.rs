//! Server-side copies and moves, whose bytes do not pass through this process.

use aws_sdk_s3::types::MetadataDirective;
use credlink_aws::{Error, ErrorKind};
use credlink_core::object::Head;

use super::S3Objects;
use crate::attributes::{escape, etag};

/// The size of the largest object that one request copies (S3 API, CopyObject). A larger one is streamed through this
/// process.
const MAX_COPY_BYTES: u64 = 5 * 1_024 * 1_024 * 1_024;

impl S3Objects {
    /// Copies the object under `from` to `to` in the same bucket, with all its attributes, and overwrites any object
    /// there. Returns the head of the copied object, or `None` if there is no object under `from`.
    ///
    /// # Errors
    /// The provider failed, or the object changed meanwhile.
    pub async fn copy(&self, from: &str, to: &str) -> Result<Option<Head>, Error> {
        let Some(head) = self.describe(from).await? else { return Ok(None) };
        if head.size > MAX_COPY_BYTES {
            return self.copy_through(from, to).await;
        }
        let copy = self
            .client()
            .copy_object()
            .bucket(self.bucket())
            .key(to)
            .copy_source(format!("{}/{}", self.bucket(), escape_path(from)))
            .copy_source_if_match(etag(&head.tag))
            .metadata_directive(MetadataDirective::Copy)
            .set_storage_class(self.storage_class())
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.kms_key());
        // The service copies the bytes before it answers.
        let config = self.config_for(usize::try_from(head.size).unwrap_or(usize::MAX));
        match Box::pin(copy.customize().config_override(config).send()).await {
            Ok(_) => Ok(Some(head)),
            Err(error) => match self.error(&error) {
                Error { kind: ErrorKind::PreconditionFailed, .. } => Err(self.changed(from)),
                error => Self::absent(error),
            },
        }
    }

    /// Moves the object under `from` to `to`: copies it, compares the copy, and only then deletes the original. Returns
    /// the head of the moved object, or `None` if there is no object under `from`.
    ///
    /// An object that is replaced between the comparison and the deletion is lost, because S3 and R2 have no
    /// conditional deletion in common. CredLink itself never moves objects that are in use.
    ///
    /// # Errors
    /// The provider failed, or the copy differs, in which case both objects stay.
    pub async fn rename(&self, from: &str, to: &str) -> Result<Option<Head>, Error> {
        if from == to {
            return self.describe(from).await;
        }
        let Some(original) = self.copy(from, to).await? else { return Ok(None) };
        let copy = self.describe(to).await?;
        // The ETag of an object with one part depends on its content alone; with several parts, also on how it was
        // divided.
        let comparable = |head: &Head| !head.tag.0.contains('-');
        let same = copy.as_ref().is_some_and(|copy| {
            copy.size == original.size
                && copy.attributes == original.attributes
                && (copy.tag == original.tag || !comparable(copy) || !comparable(&original))
        });
        if !same {
            let what = format!("the copy of {from} at {to} is not what was copied; {from} is left in place");
            return Err(Error::new(self.kind().name(), ErrorKind::Damaged, what));
        }
        match self.describe(from).await? {
            Some(now) if now.tag != original.tag => return Err(self.changed(from)),
            _ => self.remove(from).await?,
        }
        Ok(Some(original))
    }

    /// Returns the tags of the object under `key` by name, or `None` if there is no object. R2 has no tags.
    ///
    /// # Errors
    /// The provider failed.
    pub async fn tags(&self, key: &str) -> Result<Option<std::collections::BTreeMap<String, String>>, Error> {
        if !self.takes_tags() {
            return Ok(self.describe(key).await?.map(|head| head.attributes.tags));
        }
        let tags = self.client().get_object_tagging().bucket(self.bucket()).key(key);
        match Box::pin(tags.customize().config_override(self.config()).send()).await {
            Ok(output) => {
                let pairs = output.tag_set().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
                Ok(Some(pairs.collect()))
            }
            Err(error) => Self::absent(self.error(&error)),
        }
    }

    async fn copy_through(&self, from: &str, to: &str) -> Result<Option<Head>, Error> {
        let Some(download) = self.download(from, None).await? else { return Ok(None) };
        let mut attributes = download.head.attributes.clone();
        attributes.tags = self.tags(from).await?.unwrap_or_default();
        self.upload(to, &attributes, Some(download.head.size), download.body).await?;
        Ok(Some(download.head))
    }

    fn changed(&self, key: &str) -> Error {
        let what = format!("{key} was replaced while it was copied; try again");
        Error::new(self.kind().name(), ErrorKind::PreconditionFailed, what)
    }
}

/// Escapes a key as a path, and keeps its slashes.
fn escape_path(key: &str) -> String {
    key.split('/').map(escape).collect::<Vec<_>>().join("/")
}
