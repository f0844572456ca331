//! Media files: where they are, their hash and their type.

pub mod kind;

use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use credlink_core::hash::{Digest, MediaHash};
use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempPath};

use kind::Kind;

use crate::input::{Input, STANDARD_INPUT};
use crate::trouble::{self, Trouble};

/// Bytes that are hashed at once: videos have gigabytes, and are never held in memory.
const BLOCK: usize = 64 * 1_024;

/// Most bytes of a pipe that are kept: it may have no end, and the folder of temporary files has one.
const MAX_PIPED_BYTES: u64 = 16 * 1_024 * 1_024 * 1_024;

/// A media file, hashed.
#[derive(Debug)]
pub struct Media {
    name: PathBuf,
    path: PathBuf,
    /// SHA-256 of its bytes.
    pub hash: MediaHash,
    /// Bytes that it has.
    pub length: u64,
    beginning: Vec<u8>,
    /// What came through a pipe, removed at the end.
    spooled: Option<TempPath>,
}

impl Media {
    /// Reads the file at `typed` once, to its end; `-` is standard input. What comes through a pipe is kept in a temporary
    /// file, because its manifest is looked for after it was hashed.
    pub fn open(typed: &Path) -> Result<Self, Trouble> {
        let input = Input::open(typed)?;
        let name = input.name().to_owned();
        let failed = |error: io::Error| Trouble::file(&name, "read", &error);
        let unwritten = |error: io::Error| not_kept(&name, &error);
        let is_pipe = typed == Path::new(STANDARD_INPUT) || !typed.metadata().map_err(failed)?.is_file();
        let mut spool = is_pipe.then(NamedTempFile::new).transpose().map_err(unwritten)?;
        let read = match &mut spool {
            Some(spool) => keep(input, spool, MAX_PIPED_BYTES),
            None => digest(input, io::sink()),
        };
        let (digest, length, beginning) = read.map_err(|error| match error {
            Copying::Read(error) => failed(error),
            Copying::Write(error) => unwritten(error),
            Copying::TooLong(limit) => {
                let detail = format!(
                    "{} has more than {limit} bytes, which is the most that is kept of a pipe: name a file",
                    name.display()
                );
                Trouble::new(trouble::Kind::File, detail)
            }
        })?;
        let spooled = spool.map(NamedTempFile::into_temp_path);
        let path = spooled.as_ref().map_or_else(|| typed.to_owned(), |path| path.to_path_buf());
        Ok(Self { name, path, hash: MediaHash::from(digest), length, beginning, spooled })
    }

    /// What it is called: as it was typed, or `standard input`.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Where its bytes are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether other files can stand beside it: not beside what came through a pipe.
    pub const fn has_a_place(&self) -> bool {
        self.spooled.is_none()
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        Kind::of(&self.name, &self.beginning)
    }

    /// The media type of a kind that it was found to be, or why it has none, in words.
    pub fn type_of<'a>(&self, kind: &'a Kind) -> Result<&'a str, String> {
        match kind {
            Kind::Of(name) => Ok(name),
            Kind::Unknown if self.length == 0 => Err("it is empty".to_owned()),
            Kind::Unknown => Err("its type is not known".to_owned()),
            Kind::Misnamed(name) if self.length == 0 => Err(format!("it is empty, and no {name}")),
            Kind::Misnamed(name) => Err(format!("by its name it is a file of type {name}, and it is none")),
        }
    }
}

/// The trouble with a temporary file, in which what comes through a pipe is kept.
fn not_kept(name: &Path, error: &dyn fmt::Display) -> Trouble {
    let folder = std::env::temp_dir();
    let detail = format!(
        "what comes through {} is kept in a temporary file, and none can be written in {} (TMPDIR names another folder): {error}",
        name.display(),
        folder.display()
    );
    Trouble::new(trouble::Kind::File, detail)
}

/// A reason for which something is not copied.
#[derive(Debug, thiserror::Error)]
pub enum Copying {
    /// It cannot be read.
    #[error(transparent)]
    Read(io::Error),
    /// It cannot be written where it is copied to.
    #[error(transparent)]
    Write(io::Error),
    /// It has more bytes than may be copied.
    #[error("more than {0} bytes")]
    TooLong(u64),
}

/// The same as [`digest`], of `limit` bytes at most.
fn keep(from: impl Read, to: impl Write, limit: u64) -> Result<(Digest, u64, Vec<u8>), Copying> {
    let copied = digest(from.take(limit.saturating_add(1)), to)?;
    if copied.1 > limit { Err(Copying::TooLong(limit)) } else { Ok(copied) }
}

/// Hashes what `from` has and copies it: its digest, its length and its beginning.
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
        let wanted = kind::BEGINNING.saturating_sub(beginning.len()).min(count);
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
        let told = not_kept(Path::new("standard input"), &"No space left on device").to_string();
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
