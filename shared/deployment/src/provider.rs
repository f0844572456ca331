//! A provider that is chosen at run time: a bucket or a folder, with the operations that operators perform on either.
//!
//! A bucket accepts any text as a key. A folder holds CredLink's own objects only, so that no key can lead out of it
//! (`folder`). The variables that describe a provider are read in `settings`.

mod folder;
mod settings;

use bytes::Bytes;
use credlink_core::object::{Attributes, Head, Object};
use credlink_ports::{
    Condition, Objects as _, Put, SingleProvider, forward_checksummed, forward_long_objects, forward_medium,
    forward_objects, on_variant,
};
use futures_util::stream::{BoxStream, Stream, StreamExt as _, TryStreamExt as _};

use credlink_aws::{Error, ErrorKind};
use credlink_disk::folder::Folder;
use credlink_s3::{Body, Deletion, Download, Entry, Range, S3Objects, Sum, Uploaded};

use folder::{cut, object_key, walk};

pub use settings::{OpenError, ProviderSettings, limits};

/// A provider.
#[derive(Debug, Clone)]
pub enum Provider {
    /// A bucket of S3 or R2.
    Bucket(S3Objects),
    /// A folder of this machine.
    Folder(Folder),
}

impl Provider {
    /// Lists all objects whose keys begin with `prefix`, as [`S3Objects::walk`] does.
    #[must_use]
    pub fn walk(&self, prefix: &str, deep: bool) -> BoxStream<'static, Result<Entry, Error>> {
        match self {
            Self::Bucket(bucket) => bucket.walk(prefix, deep).boxed(),
            Self::Folder(folder) => walk(folder.clone(), prefix.to_owned(), deep).boxed(),
        }
    }

    /// Returns the attributes of the object under `key`, or `None` if there is none.
    ///
    /// # Errors
    /// Returns the provider's error. A folder also refuses a key that is not an object's.
    pub async fn describe(&self, key: &str) -> Result<Option<Head>, Error> {
        match self {
            Self::Bucket(bucket) => {
                let Some(mut head) = bucket.describe(key).await? else { return Ok(None) };
                head.attributes.tags = bucket.tags(key).await?.unwrap_or_default();
                Ok(Some(head))
            }
            Self::Folder(folder) => Ok(folder.head(&object_key(key)?).await?),
        }
    }

    /// Returns the object under `key`, or a range of it; `None` if there is none. Tags are left out.
    ///
    /// # Errors
    /// Fails as [`Self::describe`] does, and for a range that lies outside the object.
    pub async fn download(&self, key: &str, range: Option<Range>) -> Result<Option<Download>, Error> {
        match self {
            Self::Bucket(bucket) => bucket.download(key, range).await,
            Self::Folder(folder) => {
                let Some(Object { head, body }) = folder.get(&object_key(key)?).await? else {
                    return Ok(None);
                };
                let body = match range {
                    None => body,
                    Some(range) => cut(&body, range).ok_or_else(|| {
                        let what = format!("the range lies outside {key}, which has {} bytes", head.size);
                        Error::new(folder.name(), ErrorKind::Refused, what)
                    })?,
                };
                Ok(Some(Download { head, body: Body::whole(body) }))
            }
        }
    }

    /// Writes a stream under `key`, and replaces an object that is there. A folder reads the stream into memory first.
    ///
    /// # Errors
    /// Returns the error of the provider or of the stream. A folder also refuses a key that is not an object's.
    pub async fn upload(
        &self,
        key: &str,
        attributes: &Attributes,
        length: Option<u64>,
        body: impl Stream<Item = Result<Bytes, Error>> + Send,
    ) -> Result<Uploaded, Error> {
        match self {
            Self::Bucket(bucket) => bucket.upload(key, attributes, length, body).await,
            Self::Folder(folder) => {
                let key = object_key(key)?;
                let chunks: Vec<Bytes> = body.try_collect().await?;
                let bytes = Bytes::from(chunks.concat());
                loop {
                    let there = folder.head(&key).await?;
                    let condition = there.map_or(Condition::Absent, |head| Condition::Matches(head.tag));
                    match folder.put(&key, bytes.clone(), attributes, condition).await? {
                        Put::Stored(_) => return Ok(Uploaded { size: bytes.len() as u64, parts: 1 }),
                        // Another writer was faster, and its object is replaced.
                        Put::Lost => {}
                    }
                }
            }
        }
    }

    /// Copies within the provider, and replaces an object at `to`. A bucket copies without sending the bytes through
    /// this process.
    ///
    /// # Errors
    /// Fails as [`S3Objects::copy`] does.
    pub async fn copy(&self, from: &str, to: &str) -> Result<Option<Head>, Error> {
        match self {
            Self::Bucket(bucket) => bucket.copy(from, to).await,
            Self::Folder(_) => {
                let Some(Download { head, body }) = self.download(from, None).await? else { return Ok(None) };
                self.upload(to, &head.attributes, Some(head.size), body).await?;
                Ok(Some(head))
            }
        }
    }

    /// Moves within the provider. The original is deleted once the copy exists.
    ///
    /// # Errors
    /// Fails as [`S3Objects::rename`] does.
    pub async fn rename(&self, from: &str, to: &str) -> Result<Option<Head>, Error> {
        match self {
            Self::Bucket(bucket) => bucket.rename(from, to).await,
            Self::Folder(folder) if from != to => {
                let copied = self.copy(from, to).await?;
                if copied.is_some() {
                    folder.delete(&object_key(from)?).await?;
                }
                Ok(copied)
            }
            Self::Folder(_) => self.describe(from).await,
        }
    }

    /// Removes any number of objects by their keys.
    pub async fn remove_all(&self, keys: &[String]) -> Deletion {
        match self {
            Self::Bucket(bucket) => bucket.remove_all(keys).await,
            Self::Folder(folder) => {
                let mut deletion = Deletion::default();
                for key in keys {
                    let deleted = match object_key(key) {
                        Ok(object) => folder.delete(&object).await.map_err(Error::from),
                        Err(error) => Err(error),
                    };
                    match deleted {
                        Ok(()) => deletion.deleted += 1,
                        Err(error) => deletion.failed.push((key.clone(), error.to_string())),
                    }
                }
                deletion
            }
        }
    }

    /// Returns the number and the total size of the objects under `prefix`.
    ///
    /// # Errors
    /// Returns the provider's error.
    pub async fn sum(&self, prefix: &str) -> Result<Sum, Error> {
        let add = |sum: Sum, entry| async move {
            let Entry::Object(object) = entry else { return Ok(sum) };
            Ok(Sum { objects: sum.objects + 1, bytes: sum.bytes.saturating_add(object.size) })
        };
        self.walk(prefix, true).try_fold(Sum::default(), add).await
    }

    /// Returns the bucket, if it is one, for operations that a folder does not have, such as signed URLs.
    #[must_use]
    pub const fn bucket(&self) -> Option<&S3Objects> {
        match self {
            Self::Bucket(bucket) => Some(bucket),
            Self::Folder(_) => None,
        }
    }
}

macro_rules! chosen {
    (now $self:ident, $objects:ident => $call:expr) => {
        on_variant!($self, Bucket | Folder, $objects => $call)
    };
    ($kind:ident $self:ident, $objects:ident => $call:expr) => {
        on_variant!($self, Bucket | Folder, $objects => $call.await)
    };
}

forward_objects!(impl[] for Provider, by chosen);
forward_medium!(impl[] for Provider, by chosen);
forward_checksummed!(impl[] for Provider, by chosen);
forward_long_objects!(impl[] for Provider, by chosen);

impl SingleProvider for Provider {}
