//! Media files: their location, their hash and their type.

pub mod detected_type;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use credlink_core::hash::{Digest, MediaHash};
use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempPath};

use detected_type::DetectedType;

/// Bytes that are hashed at once. Videos have gigabytes, and are never held in memory.
const BLOCK: usize = 64 * 1_024;

/// Maximum number of bytes of a pipe that are kept. A pipe may be endless, but the folder of temporary files is not.
const MAX_PIPED_BYTES: u64 = 16 * 1_024 * 1_024 * 1_024;

/// A media file, hashed.
#[derive(Debug)]
pub struct Media {
    name: PathBuf,
    path: PathBuf,
    /// The SHA-256 of its bytes.
    pub hash: MediaHash,
    /// The length in bytes.
    pub length: u64,
    beginning: Vec<u8>,
    /// The temporary file with the content of a pipe, which is removed at the end.
    spooled: Option<TempPath>,
}

impl Media {
    /// Reads the file at `path` once, to its end. The content of anything but a regular file, such as a named pipe, is
    /// kept as [`of_stream`](Self::of_stream) keeps it.
    ///
    /// # Errors
    /// The file cannot be read, or the content of the pipe cannot be kept.
    pub fn open(path: &Path) -> Result<Self, MediaError> {
        let failed = |error| MediaError::Unread { name: path.to_owned(), error };
        let file = File::open(path).map_err(failed)?;
        if !path.metadata().map_err(failed)?.is_file() {
            return Self::of_stream(path, file);
        }
        let (digest, length, beginning) =
            digest(file, io::sink()).map_err(|error| MediaError::of(path, error))?;
        let hash = MediaHash::from(digest);
        Ok(Self { name: path.to_owned(), path: path.to_owned(), hash, length, beginning, spooled: None })
    }

    /// Reads a stream to its end, such as standard input, and keeps it in a temporary file, because its manifest is
    /// looked for after it was hashed.
    ///
    /// # Errors
    /// The stream cannot be read, has too many bytes, or cannot be kept.
    pub fn of_stream(name: &Path, stream: impl Read) -> Result<Self, MediaError> {
        let mut spool = NamedTempFile::new().map_err(|error| MediaError::of(name, Copying::Write(error)))?;
        let (digest, length, beginning) =
            keep(stream, &mut spool, MAX_PIPED_BYTES).map_err(|error| MediaError::of(name, error))?;
        let spooled = spool.into_temp_path();
        Ok(Self {
            name: name.to_owned(),
            path: spooled.to_path_buf(),
            hash: MediaHash::from(digest),
            length,
            beginning,
            spooled: Some(spooled),
        })
    }

    /// Returns the name: the path as it was typed, or `standard input`.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Returns the path of the bytes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns `true` if other files may be found beside it, which is not so for the content of a pipe.
    pub const fn has_a_place(&self) -> bool {
        self.spooled.is_none()
    }

    /// Returns the type that content and name indicate.
    pub fn detected_type(&self) -> DetectedType {
        DetectedType::of(&self.name, &self.beginning)
    }

    /// Returns the media type of a detected type, or the reason why it has none, in words.
    pub fn type_of<'a>(&self, detected: &'a DetectedType) -> Result<&'a str, String> {
        match detected {
            DetectedType::Of(name) => Ok(name),
            DetectedType::Unknown if self.length == 0 => Err("it is empty".to_owned()),
            DetectedType::Unknown => Err("its type is not known".to_owned()),
            DetectedType::Misnamed(name) if self.length == 0 => Err(format!("it is empty, and no {name}")),
            DetectedType::Misnamed(name) => {
                Err(format!("by its name it is a file of type {name}, and it is none"))
            }
        }
    }
}

/// The reason why a media file is not read.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The file or the stream cannot be read.
    #[error("{} cannot be read: {error}", .name.display())]
    Unread {
        /// The name of the file or the stream.
        name: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// The content of a pipe cannot be kept in a temporary file.
    #[error(
        "what comes through {} is kept in a temporary file, and none can be written in {} (TMPDIR names another folder): {error}",
        .name.display(),
        .folder.display()
    )]
    NotKept {
        /// The name of the pipe.
        name: PathBuf,
        /// The folder of temporary files.
        folder: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// The content of a pipe is longer than what is kept.
    #[error("{} has more than {limit} bytes, which is the most that is kept of a pipe: name a file", .name.display())]
    TooLong {
        /// The name of the pipe.
        name: PathBuf,
        /// The maximum number of bytes that are kept.
        limit: u64,
    },
}

impl MediaError {
    fn of(name: &Path, error: Copying) -> Self {
        let name = name.to_owned();
        match error {
            Copying::Read(error) => Self::Unread { name, error },
            Copying::Write(error) => Self::NotKept { name, folder: std::env::temp_dir(), error },
            Copying::TooLong(limit) => Self::TooLong { name, limit },
        }
    }
}

/// The reason why content is not copied.
#[derive(Debug, thiserror::Error)]
pub enum Copying {
    /// The source cannot be read.
    #[error(transparent)]
    Read(io::Error),
    /// The destination cannot be written.
    #[error(transparent)]
    Write(io::Error),
    /// The source has more bytes than may be copied.
    #[error("more than {0} bytes")]
    TooLong(u64),
}

/// Hashes and copies `from` as [`digest`] does, but at most `limit` bytes.
fn keep(from: impl Read, to: impl Write, limit: u64) -> Result<(Digest, u64, Vec<u8>), Copying> {
    let copied = digest(from.take(limit.saturating_add(1)), to)?;
    if copied.1 > limit { Err(Copying::TooLong(limit)) } else { Ok(copied) }
}

/// Hashes and copies `from`. Returns its digest, its length and its beginning.
pub fn digest(mut from: impl Read, mut to: impl Write) -> Result<(Digest, u64, Vec<u8>), Copying> {
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK];
    let (mut length, mut beginning) = (0, Vec::new());
    loop {
        let count = match from.read(&mut block) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Copying::Read(error)),
        };
        hasher.update(&block[..count]);
        to.write_all(&block[..count]).map_err(Copying::Write)?;
        let wanted = detected_type::BEGINNING.saturating_sub(beginning.len()).min(count);
        beginning.extend_from_slice(&block[..wanted]);
        length += count as u64;
    }
    to.flush().map_err(Copying::Write)?;
    Ok((Digest::from_bytes(hasher.finalize().into()), length, beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_hashed_in_blocks() {
        let bytes = vec![7; 3 * BLOCK + 1];
        let mut copy = Vec::new();
        let read = digest(bytes.as_slice(), &mut copy).unwrap();
        assert_eq!(read, (Digest::of(&bytes), bytes.len() as u64, vec![7; 1_024]));
        assert_eq!(copy, bytes);
        assert_eq!(digest(io::empty(), io::sink()).unwrap(), (Digest::of(b""), 0, Vec::new()));
    }

    #[test]
    fn a_pipe_without_an_end_is_not_kept() {
        let mut copy = Vec::new();
        let error = keep(io::repeat(7), &mut copy, 100_000).unwrap_err();
        assert!(matches!(error, Copying::TooLong(100_000)), "{error}");
        assert_eq!(copy.len(), 100_001);
        assert_eq!(keep([7; 9].as_slice(), io::sink(), 9).unwrap().1, 9);
    }

    #[test]
    fn what_cannot_be_written_is_told_from_what_cannot_be_read() {
        let full = io::Cursor::new([0; 4]);
        assert!(matches!(digest([7; 9].as_slice(), full), Err(Copying::Write(_))));
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        assert!(matches!(digest(Broken, io::sink()), Err(Copying::Read(_))));
        let full = Copying::Write(io::Error::other("No space left on device"));
        let told = MediaError::of(Path::new("standard input"), full).to_string();
        assert!(
            told.contains("none can be written in") && told.ends_with("No space left on device"),
            "{told}"
        );
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = Media::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
}
