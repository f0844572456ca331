//! Objects: their keys, their attributes and their content.
//!
//! | to find | look in |
//! |---|---|
//! | keys, and what follows from them: content type, cache policy, stored form | [`ObjectKey`] |
//! | keys of files, their bytes and uploads | [`MediaKey`] |
//! | the attributes of an object, as a provider keeps them | [`Attributes`], [`Head`] |
//! | the attributes of an object, typed | [`Facts`] |
//! | content that was checked against its attributes | [`Verified`] |

mod at_rest;
mod facts;
mod key;
mod media_key;
mod verified;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderName;

use crate::time::Timestamp;

pub use facts::{AttributesError, Facts};
pub use key::{KeyError, ObjectKey};
pub use media_key::MediaKey;
pub use verified::{Damage, Verified};

/// The header that accompanies content of the type [`STORED_TYPE`](crate::media_type::STORED_TYPE): the object's
/// [`Attributes`], without its tags, as JSON.
pub const ATTRIBUTES_HEADER: HeaderName = HeaderName::from_static("credlink-attributes");

/// The attributes that a writer gives an object, and a provider keeps beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attributes {
    /// `Content-Type`.
    pub content_type: String,
    /// `Content-Encoding`, if the stored bytes have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Cache-Control`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// User metadata: names in lower case, values in visible ASCII.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Tags. A provider without tags (R2) may drop them, and a provider that needs a second call to read them (S3)
    /// leaves them out: the record holds them too, and they are never read here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A provider's own entity tag of stored bytes. It is opaque, compared for equality only, and never shown to a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoredTag(pub String);

/// The metadata of an object at a provider, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The writer's attributes.
    pub attributes: Attributes,
    /// The number of stored bytes.
    pub size: u64,
    /// The provider's tag of this content, for compare-and-swap.
    pub tag: StoredTag,
    /// Time at which the object was written, by the provider's clock.
    pub modified: Timestamp,
}

/// An object: its metadata, and its bytes as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The metadata.
    pub head: Head,
    /// The bytes as stored, in the content coding that the attributes name.
    pub body: Bytes,
}
