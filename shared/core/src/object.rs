//! Objects: what the providers keep, under which keys, with which attributes.
//!
//! | to find | look in |
//! |---|---|
//! | keys, and what follows from them: content type, cache policy | [`ObjectKey`] |
//! | what is said of an object, as a provider keeps it | [`Attributes`], [`Head`] |
//! | what is said of it, typed | [`Facts`] |
//! | content that was checked against what is said of it | [`Verified`] |

mod facts;
mod key;
mod verified;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderName;

use crate::time::Timestamp;

pub use facts::{AttributesError, Facts};
pub use key::{KeyError, ObjectKey};
pub use verified::{Damage, Verified};

/// The header beside content of the type [`STORED_TYPE`](crate::media_type::STORED_TYPE): the object's [`Attributes`], without its tags, as JSON.
pub const ATTRIBUTES_HEADER: HeaderName = HeaderName::from_static("credlink-attributes");

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
