//! The manifests that pictures carry, taken out of their containers as they are.

use std::future::ready;

use bytes::Bytes;
use credlink_core::bounds::MAX_C2PA_MANIFEST_BYTES;
use credlink_core::file::FileType;
use credlink_pictures::credentials;
use credlink_ports::{ManifestReader, ReadingManifest};

/// A reader of the C2PA manifest stores in JPEG, PNG and WebP. It follows the structure of the container alone, and its time
/// and memory are those of reading the file once. Other types count as files without a manifest.
#[derive(Clone, Copy, Debug, Default)]
pub struct PictureManifests;

impl ManifestReader for PictureManifests {
    fn embedded(&self, original: Bytes, kind: FileType) -> ReadingManifest<'_> {
        let is_read = matches!(kind, FileType::Jpeg | FileType::Png | FileType::Webp);
        let found = is_read.then(|| credentials(&original)).flatten();
        let kept = found.filter(|store| {
            let fits = store.len() <= MAX_C2PA_MANIFEST_BYTES;
            if !fits {
                tracing::info!(bytes = store.len(), "the manifest in an upload is too long, and not stored");
            }
            fits
        });
        Box::pin(ready(Ok(kept.map(Bytes::from))))
    }
}
