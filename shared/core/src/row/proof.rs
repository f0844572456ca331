//! The row of a proof, and how it changes from one commit to the next.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::State;
use crate::access::Visibility;
use crate::hash::{Digest, MediaHash, serde_as_text};
use crate::legacy::LegacyId;
use crate::manifest::ManifestType;
use crate::manifest_id::ManifestId;
use crate::manifest_key::ManifestKey;
use crate::proof_id::ProofId;
use crate::record::Record;
use crate::rules::expiry;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The row of a proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofRow {
    /// The proof ID.
    pub id: ProofId,
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The proof's state.
    #[serde(flatten)]
    pub state: State,
    /// The tenant that owns the proof.
    pub tenant: Tenant,
    /// The media hash of the file.
    pub media_hash: MediaHash,
    /// The manifest's type.
    pub manifest_type: ManifestType,
    /// The manifest's SHA-256.
    pub manifest_sha256: Digest,
    /// The manifest's length in bytes.
    pub manifest_length: u64,
    /// The ID of a C2PA manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_id: Option<ManifestId>,
    /// SHA-256 of the detached signature's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_sha256: Option<Digest>,
    /// SHA-256 of the current record.
    pub record_sha256: Digest,
    /// The current revision, or the last one of a deleted proof.
    pub revision: u32,
    /// The revision with which the proof's present life began: 1, or more if it was deleted and stored again.
    pub first_revision: u32,
    /// Time at which the current revision was stored.
    pub created: Timestamp,
    /// Time at which the proof expires.
    pub expires: Timestamp,
    /// The visibility: everybody may read the proof, or its tenant alone.
    #[serde(default)]
    pub visibility: Visibility,
    /// The C2PA manifests of all its revisions, and of replacements that are under way. Each of them counts this proof
    /// as one holder.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub held: BTreeSet<ManifestId>,
    /// The manifests in `held` that no revision names yet, each with the replacement that is under way or was cut off.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pending: BTreeSet<Pending>,
    /// Time at which the latest replacement began, unless its end was recorded: the record may be ahead of this row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacing: Option<Timestamp>,
    /// The legacy ID in the first record of the proof's present life, or of its last life if it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<LegacyId>,
    /// `true` for a deletion of something that nobody was ever told of. To readers the proof was never there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub void: bool,
    /// The number of reads of the proof, and the time of the last one. Only [`Index::count_reads`] changes them: a
    /// commit leaves them as they are.
    ///
    /// [`Index::count_reads`]: ../../credlink_ports/trait.Index.html
    #[serde(default)]
    pub reads: Reads,
}

/// The claim of a replacement to its manifest while it is under way, written as `{version} {manifest id}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pending {
    /// The version of the proof's row with which the replacement began. No two replacements have the same.
    pub version: u64,
    /// The manifest that the replacement brings.
    pub manifest: ManifestId,
}

/// The error for text that is not a claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the version of a row, a space and a manifest id")]
pub struct PendingError(String);

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version, self.manifest)
    }
}

impl FromStr for Pending {
    type Err = PendingError;

    fn from_str(text: &str) -> Result<Self, PendingError> {
        let parts = text.split_once(' ').and_then(|(version, id)| version.parse().ok().zip(id.parse().ok()));
        let (version, manifest) = parts.ok_or_else(|| PendingError(text.to_owned()))?;
        Ok(Self { version, manifest })
    }
}

serde_as_text!(Pending);

/// The reads of a proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reads {
    /// Number of reads so far.
    pub count: u64,
    /// Time of the last read.
    pub last: Option<Timestamp>,
}

impl Reads {
    /// Returns the sum of both counts, and the later time.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { count: self.count.saturating_add(other.count), last: self.last.max(other.last) }
    }
}

impl ProofRow {
    /// Returns the key of the current revision's C2PA manifest.
    #[must_use]
    pub fn manifest_key(&self) -> Option<ManifestKey> {
        self.manifest_id.as_ref().map(|id| ManifestKey::new(&self.tenant, id))
    }

    /// Returns the live row of a record that was stored, as the successor of `before`.
    #[must_use]
    pub fn publish(record: &Record, record_sha256: Digest, before: Option<&Self>) -> Self {
        let continued =
            before.filter(|row| row.state == State::Live && row.first_revision == record.first_revision);
        let mut held = continued.map(|row| row.held.clone()).unwrap_or_default();
        let mut pending = continued.map(|row| row.pending.clone()).unwrap_or_default();
        if let Some(id) = &record.manifest.id {
            held.insert(id.clone());
            pending.retain(|pending| pending.manifest != *id);
        }
        // Other replacements of the proof may be under way, and will lose.
        let replacing = continued.and_then(|row| row.replacing).filter(|_| !pending.is_empty());
        Self {
            id: record.id,
            version: before.map_or(0, |row| row.version) + 1,
            state: State::Live,
            tenant: record.tenant.clone(),
            media_hash: record.media_hash,
            manifest_type: record.manifest.kind,
            manifest_sha256: record.manifest.sha256,
            manifest_length: record.manifest.length,
            manifest_id: record.manifest.id.clone(),
            signature_sha256: record.signature.as_ref().map(|text| Digest::of(text.as_bytes())),
            record_sha256,
            revision: record.revision,
            first_revision: record.first_revision,
            created: record.created,
            expires: record.expires,
            visibility: record.visibility,
            held,
            pending,
            replacing,
            legacy: match continued {
                Some(row) => row.legacy.clone(),
                None => record.legacy.as_ref().map(|legacy| legacy.id.clone()),
            },
            void: false,
            reads: before.map(|row| row.reads).unwrap_or_default(),
        }
    }

    /// Returns the row with a replacement that begins at `now`, with the next version, and the claim of that
    /// replacement to its manifest. A manifest that a revision names needs no claim.
    #[must_use]
    pub fn replaced_by(&self, manifest: Option<&ManifestId>, now: Timestamp) -> (Self, Option<Pending>) {
        let mut row = Self { replacing: Some(now), ..self.in_state(State::Live) };
        let claim = manifest
            .filter(|id| !self.names(id))
            .map(|id| Pending { version: row.version, manifest: id.clone() });
        row.held.extend(claim.iter().map(|claim| claim.manifest.clone()));
        row.pending.extend(claim.clone());
        (row, claim)
    }

    /// Returns the row without these claims, with the next version, and the manifests that it no longer holds.
    #[must_use]
    pub fn without(&self, claims: &BTreeSet<Pending>) -> (Self, Vec<ManifestId>) {
        let mut row = self.in_state(self.state);
        row.pending.retain(|pending| !claims.contains(pending));
        let mut released = Vec::new();
        for claim in self.pending.intersection(claims) {
            let is_claimed = row.pending.iter().any(|other| other.manifest == claim.manifest);
            if !is_claimed && row.held.remove(&claim.manifest) {
                released.push(claim.manifest.clone());
            }
        }
        (row, released)
    }

    /// Returns the row holding only these manifests, with the next version.
    #[must_use]
    pub fn holding_only(&self, manifests: &BTreeSet<ManifestId>) -> Self {
        let mut row = self.in_state(self.state);
        row.held.retain(|id| manifests.contains(id));
        row.pending.retain(|pending| manifests.contains(&pending.manifest));
        row
    }

    /// Returns `true` if a revision names this manifest, and not just a replacement that is under way.
    #[must_use]
    pub fn names(&self, manifest: &ManifestId) -> bool {
        self.held.contains(manifest) && !self.pending.iter().any(|pending| pending.manifest == *manifest)
    }

    /// Returns the last row of a proof that was deleted at `at`. Its tombstone keeps the same row.
    #[must_use]
    pub fn deleted(&self, at: Timestamp) -> Self {
        Self {
            held: BTreeSet::new(),
            pending: BTreeSet::new(),
            replacing: None,
            ..self.in_state(State::Deleted(at))
        }
    }

    /// Returns the row in another state, with the next version.
    #[must_use]
    pub fn in_state(&self, state: State) -> Self {
        Self { state, version: self.version + 1, ..self.clone() }
    }

    /// Returns `true` if the proof is live and has expired by `now`.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.state == State::Live && expiry::has_expired(self.expires, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_given_back_one_by_one() {
        let now = Timestamp::from_milliseconds(7_000);
        let draft = r#"{"media_hash":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","manifest":{}}"#;
        let draft = crate::rules::store::Draft::parse(draft.as_bytes(), Tenant::default(), None).unwrap();
        let mut row = ProofRow::publish(&draft.record(1, now), Digest::of(b"x"), None);
        let (settled, id): (ManifestId, ManifestId) =
            ("urn:c2pa:settled".parse().unwrap(), "urn:c2pa:x".parse().unwrap());
        row.held.insert(settled.clone());
        assert_eq!(row.replaced_by(Some(&settled), now).1, None);
        let (row, first) = row.replaced_by(Some(&id), now);
        let (row, second) = row.replaced_by(Some(&id), now);
        assert_eq!(second.as_ref().unwrap().to_string(), "3 urn:c2pa:x");
        assert_eq!("3 urn:c2pa:x".parse(), Ok(second.clone().unwrap()));
        assert!("urn:c2pa:x".parse::<Pending>().is_err() && "x urn:c2pa:x".parse::<Pending>().is_err());
        let (row, released) = row.without(&first.into_iter().collect());
        assert_eq!((released, row.held.contains(&id)), (vec![], true));
        let (row, released) = row.without(&second.into_iter().collect());
        assert_eq!((released, row.held), (vec![id], [settled].into()));
    }
}
