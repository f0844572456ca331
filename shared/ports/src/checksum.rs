//! What a provider holds of an object's bytes, so that nobody has to read them to compare them.

use credlink_core::hash::Digest;

/// A checksum of all bytes of an object, as stored: with their content coding, and not of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256.
    Sha256(Digest),
    /// CRC-64/NVME.
    Crc64Nvme(u64),
}
