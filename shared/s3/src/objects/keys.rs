//! Operations on many keys: listings, sums, deletion.

use std::collections::HashSet;

use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{Delete, EncodingType, Object, ObjectIdentifier};
use credlink_aws::{Error, ErrorKind};
use credlink_core::bounds::MAX_PAGE;
use credlink_core::object::StoredTag;
use credlink_core::time::Timestamp;
use credlink_ports::{Listed, Page};
use credlink_runtime::deadline::at_most;
use credlink_runtime::throttle;
use futures_util::stream::{self, Stream, TryStreamExt as _};
use tokio::time::Instant;

use super::S3Objects;
use crate::attributes::{etag, tag, timestamp, unescape};
use crate::operations::{Deletion, Entry, Sum};
use crate::settings::BucketKind;

/// The maximum number of keys in one request (S3 API, DeleteObjects).
const MAX_KEYS_A_DELETION: usize = 1_000;

impl S3Objects {
    /// Returns one page of a listing, in the form of the port.
    pub(super) async fn page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Listed>, Error> {
        let page = self.tagged_page(prefix, after, limit).await?;
        Ok(Page { items: page.items.into_iter().map(|(item, _)| item).collect(), next: page.next })
    }

    /// Returns one page of a listing, each object with its tag.
    pub(crate) async fn tagged_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<(Listed, StoredTag)>, Error> {
        let output = self.list(prefix, None, Start::Behind(after), limit.clamp(1, MAX_PAGE)).await?;
        let items: Vec<_> =
            output.contents().iter().map(|object| (listed(object), tag(object.e_tag()))).collect();
        let more = output.is_truncated() == Some(true);
        let next = if more { items.last().map(|(item, _)| item.key.clone()) } else { None };
        if more && next.is_none() {
            let what = format!("a page of `{prefix}` is empty and says that there are more");
            return Err(Error::new(self.kind().name(), ErrorKind::Unavailable, what));
        }
        Ok(Page { items, next })
    }

    /// Walks all objects whose keys begin with `prefix`, in the order of keys, loading pages on demand. Unless the walk
    /// is `deep`, keys with a `/` after the prefix appear as their common prefixes.
    pub fn walk(
        &self,
        prefix: &str,
        deep: bool,
    ) -> impl Stream<Item = Result<Entry, Error>> + Send + 'static {
        let (objects, prefix) = (self.clone(), prefix.to_owned());
        let pages = stream::try_unfold(Some(None::<String>), move |token| {
            let (objects, prefix) = (objects.clone(), prefix.clone());
            async move {
                let Some(token) = token else { return Ok(None) };
                let start = token.as_deref().map_or(Start::Behind(None), Start::At);
                let delimiter = (!deep).then_some("/");
                let output = objects.list(&prefix, delimiter, start, MAX_PAGE).await?;
                let next = output.next_continuation_token().filter(|_| output.is_truncated() == Some(true));
                let next = next.map(|token| Some(token.to_owned()));
                Ok::<_, Error>(Some((entries(&output), next)))
            }
        });
        pages.map_ok(|entries| stream::iter(entries.into_iter().map(Ok))).try_flatten()
    }

    /// Returns the number of objects under `prefix` and their bytes, with one call per thousand objects.
    ///
    /// # Errors
    /// The provider failed.
    pub async fn sum(&self, prefix: &str) -> Result<Sum, Error> {
        let add = |sum: Sum, entry| async move {
            Ok(match entry {
                Entry::Object(object) => {
                    Sum { objects: sum.objects + 1, bytes: sum.bytes.saturating_add(object.size) }
                }
                Entry::Prefix(_) => sum,
            })
        };
        self.walk(prefix, true).try_fold(Sum::default(), add).await
    }

    /// Removes the object under `key`. If that is throttled, it is retried until the limit of the operation.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), Error> {
        let until = Instant::now() + at_most(self.limits().operation);
        loop {
            let delete = self.client().delete_object().bucket(self.bucket()).key(key);
            let deleted = Box::pin(delete.customize().config_override(self.config()).send()).await;
            let Err(error) = deleted else { return Ok(()) };
            let error = self.error(&error);
            if error.kind != ErrorKind::Throttled {
                return Self::absent::<()>(error).map(drop);
            }
            throttle::note();
            match throttle::pause(until.saturating_duration_since(Instant::now())) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    /// Removes the object under `key` if it has this tag. Returns `true` if it was removed.
    ///
    /// S3 decides this by `If-Match` (S3 User Guide, "Conditional deletes"). R2 has no such condition, and neither have
    /// some servers that speak S3: for them the tag is compared just before, and a write in between is lost.
    pub(crate) async fn remove_if(&self, key: &str, tag: &StoredTag) -> Result<bool, Error> {
        if self.describe(key).await?.is_none_or(|head| head.tag != *tag) {
            return Ok(false);
        }
        let condition = (self.kind() == BucketKind::S3).then(|| etag(tag));
        let delete = self.client().delete_object().bucket(self.bucket()).key(key).set_if_match(condition);
        let Err(error) = Box::pin(delete.customize().config_override(self.config()).send()).await else {
            return Ok(true);
        };
        let error = self.error(&error);
        match error.kind {
            ErrorKind::PreconditionFailed | ErrorKind::Conflict => Ok(false),
            _ if error.code.as_deref() == Some("NotImplemented") => self.remove(key).await.map(|()| true),
            _ => Self::absent::<()>(error).map(|_| false),
        }
    }

    /// Removes the objects under any number of keys, in requests of a thousand. It never stops early: each key of a
    /// failed request is reported as failed.
    pub async fn remove_all(&self, keys: &[String]) -> Deletion {
        let mut deletion = Deletion::default();
        for keys in keys.chunks(MAX_KEYS_A_DELETION) {
            if let Err(error) = self.remove_chunk(keys, &mut deletion).await {
                let reason = error.to_string();
                deletion.failed.extend(keys.iter().map(|key| (key.clone(), reason.clone())));
            }
        }
        deletion
    }

    async fn remove_chunk(&self, keys: &[String], deletion: &mut Deletion) -> Result<(), Error> {
        let name = self.kind().name();
        let refused = |error: BuildError| Error::new(name, ErrorKind::Refused, error.to_string());
        let identifiers = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build());
        let identifiers = identifiers.collect::<Result<Vec<_>, _>>().map_err(refused)?;
        let delete = Delete::builder().set_objects(Some(identifiers)).quiet(true).build().map_err(refused)?;
        let delete = self.client().delete_objects().bucket(self.bucket()).delete(delete);
        let output = Box::pin(delete.customize().config_override(self.config()).send()).await;
        let output = output.map_err(|error| self.error(&error))?;
        let mut failed = HashSet::new();
        for error in output.errors() {
            let key = error.key().unwrap_or_default();
            let (code, said) = (error.code().unwrap_or("no code"), error.message().unwrap_or_default());
            if code != "NoSuchKey" && failed.insert(key) {
                deletion.failed.push((key.to_owned(), format!("{name}: {code}: {said}")));
            }
        }
        deletion.deleted += keys.len().saturating_sub(failed.len()) as u64;
        Ok(())
    }

    async fn list(
        &self,
        prefix: &str,
        delimiter: Option<&str>,
        start: Start<'_>,
        limit: usize,
    ) -> Result<ListObjectsV2Output, Error> {
        let (after, token) = match start {
            // Starting after an empty text is the same as starting at the beginning, but some servers treat it
            // differently.
            Start::Behind(after) => (after.filter(|after| !after.is_empty()), None),
            Start::At(token) => (None, Some(token)),
        };
        let list = self
            .client()
            .list_objects_v2()
            .bucket(self.bucket())
            .prefix(prefix)
            .set_delimiter(delimiter.map(str::to_owned))
            .set_start_after(after.map(str::to_owned))
            .set_continuation_token(token.map(str::to_owned))
            .max_keys(i32::try_from(limit).unwrap_or(1_000))
            // Keys may have characters that XML 1.0 cannot represent.
            .encoding_type(EncodingType::Url);
        let output = Box::pin(list.customize().config_override(self.config()).send()).await;
        output.map_err(|error| self.error(&error))
    }
}

/// The beginning of a page.
enum Start<'a> {
    /// The first key after this one.
    Behind(Option<&'a str>),
    /// The end of the page that returned this token.
    At(&'a str),
}

fn listed(object: &Object) -> Listed {
    Listed {
        key: decoded(object.key().unwrap_or_default()),
        size: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
        modified: object.last_modified().map_or(Timestamp::from_milliseconds(0), timestamp),
    }
}

/// Decodes a key. S3 encodes a blank as `+`, R2 as `%20`.
fn decoded(key: &str) -> String {
    unescape(&key.replace('+', " ")).unwrap_or_else(|| key.to_owned())
}

/// Merges the objects and prefixes of a page into one order.
fn entries(output: &ListObjectsV2Output) -> Vec<Entry> {
    let mut entries: Vec<_> = output.contents().iter().map(listed).map(Entry::Object).collect();
    let prefixes = output.common_prefixes().iter().filter_map(|prefix| prefix.prefix());
    entries.extend(prefixes.map(|prefix| Entry::Prefix(decoded(prefix))));
    entries.sort_by(|a, b| a.key().cmp(b.key()));
    entries
}
