//! The manifests in uploaded files, each read in a process of its own.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use credlink_core::file::FileType;
use credlink_ports::{Failure, FailureKind, ManifestReader, ReadingManifest};
use credlink_verify::media::Media;
use credlink_verify::media::detected_type;
use credlink_verify::report::Embedded;
use memchr::memmem;
use tokio::task::spawn_blocking;

use crate::isolation::{self, ReadingError};

/// A word that every manifest store has in its first box, uncompressed in every type of file. A file without it is not read
/// any further: starting a process takes some milliseconds.
const MARK: &[u8] = b"c2pa";

/// The reader of the manifests in uploaded files.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedManifests;

impl ManifestReader for EmbeddedManifests {
    fn embedded(&self, original: Bytes, kind: FileType) -> ReadingManifest<'_> {
        Box::pin(async move {
            spawn_blocking(move || read(&original, kind)).await.unwrap_or_else(|error| Err(failed(&error)))
        })
    }
}

fn failed(why: &dyn std::fmt::Display) -> Failure {
    let message = format!("an upload's manifest is not read: {why}");
    Failure { provider: "manifest reader", kind: FailureKind::Unavailable, message }
}

fn read(original: &[u8], kind: FileType) -> Result<Option<Bytes>, Failure> {
    if memmem::find(original, MARK).is_none() {
        return Ok(None);
    }
    let Ok(format) = detected_type::format(kind.media_type()) else { return Ok(None) };
    let media = Media::of_stream(Path::new("an upload"), original).map_err(|error| failed(&error))?;
    match isolation::read(&media, &format, None).map(|report| report.embedded) {
        Ok(Embedded::Found(text)) => {
            STANDARD.decode(text).map(|bytes| Some(bytes.into())).map_err(|error| failed(&error))
        }
        Ok(Embedded::None) => Ok(None),
        Ok(Embedded::TooLong(bytes)) => {
            tracing::info!(bytes, "the manifest in an upload is too long, and not stored");
            Ok(None)
        }
        Ok(Embedded::Unreadable(why)) => {
            tracing::info!(why, "the manifest in an upload cannot be read, and is not stored");
            Ok(None)
        }
        Err(error @ (ReadingError::Stopped | ReadingError::Changed | ReadingError::Process(_))) => {
            Err(failed(&error))
        }
        Err(error @ (ReadingError::TooLong(_) | ReadingError::CutOff { .. })) => {
            tracing::warn!(reason = %error, "the manifest in an upload is not read, and not stored");
            Ok(None)
        }
    }
}
