//! The media types of stored objects and answers.

/// `application/c2pa`, the media type of a C2PA manifest store (C2PA 2.x, section 11.4).
pub const C2PA_TYPE: &str = "application/c2pa";
/// `application/json`.
pub const JSON_TYPE: &str = "application/json";

/// The media type of a tombstone.
pub const TOMBSTONE_TYPE: &str = "application/vnd.credlink.tombstone+json";

/// The media type of an object in its stored form: opaque bytes.
pub const STORED_TYPE: &str = "application/vnd.credlink.object";

/// `application/octet-stream`, the media type of bytes that say nothing about themselves.
pub const OCTETS_TYPE: &str = "application/octet-stream";
