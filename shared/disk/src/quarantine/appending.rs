//! One request that appends bytes to an upload whose bytes are sent in order, in pieces of any length.
//!
//! * **Durable before it is told.** `ordered.length` is written after the bytes that it counts are synced. After a crash,
//!   the file may be longer; what follows is written over.
//! * **Kept when it breaks off.** What a request has sent counts, whatever becomes of the request, unless it is exact: then
//!   the caller checks all of its bytes before any of them counts.
//! * **Whole at the end.** With the last byte, the file gets its name `bytes` by a link, as every other upload does.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use credlink_core::file::UploadId;
use credlink_core::row::UploadRow;

use super::incoming::NotReceived;
use super::{BYTES, Inner, ORDERED, ORDERED_LENGTH, QuarantineFolder, remove_file};
use crate::private::{self, sync_directory};
use crate::tracked::{self, TrackedFile};

/// The number of the part that stands for bytes in order, among those that are being sent.
const IN_ORDER: u32 = 0;

/// The number of bytes after which a long request makes durable what it has sent, so that a crash costs no more.
const KEPT_BYTES: u64 = 8 * 1_024 * 1_024;

/// The bytes that a client is appending. Dropped, it keeps what was written, unless the request is exact.
#[derive(Debug)]
pub struct Appending {
    inner: Arc<Inner>,
    folder: PathBuf,
    upload: UploadId,
    file: TrackedFile,
    size: u64,
    is_exact: bool,
    /// The position of the next byte.
    at: u64,
    /// The position up to which bytes are durable, and counted.
    kept: u64,
}

impl Appending {
    pub(super) fn begin(
        inner: &Arc<Inner>,
        upload: &UploadRow,
        offset: u64,
        is_exact: bool,
    ) -> Result<Self, NotReceived> {
        inner.reserve.admit()?;
        if !QuarantineFolder::take_part(inner, upload.id, IN_ORDER) {
            return Err(NotReceived::Locked);
        }
        let begun = || {
            let folder = inner.make_folder(upload)?;
            if folder.join(BYTES).try_exists()? {
                return Err(NotReceived::Arrived);
            }
            let kept = inner.beginning(upload)?;
            if kept != offset {
                return Err(NotReceived::Offset(kept));
            }
            let file = TrackedFile::open(&private::options(), &folder.join(ORDERED))?;
            Ok((folder, file))
        };
        match begun() {
            Ok((folder, file)) => Ok(Self {
                inner: Arc::clone(inner),
                folder,
                upload: upload.id,
                file,
                size: upload.size,
                is_exact,
                at: offset,
                kept: offset,
            }),
            Err(error) => {
                QuarantineFolder::give_part(inner, upload.id, IN_ORDER);
                Err(error.if_removed(inner))
            }
        }
    }

    /// Writes the next bytes.
    ///
    /// # Errors
    /// Fails if there are more bytes than were announced, or the file system refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), NotReceived> {
        if bytes.len() as u64 > self.size - self.at {
            return Err(NotReceived::TooLong);
        }
        self.file.write_at(self.at, bytes)?;
        self.at += bytes.len() as u64;
        if !self.is_exact && self.at - self.kept >= KEPT_BYTES {
            self.keep()?;
        }
        Ok(())
    }

    /// Makes durable what was written, and counts it. Returns the number of bytes that are there.
    ///
    /// # Errors
    /// Fails if the upload has ended meanwhile, or if the file system refuses.
    pub fn finish(mut self) -> Result<u64, NotReceived> {
        self.keep()?;
        if self.at < self.size {
            return Ok(self.at);
        }
        match tracked::link(&self.folder.join(ORDERED), &self.folder.join(BYTES)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(NotReceived::Arrived),
            Err(error) => return Err(removed(error)),
        }
        sync_directory(&self.folder)?;
        // From now on, `bytes` says how many there are.
        remove_file(&self.folder.join(ORDERED_LENGTH))?;
        remove_file(&self.folder.join(ORDERED))?;
        Ok(self.at)
    }

    fn keep(&mut self) -> Result<(), NotReceived> {
        if self.at > self.kept {
            self.file.sync()?;
            // The name of the file is durable together with that of its length. Whatever comes of this, it is tried once.
            self.kept = self.at;
            private::write(&self.folder.join(ORDERED_LENGTH), self.at.to_string().as_bytes())
                .map_err(removed)?;
        }
        Ok(())
    }
}

/// Returns the reason why a file in the folder of an upload cannot be written: without the folder, the upload has ended.
fn removed(error: io::Error) -> NotReceived {
    if error.kind() == io::ErrorKind::NotFound { NotReceived::Removed } else { error.into() }
}

impl Drop for Appending {
    fn drop(&mut self) {
        if !self.is_exact
            && let Err(error) = self.keep()
            && !matches!(error, NotReceived::Removed)
        {
            tracing::warn!(upload = %self.upload, %error, "bytes of an upload were not kept; its client sends them again");
        }
        QuarantineFolder::give_part(&self.inner, self.upload, IN_ORDER);
    }
}
