//! Checksums that a provider holds, so that nobody has to read an object's bytes to compare them.

use std::future::Future;

use credlink_core::hash::Digest;
use credlink_core::object::{Head, ObjectKey};

use crate::{Failure, Objects};

/// A checksum of all bytes of an object, as stored: with their content coding, and not of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256.
    Sha256(Digest),
    /// CRC-64/NVME.
    Crc64Nvme(u64),
}

/// Objects whose provider may hold a checksum of each: one that it was told, or computed when the object was written.
pub trait Checksummed: Objects {
    /// Returns the same as [`Objects::head`], with the checksum if the provider holds one. Of two providers, the primary's.
    fn head_with_checksum(
        &self,
        key: &ObjectKey,
    ) -> impl Future<Output = Result<Option<(Head, Option<Checksum>)>, Failure>>;
}
