//! The encoding of an entry of L2 or L3.
//!
//! ```text
//! credlink-cache 1 <SHA-256 of the next line, 64 hexadecimal digits>
//! {"key":"proofs/…","loaded":<milliseconds since 1970>,"attributes":{…}}
//! <the object's bytes as stored>
//! ```
//!
//! The header names the key, so that one object is never mistaken for another. It has a digest of its own, because a
//! flipped bit in it could make a private object public. The body's digest is among the attributes; [`Verified::check`]
//! compares it.

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::object::{Attributes, Damage, Head, Object, ObjectKey, StoredTag, Verified};
use credlink_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The start of every entry, with the version of the format.
const MAGIC: &[u8] = b"credlink-cache 1 ";
/// The length of the first line: the magic, 64 digits and a line feed.
const FIRST_LINE: usize = MAGIC.len() + 64 + 1;
/// The maximum length of a header, in bytes. CredLink's own metadata and a key stay under 5,000.
pub(super) const MAX_HEADER_BYTES: usize = 16_384;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    key: String,
    loaded: i64,
    attributes: Attributes,
}

/// Encodes the entry of `object`, whose load began at `loaded`. Returns `None` if its header would be too long to be
/// read back.
pub(super) fn write(key: &ObjectKey, object: &Verified, loaded: Timestamp) -> Option<Vec<u8>> {
    // Tags are for providers, and are in the record too; no answer needs them.
    let attributes = object.facts().attributes(key, std::collections::BTreeMap::new());
    let header = Header { key: key.to_string(), loaded: loaded.milliseconds(), attributes };
    let line = serde_json::to_vec(&header).ok()?;
    if FIRST_LINE + line.len() + 1 > MAX_HEADER_BYTES {
        return None;
    }
    let mut bytes = Vec::with_capacity(FIRST_LINE + line.len() + 1 + object.stored().len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(Digest::of(&line).to_string().as_bytes());
    bytes.push(b'\n');
    bytes.extend_from_slice(&line);
    bytes.push(b'\n');
    bytes.extend_from_slice(object.stored());
    Some(bytes)
}

/// The faults of a damaged entry.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    /// The header has no end.
    #[error("its header has no end")]
    NoEnd,
    /// The bytes are not an entry, or an entry of another version.
    #[error("it does not begin as an entry of this version")]
    Version,
    /// The header was changed.
    #[error("its header does not have the digest that it names")]
    Digest,
    /// The header cannot be read.
    #[error(transparent)]
    Header(#[from] serde_json::Error),
    /// The entry has no expiry.
    #[error("it has no end")]
    Endless,
    /// The entry is that of another object.
    #[error("it is the entry of {0}")]
    OtherKey(String),
    /// The object is damaged.
    #[error(transparent)]
    Object(#[from] Damage),
}

/// Decodes an entry and checks it. The error says what is wrong with it.
pub(super) fn read(key: &ObjectKey, mut bytes: Bytes) -> Result<(Verified, Timestamp), FrameError> {
    let end = bytes
        .get(FIRST_LINE..bytes.len().min(MAX_HEADER_BYTES))
        .and_then(|rest| rest.iter().position(|byte| *byte == b'\n'))
        .map(|at| FIRST_LINE + at)
        .ok_or(FrameError::NoEnd)?;
    let (first, line) = (&bytes[..FIRST_LINE], &bytes[FIRST_LINE..end]);
    if !first.starts_with(MAGIC) || !first.ends_with(b"\n") {
        return Err(FrameError::Version);
    }
    if &first[MAGIC.len()..FIRST_LINE - 1] != Digest::of(line).to_string().as_bytes() {
        return Err(FrameError::Digest);
    }
    let header: Header = serde_json::from_slice(line)?;
    if header.key != key.to_string() {
        return Err(FrameError::OtherKey(header.key));
    }
    let loaded = Timestamp::from_milliseconds(header.loaded);
    let body = bytes.split_off(end + 1);
    let head = Head {
        attributes: header.attributes,
        size: body.len() as u64,
        tag: StoredTag(String::new()),
        modified: loaded,
    };
    let verified = Verified::check(Object { head, body })?;
    Ok((verified, loaded))
}

#[cfg(test)]
mod tests {
    use credlink_core::access::Visibility;
    use credlink_core::object::Facts;
    use credlink_core::tenant::Tenant;

    use super::*;

    fn key(id: &str) -> ObjectKey {
        ObjectKey::Manifest(id.parse().unwrap())
    }

    fn entry() -> (ObjectKey, Verified, Vec<u8>) {
        let key = key("urn:c2pa:x");
        let now = Timestamp::from_milliseconds(5_000);
        let facts = Facts {
            sha256: Digest::of(b"content"),
            length: 7,
            coding: None,
            tenant: "acme".parse::<Tenant>().unwrap(),
            visibility: Visibility::Private,
            created: now,
            expires: Some(now.plus_seconds(60)),
            generation: 3,
            tombstone: false,
            void: false,
        };
        let attributes = facts.attributes(&key, std::collections::BTreeMap::new());
        let head = Head { attributes, size: 7, tag: StoredTag(String::new()), modified: now };
        let object = Verified::check(Object { head, body: "content".into() }).unwrap();
        let bytes = write(&key, &object, now).unwrap();
        (key, object, bytes)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (key, object, bytes) = entry();
        let (read, loaded) = read(&key, bytes.into()).unwrap();
        assert_eq!((read, loaded.milliseconds()), (object, 5_000));
    }

    #[test]
    fn damage_is_noticed_wherever_it_is() {
        let (key, _, bytes) = entry();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(read(&key, flipped.into()).is_err(), "bit {bit} of byte {at}");
            }
            assert!(read(&key, Bytes::copy_from_slice(&bytes[..at])).is_err(), "cut off at {at}");
        }
    }

    #[test]
    fn the_entry_of_another_key_is_none_of_this_one() {
        let (_, _, bytes) = entry();
        let error = read(&key("urn:c2pa:y"), bytes.into()).unwrap_err().to_string();
        assert!(error.contains("manifests/urn%3Ac2pa%3Ax"), "{error}");
    }
}
