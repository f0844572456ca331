//! One request that sends bytes of an upload.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use credlink_core::file::UploadId;
use credlink_core::row::UploadRow;
use credlink_core::rules::upload::Part;

use credlink_ports::Failure;

use super::{BYTES, Inner, NAME, PARTS, QuarantineFolder, again_path, part_path, remove_file};
use crate::failure::from_io;
use crate::private::{self, sync_directory};
use crate::tracked::{self, TrackedFile};

/// The bytes that a client is sending. Dropped before [`finish`](Self::finish), it leaves nothing that is found.
#[derive(Debug)]
pub struct Incoming {
    inner: Arc<Inner>,
    folder: PathBuf,
    file: TrackedFile,
    target: Target,
    /// The position in the upload at which the file begins.
    base: u64,
    /// The position of the first byte.
    start: u64,
    /// The position of the next one.
    at: u64,
    /// The position after the last.
    end: u64,
}

/// The numbers of the parts that stand for all bytes, among those that are being sent. There are two: a client whose connection
/// broke off may send anew before the server has noticed, and more would take room on the disk that no quota counts.
const WHOLE: [u32; 2] = [u32::MAX - 1, u32::MAX];

#[derive(Debug)]
enum Target {
    /// All bytes, in one of the places for requests that send them, written to a file of this name first.
    Whole(UploadId, u32, PathBuf),
    /// A part, which no other request sends meanwhile, written to its place.
    Part(UploadId, u32),
    /// A part that has arrived before, and which no other request sends meanwhile, written to a file of this name first.
    Again(UploadId, u32, PathBuf),
}

/// The reasons why bytes are not received.
#[derive(Debug, thiserror::Error)]
pub enum NotReceived {
    /// All bytes of the upload have arrived before.
    #[error("all bytes of this upload have arrived already")]
    Arrived,
    /// Another request is sending the same part.
    #[error("part {0} is being sent by another request")]
    Busy(u32),
    /// Other requests are sending all bytes of the upload.
    #[error("{} other requests are sending the bytes of this upload", WHOLE.len())]
    Crowded,
    /// Another request is appending to the upload.
    #[error("bytes of this upload are being sent by another request")]
    Locked,
    /// The bytes do not follow those that are there.
    #[error("the next byte of this upload is number {0}, counted from 0")]
    Offset(u64),
    /// The upload has ended, and its bytes were removed.
    #[error("the upload has ended")]
    Removed,
    /// The body is longer than was announced.
    #[error("the body has more bytes than were announced")]
    TooLong,
    /// The body ended before all bytes came that were announced.
    #[error("the body has fewer bytes than were announced")]
    TooShort,
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl NotReceived {
    /// Returns the reason why something in the folder of an upload failed: without the folder, the upload has ended. If the
    /// folder of all uploads is missing too, the disk is not mounted, and nothing has ended.
    pub(super) fn if_removed(self, inner: &Inner) -> Self {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound && inner.uploads.is_dir() => {
                Self::Removed
            }
            other => other,
        }
    }

    /// Returns the failure of the file system, if that is the reason.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Io(error) => Some(from_io(NAME, "receiving bytes of an upload", error)),
            Self::Arrived
            | Self::Busy(_)
            | Self::Crowded
            | Self::Locked
            | Self::Offset(_)
            | Self::Removed
            | Self::TooLong
            | Self::TooShort => None,
        }
    }
}

impl Incoming {
    pub(super) fn begin(
        inner: &Arc<Inner>,
        upload: &UploadRow,
        part: Option<&Part>,
    ) -> Result<Self, NotReceived> {
        inner.reserve.admit()?;
        Self::begin_in(inner, upload, part).map_err(|error| error.if_removed(inner))
    }

    fn begin_in(inner: &Arc<Inner>, upload: &UploadRow, part: Option<&Part>) -> Result<Self, NotReceived> {
        let folder = inner.make_folder(upload)?;
        if folder.join(BYTES).try_exists()? {
            return Err(NotReceived::Arrived);
        }
        let Some(part) = part else {
            let place = WHOLE.into_iter().find(|place| QuarantineFolder::take_part(inner, upload.id, *place));
            let place = place.ok_or(NotReceived::Crowded)?;
            let name = folder.join(format!("put-{}.partial", QuarantineFolder::next_put(inner)));
            let file = TrackedFile::open(&private::options_for_anew(), &name)
                .inspect_err(|_| QuarantineFolder::give_part(inner, upload.id, place))?;
            let target = Target::Whole(upload.id, place, name);
            return Ok(Self {
                inner: Arc::clone(inner),
                folder,
                file,
                target,
                base: 0,
                start: 0,
                at: 0,
                end: upload.size,
            });
        };
        if !QuarantineFolder::take_part(inner, upload.id, part.number) {
            return Err(NotReceived::Busy(part.number));
        }
        let begun = || -> io::Result<(TrackedFile, Target, u64)> {
            if !part_path(&folder, part.number).try_exists()? {
                let file = TrackedFile::open(&private::options(), &folder.join(PARTS))?;
                return Ok((file, Target::Part(upload.id, part.number), 0));
            }
            let name = folder.join(format!("put-{}.partial", QuarantineFolder::next_put(inner)));
            let file = TrackedFile::open(&private::options_for_anew(), &name)?;
            Ok((file, Target::Again(upload.id, part.number, name), part.range.start))
        };
        match begun() {
            Ok((file, target, base)) => Ok(Self {
                inner: Arc::clone(inner),
                folder,
                file,
                target,
                base,
                start: part.range.start,
                at: part.range.start,
                end: part.range.end,
            }),
            Err(error) => {
                QuarantineFolder::give_part(inner, upload.id, part.number);
                Err(error.into())
            }
        }
    }

    /// Returns the number of bytes that are still to come.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        self.end - self.at
    }

    /// Writes the next bytes.
    ///
    /// # Errors
    /// Fails if there are more bytes than were announced, or the file system refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), NotReceived> {
        if bytes.len() as u64 > self.missing() {
            return Err(NotReceived::TooLong);
        }
        self.file.write_at(self.at - self.base, bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Makes the bytes durable, and lets them be found.
    ///
    /// # Errors
    /// Fails if bytes are missing, if all bytes have arrived by another request or the upload has ended meanwhile, or if
    /// the file system refuses.
    pub fn finish(self) -> Result<(), NotReceived> {
        self.find().map_err(|error| error.if_removed(&self.inner))
    }

    fn find(&self) -> Result<(), NotReceived> {
        if self.missing() > 0 {
            return Err(NotReceived::TooShort);
        }
        self.file.sync()?;
        match &self.target {
            Target::Whole(_, _, name) => {
                match tracked::link(name, &self.folder.join(BYTES)) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        return Err(NotReceived::Arrived);
                    }
                    Err(error) => return Err(error.into()),
                }
                sync_directory(&self.folder)?;
            }
            Target::Part(_, number) => {
                // One sync of the folder makes two names durable: that of the file of all parts, and that of this marker.
                let length = self.end - self.start;
                private::write(&part_path(&self.folder, *number), length.to_string().as_bytes())?;
            }
            Target::Again(_, number, name) => {
                // What comes while the parts are joined would be removed with what was joined.
                let _joining = self.inner.joining();
                if self.folder.join(BYTES).try_exists()? {
                    return Err(NotReceived::Arrived);
                }
                private::rename(name, &again_path(&self.folder, *number))?;
                sync_directory(&self.folder)?;
            }
        }
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Target::Whole(_, _, name) | Target::Again(_, _, name) = &self.target
            && let Err(error) = remove_file(name)
        {
            tracing::warn!(file = %name.display(), %error, "what was received of an upload stays until the next start");
        }
        let (Target::Whole(upload, number, _)
        | Target::Part(upload, number)
        | Target::Again(upload, number, _)) = &self.target;
        QuarantineFolder::give_part(&self.inner, *upload, *number);
    }
}
