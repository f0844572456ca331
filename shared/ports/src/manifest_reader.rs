//! The port for reading the content credentials that a file carries in itself.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use credlink_core::file::FileType;

use crate::Failure;

/// The future of a reading.
pub type ReadingManifest<'a> = Pin<Box<dyn Future<Output = Result<Option<Bytes>, Failure>> + Send + 'a>>;

/// A reader of manifest stores in files. This is a trait object and not one of [`Ports`](crate::Ports), because only the
/// program that finalises uploads has one.
///
/// * **Exact.** The bytes are those that the file has.
/// * **Bounded.** A file that is made to take hours or all memory costs a bounded part of either, and counts as one
///   without a manifest.
pub trait ManifestReader: Debug + Send + Sync {
    /// Returns the C2PA manifest store in a file of this type, or `None` if there is none that can be read.
    fn embedded(&self, original: Bytes, kind: FileType) -> ReadingManifest<'_>;
}

/// Reads no manifest, in a program that has no reader of files.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoManifests;

impl ManifestReader for NoManifests {
    fn embedded(&self, _original: Bytes, _kind: FileType) -> ReadingManifest<'_> {
        Box::pin(std::future::ready(Ok(None)))
    }
}
