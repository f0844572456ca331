//! A proof that waits to be stored.

use std::collections::BTreeMap;

use crate::access::Visibility;
use crate::hash::{Digest, MediaHash};
use crate::legacy::Legacy;
use crate::manifest::Manifest;
use crate::manifest_key::ManifestKey;
use crate::proof_id::ProofId;
use crate::record::{RECORD_VERSION, Record, RecordManifest};
use crate::row::ProofRow;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// A proof that passed every check and waits to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The owner.
    pub tenant: Tenant,
    /// The media file.
    pub media_hash: MediaHash,
    /// Its type.
    pub media_type: Option<String>,
    /// The manifest, exactly as it came.
    pub manifest: Manifest,
    /// The detached signature.
    pub signature: Option<String>,
    /// Time to keep it, in seconds.
    pub lifetime: u64,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Who may read it.
    pub visibility: Visibility,
    /// The origin of a proof that is taken over.
    pub origin: Option<Origin>,
}

/// The data that a proof brings along when it is taken over from another store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Time at which it was stored there.
    pub created: Timestamp,
    /// Time at which it expires.
    pub expires: Timestamp,
    /// The part of a legacy record that is kept.
    pub legacy: Option<Legacy>,
    /// A proof that was deleted is not taken over (guarantee 8), unless it was at this very instant: a migration that was
    /// rolled back is done again.
    pub restores: Option<Timestamp>,
    /// The readers of its C2PA manifest, where they are others than those of the proof: it was withdrawn or published by
    /// itself.
    pub manifest_visibility: Option<Visibility>,
}

impl Draft {
    /// The proof's id.
    #[must_use]
    pub fn id(&self) -> ProofId {
        ProofId::derive(&self.tenant, &self.media_hash)
    }

    /// The C2PA manifest that it stores; a JSON manifest has no id.
    #[must_use]
    pub fn manifest_key(&self) -> Option<ManifestKey> {
        self.manifest.id().map(|id| ManifestKey::new(&self.tenant, id))
    }

    /// The visibility of the C2PA manifest that it stores: that of the proof, unless its origin says otherwise.
    #[must_use]
    pub fn manifest_visibility(&self) -> Visibility {
        let said = self.origin.as_ref().and_then(|origin| origin.manifest_visibility);
        said.unwrap_or(self.visibility)
    }

    /// Returns `true` if its manifest is for its tenant alone.
    #[must_use]
    pub fn has_private_manifest(&self) -> bool {
        self.manifest_visibility() == Visibility::Private
    }

    /// The record of this draft, stored at `now` as `revision`, with which the proof's life begins.
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

    /// Returns `true` if this draft makes this record, apart from its instants and its revision.
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

    /// Returns `true` if a row stands for the same manifest and signature (guarantee 3).
    #[must_use]
    pub fn is_identical_to(&self, row: &ProofRow) -> bool {
        let signature = self.signature.as_ref().map(|text| Digest::of(text.as_bytes()));
        *self.manifest.sha256() == row.manifest_sha256 && signature == row.signature_sha256
    }
}
