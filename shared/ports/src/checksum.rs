//! Checksums that a provider holds, with which objects can be compared without reading their bytes.

use std::future::Future;

use credlink_core::hash::Digest;
use credlink_core::object::{Head, ObjectKey};

use crate::{Failure, Objects};

/// A checksum over all stored bytes of an object: with their content coding, and not composed of the checksums of
/// parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256.
    Sha256(Digest),
    /// CRC-64/NVME.
    Crc64Nvme(u64),
}

/// Objects whose provider may hold a checksum of each, which it received or computed when the object was written.
pub trait Checksummed: Objects {
    /// Returns the result of [`Objects::head`], and the checksum if the provider holds one. With two providers, the
    /// checksum is the primary's.
    fn head_with_checksum(
        &self,
        key: &ObjectKey,
    ) -> impl Future<Output = Result<Option<(Head, Option<Checksum>)>, Failure>>;
}
