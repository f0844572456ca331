//! Objects whose content has been checked.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;

use super::{AttributesError, Facts, Object};
use crate::access::Visibility;
use crate::bounds::{MAX_C2PA_MANIFEST_BYTES, MAX_RECORD_BYTES};
use crate::encoding::{Coding, DecodeError, decode, unpacked};
use crate::hash::Digest;

/// Longest gzipped content that is kept decoded: 4 KB of JSON take 8 to 12 µs to decode, a sixth of a read from memory.
/// Nearly every record is shorter.
const KEPT_CONTENT_BYTES: usize = 16_384;

/// A checked object: its bytes decode to the content whose SHA-256 and length were recorded when it was written
/// (guarantee 4). There is no other way to create one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    facts: Facts,
    body: Bytes,
    /// The decoded content, if it is short enough to be kept beside the stored bytes.
    content: Option<Bytes>,
    /// The decoded content if it is longer, for as long as somebody uses it.
    lent: Lent,
}

/// Decoded content that concurrent readers share: ten megabytes of zeros are ten kilobytes at rest, and two hundred
/// slow readers would hold two gigabytes if each had its own.
#[derive(Debug, Default)]
struct Lent(Mutex<Weak<Vec<u8>>>);

/// A share of the lent content.
struct Share(Arc<Vec<u8>>);

impl AsRef<[u8]> for Share {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Lent {
    /// Returns a share of the lent content, or else of what `decode` returns.
    fn share(&self, decode: impl FnOnce() -> Vec<u8>) -> Bytes {
        // The lock is held while decoding, so that a reader who comes meanwhile waits for the share instead of decoding
        // as well.
        let mut lent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let content = lent.upgrade().unwrap_or_else(|| {
            let content = Arc::new(decode());
            *lent = Arc::downgrade(&content);
            content
        });
        drop(lent);
        Bytes::from_owner(Share(content))
    }
}

impl Clone for Lent {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Lent content follows from the stored bytes, so it does not count for equality.
impl PartialEq for Lent {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Lent {}

/// A reason why an object is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The attributes are not valid.
    #[error(transparent)]
    Attributes(#[from] AttributesError),
    /// The bytes do not decode.
    #[error(transparent)]
    Coding(#[from] DecodeError),
    /// The content differs.
    #[error("the content has the SHA-256 {found} and {length} bytes; {recorded} was recorded")]
    Content {
        /// The digest that was recorded when the object was written.
        recorded: Digest,
        /// The digest of the content that was found.
        found: Digest,
        /// The length of the content that was found.
        length: usize,
    },
}

impl Verified {
    /// Checks an object.
    ///
    /// # Errors
    /// The damage that was found.
    pub fn check(object: Object) -> Result<Self, Damage> {
        let facts = Facts::read(&object.head.attributes)?;
        // Only a file may be larger than the largest manifest or record, and no file is compressed at rest. What damaged
        // gzip decodes to has a bound.
        let content = match facts.coding {
            None => Cow::Borrowed(&*object.body),
            coding => decode(&object.body, coding, MAX_C2PA_MANIFEST_BYTES.max(MAX_RECORD_BYTES))?,
        };
        let (found, length) = (Digest::of(&content), content.len());
        if found != facts.sha256 || length as u64 != facts.length {
            return Err(Damage::Content { recorded: facts.sha256, found, length });
        }
        let content = match content {
            Cow::Owned(content) if length <= KEPT_CONTENT_BYTES => Some(content.into_boxed_slice().into()),
            Cow::Owned(_) | Cow::Borrowed(_) => None,
        };
        Ok(Self { facts, body: object.body, content, lent: Lent::default() })
    }

    /// Returns the object as a private one, readable only by callers who may read the private objects of its tenant.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.facts.visibility = Visibility::Private;
        self
    }

    /// Returns the facts about the object.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Returns the stored bytes.
    #[must_use]
    pub const fn stored(&self) -> &Bytes {
        &self.body
    }

    /// Returns the bytes that the object takes in memory, without its metadata and without lent content.
    #[must_use]
    pub fn size(&self) -> usize {
        self.body.len() + self.content.as_ref().map_or(0, Bytes::len)
    }

    /// Returns the content, without a content coding. Long content that was gzipped is decoded for the call; concurrent
    /// readers share one buffer.
    #[must_use]
    pub fn content(&self) -> Bytes {
        match (&self.content, self.facts.coding) {
            (Some(content), _) => content.clone(),
            (None, None) => self.body.clone(),
            // `check` has seen that the data decodes to this length.
            (None, Some(Coding::Gzip)) => self
                .lent
                .share(|| unpacked(&self.body, usize::try_from(self.facts.length).unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::hash::MediaHash;
    use crate::object::{Head, ObjectKey, StoredTag};
    use crate::proof_id::ProofId;
    use crate::tenant::Tenant;
    use crate::time::Timestamp;

    fn id() -> ProofId {
        ProofId::derive(&Tenant::default(), &MediaHash::of(b"x"))
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let key = ObjectKey::Record(id());
        for content in [b"short".to_vec(), b"a text that is packed ".repeat(50)] {
            let at_rest = crate::encoding::at_rest(&content);
            let created = Timestamp::from_milliseconds(0);
            let facts = Facts {
                coding: at_rest.coding,
                ..Facts::of(&content, Tenant::default(), Visibility::Public, created)
            };
            let object = |body: Vec<u8>| Object {
                head: Head {
                    attributes: facts.attributes(&key, BTreeMap::new()),
                    size: body.len() as u64,
                    tag: StoredTag(String::new()),
                    modified: Timestamp::from_milliseconds(0),
                },
                body: body.into(),
            };
            let body = at_rest.bytes.into_owned();
            let verified = Verified::check(object(body.clone())).unwrap();
            assert_eq!(verified.content(), content);
            let decoded = if facts.coding.is_some() { content.len() } else { 0 };
            assert_eq!(verified.size(), body.len() + decoded);
            // gzip's header has bits that change nothing in the content: 4 bytes of time, the flags and the system.
            let start = if facts.coding.is_some() { 10 } else { 0 };
            for at in start..body.len() {
                let mut flipped = body.clone();
                flipped[at] ^= 1;
                assert!(Verified::check(object(flipped)).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn readers_at_the_same_time_share_what_was_decoded() {
        let content = vec![0; 10 * KEPT_CONTENT_BYTES];
        let at_rest = crate::encoding::at_rest(&content);
        let created = Timestamp::from_milliseconds(0);
        let facts = Facts {
            coding: at_rest.coding,
            ..Facts::of(&content, Tenant::default(), Visibility::Public, created)
        };
        let head = Head {
            attributes: facts.attributes(&ObjectKey::Record(id()), BTreeMap::new()),
            size: at_rest.bytes.len() as u64,
            tag: StoredTag(String::new()),
            modified: created,
        };
        let verified = Verified::check(Object { head, body: at_rest.bytes.into_owned().into() }).unwrap();
        let (one, two) = (verified.content(), verified.content());
        assert_eq!(one, content);
        assert_eq!(one.as_ptr(), two.as_ptr(), "one buffer");
        drop((one, two));
        assert!(verified.lent.0.lock().unwrap().upgrade().is_none(), "nothing is kept that nobody reads");
        assert_eq!(verified.content(), content);
    }
}
