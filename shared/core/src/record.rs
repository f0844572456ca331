//! Record v1: the JSON document that describes a proof.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::access::Visibility;
use crate::bounds::{MAX_JSON_DEPTH, MAX_JSON_MANIFEST_BYTES, MAX_RECORD_BYTES};
use crate::hash::{Digest, MediaHash};
use crate::json::check_depth;
use crate::legacy::Legacy;
use crate::manifest::{Manifest, ManifestType};
use crate::manifest_id::ManifestId;
use crate::object::{Attributes, Facts, ObjectKey};
use crate::proof_id::ProofId;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The version of the format that is written. There is no other.
pub const RECORD_VERSION: u32 = 1;

/// Room for a record without its inline manifest, in bytes. A longer record makes its buffer grow.
const USUAL_BYTES: usize = 1_024;

/// A proof's record. It is written once, and from then on served with exactly those bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Record {
    /// The version of this format: 1.
    pub version: u32,
    /// The proof ID.
    pub id: ProofId,
    /// The tenant that owns the proof.
    pub tenant: Tenant,
    /// The media hash of the file.
    pub media_hash: MediaHash,
    /// The media type of the file, if its writer named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The manifest.
    pub manifest: RecordManifest,
    /// A detached signature over the manifest's bytes, in the text form that its writer chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Time at which this revision was stored.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created: Timestamp,
    /// Time at which the proof stops being served.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires: Timestamp,
    /// The revision: 1 at first, and one more with every replacement.
    pub revision: u32,
    /// The revision with which the proof's present life began: 1, or more if it was deleted and stored again. The
    /// records before it are deleted.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub first_revision: u32,
    /// The visibility: everybody may read the proof, or its tenant alone.
    #[serde(default, skip_serializing_if = "is_public")]
    pub visibility: Visibility,
    /// The tags that the writer gave the proof.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The kept parts of the legacy record that this record was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<Legacy>,
}

/// The manifest in a record: inline if it is JSON, by reference if it is C2PA.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordManifest {
    /// The manifest's type.
    #[serde(rename = "type")]
    pub kind: ManifestType,
    /// SHA-256 of the manifest's bytes.
    pub sha256: Digest,
    /// The manifest's length in bytes.
    pub length: u64,
    /// For a C2PA manifest store, the ID of its active manifest, under which it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ManifestId>,
    /// For a JSON manifest, its exact text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub json: Option<Box<RawValue>>,
    /// For a JSON manifest with white space around it, which would not survive inside another document, its exact bytes
    /// in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

const fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_first(revision: &u32) -> bool {
    *revision == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_public(visibility: &Visibility) -> bool {
    *visibility == Visibility::Public
}

/// A reason why stored bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes do not have the format.
    #[error("the record is damaged: {0}")]
    Damaged(String),
    /// The version is unknown to this program.
    #[error("the record has version {0}; this program reads version {RECORD_VERSION}")]
    Version(u32),
    /// The ID is not the one that is derived from tenant and media hash.
    #[error("the record's id is not the one of its tenant and media hash")]
    Id,
    /// The inline manifest does not have the recorded digest or length.
    #[error("the record's manifest does not have the recorded SHA-256 and length")]
    Manifest,
}

impl RecordManifest {
    /// Returns the part of a record that describes `manifest`.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let (json, base64) = match manifest.kind() {
            ManifestType::C2pa => (None, None),
            ManifestType::Json => match manifest.value() {
                Some(json) => (Some(json), None),
                None => (None, Some(STANDARD.encode(manifest.bytes()))),
            },
        };
        Self {
            kind: manifest.kind(),
            sha256: *manifest.sha256(),
            length: manifest.bytes().len() as u64,
            id: manifest.id().cloned(),
            json,
            base64,
        }
    }

    /// Returns the exact bytes of an inline manifest, or `None` if the manifest is stored by reference.
    ///
    /// # Errors
    /// Fails if the bytes do not have the recorded digest and length.
    pub fn inline_bytes(&self) -> Result<Option<Bytes>, RecordError> {
        let bytes = match (&self.json, &self.base64) {
            (Some(json), None) => Bytes::copy_from_slice(json.get().as_bytes()),
            (None, Some(text)) => STANDARD.decode(text).map_err(|_| RecordError::Manifest)?.into(),
            (None, None) if self.id.is_some() => return Ok(None),
            _ => return Err(RecordError::Manifest),
        };
        if bytes.len() as u64 == self.length && Digest::of(&bytes) == self.sha256 {
            Ok(Some(bytes))
        } else {
            Err(RecordError::Manifest)
        }
    }
}

impl Record {
    /// Reads a record and checks everything that can be checked without another object.
    ///
    /// # Errors
    /// [`RecordError`] lists them.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::Damaged(format!("it has more than {MAX_RECORD_BYTES} bytes")));
        }
        // The record itself adds two levels around its manifest, and the members of a legacy record lie one level
        // deeper.
        check_depth(bytes, MAX_JSON_DEPTH + 3).map_err(|error| RecordError::Damaged(error.to_string()))?;
        let record: Self =
            serde_json::from_slice(bytes).map_err(|error| RecordError::Damaged(error.to_string()))?;
        if record.version != RECORD_VERSION {
            return Err(RecordError::Version(record.version));
        }
        if record.id != ProofId::derive(&record.tenant, &record.media_hash) {
            return Err(RecordError::Id);
        }
        if record.manifest.length > MAX_JSON_MANIFEST_BYTES as u64 && record.manifest.id.is_none() {
            return Err(RecordError::Manifest);
        }
        record.manifest.inline_bytes()?;
        Ok(record)
    }

    /// Returns the record's bytes: compact JSON, with the manifest's exact text inside.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let inline = self.manifest.json.as_ref().map_or(0, |json| json.get().len());
        let mut bytes = Vec::with_capacity(inline + USUAL_BYTES);
        // Only a map with keys that are not strings fails to serialise, and a record has none.
        let written = serde_json::to_writer(&mut bytes, self);
        if written.is_ok() { bytes.into() } else { Bytes::new() }
    }

    /// Returns the stored form of the record under `key`: its bytes, whose SHA-256 is `sha256`, gzipped if that pays,
    /// and their attributes.
    #[must_use]
    pub fn stored(&self, bytes: &[u8], sha256: Digest, key: &ObjectKey) -> (Bytes, Attributes) {
        let at_rest = key.at_rest(bytes, 0);
        let facts = Facts {
            sha256,
            length: bytes.len() as u64,
            coding: at_rest.coding,
            tenant: self.tenant.clone(),
            visibility: self.visibility,
            created: self.created,
            expires: Some(self.expires),
            generation: self.first_revision.saturating_sub(1),
            tombstone: false,
            void: false,
        };
        let attributes = facts.attributes(key, self.tags.clone());
        (Bytes::from(at_rest.bytes.into_owned()), attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::manifest_store;

    fn record(manifest: &Manifest) -> Record {
        let (tenant, media_hash) = (Tenant::default(), MediaHash::of(b"the picture"));
        Record {
            version: RECORD_VERSION,
            id: ProofId::derive(&tenant, &media_hash),
            tenant,
            media_hash,
            media_type: Some("image/jpeg".to_owned()),
            manifest: RecordManifest::of(manifest),
            signature: Some("c2ln".to_owned()),
            created: Timestamp::from_milliseconds(1_767_225_600_000),
            expires: Timestamp::from_milliseconds(1_798_761_600_000),
            revision: 1,
            first_revision: 1,
            visibility: Visibility::Public,
            tags: BTreeMap::from([("album".to_owned(), "press".to_owned())]),
            legacy: None,
        }
    }

    #[test]
    fn the_format_is_fixed() {
        let json = Manifest::json(Bytes::from_static(b"{ \"title\" : 1.0 }")).unwrap();
        let c2pa =
            manifest_store("urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4", &Digest::of(b"the picture"));
        let c2pa = Manifest::c2pa(c2pa.into()).unwrap();
        insta::assert_snapshot!("record_v1_json", String::from_utf8_lossy(&record(&json).to_bytes()));
        insta::assert_snapshot!("record_v1_c2pa", String::from_utf8_lossy(&record(&c2pa).to_bytes()));
    }

    #[test]
    fn manifest_bytes_survive_exactly() {
        for text in ["{}", "{ \"a\" : 1e2 }", "{}\n", " {\"a\":\"\\u00e9\"}"] {
            let manifest = Manifest::json(Bytes::copy_from_slice(text.as_bytes())).unwrap();
            let read = Record::parse(&record(&manifest).to_bytes()).unwrap();
            assert_eq!(read.manifest.inline_bytes().unwrap().unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn the_deepest_manifest_still_reads_back() {
        let deep = format!("{}1{}", "{\"a\":".repeat(MAX_JSON_DEPTH), "}".repeat(MAX_JSON_DEPTH));
        let manifest = Manifest::json(Bytes::from(deep)).unwrap();
        assert!(Record::parse(&record(&manifest).to_bytes()).is_ok());
    }

    #[test]
    fn every_damage_has_its_name() {
        let good = record(&Manifest::json(Bytes::from_static(b"{\"a\":1}")).unwrap());
        let text = String::from_utf8(good.to_bytes().to_vec()).unwrap();
        let parse = |text: String| Record::parse(text.as_bytes()).unwrap_err();
        assert_eq!(parse(text.replace("\"version\":1", "\"version\":2")), RecordError::Version(2));
        assert_eq!(parse(text.replace("\"default\"", "\"other\"")), RecordError::Id);
        assert_eq!(parse(text.replace("{\"a\":1}", "{\"a\":2}")), RecordError::Manifest);
        assert!(matches!(parse(text.replace("\"revision\"", "\"r\"")), RecordError::Damaged(_)));
    }
}
