//! The objects of the edge's benchmark, which are the same in both processes that need them.

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::object::{Attributes, Facts, ObjectKey};
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

use crate::error::Error;
use crate::material::{MaterialKind, manifest_id, proof_id, unsigned_manifest};

/// Number of objects of each kind: more than connections, so that no two requests in flight are for the same object.
pub const COUNT: u64 = 32;
/// Length of a small manifest, in bytes.
pub const SMALL: usize = 4_096;
/// Length of a large manifest, in bytes.
pub const LARGE: usize = 1_048_576;

/// The instant 2026-11-21T12:00:00Z.
const CREATED: i64 = 1_795_262_400_000;
/// The instant 9000-01-01T00:00:00Z, so that no record expires during a measurement.
const EXPIRES: i64 = 221_845_392_000_000;

/// An object as R2 holds it, and its content.
#[derive(Debug)]
pub struct Stored {
    /// The key in R2.
    pub key: String,
    /// The attributes of the object.
    pub attributes: Attributes,
    /// The bytes, in their content coding.
    pub body: Bytes,
    /// The content, without a content coding.
    pub content: Bytes,
}

/// All objects: records of a JSON manifest of 4 KB, then small manifests, then large ones; [`COUNT`] of each.
///
/// # Errors
/// Fails if an object cannot be created.
pub fn all() -> Result<Vec<Stored>, Error> {
    let records = (0..COUNT).map(record);
    let small = (COUNT..2 * COUNT).map(|number| manifest(number, SMALL));
    let large = (2 * COUNT..3 * COUNT).map(|number| manifest(number, LARGE));
    records.chain(small).chain(large).collect()
}

/// The record of a proof, gzipped as it is at rest.
fn record(number: u64) -> Result<Stored, Error> {
    let draft = Draft::parse(&MaterialKind::Json.body(number), Tenant::default(), None);
    let draft = draft.map_err(|problem| Error::wrong("a draft", problem))?;
    let mut record = draft.record(1, Timestamp::from_milliseconds(CREATED));
    record.expires = Timestamp::from_milliseconds(EXPIRES);
    let content = record.to_bytes();
    let key = ObjectKey::Record(proof_id(number));
    let (body, attributes) = record.stored(&content, Digest::of(&content), &key);
    Ok(Stored { key: key.to_string(), attributes, body, content })
}

/// A C2PA manifest store, which is not compressed.
fn manifest(number: u64, length: usize) -> Result<Stored, Error> {
    let id = manifest_id(number).parse().map_err(|error| Error::wrong("a manifest id", error))?;
    let (key, content) = (ObjectKey::Manifest(id), unsigned_manifest(number, length));
    let created = Timestamp::from_milliseconds(CREATED);
    let public = credlink_core::access::Visibility::Public;
    let facts = Facts::of(&content, Tenant::default(), public, created);
    let attributes = facts.attributes(&key, Default::default());
    let content = Bytes::from(content);
    Ok(Stored { key: key.to_string(), attributes, body: content.clone(), content })
}

#[cfg(test)]
mod tests {
    use credlink_core::encoding::Coding;

    use super::*;

    #[test]
    fn records_are_packed_and_manifests_are_not() {
        let objects = all().unwrap();
        for (at, object) in objects.iter().enumerate() {
            let facts = Facts::read(&object.attributes).unwrap();
            assert_eq!(facts.sha256, Digest::of(&object.content), "{}", object.key);
            let packed = (at as u64) < COUNT;
            assert_eq!(facts.coding, packed.then_some(Coding::Gzip), "{}", object.key);
            assert_eq!(object.body == object.content, !packed, "{}", object.key);
        }
        assert_eq!(objects.len() as u64, 3 * COUNT);
        assert_eq!(objects.last().map(|object| object.content.len()), Some(LARGE));
    }
}
