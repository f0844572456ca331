//! A file that is sent: its identity, its type, and its parts.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom, Take};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use credlink_core::bounds::MAX_FILENAME_BYTES;
use credlink_core::file::FileType;
use credlink_core::hash::MediaHash;
use credlink_verify::media::Media;

use crate::commands::files::meter::Meter;
use crate::error::{Trouble, TroubleKind};
use crate::input::{self, STANDARD_INPUT};

/// The bytes at the beginning of a file that tell its type.
const BEGINNING: usize = 64;

/// A file that is sent. What comes through a pipe is kept in a temporary file.
pub(super) struct Source {
    name: PathBuf,
    path: PathBuf,
    /// The number of bytes.
    pub(super) size: u64,
    modified: Option<SystemTime>,
    /// The content of a pipe.
    piped: Option<Media>,
}

/// The facts that are announced of a content.
pub(super) struct Content {
    /// The SHA-256.
    pub(super) sha256: MediaHash,
    /// The media type.
    pub(super) media_type: String,
}

impl Source {
    /// Looks at the file at `typed`, or reads standard input to its end.
    pub(super) fn open(typed: &Path) -> Result<Self, Trouble> {
        let unread = |error: &dyn std::fmt::Display| Trouble::file(typed, "read", error);
        let found = if typed == Path::new(STANDARD_INPUT) {
            None
        } else {
            Some(fs::metadata(typed).map_err(|error| unread(&error))?)
        };
        if found.as_ref().is_some_and(Metadata::is_dir) {
            return Err(unread(&"it is a folder; name the files in it"));
        }
        let source = match found.filter(Metadata::is_file) {
            Some(found) => {
                File::open(typed).map_err(|error| unread(&error))?;
                let (size, modified) = (found.len(), found.modified().ok());
                Self { name: typed.to_owned(), path: typed.to_owned(), size, modified, piped: None }
            }
            None => {
                let media = input::media(typed)?;
                let (name, path, size) = (media.name().to_owned(), media.path().to_owned(), media.length);
                Self { name, path, size, modified: None, piped: Some(media) }
            }
        };
        if source.size == 0 {
            return Err(Trouble::file(
                &source.name,
                "sent",
                &"it is empty, and a file has at least one byte",
            ));
        }
        Ok(source)
    }

    /// Returns the path of a file that is still there when the command is run again, and `None` for a pipe.
    pub(super) fn lasting(&self) -> Option<&Path> {
        self.piped.is_none().then_some(&self.path)
    }

    /// Returns the time of the last change, in nanoseconds since the start of 1970.
    pub(super) fn modified(&self) -> Option<u64> {
        let since = self.modified?.duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(since.as_nanos()).ok()
    }

    /// Returns the name of the file without its folder, if the server takes such a name.
    pub(super) fn filename(&self) -> Option<String> {
        let name = self.lasting()?.file_name()?.to_str()?;
        let is_taken = name.len() <= MAX_FILENAME_BYTES
            && !name.chars().any(|character| character.is_control() || character == '\\');
        is_taken.then(|| name.to_owned())
    }

    /// Reads the file once, to its end. The type is `typed`, if it was typed.
    pub(super) fn content(&self, typed: Option<&str>) -> Result<Content, Trouble> {
        let opened;
        let media = match &self.piped {
            Some(media) => media,
            None => {
                opened = Media::open(&self.path).map_err(|error| Trouble::new(TroubleKind::File, error))?;
                &opened
            }
        };
        if media.length != self.size {
            return Err(self.changed());
        }
        self.check()?;
        let media_type = match typed {
            Some(typed) => typed.to_owned(),
            None => self.media_type(media)?,
        };
        Ok(Content { sha256: media.hash, media_type })
    }

    fn media_type(&self, media: &Media) -> Result<String, Trouble> {
        let mut beginning = Vec::new();
        let read =
            File::open(&self.path).and_then(|file| file.take(BEGINNING as u64).read_to_end(&mut beginning));
        read.map_err(|error| Trouble::file(&self.name, "read", &error))?;
        if let Some(kind) = FileType::sniff(&beginning) {
            return Ok(kind.to_string());
        }
        let detected = media.detected_type();
        media.type_of(&detected).map(ToOwned::to_owned).map_err(|why| {
            let all = FileType::join(FileType::ALL);
            let detail = format!("{why}; --type names it: {all}, as the collection allows");
            Trouble::file(&self.name, "sent", &detail)
        })
    }

    /// Checks that the file has not changed since it was opened.
    pub(super) fn check(&self) -> Result<(), Trouble> {
        if self.piped.is_some() {
            return Ok(());
        }
        let found = fs::metadata(&self.path).map_err(|error| Trouble::file(&self.name, "read", &error))?;
        if found.len() == self.size && found.modified().ok() == self.modified {
            Ok(())
        } else {
            Err(self.changed())
        }
    }

    /// Returns the problem of a file that changes while it is sent.
    pub(super) fn changed(&self) -> Trouble {
        let detail = format!("{} was changed while it was sent; nothing was stored", self.name.display());
        Trouble::new(TroubleKind::File, detail)
    }

    /// Opens a range of the file. It is counted by `meter` as it is read, and breaks off once `is_given_up`.
    pub(super) fn part<'a>(
        &self,
        range: &Range<u64>,
        meter: &'a Meter,
        is_given_up: &'a (dyn Fn() -> bool + Sync),
    ) -> Result<Part<'a>, Trouble> {
        let opened = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(range.start))?;
            Ok(file.take(range.end - range.start))
        });
        let bytes = opened.map_err(|error| Trouble::file(&self.name, "read", &error))?;
        let name = self.name.clone();
        let left = range.end - range.start;
        Ok(Part { name, bytes, left, counted: 0, failure: None, meter, is_given_up })
    }
}

/// A range of a file, as it is read.
pub(super) struct Part<'a> {
    name: PathBuf,
    bytes: Take<File>,
    left: u64,
    counted: u64,
    failure: Option<Trouble>,
    meter: &'a Meter,
    is_given_up: &'a (dyn Fn() -> bool + Sync),
}

impl Part<'_> {
    /// Takes back what was counted, because it has to be sent again. Returns the reason if the file could not be read.
    pub(super) fn failed(self) -> Option<Trouble> {
        self.meter.lost(self.counted);
        self.failure
    }
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.is_given_up)() {
            return Err(io::Error::other("the transfer was given up"));
        }
        let read = match self.bytes.read(buffer) {
            Ok(0) if self.left > 0 && !buffer.is_empty() => Err(ErrorKind::UnexpectedEof.into()),
            read => read,
        };
        let read = read.inspect_err(|error| {
            let why = match error.kind() {
                ErrorKind::UnexpectedEof => "it became shorter while it was sent".to_owned(),
                _ => error.to_string(),
            };
            self.failure = Some(Trouble::file(&self.name, "read", &why));
        })?;
        self.left -= read as u64;
        self.counted += read as u64;
        self.meter.moved(read as u64);
        Ok(read)
    }
}
