//! The facts that CredLink records about an object when it writes it, and how they are kept in the object's attributes.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::{Attributes, ObjectKey};
use crate::access::Visibility;
use crate::encoding::Coding;
use crate::hash::Digest;
use crate::media_type::TOMBSTONE_TYPE;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The names of the metadata entries of every object that CredLink writes.
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

/// The facts about an object that CredLink wrote: the typed form of [`Attributes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// SHA-256 of the content, with no content coding.
    pub sha256: Digest,
    /// Length of the content in bytes, with no content coding.
    pub length: u64,
    /// The content coding of the stored bytes.
    pub coding: Option<Coding>,
    /// The owner.
    pub tenant: Tenant,
    /// The visibility.
    pub visibility: Visibility,
    /// Time at which the object was stored, by the clock of the service. It is the same in every replica, unlike
    /// [`Head::modified`](super::Head::modified).
    pub created: Timestamp,
    /// Time at which the object stops being served. A manifest has no such instant of its own.
    pub expires: Option<Timestamp>,
    /// For a manifest, the number of earlier deletions of this ID. For a record, the number of its proof's revisions
    /// that were deleted before it, from the first one on. For an object that is rewritten in place
    /// ([`ObjectKey::counts_its_writes`]), the number of its writes.
    pub generation: u32,
    /// `true` if this is a tombstone.
    pub tombstone: bool,
    /// For a tombstone, `true` if it stands for something that nobody was ever told of. For a front, `true` if it names
    /// no tenant. To readers nothing is there.
    pub void: bool,
}

/// The error for attributes that no writer of CredLink leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object's attributes are damaged: {0} is {1}")]
pub struct AttributesError(&'static str, String);

impl Facts {
    /// The metadata entry of every private object, as `name=value`, for readers that need to know only that.
    pub const PRIVATE: &'static str = "visibility=private";

    /// Returns the facts of `content` that is stored without a content coding, is not a tombstone and does not expire.
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

    /// Returns the attributes to store for an object under `key`.
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
    /// Fails if attributes are missing or malformed: the object was not written by CredLink, or was tampered with.
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
    use crate::hash::MediaHash;
    use crate::proof_id::ProofId;

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
        let id = ProofId::derive(&Tenant::default(), &MediaHash::of(b"x"));
        let attributes = facts.attributes(&ObjectKey::Record(id), BTreeMap::new());
        assert_eq!(Facts::read(&attributes), Ok(facts));
        assert_eq!(attributes.cache_control.as_deref(), Some("private, no-store"));
        let mut metadata = attributes.metadata.iter().map(|(name, value)| format!("{name}={value}"));
        assert!(metadata.any(|entry| entry == Facts::PRIVATE));
    }

    #[test]
    fn foreign_attributes_are_told_apart() {
        let error = Facts::read(&Attributes::default()).unwrap_err();
        assert_eq!(error.to_string(), "the object's attributes are damaged: sha256 is missing");
    }
}
