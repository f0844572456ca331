//! The bytes of an upload, read once.

use bytes::Bytes;
use credlink_core::file::{FileType, Rejection};
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::row::UploadRow;
use sha2::{Digest as _, Sha256};

use credlink_ports::Quarantine;

use super::Unfinished;

/// The number of bytes that are read at a time. Hashing them takes a few milliseconds, after which others have a turn.
pub(super) const STEP_BYTES: u64 = 4 * 1_024 * 1_024;

/// The content of an upload.
pub(super) struct Content {
    /// The bytes.
    pub(super) bytes: Bytes,
    /// SHA-256.
    pub(super) hash: MediaHash,
    /// The type by the first bytes, or `None` if it is not one that collections can allow.
    pub(super) kind: Option<FileType>,
}

impl Content {
    /// Reads the content of an upload, all of which is in quarantine, and checks it against the announced hash.
    ///
    /// # Errors
    /// Fails with a rejection if the bytes are gone, or have another hash, and with an error if the quarantine fails.
    pub(super) async fn read<Q: Quarantine>(quarantine: &Q, row: &UploadRow) -> Result<Self, Unfinished> {
        let mut bytes = Vec::with_capacity(usize::try_from(row.size).unwrap_or_default());
        let mut hash = Sha256::new();
        let mut at = 0;
        while at < row.size {
            let end = row.size.min(at + STEP_BYTES);
            let step = quarantine.read(row, at..end).await?;
            let step = step.ok_or(Unfinished::Rejected(Rejection::Lost))?;
            hash.update(&step);
            bytes.extend_from_slice(&step);
            at = end;
        }
        let hash = MediaHash::from(Digest::from_bytes(hash.finalize().into()));
        if row.media_hash.is_some_and(|announced| announced != hash) {
            return Err(Unfinished::Rejected(Rejection::HashMismatch));
        }
        Ok(Self { kind: FileType::sniff(&bytes), bytes: bytes.into(), hash })
    }
}
