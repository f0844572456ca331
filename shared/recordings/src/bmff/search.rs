//! The search for the movie box of a file, of which only the beginnings of boxes are read.

use std::ops::Range;

use super::FourCc;
use crate::bounds;
use crate::unplayable::Unplayable;

/// The length of the longest beginning of a box: size, type, and the size in 64 bits.
const BEGINNING: u64 = 16;

/// The types of boxes with which files begin.
const FIRST: [&[u8; 4]; 9] =
    [b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"uuid", b"pnot"];

/// A search for the movie box, which asks for the bytes that it needs.
///
/// ```
/// # use credlink_recordings::Search;
/// # let file: &[u8] = b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov";
/// let mut search = Search::new(file.len() as u64);
/// let movie = loop {
///     let wanted = search.wanted();
///     if let Some(movie) = search.advance(&file[wanted.start as usize..wanted.end as usize]).unwrap() {
///         break movie;
///     }
/// };
/// assert_eq!(movie, 16..24);
/// ```
#[derive(Clone, Debug)]
pub struct Search {
    length: u64,
    at: u64,
    boxes: u64,
}

impl Search {
    /// Begins the search in a file of `length` bytes.
    #[must_use]
    pub const fn new(length: u64) -> Self {
        Self { length, at: 0, boxes: 0 }
    }

    /// Returns the bytes of the file that the search goes on with.
    #[must_use]
    pub fn wanted(&self) -> Range<u64> {
        self.at..self.at.saturating_add(BEGINNING).min(self.length)
    }

    /// Goes on with the bytes that were wanted. Returns the range of the movie box, with its header, once it is found.
    ///
    /// # Errors
    /// Fails if the file is of another format, cut off or damaged, or if the movie box is too long.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<Range<u64>>, Unplayable> {
        let is_first = self.boxes == 0;
        let cut_off = if is_first { Unplayable::Container } else { Unplayable::Incomplete };
        let Some([s0, s1, s2, s3, kind @ ..]) = bytes.first_chunk::<8>() else { return Err(cut_off) };
        let kind = FourCc(*kind);
        if is_first && !FIRST.contains(&&kind.0) {
            return Err(Unplayable::Container);
        }
        let impossible = Unplayable::malformed(kind, "its length is impossible");
        let size = match u32::from_be_bytes([*s0, *s1, *s2, *s3]) {
            0 => self.length.saturating_sub(self.at),
            1 => {
                let size = bytes.get(8..16).and_then(|bytes| bytes.first_chunk()).ok_or(cut_off)?;
                Some(u64::from_be_bytes(*size)).filter(|size| *size >= 16).ok_or(impossible)?
            }
            size => Some(u64::from(size)).filter(|size| *size >= 8).ok_or(impossible)?,
        };
        let end =
            self.at.checked_add(size).filter(|end| *end <= self.length).ok_or(Unplayable::Incomplete)?;
        if kind.0 == *b"moov" {
            if size > bounds::MOVIE {
                return Err(Unplayable::TooLong { kind, length: size, allowed: bounds::MOVIE });
            }
            return Ok(Some(self.at..end));
        }
        self.at = end;
        self.boxes += 1;
        if self.boxes > bounds::TOP_BOXES {
            return Err(Unplayable::TooMany { what: "boxes before `moov`", allowed: bounds::TOP_BOXES });
        }
        if end >= self.length {
            return Err(Unplayable::Incomplete);
        }
        Ok(None)
    }
}
