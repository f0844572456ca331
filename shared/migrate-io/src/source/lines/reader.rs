//! Reads a file line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use bytes::Bytes;
use credlink_core::bounds::{MAX_LEGACY_ID_BYTES, MAX_LEGACY_RECORD_BYTES};
use flate2::bufread::MultiGzDecoder;

use crate::source::text::GZIP;

/// Length of the longest line that is held, in bytes: a record, with its ID and brackets around it.
const MAX_LINE_BYTES: usize = MAX_LEGACY_RECORD_BYTES + MAX_LEGACY_ID_BYTES * 6 + 1_024;

/// Number of bytes that are read at once.
const BUFFER_BYTES: usize = 131_072;

/// The byte order mark of UTF-8 (RFC 3629, section 6).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The start of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LinePosition {
    /// The number of lines before it.
    pub(super) line: u64,
    /// The number of bytes before it, unpacked.
    pub(super) offset: u64,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The number of the line, counted from 1.
    pub(super) number: u64,
    /// The text of the line.
    pub(super) text: Text,
}

/// The text of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Text {
    /// The bytes of the line, without the line end.
    Whole(Bytes),
    /// The length in bytes of a line that is longer than any line with a record.
    TooLong(u64),
    /// The reason why the gzip data cannot be read any further.
    Broken(String),
}

impl Text {
    /// Returns the number of bytes in memory.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::TooLong(_) | Self::Broken(_) => 0,
        }
    }
}

/// A file that is read line by line.
pub(super) struct Reader {
    input: Input,
    place: LinePosition,
}

/// A file, unpacked if it is gzipped.
enum Input {
    Plain(BufReader<File>),
    Gzip(Box<BufReader<MultiGzDecoder<BufReader<File>>>>),
    /// The input has ended.
    Ended,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens the file at its first line.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::at(path, LinePosition::default())
    }

    /// Opens the file at `place`. gzip data are unpacked up to there.
    pub(super) fn at(path: &Path, place: LinePosition) -> io::Result<Self> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a dump is a regular file"));
        }
        let mut plain = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut input = if plain.fill_buf()?.starts_with(&GZIP) {
            let unpacked = MultiGzDecoder::new(plain);
            Input::Gzip(Box::new(BufReader::with_capacity(BUFFER_BYTES, unpacked)))
        } else {
            Input::Plain(plain)
        };
        match &mut input {
            Input::Plain(plain) => drop(plain.seek(SeekFrom::Start(place.offset))?),
            Input::Gzip(unpacked) => {
                io::copy(&mut unpacked.take(place.offset), &mut io::sink())?;
            }
            Input::Ended => {}
        }
        let mut reader = Self { input, place };
        if place.offset == 0 {
            reader.pass_over_mark()?;
        }
        Ok(reader)
    }

    /// Returns the start of the next line.
    pub(super) const fn place(&self) -> LinePosition {
        self.place
    }

    /// Returns the next line that is not blank.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let before = self.place;
            let text = match self.read_line() {
                Ok(None) => return Ok(None),
                Ok(Some(text)) => text,
                // Damaged gzip data are a property of the file, and not a fault of the disk.
                Err(error) if self.is_gzip() && is_damage(&error) => {
                    self.input = Input::Ended;
                    Text::Broken(error.to_string())
                }
                Err(error) => return Err(error),
            };
            self.place.line = before.line + 1;
            let is_blank = matches!(&text, Text::Whole(bytes) if bytes.trim_ascii().is_empty());
            if !is_blank {
                return Ok(Some(Line { number: self.place.line, text }));
            }
        }
    }

    const fn is_gzip(&self) -> bool {
        matches!(self.input, Input::Gzip(_))
    }

    fn input(&mut self) -> Option<&mut dyn BufRead> {
        match &mut self.input {
            Input::Plain(plain) => Some(plain),
            Input::Gzip(unpacked) => Some(unpacked),
            Input::Ended => None,
        }
    }

    /// Reads the next line without its end. Returns `None` at the end of the file.
    fn read_line(&mut self) -> io::Result<Option<Text>> {
        let (mut line, mut length, mut offset) = (Vec::new(), 0_u64, 0_u64);
        let Some(input) = self.input() else { return Ok(None) };
        loop {
            let bytes = input.fill_buf()?;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = end.map_or(bytes, |end| &bytes[..end]);
            let (taken, is_end) =
                (part.len() + usize::from(end.is_some()), end.is_some() || bytes.is_empty());
            length += part.len() as u64;
            hold(&mut line, part, length);
            input.consume(taken);
            offset += taken as u64;
            if is_end {
                break;
            }
        }
        self.place.offset += offset;
        if offset == 0 {
            return Ok(None);
        }
        if length > MAX_LINE_BYTES as u64 {
            return Ok(Some(Text::TooLong(length)));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(Text::Whole(line.into())))
    }

    fn pass_over_mark(&mut self) -> io::Result<()> {
        let is_gzip = self.is_gzip();
        let Some(input) = self.input() else { return Ok(()) };
        let marked = match input.fill_buf() {
            Ok(bytes) => bytes.starts_with(BYTE_ORDER_MARK),
            // The first line will report the damage.
            Err(error) if is_gzip && is_damage(&error) => false,
            Err(error) => return Err(error),
        };
        if marked {
            input.consume(BYTE_ORDER_MARK.len());
            self.place.offset = BYTE_ORDER_MARK.len() as u64;
        }
        Ok(())
    }
}

/// Adds a part to a line, which then has `length` bytes. The bytes of a line that is too long are dropped.
fn hold(line: &mut Vec<u8>, part: &[u8], length: u64) {
    if length <= MAX_LINE_BYTES as u64 {
        line.extend_from_slice(part);
    } else {
        *line = Vec::new();
    }
}

/// Returns `true` if the gzip data are damaged, as opposed to a failure of the underlying file.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_let_go() {
        let (mut line, part) = (Vec::new(), vec![b'x'; 1_000_000]);
        for parts in 1..=100 {
            hold(&mut line, &part, parts * 1_000_000);
            assert!(line.capacity() <= MAX_LINE_BYTES * 2, "a vector doubles as it grows");
        }
        assert_eq!(line.capacity(), 0);
    }
}
