//! What CredLink says of an object that it wrote, and how that is kept in the object's attributes.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::{Attributes, ObjectKey};
use crate::access::Visibility;
use crate::encoding::Coding;
use crate::hash::Digest;
use crate::media_type::TOMBSTONE_TYPE;
use crate::tenant::Tenant;
use crate::time::Timestamp;

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
    /// When it was stored, by the clock of the service: the same in every replica, unlike [`Head::modified`](super::Head::modified).
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
