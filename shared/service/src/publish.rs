//! The last step of every store: the rows that make stored objects findable.
//!
//! Objects come first and rows last (guarantee 1), and the conditional commit of the rows alone decides which of
//! several writers was first (guarantee 2). A manifest that a request has stored and that no row came to hold is
//! removed again ([`Brought`]), so that a refused request leaves nothing (guarantee 11).

use std::collections::BTreeMap;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::encoding::at_rest_again;
use credlink_core::hash::Digest;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::manifest::Manifest;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::{ManifestRow, ProofRow, Row, State};
use credlink_core::tombstone::Tombstone;

use credlink_ports::{Commit, Condition, Failure, Objects as _, Ports, Put, Replicas as _, Write};

use crate::cleanup::keep;
use crate::delete::{finish_manifest, undo_manifest, undo_record};
use crate::error::{Error, contended};
use crate::front::Arrival;
use crate::holds::drop_hold;
use crate::service::{MAX_ATTEMPTS, Service};
use crate::visibility::bring_up;

/// The outcome of a commit of rows.
#[expect(clippy::large_enum_variant, reason = "one answer a store, looked at once and never kept")]
pub(crate) enum Published {
    /// The rows are committed.
    Done,
    /// Another writer was first; this is the current row of the proof.
    Lost(Option<ProofRow>),
    /// The manifest was deleted in the meantime.
    ManifestGone,
}

/// A manifest that a row is to refer to.
#[derive(Clone, Debug)]
pub(crate) struct Reference<'a> {
    pub(crate) key: &'a ManifestKey,
    pub(crate) sha256: Digest,
    pub(crate) length: u64,
    pub(crate) visibility: Visibility,
    /// The generation of the stored object.
    pub(crate) generation: u32,
    /// `true` if the manifest is stored for itself, and not for a proof.
    pub(crate) standalone: bool,
    /// `true` if an import stores the manifest for itself.
    pub(crate) imported: bool,
    /// `true` if this is a claim of a replacement that may still be refused.
    pub(crate) is_claim: bool,
}

/// A manifest that a proof releases.
#[derive(Clone, Debug)]
pub(crate) struct Released {
    pub(crate) key: ManifestKey,
    /// `true` if a revision of the proof names the manifest, and not only a refused replacement.
    pub(crate) is_told: bool,
}

impl Released {
    /// Creates the release of a manifest that the row of a proof holds.
    pub(crate) fn by(row: &ProofRow, id: &ManifestId) -> Self {
        Self { key: ManifestKey::new(&row.tenant, id), is_told: row.names(id) }
    }
}

/// The outcome of adding a reference to a manifest's row.
enum Refer {
    Write(ManifestRow),
    Held,
    Gone,
}

impl<'a> Reference<'a> {
    /// Creates a proof's reference to a stored manifest.
    pub(crate) const fn found(key: &'a ManifestKey, facts: &Facts) -> Self {
        Self {
            key,
            sha256: facts.sha256,
            length: facts.length,
            visibility: facts.visibility,
            generation: facts.generation,
            standalone: false,
            imported: false,
            is_claim: false,
        }
    }

    fn conflict(&self, found: &Digest) -> Problem {
        Problem::new(
            ProblemKind::ManifestConflict,
            format!(
                "the manifest id {} has a content with the SHA-256 {found}; this one has {}. An id has one content for \
                 ever: sign again under a new id",
                self.key.id, self.sha256
            ),
        )
        .with("manifest_id", self.key.id.as_str())
        .with("stored_sha256", found.to_string())
    }

    fn check_visibility(&self, stored: Visibility) -> Result<(), Problem> {
        if stored == self.visibility {
            return Ok(());
        }
        let id = &self.key.id;
        Err(Problem::new(
            ProblemKind::VisibilityConflict,
            format!(
                "the manifest {id} is stored as {stored}, and a manifest has one visibility; PUT \
                 /v1/manifests/{id}/visibility changes it"
            ),
        )
        .at("visibility"))
    }

    /// Refuses to publish a manifest that was private when it was deleted, unless its own tenant stores it anew.
    fn check_withdrawn(&self, deleted: &ManifestRow, arrival: Arrival) -> Result<(), Problem> {
        let was_withdrawn = !deleted.void && deleted.visibility == Visibility::Private;
        if arrival == Arrival::New || !was_withdrawn || self.visibility == Visibility::Private {
            return Ok(());
        }
        let id = &self.key.id;
        let detail = format!(
            "the manifest {id} was private when it was deleted, and what is copied from another store does not publish it; its \
             tenant can, by storing it"
        );
        Err(Problem::new(ProblemKind::VisibilityConflict, detail).at("visibility"))
    }

    /// Returns the manifest's row with this reference added.
    fn apply(&self, row: Option<&ManifestRow>) -> Result<Refer, Problem> {
        let fresh = |version| ManifestRow {
            id: self.key.id.clone(),
            version,
            state: State::Live,
            tenant: self.key.tenant.clone(),
            sha256: self.sha256,
            length: self.length,
            holders: u32::from(!self.standalone),
            standalone: self.standalone,
            imported: self.imported,
            generation: self.generation,
            visibility: self.visibility,
            // An ID that has had content before keeps it.
            void: self.is_claim && row.is_none_or(|row| row.void),
        };
        let Some(row) = row else { return Ok(Refer::Write(fresh(1))) };
        match row.state {
            State::Live if row.sha256 != self.sha256 => Err(self.conflict(&row.sha256)),
            // The manifest was deleted and stored again since the row was written, so the index is older. Its counted
            // holders release it one by one; the hold of the earlier life is over.
            State::Live if row.generation < self.generation => Ok(Refer::Write(ManifestRow {
                holders: row.holders.saturating_add(u32::from(!self.standalone)),
                ..fresh(row.version + 1)
            })),
            // The hold that was written belongs to an earlier life and must be written anew.
            State::Live if self.standalone && row.generation > self.generation => Ok(Refer::Gone),
            State::Live => {
                self.check_visibility(row.visibility)?;
                // The tenant now stores for itself a manifest that an import had stored.
                let is_taken = row.imported && !self.imported;
                if self.standalone && row.standalone && !is_taken {
                    return Ok(Refer::Held);
                }
                Ok(Refer::Write(ManifestRow {
                    holders: row.holders.saturating_add(u32::from(!self.standalone)),
                    standalone: row.standalone || self.standalone,
                    imported: match (self.standalone, row.standalone) {
                        (true, true) => row.imported && self.imported,
                        (true, false) => self.imported,
                        (false, _) => row.imported,
                    },
                    void: row.void && self.is_claim,
                    ..row.in_state(State::Live)
                }))
            }
            State::Deleted(_) if !row.void && row.sha256 != self.sha256 => Err(self.conflict(&row.sha256)),
            // This also applies to an unfinished deletion: the object belongs to a later life, and the index is older.
            State::Deleting(_) | State::Deleted(_) if row.generation < self.generation => {
                Ok(Refer::Write(fresh(row.version + 1)))
            }
            State::Deleting(_) | State::Deleted(_) => Ok(Refer::Gone),
        }
    }
}

/// A manifest whose bytes are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// The generation of the stored object.
    pub(crate) generation: u32,
    /// The request that stored it, as far as is known.
    pub(crate) by: By,
}

/// The request that stored a manifest, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// This request stored it.
    This,
    /// It was stored before and no row holds it: the answer to an earlier request was lost, or the index is older than
    /// the store.
    Unknown,
    /// It was stored before, and a row holds it.
    Holder,
}

/// The objects that a request has stored and that no row held. They are removed if the request is refused.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    manifest: Option<(ManifestKey, Placed)>,
    /// The record that was written under a proof's key, by its SHA-256.
    pub(crate) record: Option<(ProofId, Digest)>,
    /// The hold of a manifest in a generation.
    pub(crate) hold: Option<(ManifestKey, u32)>,
}

impl Brought {
    fn note(&mut self, key: &ManifestKey, placed: Placed) {
        let is_ours = matches!(&self.manifest, Some((known, Placed { by: By::This, .. })) if known == key);
        if placed.by != By::Holder && !is_ours {
            self.manifest = Some((key.clone(), placed));
        }
    }

    /// Removes all of these objects, unless a row holds them by now. A manifest that was stored before stays while the
    /// index may be older, since its row may be lost.
    ///
    /// # Errors
    /// A failure of a provider or the index. Then no caller may be told that the request was refused; cleanup removes
    /// the objects later.
    pub(crate) async fn take_back<P: Ports>(self, service: &Service<P>) -> Result<(), Failure> {
        if let Some((id, sha256)) = self.record {
            let row = service.proof_row(&id).await?;
            let current = service.current(&ObjectKey::Record(id)).await?;
            if current.is_some_and(|current| current.verified.facts().sha256 == sha256) {
                undo_record(service, &id, row.as_ref()).await?;
            }
        }
        if let Some((key, generation)) = self.hold {
            let row = service.manifest_row(&key).await?;
            let is_held = row.is_some_and(|row| {
                row.state == State::Live && row.standalone && row.generation == generation
            });
            if !is_held {
                drop_hold(service, &key, generation).await?;
            }
        }
        let Some((key, placed)) = self.manifest else { return Ok(()) };
        if placed.by == By::Unknown && service.may_destroy().await.is_err() {
            return Ok(());
        }
        undo_manifest(service, &key).await?;
        Ok(())
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
        let placed = self.place_manifest(manifest, key, (visibility, arrival)).await?;
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
        if self.put_manifest(owned, manifest, visibility, generation, Condition::Absent).await? {
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
        // The manifest was deleted before, so it is stored again in a distinct form (see `at_rest_again`).
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
        let marker =
            Tombstone::parse(&current.verified.content()).map_err(|error| self.damaged(&key, &error))?;
        // If the index lost the row, the tombstone has it.
        let kept = marker.row.and_then(|row| row.manifest());
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
        let generation = marker.last.max(deleted).saturating_add(1);
        let condition = Condition::Matches(head.tag);
        let stored = self.put_manifest(owned, manifest, visibility, generation, condition).await?;
        Ok(stored.then_some(Placed { generation, by: By::This }))
    }

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
        let key = &ObjectKey::Manifest(owned.clone());
        let content = manifest.bytes().clone();
        let pack = move || {
            let at_rest = at_rest_again(&content, generation);
            match at_rest.coding {
                None => (content.clone(), None),
                coding => (Bytes::from(at_rest.bytes.into_owned()), coding),
            }
        };
        let (body, coding) = self.compute(manifest.bytes().len(), pack).await?;
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
        let attributes = facts.attributes(key, BTreeMap::new());
        let put = self.ports.objects().put(key, body, &attributes, condition).await;
        // After a failure too, since the write may have happened. A caller that replaces a readable object announces
        // the change itself.
        self.appeared(key).await;
        Ok(matches!(put?, Put::Stored(_)))
    }

    /// Commits the live row of a stored record, and adds a holder to its manifest, which is stored in this generation
    /// and with this visibility.
    pub(crate) async fn publish(
        &self,
        record: &Record,
        record_sha256: Digest,
        before: Option<&ProofRow>,
        (generation, visibility): (Option<u32>, Visibility),
    ) -> Result<Published, Error> {
        let row = ProofRow::publish(record, record_sha256, before);
        let held_already = |id| before.is_some_and(|row| row.state == State::Live && row.held.contains(id));
        let key = record.manifest.id.as_ref().filter(|id| !held_already(id));
        let key = key.map(|id| ManifestKey::new(&record.tenant, id));
        let reference = key.as_ref().map(|key| Reference {
            key,
            sha256: record.manifest.sha256,
            length: record.manifest.length,
            visibility,
            generation: generation.unwrap_or(0),
            standalone: false,
            imported: false,
            is_claim: false,
        });
        self.commit(Some((row, before.map(|row| row.version))), reference.as_slice(), &[]).await
    }

    /// Returns the row of a manifest after one holder released it. An older index may lack another holder, so in doubt
    /// the release by the last known holder is refused.
    async fn released(&self, before: &ManifestRow, is_told: bool) -> Result<ManifestRow, Error> {
        let row = before.released(self.now(), is_told);
        if row.state == State::Live {
            return Ok(row);
        }
        if self.spares {
            return Ok(ManifestRow { state: State::Live, ..row });
        }
        self.may_destroy().await?;
        Ok(row)
    }

    /// Commits a proof's row, its references to manifests, and its releases of others, all at once.
    pub(crate) async fn commit(
        &self,
        proof: Option<(ProofRow, Option<u64>)>,
        references: &[Reference<'_>],
        released: &[Released],
    ) -> Result<Published, Error> {
        // The objects are stored. A request that stored one and was cut off before it announced it left the cache with
        // the earlier object.
        if let Some((row, _)) = &proof {
            self.recorded(&ObjectKey::Record(row.id), row.revision, row.first_revision).await;
        }
        for reference in references {
            self.appeared(&ObjectKey::Manifest(reference.key.clone())).await;
        }
        // Most manifests are new, so the first attempt reads no row unless one is known to exist.
        let mut rows: BTreeMap<&ManifestKey, ManifestRow> = BTreeMap::new();
        let several = references.iter().map(|reference| reference.key).filter(|_| references.len() > 1);
        for key in several.chain(released.iter().map(|released| &released.key)) {
            rows.extend(self.manifest_row(key).await?.map(|row| (key, row)));
        }
        for _ in 0..MAX_ATTEMPTS {
            let mut writes: Vec<Write> = Vec::with_capacity(2);
            let mut keys = Vec::with_capacity(1);
            if let Some((row, expected)) = &proof {
                writes.push(Write { row: Row::Proof(row.clone()), expected: *expected });
            }
            for reference in references {
                let before = rows.get(reference.key);
                match reference.apply(before)? {
                    Refer::Gone => {
                        // A deletion is under way, or was cut off. Once it is finished, the manifest can be stored
                        // anew.
                        if let Some(row) = before.filter(|_| !self.spares) {
                            self.may_destroy().await?;
                            finish_manifest(self, row).await?;
                        }
                        return Ok(Published::ManifestGone);
                    }
                    Refer::Held => {}
                    Refer::Write(row) => {
                        keys.push(reference.key);
                        writes
                            .push(Write { row: Row::Manifest(row), expected: before.map(|row| row.version) });
                    }
                }
            }
            for Released { key, is_told } in released {
                if let Some(before) = rows.get(key).filter(|row| row.state == State::Live) {
                    let row = self.released(before, *is_told).await?;
                    keys.push(key);
                    writes.push(Write { row: Row::Manifest(row), expected: Some(before.version) });
                }
            }
            if writes.is_empty() {
                return Ok(Published::Done);
            }
            let proofs = usize::from(proof.is_some());
            match self.write_rows(&writes).await? {
                Commit::Done => {
                    // Manifests that lost their last holder are deleted.
                    let manifests = writes.into_iter().skip(proofs).filter_map(|write| write.row.manifest());
                    for row in manifests {
                        finish_manifest(self, &row).await?;
                    }
                    return Ok(Published::Done);
                }
                Commit::Lost { current, write } if write < proofs => {
                    return Ok(Published::Lost(current.and_then(Row::proof)));
                }
                Commit::Lost { current, write } => {
                    if let Some(key) = keys.get(write - proofs) {
                        match current.and_then(Row::manifest) {
                            Some(row) => rows.insert(key, row),
                            None => rows.remove(key),
                        };
                    }
                }
            }
        }
        Err(contended())
    }
}
