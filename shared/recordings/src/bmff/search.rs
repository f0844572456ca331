//! The search for the movie box of a file, of which only the headers of boxes are read.

use std::ops::Range;

use super::FourCc;
use super::header::{BoxHeader, LONGEST};
use crate::bounds::{MAX_BOXES, MAX_MOVIE_BYTES};
use crate::unplayable::Unplayable;

/// The types of boxes with which files begin.
const FIRST: [&[u8; 4]; 9] =
    [b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"uuid", b"pnot"];

/// A search for the movie box, which asks for the bytes that it needs.
///
/// ```
/// # use credlink_recordings::MovieSearch;
/// # let file: &[u8] = b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov";
/// let mut search = MovieSearch::new(file.len() as u64);
/// let movie = loop {
///     // More bytes than these may be read at once, and all of them given.
///     let wanted = search.wanted();
///     if let Some(movie) = search.advance(&file[wanted.start as usize..wanted.end as usize]).unwrap() {
///         break movie;
///     }
/// };
/// assert_eq!(movie, 16..24);
/// ```
#[derive(Clone, Debug)]
pub struct MovieSearch {
    length: u64,
    at: u64,
    boxes: u64,
}

/// A search that found nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// The recording cannot be played.
    #[error(transparent)]
    Unplayable(#[from] Unplayable),
    /// Fewer bytes were given than were wanted: the caller has not read all of them.
    #[error("{given} bytes were given, and {wanted} are wanted")]
    ShortRead {
        /// The number of bytes that were wanted.
        wanted: u64,
        /// The number of bytes that were given.
        given: u64,
    },
}

impl MovieSearch {
    /// Begins the search in a file of `length` bytes.
    #[must_use]
    pub const fn new(length: u64) -> Self {
        Self { length, at: 0, boxes: 0 }
    }

    /// Returns the bytes of the file that the search goes on with.
    #[must_use]
    pub fn wanted(&self) -> Range<u64> {
        self.at..self.at.saturating_add(LONGEST).min(self.length)
    }

    /// Goes on with bytes from the beginning of those that are wanted, to their end or beyond it. Returns the range of the movie
    /// box, with its header, once it is found.
    ///
    /// # Errors
    /// Fails if the file is of another format, cut off or damaged, if the movie box is too long, or if bytes are missing.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<Range<u64>>, SearchError> {
        let (begin, given) = (self.at, bytes.len() as u64);
        let wanted = self.wanted();
        if given < wanted.end - wanted.start {
            return Err(SearchError::ShortRead { wanted: wanted.end - wanted.start, given });
        }
        // All boxes whose headers are among the bytes.
        while let Some(rest) = usize::try_from(self.at - begin).ok().and_then(|at| bytes.get(at..)) {
            let (needed, is_first) = (self.wanted(), self.boxes == 0);
            if !is_first && (rest.len() as u64) < needed.end - needed.start {
                break;
            }
            if let Some(movie) = self.next(rest)? {
                return Ok(Some(movie));
            }
        }
        Ok(None)
    }

    fn next(&mut self, bytes: &[u8]) -> Result<Option<Range<u64>>, Unplayable> {
        let is_first = self.boxes == 0;
        let cut_off = if is_first { Unplayable::Container } else { Unplayable::NoMovie };
        let kind = bytes.get(4..8).and_then(|kind| kind.first_chunk());
        if is_first && kind.is_none_or(|kind| !FIRST.contains(&kind)) {
            return Err(cut_off);
        }
        let header = BoxHeader::parse(bytes)?.ok_or(cut_off)?;
        let content = header.content.unwrap_or(self.length.saturating_sub(self.at + header.length as u64));
        let end = self.at.checked_add(header.length as u64).and_then(|at| at.checked_add(content));
        let end = end.filter(|end| *end <= self.length).ok_or(Unplayable::NoMovie)?;
        if header.kind == FourCc(*b"moov") {
            let length = end - self.at;
            if length > MAX_MOVIE_BYTES {
                return Err(Unplayable::TooLong { kind: header.kind, length, allowed: MAX_MOVIE_BYTES });
            }
            return Ok(Some(self.at..end));
        }
        self.at = end;
        self.boxes += 1;
        if self.boxes > MAX_BOXES {
            return Err(Unplayable::TooMany { what: "boxes before `moov`", allowed: MAX_BOXES });
        }
        if end == self.length { Err(Unplayable::NoMovie) } else { Ok(None) }
    }
}
