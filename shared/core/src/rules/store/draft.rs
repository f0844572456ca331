//! Drafts: proofs that wait to be stored.

use std::collections::BTreeMap;

use crate::access::Visibility;
use crate::hash::{Digest, MediaHash};
use crate::http::problem::Problem;
use crate::legacy::Legacy;
use crate::manifest::Manifest;
use crate::manifest_key::ManifestKey;
use crate::proof_id::ProofId;
use crate::record::{RECORD_VERSION, Record, RecordManifest};
use crate::row::ProofRow;
use crate::rules::expiry::expired;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// A proof that passed every check and waits to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The tenant that owns the proof.
    pub tenant: Tenant,
    /// The media hash of the file.
    pub media_hash: MediaHash,
    /// The media type of the file.
    pub media_type: Option<String>,
    /// The manifest, with exactly the bytes that arrived.
    pub manifest: Manifest,
    /// The detached signature.
    pub signature: Option<String>,
    /// The proof's lifetime, in seconds.
    pub lifetime: u64,
    /// The proof's tags.
    pub tags: BTreeMap<String, String>,
    /// The proof's visibility.
    pub visibility: Visibility,
    /// The origin, if the proof is imported.
    pub origin: Option<Origin>,
}

/// The data that an imported proof brings along from another store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Time at which the proof was stored there.
    pub created: Timestamp,
    /// Time at which the proof expires.
    pub expires: Timestamp,
    /// The kept parts of the legacy record.
    pub legacy: Option<Legacy>,
    /// The instant of a deletion that the import may undo: with it, a migration that was rolled back can run again. Any
    /// other deleted proof is not imported (guarantee 8).
    pub restores: Option<Timestamp>,
    /// The visibility of the C2PA manifest, if it differs from the proof's because the manifest was withdrawn or
    /// published by itself.
    pub manifest_visibility: Option<Visibility>,
}

impl Draft {
    /// Returns the proof ID.
    #[must_use]
    pub fn id(&self) -> ProofId {
        ProofId::derive(&self.tenant, &self.media_hash)
    }

    /// Returns the key of the C2PA manifest, or `None` for a JSON manifest, which has no ID.
    #[must_use]
    pub fn manifest_key(&self) -> Option<ManifestKey> {
        self.manifest.id().map(|id| ManifestKey::new(&self.tenant, id))
    }

    /// Returns the visibility of the C2PA manifest, which is the proof's unless its origin says otherwise.
    #[must_use]
    pub fn manifest_visibility(&self) -> Visibility {
        let said = self.origin.as_ref().and_then(|origin| origin.manifest_visibility);
        said.unwrap_or(self.visibility)
    }

    /// Returns `true` if the manifest is for its tenant alone.
    #[must_use]
    pub fn has_private_manifest(&self) -> bool {
        self.manifest_visibility() == Visibility::Private
    }

    /// Returns the record of this draft, stored at `now` as `revision`, with which the proof's life begins.
    #[must_use]
    pub fn record(&self, revision: u32, now: Timestamp) -> Record {
        let (created, expires) = match &self.origin {
            None => (now, now.plus_seconds(self.lifetime)),
            Some(origin) => (origin.created, origin.expires),
        };
        Record {
            version: RECORD_VERSION,
            id: self.id(),
            tenant: self.tenant.clone(),
            media_hash: self.media_hash,
            media_type: self.media_type.clone(),
            manifest: RecordManifest::of(&self.manifest),
            signature: self.signature.clone(),
            created,
            expires,
            revision,
            first_revision: revision,
            visibility: self.visibility,
            tags: self.tags.clone(),
            legacy: self.origin.as_ref().and_then(|origin| origin.legacy.clone()),
        }
    }

    /// Returns `true` if this draft makes this record, apart from instants and revision.
    #[must_use]
    pub fn makes(&self, record: &Record) -> bool {
        let made = self.record(record.revision, record.created);
        let comparable = |record: &Record| {
            let lifetime = record.expires.milliseconds() - record.created.milliseconds();
            (
                record.media_type.clone(),
                record.signature.clone(),
                record.visibility,
                record.tags.clone(),
                lifetime,
            )
        };
        made.id == record.id
            && made.manifest.sha256 == record.manifest.sha256
            && made.manifest.id == record.manifest.id
            && comparable(&made) == comparable(record)
    }

    /// Refuses a draft with an origin after a deletion at `at`, since an import does not bring back what was deleted
    /// here (guarantee 8), unless it restores what was deleted at exactly this instant.
    ///
    /// # Errors
    /// 410 `deleted`.
    pub fn may_follow_deletion(&self, at: Timestamp) -> Result<(), Problem> {
        match &self.origin {
            Some(origin) if origin.restores != Some(at) => Err(Problem::deleted(at)),
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses a draft with an origin after a proof that expired on `expires`.
    ///
    /// # Errors
    /// 410 `expired`.
    pub fn may_follow_expiry(&self, expires: Timestamp) -> Result<(), Problem> {
        match &self.origin {
            Some(_) => Err(expired(expires)),
            None => Ok(()),
        }
    }

    /// Returns `true` if the row has the same manifest and signature (guarantee 3).
    #[must_use]
    pub fn is_identical_to(&self, row: &ProofRow) -> bool {
        let signature = self.signature.as_ref().map(|text| Digest::of(text.as_bytes()));
        *self.manifest.sha256() == row.manifest_sha256 && signature == row.signature_sha256
    }
}
