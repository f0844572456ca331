//! Legacy records as objects of a bucket of S3 or R2, and a bucket that is a CredLink's.
//!
//! * **Items** are the objects whose keys begin with the prefix. Keys that end with `/` and hold nothing are the folders of
//!   consoles, and passed over. Their version is the `ETag`.
//! * **gzip** is known by its first bytes: R2 stores what was sent with `Content-Encoding: gzip` as it is, S3 likewise, and
//!   files named `.gz` say nothing at all.
//! * **A CredLink's own objects** (`proofs/…`, `manifests/…`) are read as proofs where the prefix is empty ([`Layout`]): an
//!   item for each current record, with its earlier records and its manifests, and one for each manifest that no record
//!   refers to. Behind a prefix they are items with a reason.
//! * **Removal** is decided by the `ETag`: on S3 by the condition of the deletion itself, on R2, which has none, by a look
//!   right before it. In a bucket with versions the earlier version stays. A CredLink's objects are not removed here: its
//!   index would go on naming them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use credlink_core::bounds::MAX_TOMBSTONE_BYTES;
use credlink_core::front::Front;
use credlink_core::manifest_id::ManifestId;
use credlink_core::object::{ObjectKey, StoredTag};
use credlink_ports::migration::bucket as port;
use credlink_ports::migration::{Content, Item, Removal, Source};
use credlink_ports::{Failure, FailureKind, Listed, Page};

use super::INDEX_LEFT_BEHIND;

use super::layout::Layout;
use super::text::{self, MAX_STORED_BYTES};
use crate::side::Side;

/// A marker of a deletion is shorter than this, in bytes, and a record is longer: three members against nine.
const MAX_MARKER_BYTES: u64 = MAX_TOMBSTONE_BYTES as u64;

/// Objects of a bucket.
#[derive(Debug, Clone)]
pub struct Bucket<B> {
    objects: B,
    prefix: String,
    layout: Layout<B>,
    /// Whether objects of a CredLink were listed.
    has_own: Arc<AtomicBool>,
}

impl<B: port::Bucket> Bucket<B> {
    /// The store whose objects these are. Below a prefix there are none.
    pub async fn side(&self) -> Result<Side, Failure> {
        if self.prefix.is_empty() { self.layout.side().await } else { Ok(Side::default()) }
    }

    /// The objects whose keys begin with `prefix`.
    #[must_use]
    pub fn new(objects: B, prefix: impl Into<String>) -> Self {
        let layout = Layout::new(objects.clone());
        Self { objects, prefix: prefix.into(), layout, has_own: Arc::default() }
    }

    /// The bucket.
    pub const fn objects(&self) -> &B {
        &self.objects
    }

    /// The record that an object of CredLink is, and that is read with all that belongs to it.
    fn own(&self, key: &str) -> Option<ObjectKey> {
        key.parse().ok().filter(|_| self.prefix.is_empty())
    }

    /// The item of an object; `None` where it is none.
    async fn item(&self, object: Listed, tag: &StoredTag) -> Result<Option<Item>, Failure> {
        let is_item = match self.own(&object.key) {
            Some(ObjectKey::Record(id)) if object.size <= MAX_MARKER_BYTES => self.layout.has(&id).await?,
            Some(ObjectKey::Record(_)) => true,
            // It belongs to a record.
            Some(ObjectKey::Revision(..)) => false,
            Some(ObjectKey::Manifest(id)) if object.size <= MAX_MARKER_BYTES => {
                match self.layout.read_manifest(&id).await {
                    // Reading it tells how.
                    Err(failure) if failure.kind == FailureKind::Damaged => true,
                    content => content?.is_some(),
                }
            }
            Some(ObjectKey::Manifest(_)) => true,
            // They say how the other store keeps its proofs.
            Some(
                ObjectKey::Front(_)
                | ObjectKey::Alias(_)
                | ObjectKey::Hold(..)
                | ObjectKey::Removed(..)
                | ObjectKey::Identity,
            ) => false,
            None => !(object.key.ends_with('/') && object.size == 0),
        };
        Ok(is_item.then(|| Item { key: object.key, size: object.size, version: tag.0.clone() }))
    }

    async fn legacy(&self, key: &str) -> Result<Option<Content>, Failure> {
        let Some(fetched) = self.objects.fetch(key, MAX_STORED_BYTES).await? else { return Ok(None) };
        let said = fetched.head.attributes.content_encoding.as_deref();
        if let Some(coding) =
            said.filter(|coding| !matches!(*coding, "" | "identity" | "gzip" | "aws-chunked"))
        {
            let what = format!("its Content-Encoding is `{coding}`; gzip or none can be read");
            return Ok(Some(Content::Unreadable(what)));
        }
        Ok(Some(match fetched.body {
            Some(bytes) => text::legacy(bytes),
            None => text::too_long(fetched.head.size),
        }))
    }
}

impl<B: port::Bucket> Source for Bucket<B> {
    fn name(&self) -> &'static str {
        self.objects.name()
    }

    fn left_behind(&self) -> Option<&'static str> {
        self.has_own.load(Ordering::Relaxed).then_some(INDEX_LEFT_BEHIND)
    }

    async fn front(&self, id: &ManifestId) -> Result<Option<Front>, Failure> {
        if self.prefix.is_empty() { self.layout.read_front(id).await } else { Ok(None) }
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page<Item>, Failure> {
        let page = Box::pin(self.objects.tagged_page(&self.prefix, after, limit)).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for (object, tag) in page.items {
            let own = self.own(&object.key);
            if own.is_some() {
                self.has_own.store(true, Ordering::Relaxed);
            }
            if let Some(ObjectKey::Manifest(id)) = own
                && Box::pin(self.layout.is_held(&id)).await?
            {
                continue;
            }
            items.extend(Box::pin(self.item(object, &tag)).await?);
        }
        Ok(Page { items, next: page.next })
    }

    /// Which manifests stand by themselves is not found out for it: every record would be read.
    async fn sample(&self, limit: usize) -> Result<Vec<String>, Failure> {
        let page = Box::pin(self.objects.tagged_page(&self.prefix, None, limit)).await?;
        let keys = page.items.into_iter().map(|(object, _)| object.key);
        // Reading an earlier record by itself asks nobody.
        let is_item = |key: &String| {
            matches!(self.own(key), None | Some(ObjectKey::Record(_) | ObjectKey::Manifest(_)))
        };
        Ok(keys.filter(is_item).collect())
    }

    async fn read(&self, key: &str) -> Result<Option<Content>, Failure> {
        match self.own(key) {
            Some(ObjectKey::Record(id)) => Box::pin(self.layout.read(&id)).await,
            Some(ObjectKey::Manifest(id)) => Box::pin(self.layout.read_manifest(&id)).await,
            Some(
                ObjectKey::Revision(..)
                | ObjectKey::Front(_)
                | ObjectKey::Alias(_)
                | ObjectKey::Hold(..)
                | ObjectKey::Removed(..)
                | ObjectKey::Identity,
            ) => Ok(None),
            None if is_own_behind(&self.prefix, key) => Ok(Some(Content::Unreadable(
                "an object of a CredLink: name its bucket without a prefix to take its proofs over"
                    .to_owned(),
            ))),
            None => Box::pin(self.legacy(key)).await,
        }
    }

    async fn look(&self, key: &str) -> Result<Option<Item>, Failure> {
        let Some(head) = Box::pin(self.objects.describe(key)).await? else { return Ok(None) };
        let object = Listed { key: key.to_owned(), size: head.size, modified: head.modified };
        Box::pin(self.item(object, &head.tag)).await
    }

    async fn remove(&self, item: &Item) -> Result<Removal, Failure> {
        if self.own(&item.key).is_some() {
            let message = format!(
                "{}: a CredLink's objects are removed by its own API, which knows their index: name it as credlink:URL",
                item.key
            );
            return Err(Failure { provider: self.name(), kind: FailureKind::AccessDenied, message });
        }
        if Box::pin(self.objects.remove_if(&item.key, &StoredTag(item.version.clone()))).await? {
            return Ok(Removal::Removed);
        }
        let there = Box::pin(self.objects.describe(&item.key)).await?;
        Ok(if there.is_some() { Removal::Changed } else { Removal::Absent })
    }
}

/// Whether a key is that of an object of CredLink, behind this prefix or with it.
fn is_own_behind(prefix: &str, key: &str) -> bool {
    let behind = key.strip_prefix(prefix).map(|rest| rest.trim_start_matches('/'));
    [Some(key), behind].into_iter().flatten().any(|key| key.parse::<ObjectKey>().is_ok())
}
