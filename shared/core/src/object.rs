//! Objects: what the providers keep, under which keys, with which attributes.

mod key;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use http::HeaderName;

use crate::access::Visibility;
use crate::bounds::{MAX_C2PA_MANIFEST_BYTES, MAX_RECORD_BYTES};
use crate::encoding::{DecodeError, decode, unpacked};
use crate::hash::Digest;
use crate::tenant::Tenant;
use crate::time::Timestamp;

pub use key::{KeyError, ObjectKey};

/// `application/c2pa`, the media type of a C2PA manifest store (C2PA 2.x, section 11.4).
pub const C2PA_TYPE: &str = "application/c2pa";
/// `application/json`.
pub const JSON_TYPE: &str = "application/json";
/// The media type of the marker that takes a deleted object's place.
pub const TOMBSTONE_TYPE: &str = "application/vnd.credlink.tombstone+json";

/// The media type of an object as a provider keeps it: its bytes, whatever they are.
pub const STORED_TYPE: &str = "application/vnd.credlink.object";
/// The header that goes with it: the object's [`Attributes`], without its tags, as JSON.
pub const ATTRIBUTES_HEADER: HeaderName = HeaderName::from_static("credlink-attributes");

/// The names of the metadata entries that every object of CredLink carries.
mod entry {
    pub(super) const SHA256: &str = "sha256";
    pub(super) const LENGTH: &str = "length";
    pub(super) const TENANT: &str = "tenant";
    pub(super) const VISIBILITY: &str = "visibility";
    pub(super) const EXPIRES: &str = "expires";
    pub(super) const GENERATION: &str = "generation";
    pub(super) const CREATED: &str = "created";
    pub(super) const VOID: &str = "void";
}

/// A content coding (RFC 9110, section 8.4) that objects are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
}

/// What a writer says of an object, and a provider keeps beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attributes {
    /// `Content-Type`.
    pub content_type: String,
    /// `Content-Encoding`, where the stored bytes have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Cache-Control`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// User metadata: names in lower case, values in visible ASCII.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Tags. A provider that has none (R2) may drop them, and one that would need a second call for them (S3) leaves them
    /// out of what it reads: the record holds them too, and nothing reads them here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A provider's own entity tag of stored bytes: opaque, compared for equality only, never shown to a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoredTag(pub String);

/// What a provider says of an object without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What the writer said.
    pub attributes: Attributes,
    /// Bytes as stored.
    pub size: u64,
    /// The provider's tag of this content, for compare-and-swap.
    pub tag: StoredTag,
    /// When it was written, by the provider's clock.
    pub modified: Timestamp,
}

/// An object: what is said of it, and its bytes as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What is said of it.
    pub head: Head,
    /// The bytes as stored, in the content coding that the attributes name.
    pub body: Bytes,
}

/// What CredLink says of an object it wrote: the typed reading of [`Attributes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// SHA-256 of the content, with no content coding.
    pub sha256: Digest,
    /// Length of the content in bytes, with no content coding.
    pub length: u64,
    /// The content coding of the stored bytes.
    pub coding: Option<Coding>,
    /// Who owns it.
    pub tenant: Tenant,
    /// Who may read it.
    pub visibility: Visibility,
    /// When it was stored, by the clock of the service: the same in every replica, unlike [`Head::modified`].
    pub created: Timestamp,
    /// When it stops being served; a manifest has no such instant of its own.
    pub expires: Option<Timestamp>,
    /// Of a manifest: how often one of this id was deleted before. Of a record: how many of its proof's revisions were
    /// deleted before it, from the first one on. Of what is rewritten in place ([`ObjectKey::counts_its_writes`]): how often
    /// it was written.
    pub generation: u32,
    /// Whether this is the marker of a deleted object.
    pub tombstone: bool,
    /// Of a marker: whether it stands for something that nobody was ever told of. Of a front: whether it names nobody. To readers
    /// nothing is there.
    pub void: bool,
}

/// Content that was gzipped is kept decoded up to this length: 4 KB of JSON take 8 to 12 µs to decode, a sixth of a read
/// from memory. Nearly every record is shorter.
const KEPT_CONTENT_BYTES: usize = 16_384;

/// An object that was checked: its bytes decode to the content whose SHA-256 and length were recorded when it was
/// written (guarantee 4). There is no other way to make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    facts: Facts,
    body: Bytes,
    /// The decoded content, where it is short enough to be kept beside the stored bytes.
    content: Option<Bytes>,
    /// The decoded content that is longer, for as long as somebody has it.
    lent: Lent,
}

/// Decoded content that all who ask for it at the same time have in common: ten megabytes of zeros are ten kilobytes at
/// rest, and two hundred slow readers of them would have two gigabytes if each had its own.
#[derive(Debug, Default)]
struct Lent(Mutex<Weak<Vec<u8>>>);

/// A share of lent content.
struct Share(Arc<Vec<u8>>);

impl AsRef<[u8]> for Share {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Lent {
    /// A share of what is lent, or else of what `decode` makes.
    fn share(&self, decode: impl FnOnce() -> Vec<u8>) -> Bytes {
        // Held while it is decoded: who comes meanwhile waits for the share instead of decoding as well.
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

/// What is lent follows from the stored bytes, and says nothing of its own.
impl PartialEq for Lent {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Lent {}

/// An object that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Its attributes are not.
    #[error(transparent)]
    Attributes(#[from] AttributesError),
    /// Its bytes do not decode.
    #[error(transparent)]
    Coding(#[from] DecodeError),
    /// Its content is another one.
    #[error("the content has the SHA-256 {found} and {length} bytes; {recorded} was recorded")]
    Content {
        /// What was recorded when it was written.
        recorded: Digest,
        /// What is there.
        found: Digest,
        /// How long it is.
        length: usize,
    },
}

impl Verified {
    /// Checks an object.
    ///
    /// # Errors
    /// What is damaged.
    pub fn check(object: Object) -> Result<Self, Damage> {
        let facts = Facts::read(&object.head.attributes)?;
        // No object is larger than the largest of its kind; more comes out of damaged gzip only.
        let content = decode(&object.body, facts.coding, MAX_C2PA_MANIFEST_BYTES.max(MAX_RECORD_BYTES))?;
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

    /// The same, for whoever may read what is private of its tenant.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.facts.visibility = Visibility::Private;
        self
    }

    /// What is known of it.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The bytes as stored.
    #[must_use]
    pub const fn stored(&self) -> &Bytes {
        &self.body
    }

    /// Bytes that it takes in memory, without what is said of it and without content that is lent for a while.
    #[must_use]
    pub fn size(&self) -> usize {
        self.body.len() + self.content.as_ref().map_or(0, Bytes::len)
    }

    /// The content, with no content coding. Long content that was gzipped is decoded for it; all who have it at the same
    /// time share one buffer.
    #[must_use]
    pub fn content(&self) -> Bytes {
        match (&self.content, self.facts.coding) {
            (Some(content), _) => content.clone(),
            (None, None) => self.body.clone(),
            // It decodes to this length, as `check` has seen.
            (None, Some(Coding::Gzip)) => self
                .lent
                .share(|| unpacked(&self.body, usize::try_from(self.facts.length).unwrap_or_default())),
        }
    }
}

/// Attributes that no writer of CredLink leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object's attributes are damaged: {0} is {1}")]
pub struct AttributesError(&'static str, String);

impl Facts {
    /// The metadata of each object that is private, as `name=value`: for who only has to know that, and does not read the rest.
    pub const PRIVATE: &'static str = "visibility=private";

    /// The facts of `content` that is stored with no content coding, is no marker and does not expire.
    #[must_use]
    pub fn of(content: &[u8], tenant: Tenant, visibility: Visibility, created: Timestamp) -> Self {
        Self {
            sha256: Digest::of(content),
            length: content.len() as u64,
            coding: None,
            tenant,
            visibility,
            created,
            expires: None,
            generation: 0,
            tombstone: false,
            void: false,
        }
    }

    /// The attributes to store, for an object under `key`.
    #[must_use]
    pub fn attributes(&self, key: &ObjectKey, tags: BTreeMap<String, String>) -> Attributes {
        let mut metadata = BTreeMap::from([
            (entry::SHA256.to_owned(), self.sha256.to_string()),
            (entry::LENGTH.to_owned(), self.length.to_string()),
            (entry::TENANT.to_owned(), self.tenant.to_string()),
            (entry::VISIBILITY.to_owned(), self.visibility.to_string()),
            (entry::CREATED.to_owned(), self.created.to_string()),
        ]);
        if let Some(expires) = self.expires {
            metadata.insert(entry::EXPIRES.to_owned(), expires.to_string());
        }
        if self.generation > 0 {
            metadata.insert(entry::GENERATION.to_owned(), self.generation.to_string());
        }
        if self.void {
            metadata.insert(entry::VOID.to_owned(), true.to_string());
        }
        let cache_control = if self.visibility == Visibility::Private || self.tombstone {
            "private, no-store"
        } else {
            key.cache_control()
        };
        Attributes {
            content_type: if self.tombstone { TOMBSTONE_TYPE } else { key.content_type() }.to_owned(),
            content_encoding: self.coding.map(|Coding::Gzip| "gzip".to_owned()),
            cache_control: Some(cache_control.to_owned()),
            metadata,
            tags,
        }
    }

    /// Reads the attributes of a stored object.
    ///
    /// # Errors
    /// Attributes that are missing or malformed: the object was not written by CredLink, or was tampered with.
    pub fn read(attributes: &Attributes) -> Result<Self, AttributesError> {
        let coding = match attributes.content_encoding.as_deref() {
            None | Some("" | "identity") => None,
            Some("gzip") => Some(Coding::Gzip),
            Some(other) => return Err(AttributesError("content-encoding", format!("`{other}`"))),
        };
        Ok(Self {
            sha256: required(attributes, entry::SHA256)?,
            length: required(attributes, entry::LENGTH)?,
            coding,
            tenant: required(attributes, entry::TENANT)?,
            visibility: required(attributes, entry::VISIBILITY)?,
            created: required(attributes, entry::CREATED)?,
            expires: optional(attributes, entry::EXPIRES)?,
            generation: optional(attributes, entry::GENERATION)?.unwrap_or(0),
            tombstone: attributes.content_type == TOMBSTONE_TYPE,
            void: optional(attributes, entry::VOID)?.unwrap_or(false),
        })
    }
}

fn optional<T: FromStr>(attributes: &Attributes, name: &'static str) -> Result<Option<T>, AttributesError> {
    let Some(text) = attributes.metadata.get(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| AttributesError(name, format!("`{text}`")))
}

fn required<T: FromStr>(attributes: &Attributes, name: &'static str) -> Result<T, AttributesError> {
    optional(attributes, name)?.ok_or_else(|| AttributesError(name, "missing".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof_id::ProofId;

    fn id() -> ProofId {
        ProofId::derive(&Tenant::default(), &crate::hash::MediaHash::of(b"x"))
    }

    #[test]
    fn facts_survive_their_attributes() {
        let facts = Facts {
            sha256: Digest::of(b"x"),
            length: 1,
            coding: Some(Coding::Gzip),
            tenant: Tenant::default(),
            visibility: Visibility::Private,
            created: Timestamp::from_milliseconds(500),
            expires: Some(Timestamp::from_milliseconds(1_000)),
            generation: 3,
            tombstone: false,
            void: false,
        };
        let attributes = facts.attributes(&ObjectKey::Record(id()), BTreeMap::new());
        assert_eq!(Facts::read(&attributes), Ok(facts));
        assert_eq!(attributes.cache_control.as_deref(), Some("private, no-store"));
        let mut metadata = attributes.metadata.iter().map(|(name, value)| format!("{name}={value}"));
        assert!(metadata.any(|entry| entry == Facts::PRIVATE));
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
            // gzip's header has bits that change nothing in the content: 4 bytes of time, flags and system.
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

    #[test]
    fn foreign_attributes_are_told_apart() {
        let error = Facts::read(&Attributes::default()).unwrap_err();
        assert_eq!(error.to_string(), "the object's attributes are damaged: sha256 is missing");
    }
}
