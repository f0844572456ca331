//! The references of a row to manifests, their rules, and their releases.

use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::Facts;
use credlink_core::row::{ManifestRow, ProofRow, State};

use crate::front::Arrival;

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

    pub(super) fn conflict(&self, found: &Digest) -> Problem {
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

    pub(super) fn check_visibility(&self, stored: Visibility) -> Result<(), Problem> {
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
    pub(super) fn check_withdrawn(&self, deleted: &ManifestRow, arrival: Arrival) -> Result<(), Problem> {
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
    pub(super) fn apply(&self, row: Option<&ManifestRow>) -> Result<Refer, Problem> {
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

/// The outcome of adding a reference to a manifest's row.
pub(super) enum Refer {
    Write(ManifestRow),
    Held,
    Gone,
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
