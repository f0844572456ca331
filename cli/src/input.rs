//! Input of a command: a file, or standard input if `-` was typed.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use credlink_verify::media::Media;

use crate::error::{Trouble, TroubleKind};

/// The name that stands for standard input on the command line.
pub const STANDARD_INPUT: &str = "-";
/// The name of standard input in messages.
const STANDARD_INPUT_NAME: &str = "standard input";

/// Reads the media file at `typed`, or from standard input.
pub fn media(typed: &Path) -> Result<Media, Trouble> {
    let read = if typed == Path::new(STANDARD_INPUT) {
        Media::of_stream(Path::new(STANDARD_INPUT_NAME), io::stdin())
    } else {
        Media::open(typed)
    };
    read.map_err(|error| Trouble::new(TroubleKind::File, error))
}

/// An input that can be read once.
pub struct Input {
    name: PathBuf,
    source: Box<dyn Read>,
}

impl Input {
    /// Opens the file at `typed`, or standard input.
    pub fn open(typed: &Path) -> Result<Self, Trouble> {
        if typed == Path::new(STANDARD_INPUT) {
            return Ok(Self { name: STANDARD_INPUT_NAME.into(), source: Box::new(io::stdin()) });
        }
        let file = File::open(typed).map_err(|error| Trouble::file(typed, "read", &error))?;
        Ok(Self { name: typed.to_owned(), source: Box::new(file) })
    }

    /// Returns the name of the input: the path as it was typed, or `standard input`.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Reads the input to its end. Returns `None` if it is longer than `limit` bytes, and then reads no more of it.
    pub fn read_up_to(&mut self, limit: usize) -> Result<Option<Vec<u8>>, Trouble> {
        let mut bytes = Vec::new();
        let read = self.by_ref().take(limit as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| Trouble::file(&self.name, "read", &error))?;
        Ok((bytes.len() <= limit).then_some(bytes))
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read(buffer)
    }
}
