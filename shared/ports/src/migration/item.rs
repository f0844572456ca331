//! The items of a source, and their content.

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::legacy::LegacyId;
use credlink_core::tenant::Tenant;

/// An item of a source. A legacy store has one item for each legacy record. A CredLink has one for each proof with all
/// its records, for each additional alias of a proof, and for each manifest that was stored for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The name of the item within its source: a path, a key, `line 7`, a proof ID. At most 1,024 bytes.
    pub key: String,
    /// The size in bytes, as the source reports it.
    pub size: u64,
    /// A text that changes whenever the content does: an entity tag, or the size and time of a file. Empty if the
    /// source has none.
    pub version: String,
}

/// The content of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The JSON of a legacy record.
    Legacy(Bytes),
    /// A proof of a CredLink: all its records in the order of their revisions, the current one last. At least one.
    Proof(Vec<Revision>),
    /// An alias of a CredLink's proof, in addition to the legacy ID that the proof's record may have.
    Alias {
        /// The legacy ID.
        id: LegacyId,
        /// The current record of the proof to which the alias leads.
        record: Bytes,
    },
    /// A C2PA manifest of a CredLink that was stored for itself.
    Manifest {
        /// The bytes of the manifest.
        bytes: Bytes,
        /// The tenant that owns the manifest, if the source reports it.
        tenant: Option<Tenant>,
        /// The readers of the manifest.
        visibility: Visibility,
    },
    /// The item belongs to something that was deleted at the source or has expired there, and leads nowhere. The text
    /// says to what.
    Gone(String),
    /// The item exists and cannot be read as any of the above. The text says why.
    Unreadable(String),
}

/// A record of a CredLink, with the bytes of the C2PA manifest to which it refers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The record's bytes, with no content coding.
    pub record: Bytes,
    /// The manifest to which the record refers, or `None` if the record contains it.
    pub manifest: Option<RevisionManifest>,
}

/// The C2PA manifest to which a record refers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionManifest {
    /// The bytes of the manifest.
    pub bytes: Bytes,
    /// The readers of the manifest. It may have been withdrawn or published since the record was stored.
    pub visibility: Visibility,
}
