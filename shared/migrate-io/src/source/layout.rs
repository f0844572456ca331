//! Proofs read from the objects of a CredLink, without its index: every current record with its earlier records and
//! their manifests, and the manifests that no record refers to. Legacy IDs that no record names are in the index alone,
//! and are left behind.
//!
//! The result is what a reader of the objects sees, such as an edge. It includes records whose row was never written
//! because a store was interrupted; storing the same file again completes them.

use std::sync::Arc;

use bytes::Bytes;
use credlink_core::bounds::MAX_REVISIONS;
use credlink_core::front::Front;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, ObjectKey, Verified};
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_ports::migration::{Content, Item, Removal, Revision, RevisionManifest, Source};
use credlink_ports::{Failure, FailureKind, Objects, Page};
use tokio::sync::OnceCell;

use super::INDEX_LEFT_BEHIND;

use super::held::Held;
use super::names::Named;
use crate::side::Side;

/// The objects of a CredLink at a provider.
#[derive(Debug, Clone)]
pub struct Layout<O> {
    provider: O,
    held: Arc<OnceCell<Held>>,
}

impl<O: Objects> Layout<O> {
    /// Creates a source of the objects of `provider`.
    #[must_use]
    pub fn new(provider: O) -> Self {
        Self { provider, held: Arc::default() }
    }

    /// Returns `true` if there is a record, and not a tombstone.
    pub async fn has(&self, id: &ProofId) -> Result<bool, Failure> {
        let key = ObjectKey::Record(*id);
        let Some(head) = self.provider.head(&key).await? else { return Ok(false) };
        // Damage comes up when the record is read.
        Ok(!Facts::read(&head.attributes).is_ok_and(|facts| facts.tombstone))
    }

    /// Reads a proof with its earlier records. Returns `None` if there is no record, or a tombstone.
    pub async fn read(&self, id: &ProofId) -> Result<Option<Content>, Failure> {
        let key = ObjectKey::Record(*id);
        let Some(verified) = self.verified(&key).await? else { return Ok(None) };
        if verified.facts().tombstone {
            return Ok(None);
        }
        let bytes = verified.content();
        let record = self.record(&key, &bytes)?;
        let mut revisions = Vec::new();
        // A record that claims more revisions than the maximum is damaged.
        let first = record.first_revision.max(record.revision.saturating_sub(MAX_REVISIONS));
        for revision in first..record.revision {
            let key = ObjectKey::Revision(*id, revision);
            let Some(earlier) = self.verified(&key).await? else {
                return Err(self.damaged(&key, &"the record after it is there, and it is not"));
            };
            let bytes = earlier.content();
            let record = self.record(&key, &bytes)?;
            revisions.push(self.revision(bytes, &record).await?);
        }
        revisions.push(self.revision(bytes, &record).await?);
        Ok(Some(Content::Proof(revisions)))
    }

    /// Reads the front of `id`, which says which tenant's manifest the plain address serves.
    pub async fn read_front(&self, id: &ManifestId) -> Result<Option<Front>, Failure> {
        let key = ObjectKey::Front(id.clone());
        let Some(verified) = self.verified(&key).await? else { return Ok(None) };
        let front = Front::parse(&verified.content()).map_err(|error| self.damaged(&key, &error))?;
        Ok(Some(front).filter(|front| front.manifest_id == *id))
    }

    /// Reads a manifest by itself. Returns `None` if there is none, or a tombstone.
    pub async fn read_manifest(&self, manifest: &ManifestKey) -> Result<Option<Content>, Failure> {
        let found = self.verified(&ObjectKey::Manifest(manifest.clone())).await?;
        let found = found.filter(|found| !found.facts().tombstone);
        Ok(found.map(|found| Content::Manifest {
            tenant: Some(found.facts().tenant.clone()),
            visibility: found.facts().visibility,
            bytes: found.content(),
        }))
    }

    /// Returns `true` if a record refers to a manifest.
    pub async fn is_held(&self, manifest: &ManifestKey) -> Result<bool, Failure> {
        Ok(self.held.get_or_try_init(|| Held::of(&self.provider)).await?.has(manifest))
    }

    async fn revision(&self, bytes: Bytes, record: &Record) -> Result<Revision, Failure> {
        let manifest = match &record.manifest.id {
            None => None,
            Some(id) => Some(self.manifest(ManifestKey::new(&record.tenant, id), record).await?),
        };
        Ok(Revision { record: bytes, manifest })
    }

    async fn manifest(&self, manifest: ManifestKey, record: &Record) -> Result<RevisionManifest, Failure> {
        let key = ObjectKey::Manifest(manifest);
        match self.verified(&key).await? {
            Some(found) if !found.facts().tombstone && found.facts().sha256 == record.manifest.sha256 => {
                Ok(RevisionManifest { bytes: found.content(), visibility: found.facts().visibility })
            }
            Some(_) => Err(self.damaged(&key, &format!("it is not the one of the proof {}", record.id))),
            None => {
                Err(self.damaged(&key, &format!("the proof {} names it, and it is not there", record.id)))
            }
        }
    }

    /// Returns the store that these objects belong to. If access to its identity is denied, only legacy records can be
    /// read.
    pub async fn side(&self) -> Result<Side, Failure> {
        match Side::of(&self.provider).await {
            Err(failure) if failure.kind == FailureKind::AccessDenied => Ok(Side::default()),
            side => side,
        }
    }

    async fn verified(&self, key: &ObjectKey) -> Result<Option<Verified>, Failure> {
        let Some(object) = self.provider.get(key).await? else { return Ok(None) };
        Verified::check(object).map(Some).map_err(|damage| self.damaged(key, &damage))
    }

    fn record(&self, key: &ObjectKey, bytes: &[u8]) -> Result<Record, Failure> {
        Record::parse(bytes).map_err(|error| self.damaged(key, &error))
    }

    fn damaged(&self, key: &ObjectKey, why: &dyn std::fmt::Display) -> Failure {
        Failure {
            provider: self.provider.name(),
            kind: FailureKind::Damaged,
            message: format!("{key}: {why}"),
        }
    }

    /// Returns the item of an object, or `None` if there is no object, or a tombstone.
    async fn item(&self, key: ObjectKey) -> Result<Option<Item>, Failure> {
        let name = match &key {
            ObjectKey::Record(id) => Named::Proof(*id),
            ObjectKey::Manifest(id) => Named::Manifest(id.clone()),
            ObjectKey::Revision(..)
            | ObjectKey::Front(_)
            | ObjectKey::Alias(_)
            | ObjectKey::Hold(..)
            | ObjectKey::Removed(..)
            | ObjectKey::Identity
            | ObjectKey::Media(_) => return Ok(None),
        };
        let Some(head) = self.provider.head(&key).await? else { return Ok(None) };
        if Facts::read(&head.attributes).is_ok_and(|facts| facts.tombstone) {
            return Ok(None);
        }
        Ok(Some(Item { key: name.to_string(), size: head.size, version: head.tag.0 }))
    }

    /// Returns a page of the manifests that no record refers to.
    async fn manifests(&self, after: Option<&str>, limit: usize) -> Result<Page<Item>, Failure> {
        let page = self.provider.list(ObjectKey::MANIFESTS, after, limit).await?;
        let mut items = Vec::new();
        for listed in page.items {
            if let Ok(key @ ObjectKey::Manifest(_)) = listed.key.parse()
                && let ObjectKey::Manifest(id) = &key
                && !self.is_held(id).await?
            {
                let name = Named::Manifest(id.clone());
                match self.item(key).await {
                    // The details of the damage come up when the item is read.
                    Err(failure) if failure.kind == FailureKind::Damaged => {
                        let (key, version) = (name.to_string(), String::new());
                        items.push(Item { key, size: listed.size, version });
                    }
                    item => items.extend(item?),
                }
            }
        }
        Ok(Page { items, next: page.next })
    }
}

/// A folder that holds the objects of a CredLink without its index. Items are named by their IDs.
impl<O: Objects> Source for Layout<O> {
    fn name(&self) -> &'static str {
        self.provider.name()
    }

    fn left_behind(&self) -> Option<&'static str> {
        Some(INDEX_LEFT_BEHIND)
    }

    async fn front(&self, id: &ManifestId) -> Result<Option<Front>, Failure> {
        self.read_front(id).await
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page<Item>, Failure> {
        if let Some(after) = after.filter(|after| after.starts_with(ObjectKey::MANIFESTS)) {
            return self.manifests(Some(after).filter(|after| *after != ObjectKey::MANIFESTS), limit).await;
        }
        let page = self.provider.list(ObjectKey::PROOFS, after, limit).await?;
        let mut items = Vec::new();
        for listed in page.items {
            if let Ok(ObjectKey::Record(id)) = listed.key.parse() {
                match self.item(ObjectKey::Record(id)).await {
                    // The details of the damage come up when the item is read.
                    Err(failure) if failure.kind == FailureKind::Damaged => {
                        let (key, version) = (id.to_string(), String::new());
                        items.push(Item { key, size: listed.size, version });
                    }
                    item => items.extend(item?),
                }
            }
        }
        Ok(Page { items, next: page.next.or_else(|| Some(ObjectKey::MANIFESTS.to_owned())) })
    }

    async fn read(&self, key: &str) -> Result<Option<Content>, Failure> {
        match key.parse() {
            Ok(Named::Proof(id)) => Self::read(self, &id).await,
            Ok(Named::Manifest(id)) => self.read_manifest(&id).await,
            Ok(Named::Alias(_)) | Err(()) => Ok(None),
        }
    }

    async fn look(&self, key: &str) -> Result<Option<Item>, Failure> {
        match key.parse() {
            Ok(Named::Proof(id)) => self.item(ObjectKey::Record(id)).await,
            Ok(Named::Manifest(id)) => self.item(ObjectKey::Manifest(id)).await,
            Ok(Named::Alias(_)) | Err(()) => Ok(None),
        }
    }

    async fn remove(&self, item: &Item) -> Result<Removal, Failure> {
        let message = format!(
            "{}: a CredLink's objects are removed by its own API, which knows their index: name it as credlink:URL",
            item.key
        );
        Err(Failure { provider: self.name(), kind: FailureKind::AccessDenied, message })
    }
}
