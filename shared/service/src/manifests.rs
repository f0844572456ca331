//! The objects of manifests: their facts, and writing one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::manifest::Manifest;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, ObjectKey};

use credlink_ports::{Condition, Failure, ObjectWrite, Objects as _, Ports, Put, Replicas as _};

use crate::service::Service;

impl<P: Ports> Service<P> {
    /// Returns the facts of a stored manifest, or `None` if it is not stored.
    pub(crate) async fn manifest_facts(&self, owned: &ManifestKey) -> Result<Option<Facts>, Failure> {
        let key = ObjectKey::Manifest(owned.clone());
        let Some(head) = self.ports.objects().head(&key).await? else { return Ok(None) };
        let facts = Facts::read(&head.attributes).map_err(|error| self.damaged(&key, &error))?;
        if facts.tenant != owned.tenant {
            let why = format!("its key holds a manifest of the tenant `{}`", facts.tenant);
            return Err(self.damaged(&key, &why));
        }
        if facts.tombstone {
            return Ok(None);
        }
        self.ports.objects().confirm(&key, &facts).await?;
        Ok(Some(facts))
    }

    /// Writes a manifest in `generation`. Returns `true` if `condition` held.
    ///
    /// # Errors
    /// A provider failed.
    pub(crate) async fn put_manifest(
        &self,
        owned: &ManifestKey,
        manifest: &Manifest,
        visibility: Visibility,
        generation: u32,
        condition: Condition,
    ) -> Result<bool, Failure> {
        let write = self.manifest_write(owned, manifest, visibility, generation, condition).await?;
        let ObjectWrite { key, body, attributes, condition } = write;
        let put = self.ports.objects().put(&key, body, &attributes, condition).await;
        // After a failure too, since the write may have happened. A caller that replaces a readable object announces
        // the change itself.
        self.appeared(&key).await;
        Ok(matches!(put?, Put::Stored(_)))
    }

    /// Returns the write of a manifest in `generation`.
    ///
    /// # Errors
    /// The process is shutting down.
    pub(crate) async fn manifest_write(
        &self,
        owned: &ManifestKey,
        manifest: &Manifest,
        visibility: Visibility,
        generation: u32,
        condition: Condition,
    ) -> Result<ObjectWrite, Failure> {
        let key = ObjectKey::Manifest(owned.clone());
        let (content, place) = (manifest.bytes().clone(), key.clone());
        let frame = move || {
            let at_rest = place.at_rest(&content, generation);
            match at_rest.bytes {
                Cow::Borrowed(_) => (content.clone(), at_rest.coding),
                Cow::Owned(bytes) => (Bytes::from(bytes), at_rest.coding),
            }
        };
        // A manifest that is stored for the first time is stored as it came, which takes no time.
        let work = if generation == 0 { 0 } else { manifest.bytes().len() };
        let (body, coding) = self.compute(work, frame).await?;
        let facts = Facts {
            sha256: *manifest.sha256(),
            length: manifest.bytes().len() as u64,
            coding,
            tenant: owned.tenant.clone(),
            visibility,
            created: self.now(),
            expires: None,
            generation,
            tombstone: false,
            void: false,
        };
        let attributes = facts.attributes(&key, BTreeMap::new());
        Ok(ObjectWrite { key, body, attributes, condition })
    }
}
