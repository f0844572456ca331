//! Files as the service leaves them in a bucket: a record, and the bytes of its renditions and of its original.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::collection::Cache;
use credlink_core::file::{Access, BlobId, FileId, FileType, MediaPath};
use credlink_core::file_record::{FILE_RECORD_VERSION, FileRecord, RecordCollection, RenditionRecord};
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::link::LinkKeys;
use credlink_core::object::{Facts, MediaKey, ObjectKey};
use credlink_core::tenant::Tenant;
use http::Response;

use crate::edge::seeds::{LINK_KEYS, Seed, now, write};
use crate::engines::edge::Edge;

/// A file and the bytes of its parts.
#[derive(Clone, Debug)]
pub struct Album {
    pub record: FileRecord,
    /// The bytes of the parts, by the last part of their keys: `original`, `medium-1.webp`.
    pub parts: BTreeMap<String, Bytes>,
}

/// Bytes that do not compress, and that are others for each `name`.
fn noise(name: &str, length: usize) -> Bytes {
    let pieces =
        (0..length.div_ceil(32)).map(|part| *Digest::of(format!("{name} {part}").as_bytes()).as_bytes());
    pieces.flatten().take(length).collect::<Vec<u8>>().into()
}

impl Album {
    fn new(number: u8, kind: FileType, original: Bytes) -> Self {
        let (tenant, media_hash) = (Tenant::default(), MediaHash::of(&original));
        let record = FileRecord {
            version: FILE_RECORD_VERSION,
            id: FileId::from_random([number; 20]),
            revision: 1,
            collection: RecordCollection { name: "item-photo".parse().unwrap(), version: NonZeroU32::MIN },
            entity: None,
            access: Access::Public,
            audited: false,
            shows_original: false,
            cache: Cache::ByType,
            blob: BlobId::derive(&tenant, &media_hash),
            kind,
            bytes: original.len() as u64,
            width: None,
            height: None,
            frames: None,
            renditions: Vec::new(),
            same: BTreeMap::new(),
            thumbhash: None,
            focal: None,
            alt: Some("Ein rotes Fahrrad, für Größe 54".to_owned()),
            tags: BTreeMap::new(),
            proof: None,
            created: "2026-01-01T12:00:00.250Z".parse().unwrap(),
            expires: None,
            owner: Some("auth0|7".parse().unwrap()),
            filename: Some("IMG 1.jpg".to_owned()),
            details: None,
            tenant,
            media_hash,
        };
        Self { record, parts: BTreeMap::from([("original".to_owned(), original)]) }
    }

    /// A public photo with renditions in two sizes and two formats, whose original is for its owner alone.
    pub fn photo(number: u8) -> Self {
        let mut album = Self::new(number, FileType::Jpeg, noise(&format!("photo {number}"), 9_000));
        for name in ["medium-1.jpg", "medium-1.webp", "thumbnail-1.jpg", "thumbnail-1.webp"] {
            let bytes =
                noise(&format!("{name} of {number}"), if name.ends_with("jpg") { 5_000 } else { 3_000 });
            album.record.renditions.push(RenditionRecord {
                name: name.parse().unwrap(),
                width: 800,
                height: 600,
                bytes: bytes.len() as u64,
                sha256: Digest::of(&bytes),
                proof: None,
            });
            album.parts.insert(name.to_owned(), bytes);
        }
        album.record.same.insert("large".parse().unwrap(), "medium".parse().unwrap());
        album
    }

    /// A public document of this length, which everybody may read.
    pub fn document(number: u8, length: usize) -> Self {
        let album = Self::new(number, FileType::Pdf, noise(&format!("document {number}"), length));
        album.but(|record| record.shows_original = true)
    }

    /// The same file with another record.
    pub fn but(mut self, change: impl FnOnce(&mut FileRecord)) -> Self {
        change(&mut self.record);
        self
    }

    /// The same file with another access, written once more.
    pub fn open_to(self, access: Access) -> Self {
        self.but(|record| {
            (record.access, record.revision) = (access, record.revision + 1);
            record.audited = access == Access::Private;
        })
    }

    /// The record as an object.
    pub fn seed(&self) -> Seed {
        let (visibility, revision) = (self.record.access.visibility(), self.record.revision);
        Seed::new(self.record.key(), self.record.to_bytes())
            .but(|facts| (facts.visibility, facts.generation) = (visibility, revision))
    }

    /// The key of a part.
    pub fn key(&self, part: &str) -> ObjectKey {
        format!("media/{}/{part}", self.record.blob).parse().unwrap()
    }

    /// Puts a part into the bucket of `edge`, with other bytes than its digest says if they are given.
    pub async fn put_part(&self, edge: &Edge, part: &str, instead: Option<Bytes>) {
        let (key, bytes) = (self.key(part), &self.parts[part]);
        // An original is private, whoever may read it.
        let is_original = matches!(key, ObjectKey::Media(MediaKey::Original(_)));
        let visibility = if is_original { Visibility::Private } else { self.record.access.visibility() };
        let facts = Facts::of(bytes, self.record.tenant.clone(), visibility, self.record.created);
        let attributes = facts.attributes(&key, BTreeMap::new());
        write(&edge.objects(), &key, instead.unwrap_or_else(|| bytes.clone()), &attributes).await;
    }

    /// Puts everything into the bucket of `edge`, the record last.
    pub async fn put(&self, edge: &Edge) {
        for part in self.parts.keys() {
            self.put_part(edge, part, None).await;
        }
        self.seed().put(edge).await;
    }

    /// The path of a part.
    pub fn path(&self, name: &str) -> String {
        format!("/media/{}/{name}", self.record.id)
    }

    /// A signed link to a part, valid for an hour.
    pub fn link(&self, name: &str) -> String {
        let keys: LinkKeys = LINK_KEYS.parse().unwrap();
        let path = MediaPath { file: self.record.id, name: name.parse().unwrap() };
        format!("{path}?{}", keys.sign_media(&path, now().plus_seconds(3_600)))
    }

    /// Asserts that `answer` is this part.
    pub fn assert_is(&self, answer: &Response<Bytes>, part: &str) {
        assert_eq!(answer.status(), 200, "{part}: {}", String::from_utf8_lossy(answer.body()));
        assert!(*answer.body() == self.parts[part], "{part}: other bytes");
    }
}
