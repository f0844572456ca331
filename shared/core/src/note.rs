//! Notes: small objects that record facts which otherwise only the index would know, so that it can be rebuilt
//! (guarantee 10).
//!
//! | object | says |
//! |---|---|
//! | `aliases/{legacy id}` | the proof that a legacy ID leads to, if no record says so: [`AliasNote`] |
//! | `holds/{manifest id}/{generation}` | that a manifest was stored by itself: [`HoldNote`] |

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::access::Visibility;
use crate::bounds::MAX_NOTE_BYTES;
use crate::legacy::LegacyId;
use crate::manifest_id::ManifestId;
use crate::manifest_key::ManifestKey;
use crate::object::{Attributes, Facts, ObjectKey};
use crate::proof_id::ProofId;
use crate::row::AliasRow;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The version of both formats that is written. There is no other.
const VERSION: u32 = 1;

/// The content of `aliases/{legacy id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasNote {
    /// The version of this format: 1.
    pub version: u32,
    /// The legacy ID.
    pub id: LegacyId,
    /// The proof that the legacy ID leads to.
    pub proof: ProofId,
    /// The tenant that it was imported for.
    pub tenant: Tenant,
    /// Time since which the legacy ID leads nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Timestamp>,
}

/// The content of `holds/{manifest id}/{generation}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldNote {
    /// The version of this format: 1.
    pub version: u32,
    /// The manifest.
    pub manifest: ManifestId,
    /// The tenant that stored it by itself.
    pub tenant: Tenant,
}

/// A reason why stored bytes are not a note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The bytes do not have the format.
    #[error("the note is damaged: {0}")]
    Damaged(String),
    /// The version is unknown to this program.
    #[error("the note has version {0}; this program reads version {VERSION}")]
    Version(u32),
}

impl AliasNote {
    /// Returns the note of a row.
    #[must_use]
    pub fn of(row: &AliasRow) -> Self {
        let AliasRow { id, proof, tenant, withdrawn, version: _ } = row.clone();
        Self { version: VERSION, id, proof, tenant, withdrawn }
    }

    /// Returns the row of this note, as its first version.
    #[must_use]
    pub fn row(self) -> AliasRow {
        let Self { id, proof, tenant, withdrawn, version: _ } = self;
        AliasRow { id, version: 1, proof, tenant, withdrawn }
    }

    /// Returns the bytes and the attributes to store as the `write`-th write of this note, counted from 1.
    #[must_use]
    pub fn object(&self, write: u32, now: Timestamp) -> (Vec<u8>, Attributes) {
        object(self, &ObjectKey::Alias(self.id.clone()), &self.tenant, write, now)
    }

    /// Reads a note.
    ///
    /// # Errors
    /// Fails if `body` is not a note.
    pub fn parse(body: &[u8]) -> Result<Self, NoteError> {
        parse(body, |note: &Self| note.version)
    }
}

impl HoldNote {
    /// Returns the note of a manifest that `tenant` stored by itself.
    #[must_use]
    pub const fn new(manifest: ManifestId, tenant: Tenant) -> Self {
        Self { version: VERSION, manifest, tenant }
    }

    /// Returns the bytes and the attributes to store for the manifest of this generation.
    #[must_use]
    pub fn object(&self, generation: u32, now: Timestamp) -> (Vec<u8>, Attributes) {
        object(
            self,
            &ObjectKey::Hold(ManifestKey::new(&self.tenant, &self.manifest), generation),
            &self.tenant,
            generation,
            now,
        )
    }

    /// Reads a note.
    ///
    /// # Errors
    /// Fails if `body` is not a note.
    pub fn parse(body: &[u8]) -> Result<Self, NoteError> {
        parse(body, |note: &Self| note.version)
    }
}

fn object(
    note: &impl Serialize,
    key: &ObjectKey,
    tenant: &Tenant,
    generation: u32,
    now: Timestamp,
) -> (Vec<u8>, Attributes) {
    // Only a map with keys that are not strings fails to serialise, and a note has none.
    let body = serde_json::to_vec(note).unwrap_or_default();
    let facts = Facts { generation, ..Facts::of(&body, tenant.clone(), Visibility::Private, now) };
    (body, facts.attributes(key, BTreeMap::new()))
}

fn parse<T: DeserializeOwned>(body: &[u8], version: impl Fn(&T) -> u32) -> Result<T, NoteError> {
    if body.len() > MAX_NOTE_BYTES {
        return Err(NoteError::Damaged(format!("it has more than {MAX_NOTE_BYTES} bytes")));
    }
    let note: T = serde_json::from_slice(body).map_err(|error| NoteError::Damaged(error.to_string()))?;
    match version(&note) {
        VERSION => Ok(note),
        other => Err(NoteError::Version(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::MediaHash;

    #[test]
    fn notes_have_one_form_and_read_back() {
        let now = Timestamp::from_milliseconds(1_798_761_600_000);
        let row = AliasRow {
            id: "p-1".parse().unwrap(),
            version: 3,
            proof: ProofId::derive(&Tenant::default(), &MediaHash::of(b"x")),
            tenant: Tenant::default(),
            withdrawn: Some(now),
        };
        let note = AliasNote::of(&row);
        let (body, attributes) = note.object(3, now);
        insta::assert_snapshot!("alias_note_v1", String::from_utf8_lossy(&body));
        assert_eq!(AliasNote::parse(&body), Ok(note.clone()));
        assert_eq!(Facts::read(&attributes).unwrap().generation, 3);
        assert_eq!(note.row(), AliasRow { version: 1, ..row });
        let hold = HoldNote::new("urn:c2pa:x".parse().unwrap(), Tenant::default());
        let (body, _) = hold.object(0, now);
        insta::assert_snapshot!("hold_note_v1", String::from_utf8_lossy(&body));
        assert_eq!(HoldNote::parse(&body), Ok(hold));
        let newer = String::from_utf8(body).unwrap().replace("\"version\":1", "\"version\":2");
        assert_eq!(HoldNote::parse(newer.as_bytes()), Err(NoteError::Version(2)));
        assert!(matches!(HoldNote::parse(b"{}"), Err(NoteError::Damaged(_))));
        assert!(HoldNote::parse(&[b' '; MAX_NOTE_BYTES + 1]).is_err());
    }
}
