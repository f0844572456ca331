//! The items of a source, and their content.

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::legacy::LegacyId;
use credlink_core::tenant::Tenant;

/// Something that a source has: one legacy record; or of another CredLink one proof with all its records, one more name of a
/// proof, or one manifest that was stored for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Names it within its source: a path, a key, `line 7`, a proof id. At most 1,024 bytes.
    pub key: String,
    /// Its size in bytes, as the source tells it.
    pub size: u64,
    /// Differs whenever its content does: an entity tag, or size and time of a file. Empty where the source knows nothing.
    pub version: String,
}

/// What stands under an item's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A legacy record: its JSON.
    Legacy(Bytes),
    /// A proof of a CredLink: its records by their revisions, the current one last. At least one.
    Proof(Vec<Revision>),
    /// A legacy id of a proof of a CredLink, beside the one that its record may have.
    Alias {
        /// The id.
        id: LegacyId,
        /// The current record of the proof that it names.
        record: Bytes,
    },
    /// A C2PA manifest of a CredLink that was stored for itself.
    Manifest {
        /// Its bytes.
        bytes: Bytes,
        /// Whose it is, where the source tells.
        tenant: Option<Tenant>,
        /// Its readers.
        visibility: Visibility,
    },
    /// It belongs to something that was deleted there or has expired, and leads nowhere: what, in words.
    Gone(String),
    /// It is there, and cannot be read as either: why, in words.
    Unreadable(String),
}

/// A record of a CredLink, with the bytes of the C2PA manifest that it refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The record's bytes, with no content coding.
    pub record: Bytes,
    /// The manifest store that it refers to; `None` where the manifest stands in the record.
    pub manifest: Option<RevisionManifest>,
}

/// The C2PA manifest that a record refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionManifest {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its readers. It may have been withdrawn or published since the record was stored.
    pub visibility: Visibility,
}
