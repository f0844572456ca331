//! Storing the bytes of a manifest before a row refers to it.

use credlink_core::access::Visibility;
use credlink_core::manifest::Manifest;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::row::State;
use credlink_core::tombstone::Tombstone;

use credlink_ports::{Condition, ObjectWrite, Objects as _, Ports, Put, Replicas as _};

use super::brought::{Brought, By, Placed};
use super::reference::Reference;
use crate::error::Error;
use crate::front::Arrival;
use crate::removal::finish_manifest;
use crate::removal::kept::keep;
use crate::removal::undo::undo_manifest;
use crate::service::Service;
use crate::visibility::bring_up;

/// A record that is written together with its manifest if nothing stands in the manifest's place.
#[derive(Debug)]
pub(crate) struct Following {
    write: ObjectWrite,
    /// The outcome, or `None` if the record was not written.
    pub(crate) outcome: Option<Put>,
}

impl Following {
    pub(crate) const fn new(write: ObjectWrite) -> Self {
        Self { write, outcome: None }
    }
}

impl<P: Ports> Service<P> {
    /// Ensures that the manifest's bytes are stored, notes in `brought` if this call stored them, and returns their
    /// generation. An import does not publish a manifest that was private when it was deleted.
    ///
    /// Returns `None` if a deletion intervened, and the caller must retry.
    pub(crate) async fn ensure_manifest(
        &self,
        manifest: &Manifest,
        key: &ManifestKey,
        (visibility, arrival): (Visibility, Arrival),
        brought: &mut Brought,
    ) -> Result<Option<u32>, Error> {
        self.ensure_manifest_and(manifest, key, (visibility, arrival), brought, None).await
    }

    /// Does what [`ensure_manifest`](Self::ensure_manifest) does, and writes a record right after the manifest if that
    /// takes an empty place.
    pub(crate) async fn ensure_manifest_and(
        &self,
        manifest: &Manifest,
        key: &ManifestKey,
        (visibility, arrival): (Visibility, Arrival),
        brought: &mut Brought,
        following: Option<&mut Following>,
    ) -> Result<Option<u32>, Error> {
        let placed = self.place_manifest(manifest, key, (visibility, arrival), following).await?;
        Ok(placed.map(|placed| {
            brought.note(key, placed);
            placed.generation
        }))
    }

    async fn place_manifest(
        &self,
        manifest: &Manifest,
        owned: &ManifestKey,
        (visibility, arrival): (Visibility, Arrival),
        following: Option<&mut Following>,
    ) -> Result<Option<Placed>, Error> {
        let key = ObjectKey::Manifest(owned.clone());
        let wanted = Reference {
            key: owned,
            sha256: *manifest.sha256(),
            length: 0,
            visibility,
            generation: 0,
            standalone: false,
            imported: false,
            is_claim: false,
        };
        // An empty place proves nothing, since objects may have been lost. The ID keeps its content and its visibility.
        let generation = match self.manifest_row(owned).await? {
            Some(row) if !row.void && row.sha256 != *manifest.sha256() => {
                return Err(wanted.conflict(&row.sha256).into());
            }
            None => 0,
            Some(row) => match row.state {
                State::Live => {
                    // An older index may not know that the manifest was deleted and stored again with another
                    // visibility.
                    if self.trusts_index().await? {
                        wanted.check_visibility(row.visibility)?;
                    }
                    row.generation
                }
                State::Deleting(_) => {
                    self.may_destroy().await?;
                    finish_manifest(self, &row).await?;
                    return Ok(None);
                }
                State::Deleted(_) => {
                    wanted.check_withdrawn(&row, arrival)?;
                    if !row.void && (row.visibility, visibility) == (Visibility::Public, Visibility::Private)
                    {
                        self.keep_front(owned).await?;
                    }
                    row.generation.saturating_add(1)
                }
            },
        };
        let is_placed = match following {
            None => self.put_manifest(owned, manifest, visibility, generation, Condition::Absent).await?,
            Some(following) => {
                let first =
                    self.manifest_write(owned, manifest, visibility, generation, Condition::Absent).await?;
                let put = self.ports.objects().put_in_order(first, following.write.clone()).await;
                // After a failure too, since the write may have happened.
                self.appeared(&key).await;
                let (put, outcome) = put?;
                following.outcome = outcome;
                matches!(put, Put::Stored(_))
            }
        };
        if is_placed {
            return Ok(Some(Placed { generation, by: By::This }));
        }
        let Some(head) = self.ports.objects().head(&key).await? else { return Ok(None) };
        let facts = Facts::read(&head.attributes).map_err(|error| self.damaged(&key, &error))?;
        if !facts.tombstone {
            if facts.sha256 != *manifest.sha256() {
                return Err(wanted.conflict(&facts.sha256).into());
            }
            let row = self.manifest_row(owned).await?;
            // A change of the manifest's visibility was cut off after the row.
            if let Some(row) = &row
                && row.state == State::Live
                && facts.generation < row.generation
                && self.trusts_index().await?
            {
                bring_up(self, row).await?;
                return Ok(None);
            }
            wanted.check_visibility(facts.visibility)?;
            self.ports.objects().confirm(&key, &facts).await?;
            if let Some(deleted) = &row
                && matches!(deleted.state, State::Deleted(_))
                && !deleted.void
                && facts.generation <= deleted.generation
            {
                // The manifest was deleted, and put back from elsewhere. It is removed, and then stored again.
                self.may_destroy().await?;
                keep(self, &key).await?;
                undo_manifest(self, owned).await?;
                return Ok(None);
            }
            // An attempt whose answer was lost may have stored it.
            let is_held = row.is_some_and(|row| row.state == State::Live);
            let by = if is_held { By::Holder } else { By::Unknown };
            return Ok(Some(Placed { generation: facts.generation, by }));
        }
        // The manifest was deleted before, so it is stored again in a distinct form (see `ObjectKey::at_rest`).
        let row = self.manifest_row(owned).await?;
        if let Some(row) = &row
            && let State::Deleting(_) = row.state
        {
            self.may_destroy().await?;
            finish_manifest(self, row).await?;
            return Ok(None);
        }
        // The index does not know of this deletion.
        if row.as_ref().is_some_and(|row| row.state == State::Live) {
            self.may_destroy().await?;
        }
        let Some(current) = self.current(&key).await? else { return Ok(None) };
        if current.tag != head.tag {
            return Ok(None);
        }
        let tombstone =
            Tombstone::parse(&current.verified.content()).map_err(|error| self.damaged(&key, &error))?;
        // If the index lost the row, the tombstone has it.
        let kept = tombstone.row.and_then(|row| row.manifest());
        if let Some(row) = row.as_ref().or(kept.as_ref())
            && !row.void
            && row.sha256 != *manifest.sha256()
        {
            return Err(wanted.conflict(&row.sha256).into());
        }
        if let Some(row) = row.as_ref().or(kept.as_ref()) {
            wanted.check_withdrawn(row, arrival)?;
        }
        let deleted = row.map_or(0, |row| row.generation);
        let generation = tombstone.last.max(deleted).saturating_add(1);
        let condition = Condition::Matches(head.tag);
        let stored = self.put_manifest(owned, manifest, visibility, generation, condition).await?;
        Ok(stored.then_some(Placed { generation, by: By::This }))
    }
}
