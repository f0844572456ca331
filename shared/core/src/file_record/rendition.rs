//! The entry of a rendition in a file's record.

use serde::{Deserialize, Serialize};

use crate::file::RenditionName;
use crate::hash::Digest;
use crate::proof_id::ProofId;

/// A rendition of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenditionRecord {
    /// The name within the blob, which is the end of its key.
    pub name: RenditionName,
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The number of bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes.
    pub sha256: Digest,
    /// The proof that leads from this rendition to its original, if it was bound or signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofId>,
}
