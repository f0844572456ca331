//! The keys of rows.

use std::fmt;

use crate::file::{BlobId, FileId, ListPlace, OwnerId, UploadId};
use crate::legacy::LegacyId;
use crate::manifest_key::ManifestKey;
use crate::object::{MediaKey, ObjectKey};
use crate::proof_id::ProofId;
use crate::replica::Replica;
use crate::tenant::Tenant;

/// The key of a row, written as `PROOF#id`, `MANIFEST#id` (and `MANIFEST#id/tenant` for another tenant than `default`),
/// `ALIAS#legacy id`, `LEGACY#proof id`, `REPLICA#primary` or `STORE`; and for files as `FILE#id`, `BLOB#id`,
/// `ENTITY#tenant#type#id#collection`, `UPLOAD#id`, `QUOTA#tenant` and `QUOTA#tenant#owner`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKey {
    /// The row of a proof.
    Proof(ProofId),
    /// The row of a tenant's C2PA manifest.
    Manifest(ManifestKey),
    /// The row of a legacy ID.
    Alias(LegacyId),
    /// The row of a proof that a legacy source has.
    LegacyItem(ProofId),
    /// The row of a provider that missed writes.
    Replica(Replica),
    /// The row of the store as a whole.
    Store,
    /// The row of a file.
    File(FileId),
    /// The row of a blob.
    Blob(BlobId),
    /// The row of an entity's list.
    List(Tenant, ListPlace),
    /// The row of an upload.
    Upload(UploadId),
    /// The row of a tenant's quota, or an owner's.
    Quota(Tenant, Option<OwnerId>),
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proof(id) => write!(f, "PROOF#{id}"),
            Self::Manifest(key) => write!(f, "MANIFEST#{key}"),
            Self::Alias(id) => write!(f, "ALIAS#{id}"),
            Self::LegacyItem(id) => write!(f, "LEGACY#{id}"),
            Self::Replica(replica) => write!(f, "REPLICA#{replica}"),
            Self::Store => f.write_str("STORE"),
            Self::File(id) => write!(f, "FILE#{id}"),
            Self::Blob(id) => write!(f, "BLOB#{id}"),
            Self::List(tenant, ListPlace { entity, collection }) => {
                write!(f, "ENTITY#{tenant}#{}#{}#{collection}", entity.kind, entity.id)
            }
            Self::Upload(id) => write!(f, "UPLOAD#{id}"),
            Self::Quota(tenant, None) => write!(f, "QUOTA#{tenant}"),
            Self::Quota(tenant, Some(owner)) => write!(f, "QUOTA#{tenant}#{owner}"),
        }
    }
}

impl ObjectKey {
    /// Returns the key of the row that decides about the object under this key, or of the store's row if no other does.
    #[must_use]
    pub fn row(&self) -> RowKey {
        match self {
            Self::Record(id) | Self::Revision(id, _) => RowKey::Proof(*id),
            Self::Manifest(key) | Self::Hold(key, _) => RowKey::Manifest(key.clone()),
            Self::Alias(id) => RowKey::Alias(id.clone()),
            Self::Removed(_, key) => key.row(),
            Self::Front(_) | Self::Identity => RowKey::Store,
            Self::Media(MediaKey::Upload(_, id)) => RowKey::Upload(*id),
            Self::Media(MediaKey::Original(id) | MediaKey::Rendition(id, _)) => RowKey::Blob(*id),
            Self::Media(MediaKey::File(id)) => RowKey::File(*id),
        }
    }
}
