//! Legacy records as objects of an S3 or R2 bucket, or the bucket of a CredLink.
//!
//! * **Items** are the objects whose keys begin with the prefix. Empty objects whose keys end with `/` are the folders
//!   of web consoles, and are skipped. The version of an item is its `ETag`.
//! * **gzip** is recognised by its first bytes: R2 stores an upload with `Content-Encoding: gzip` unchanged, as does
//!   S3, and files named `.gz` may carry no such header at all.
//! * **A CredLink's own objects** (`proofs/…`, `manifests/…`) are read as proofs if the prefix is empty ([`Layout`]):
//!   there is an item for each current record, with its earlier records and its manifests, and one for each manifest
//!   that no record refers to. Behind a prefix they are items that fail with a reason.
//! * **Removal** depends on the `ETag`: S3 checks it as the precondition of the deletion, and R2, which has none, is
//!   read right before the deletion. In a versioned bucket the earlier version remains. A CredLink's objects are not
//!   removed here, because its index would continue to name them.

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

/// A tombstone is at most this long, in bytes, and a record is longer: three members against nine.
const MAX_TOMBSTONE_SIZE: u64 = MAX_TOMBSTONE_BYTES as u64;

/// The objects of a bucket as a source.
#[derive(Debug, Clone)]
pub struct Bucket<B> {
    objects: B,
    prefix: String,
    layout: Layout<B>,
    /// `true` once objects of a CredLink were listed.
    has_own: Arc<AtomicBool>,
}

impl<B: port::Bucket> Bucket<B> {
    /// Returns the store that these objects belong to. Behind a prefix there is none.
    pub async fn side(&self) -> Result<Side, Failure> {
        if self.prefix.is_empty() { self.layout.side().await } else { Ok(Side::default()) }
    }

    /// Creates a source of the objects whose keys begin with `prefix`.
    #[must_use]
    pub fn new(objects: B, prefix: impl Into<String>) -> Self {
        let layout = Layout::new(objects.clone());
        Self { objects, prefix: prefix.into(), layout, has_own: Arc::default() }
    }

    /// Returns the bucket.
    pub const fn objects(&self) -> &B {
        &self.objects
    }

    /// Parses the key of a CredLink object, which is read together with everything that belongs to it.
    fn own(&self, key: &str) -> Option<ObjectKey> {
        key.parse().ok().filter(|_| self.prefix.is_empty())
    }

    /// Returns the item of an object, or `None` if the object is not an item.
    async fn item(&self, object: Listed, tag: &StoredTag) -> Result<Option<Item>, Failure> {
        let is_item = match self.own(&object.key) {
            Some(ObjectKey::Record(id)) if object.size <= MAX_TOMBSTONE_SIZE => self.layout.has(&id).await?,
            Some(ObjectKey::Record(_)) => true,
            // An earlier record is part of its proof.
            Some(ObjectKey::Revision(..)) => false,
            Some(ObjectKey::Manifest(id)) if object.size <= MAX_TOMBSTONE_SIZE => {
                match self.layout.read_manifest(&id).await {
                    // The details of the damage come up when the item is read.
                    Err(failure) if failure.kind == FailureKind::Damaged => true,
                    content => content?.is_some(),
                }
            }
            Some(ObjectKey::Manifest(_)) => true,
            // These objects describe how the other store manages its proofs.
            Some(
                ObjectKey::Front(_)
                | ObjectKey::Alias(_)
                | ObjectKey::Hold(..)
                | ObjectKey::Removed(..)
                | ObjectKey::Identity
                | ObjectKey::Media(_),
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

    /// Does not determine which manifests stand by themselves, since that would read every record.
    async fn sample(&self, limit: usize) -> Result<Vec<String>, Failure> {
        let page = Box::pin(self.objects.tagged_page(&self.prefix, None, limit)).await?;
        let keys = page.items.into_iter().map(|(object, _)| object.key);
        // An earlier record is never read on its own.
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
                | ObjectKey::Identity
                | ObjectKey::Media(_),
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

/// Returns `true` if a key is that of a CredLink object, with the prefix or without it.
fn is_own_behind(prefix: &str, key: &str) -> bool {
    let behind = key.strip_prefix(prefix).map(|rest| rest.trim_start_matches('/'));
    [Some(key), behind].into_iter().flatten().any(|key| key.parse::<ObjectKey>().is_ok())
}
