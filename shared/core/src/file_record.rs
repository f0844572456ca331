//! File record v1: the JSON document that describes a file, stored under `files/{file id}`.

mod details;
mod rendition;
mod served;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::bounds::{
    MAX_ALT_CHARS, MAX_FILE_RECORD_BYTES, MAX_FILENAME_BYTES, MAX_JSON_DEPTH, MAX_PROFILES, MAX_TAGS,
};
use crate::collection::Cache;
use crate::file::{
    Access, BlobId, CollectionName, EntityRef, FileId, FileType, FocalPoint, Format, OwnerId, ProfileName,
};
use crate::hash::{Digest, MediaHash};
use crate::json::check_depth;
use crate::object::{Attributes, Facts, MediaKey, ObjectKey};
use crate::proof_id::ProofId;
use crate::rules::file_access::Guarded;
use crate::tenant::Tenant;
use crate::time::Timestamp;

pub use details::{Details, Exposure, Location, LocationError};
pub use rendition::RenditionRecord;
pub use served::ServedFile;

/// The version of the format that is written. There is no other.
pub const FILE_RECORD_VERSION: u32 = 1;

/// A file's record. It has everything that is needed to serve the file without an index and without the configuration of
/// its collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// The version of this format: 1.
    pub version: u32,
    /// The file's ID.
    pub id: FileId,
    /// The tenant that the file belongs to.
    pub tenant: Tenant,
    /// The number of writes of this record, from 1.
    pub revision: u32,
    /// The collection, with the version of its rules under which the file was processed.
    pub collection: RecordCollection,
    /// The entity in whose list the file is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityRef>,
    /// The readers.
    pub access: Access,
    /// `true` if accesses are logged ([`is_audited`](crate::audit::is_audited)).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub audited: bool,
    /// `true` if readers get the bytes that were uploaded, and not just renditions of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shows_original: bool,
    /// The caches that may keep the bytes, if the file is public.
    #[serde(default)]
    pub cache: Cache,
    /// The blob: derived from tenant and media hash.
    pub blob: BlobId,
    /// SHA-256 of the bytes that were uploaded.
    pub media_hash: MediaHash,
    /// The type, by content.
    #[serde(rename = "type")]
    pub kind: FileType,
    /// Number of bytes that were uploaded.
    pub bytes: u64,
    /// The width of a picture, upright, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// The height of a picture, upright, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Number of frames of a picture, if it has more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<u32>,
    /// The renditions, in the order of the collection's profiles and their formats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renditions: Vec<RenditionRecord>,
    /// The profiles that have no renditions of their own, because they would equal those of another profile: the original
    /// is too small.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub same: BTreeMap<ProfileName, ProfileName>,
    /// The placeholder of a picture: a ThumbHash in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbhash: Option<String>,
    /// The point of a picture that a crop keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focal: Option<FocalPoint>,
    /// The description of a picture for those who do not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
    /// The tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The proof of the original, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofId>,
    /// Time at which the file became ready.
    pub created: Timestamp,
    /// Time at which the file expires, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The owner within the tenant, or nothing for the tenant itself. Only those who may read the details see it, and
    /// everything after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerId>,
    /// The name of the file at its client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// The metadata that was read from the original.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

/// The collection of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordCollection {
    /// The name.
    pub name: CollectionName,
    /// The version of the rules.
    pub version: NonZeroU32,
}

/// A reason why stored bytes are not the record of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileRecordError {
    /// The bytes do not have the format.
    #[error("the file's record is damaged: {0}")]
    Damaged(String),
    /// The version is unknown to this program.
    #[error("the file's record has version {0}; this program reads version {FILE_RECORD_VERSION}")]
    Version(u32),
    /// The blob is not the one that is derived from tenant and media hash.
    #[error("the blob in the file's record is not the one of its tenant and media hash")]
    Blob,
    /// The proof is not the one that is derived from tenant and media hash.
    #[error("the proof in the file's record is not the one of its tenant and media hash")]
    Proof,
}

impl FileRecord {
    /// Reads a record and checks everything that can be checked without another object.
    ///
    /// # Errors
    /// [`FileRecordError`] lists them.
    pub fn parse(bytes: &[u8]) -> Result<Self, FileRecordError> {
        let damaged = |detail: String| FileRecordError::Damaged(detail);
        if bytes.len() > MAX_FILE_RECORD_BYTES {
            return Err(damaged(format!("it has more than {MAX_FILE_RECORD_BYTES} bytes")));
        }
        check_depth(bytes, MAX_JSON_DEPTH).map_err(|error| damaged(error.to_string()))?;
        // The version comes first: a later version may have members that this program does not know.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } =
            serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        if version != FILE_RECORD_VERSION {
            return Err(FileRecordError::Version(version));
        }
        let record: Self = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        if record.blob != BlobId::derive(&record.tenant, &record.media_hash) {
            return Err(FileRecordError::Blob);
        }
        if record.proof.is_some_and(|proof| proof != ProofId::derive(&record.tenant, &record.media_hash)) {
            return Err(FileRecordError::Proof);
        }
        record.check().map_err(damaged)?;
        Ok(record)
    }

    /// Checks what the types of the members cannot say.
    fn check(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        if self.renditions.len() > MAX_PROFILES * Format::ALL.len() || self.same.len() > MAX_PROFILES {
            return Err("it has more renditions than profiles and formats can have".to_owned());
        }
        for rendition in &self.renditions {
            if !names.insert((&rendition.name.profile, rendition.name.format)) {
                return Err(format!("it has two renditions `{}`", rendition.name));
            }
        }
        for (profile, same) in &self.same {
            let has = |name: &ProfileName| names.iter().any(|(profile, _)| *profile == name);
            if has(profile) {
                return Err(format!(
                    "`same` names `{same}` for `{profile}`, which has renditions of its own"
                ));
            }
            if !has(same) {
                return Err(format!("`same` names `{same}` for `{profile}`, and `{same}` has no renditions"));
            }
        }
        for (name, text, most) in
            [("filename", &self.filename, MAX_FILENAME_BYTES), ("alt", &self.alt, 4 * MAX_ALT_CHARS)]
        {
            if text.as_ref().is_some_and(|text| text.len() > most) {
                return Err(format!("`{name}` has more than {most} bytes"));
            }
        }
        if self.revision == 0 {
            return Err("`revision` is 0".to_owned());
        }
        if self.tags.len() > MAX_TAGS {
            return Err(format!("it has more than {MAX_TAGS} tags"));
        }
        Ok(())
    }

    /// Returns the bytes of the record. They are stored, and from then on served, exactly as they are.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        // Only a map with keys that are not strings fails to serialise, and a record has none.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// Returns the key of the record.
    #[must_use]
    pub const fn key(&self) -> ObjectKey {
        ObjectKey::Media(MediaKey::File(self.id))
    }

    /// Returns the bytes to store, gzipped if that pays, and their attributes. `bytes` are those of the record, whose
    /// SHA-256 is `sha256`, written at `now`.
    #[must_use]
    pub fn stored(&self, bytes: &[u8], sha256: Digest, now: Timestamp) -> (Bytes, Attributes) {
        let key = self.key();
        let at_rest = key.at_rest(bytes, 0);
        let facts = Facts {
            sha256,
            length: bytes.len() as u64,
            coding: at_rest.coding,
            tenant: self.tenant.clone(),
            visibility: self.access.visibility(),
            created: now,
            expires: self.expires,
            generation: self.revision,
            tombstone: false,
            void: false,
        };
        let attributes = facts.attributes(&key, self.tags.clone());
        (Bytes::from(at_rest.bytes.into_owned()), attributes)
    }

    /// Returns the facts that decide who may do what with the file.
    #[must_use]
    pub const fn guarded(&self) -> Guarded<'_> {
        Guarded {
            tenant: &self.tenant,
            owner: self.owner.as_ref(),
            access: self.access,
            shows_original: self.shows_original,
        }
    }

    /// Returns the record without what only the owner may see.
    #[must_use]
    pub fn without_details(&self) -> Self {
        Self { owner: None, filename: None, details: None, ..self.clone() }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::hash::Digest;

    pub(crate) fn record() -> FileRecord {
        let (tenant, media_hash) = (Tenant::default(), MediaHash::of(b"the picture"));
        let rendition = |name: &str, side: u32| RenditionRecord {
            name: name.parse().unwrap(),
            width: side,
            height: side * 3 / 4,
            bytes: u64::from(side) * 100,
            sha256: Digest::of(name.as_bytes()),
            proof: Some(ProofId::derive(&tenant, &Digest::of(name.as_bytes()).into())),
        };
        FileRecord {
            version: FILE_RECORD_VERSION,
            id: FileId::from_random([1; 20]),
            revision: 2,
            collection: RecordCollection { name: "item-photo".parse().unwrap(), version: NonZeroU32::MIN },
            entity: Some("item/4711".parse().unwrap()),
            access: Access::Public,
            audited: false,
            shows_original: false,
            cache: Cache::ByType,
            blob: BlobId::derive(&tenant, &media_hash),
            kind: FileType::Jpeg,
            bytes: 4_000_000,
            width: Some(1_000),
            height: Some(750),
            frames: None,
            renditions: vec![
                rendition("thumbnail-1.jpg", 300),
                rendition("thumbnail-1.webp", 300),
                rendition("medium-2.jpg", 800),
                rendition("medium-2.webp", 800),
            ],
            same: BTreeMap::from([("large".parse().unwrap(), "medium".parse().unwrap())]),
            thumbhash: Some("1QcSHQRnh493V4dIh4eXh1h4kJUI".to_owned()),
            focal: Some(FocalPoint::CENTRE),
            alt: Some("A red bicycle".to_owned()),
            tags: BTreeMap::from([("season".to_owned(), "spring".to_owned())]),
            proof: Some(ProofId::derive(&tenant, &media_hash)),
            created: Timestamp::from_milliseconds(1_798_761_600_000),
            expires: Some(Timestamp::from_milliseconds(1_830_297_600_000)),
            owner: Some("auth0|7".parse().unwrap()),
            filename: Some("IMG 1.jpg".to_owned()),
            details: Some(Details {
                camera: Some("Make Model".to_owned()),
                taken: Some("2026-05-01T12:00:00".to_owned()),
                exposure: None,
                location: Some(Location::new(52.5, 13.4).unwrap()),
            }),
            tenant,
            media_hash,
        }
    }

    #[test]
    fn the_format_is_fixed() {
        let bytes = record().to_bytes();
        insta::assert_snapshot!("file_record_v1", String::from_utf8_lossy(&bytes));
        assert_eq!(FileRecord::parse(&bytes), Ok(record()));
        // Reading and writing gives the same bytes.
        assert_eq!(FileRecord::parse(&bytes).unwrap().to_bytes(), bytes);
        let (stored, attributes) = record().stored(&bytes, Digest::of(&bytes), record().created);
        let facts = Facts::read(&attributes).unwrap();
        assert_eq!((facts.generation, facts.expires), (2, record().expires));
        assert_eq!(attributes.cache_control.as_deref(), Some("public, max-age=60, must-revalidate"));
        assert!(stored.len() < bytes.len());
        let private = FileRecord { access: Access::Authenticated, ..record() };
        let (_, attributes) = private.stored(&bytes, Digest::of(&bytes), record().created);
        assert_eq!(attributes.cache_control.as_deref(), Some("private, no-store"));
    }

    #[test]
    fn a_small_record_has_only_what_it_needs() {
        let small = FileRecord {
            entity: None,
            renditions: Vec::new(),
            same: BTreeMap::new(),
            width: None,
            height: None,
            thumbhash: None,
            focal: None,
            alt: None,
            tags: BTreeMap::new(),
            proof: None,
            expires: None,
            ..record().without_details()
        };
        insta::assert_snapshot!("file_record_v1_small", String::from_utf8_lossy(&small.to_bytes()));
        assert_eq!(FileRecord::parse(&small.to_bytes()), Ok(small));
    }

    #[test]
    fn strangers_see_no_details() {
        let text = String::from_utf8(record().without_details().to_bytes().to_vec()).unwrap();
        for hidden in ["auth0", "IMG", "latitude", "Model", "owner"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
    }

    #[test]
    fn every_damage_has_its_name() {
        let text = String::from_utf8(record().to_bytes().to_vec()).unwrap();
        let blob = record().blob.to_string();
        let other = BlobId::derive(&"acme".parse().unwrap(), &record().media_hash).to_string();
        let proof = record().proof.unwrap().to_string();
        for (good, bad, part) in [
            ("\"version\":1,\"id\"", "\"version\":2,\"id\"", "has version 2; this program reads version 1"),
            ("\"version\":1,\"id\"", "\"id\"", "missing field `version`"),
            (&*blob, &*other, "the blob in the file's record"),
            (&*proof, &*other, "the proof in the file's record"),
            ("\"default\"", "\"acme\"", "the blob in the file's record"),
            ("\"revision\":2", "\"revision\":0", "`revision` is 0"),
            ("\"alt\"", "\"alto\"", "unknown field `alto`"),
            ("thumbnail-1.webp", "thumbnail-2.jpg", "two renditions"),
            ("\"large\":\"medium\"", "\"large\":\"huge\"", "`huge` has no renditions"),
            ("\"large\":\"medium\"", "\"thumbnail\":\"medium\"", "has renditions of its own"),
            ("image/jpeg", "text/html", "not `text/html`"),
            ("{\"x\":0.5", "{\"x\":5", "a number from 0 to 1"),
            ("52.5", "152.5", "latitude"),
            ("2026-05-01T12:00:00", "yesterday", "taken"),
            ("2027-01-01", "2027-13-01", "timestamp"),
        ] {
            assert!(text.contains(good), "{good}");
            let error = FileRecord::parse(text.replacen(good, bad, 1).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}\nwithout {part}");
        }
        let long = format!("{text}{}", " ".repeat(MAX_FILE_RECORD_BYTES));
        assert!(FileRecord::parse(long.as_bytes()).unwrap_err().to_string().contains("65536 bytes"));
        for end in 0..text.len() {
            assert!(FileRecord::parse(&text.as_bytes()[..end]).is_err(), "{end}");
        }
    }
}
