//! The index of a recording: what is computed once from its bytes, and from which every view of it follows.
//!
//! # Format, version 1
//!
//! | bytes | content |
//! |---|---|
//! | 4 | `CLRX` |
//! | 1 | the version, 1 |
//! | 3 | zeros |
//! | 4 | the length of the head, big-endian |
//! | | the [`Head`] as JSON |
//! | | the sections, whose places the head has, counted from its end |
//!
//! | section | content |
//! |---|---|
//! | `entries` | the segments of the pictures and then of the sound, each 48 bytes |
//! | `digests` | the SHA-256 of each of them, in the same order |
//! | `blocks` | their samples, as they lie in the recording ([`block`]) |
//!
//! An entry has, in big-endian order: the time of presentation and the duration (8 bytes each, in units of the stream); the place
//! of its bytes in the stream's source (8) and their number (4); the place of its first key frame, from the first of these bytes,
//! and the size of it (4 each, with the size 0 if it is not known); and the length of its block (4) and its place among the blocks
//! (8). Readers skip sections and members that they do not know.
//!
//! A reader that has a store with ranges needs not load all of it: the head says where the entries are ([`Head::entries`]), and an
//! entry where its block is.

pub(crate) mod block;
mod head;

use std::ops::Range;

use bytes::Bytes;
use credlink_core::hash::Digest;

use crate::names::StreamName;

use head::Sections;
pub(crate) use head::head;
pub use head::{Head, Init, LeftOut, Source, Stream, TrackHead};

/// The first bytes of an index.
const MAGIC: &[u8; 4] = b"CLRX";
/// The version of the format.
const VERSION: u8 = 1;
/// The length of what is before the head.
const PREFIX: usize = 12;
/// The length of an entry.
const ENTRY: usize = 48;
/// The length of a digest.
const DIGEST: usize = 32;

/// A segment of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The stream.
    pub stream: StreamName,
    /// Its number, from 1.
    pub number: u32,
    /// The time of presentation of its first sample, in units of the stream.
    pub start: u64,
    /// The duration.
    pub duration: u64,
    /// Its bytes in the source of the stream.
    pub range: Range<u64>,
    /// The first key frame within these bytes, if its place is known.
    pub key_frame: Option<Range<u64>>,
    /// Its block in the index, which [`Segment::header`] needs.
    pub block: Range<u64>,
}

/// A reason why bytes are no index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The bytes are of another format, or of a later version.
    #[error("not an index of a recording in version {VERSION}")]
    Version,
    /// The bytes end too early.
    #[error("the index is cut off: {needed} bytes are needed")]
    CutOff {
        /// The number of bytes that are needed to go on.
        needed: u64,
    },
    /// The bytes contradict each other.
    #[error("the index is damaged: {0}")]
    Damaged(&'static str),
    /// The head is not as it should be.
    #[error("the head of the index is damaged: {0}")]
    Head(String),
}

impl From<block::BlockError> for IndexError {
    fn from(_: block::BlockError) -> Self {
        Self::Damaged("the samples of a segment")
    }
}

/// The whole index of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    head: Head,
    bytes: Bytes,
}

impl Index {
    /// Reads an index.
    ///
    /// # Errors
    /// Fails if the bytes are of another format, damaged or cut off.
    pub fn parse(bytes: Bytes) -> Result<Self, IndexError> {
        let head = Head::parse(&bytes)?;
        let Sections { entries, digests, blocks } = &head.sections;
        let needed = head.end + entries.end.max(digests.end).max(blocks.end);
        if (bytes.len() as u64) < needed {
            return Err(IndexError::CutOff { needed });
        }
        let index = Self { head, bytes };
        for (name, _) in index.head.streams() {
            index
                .head
                .segments(name, 1, index.part(&index.head.entries(name)))
                .try_for_each(|segment| segment.map(|_| ()))?;
        }
        Ok(index)
    }

    /// Returns the bytes of the index.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the description of the recording as a whole.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    pub(crate) fn part(&self, range: &Range<u64>) -> &[u8] {
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        self.bytes.get(place(range.start)..place(range.end)).unwrap_or_default()
    }

    /// Returns the segments of a stream, in order.
    pub fn segments(&self, name: StreamName) -> impl Iterator<Item = Segment> + Clone + '_ {
        let entries = self.part(&self.head.entries(name));
        self.head.segments(name, 1, entries).filter_map(Result::ok)
    }

    /// Returns the segment of a stream with this number, from 1.
    #[must_use]
    pub fn segment(&self, name: StreamName, number: u32) -> Option<Segment> {
        let entry = self.part(&self.head.entry(name, number)?);
        self.head.segments(name, number, entry).next()?.ok()
    }

    /// Returns the SHA-256 of the bytes of a segment in its source.
    #[must_use]
    pub fn digest(&self, name: StreamName, number: u32) -> Option<Digest> {
        let digest = self.part(&self.head.digest(name, number)?).first_chunk();
        digest.map(|digest| Digest::from_bytes(*digest))
    }
}

/// A segment that is written into an index.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub start: u64,
    pub duration: u64,
    pub range: Range<u64>,
    /// The place of the first key frame in the source, if it is known.
    pub key_frame: Option<Range<u64>>,
    pub sha256: Digest,
    /// Its block, among the blocks.
    pub block: Range<u64>,
}

impl Entry {
    fn write(&self, bytes: &mut Vec<u8>) {
        let word = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
        let key_frame =
            self.key_frame.clone().filter(|key| key.start >= self.range.start && key.end <= self.range.end);
        let (key, size) = key_frame.map_or((0, 0), |key| (key.start - self.range.start, key.end - key.start));
        for number in [self.start, self.duration, self.range.start] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        // Segments, and therefore their blocks, are shorter than 4 GB.
        for number in [self.range.end - self.range.start, key, size, self.block.end - self.block.start] {
            bytes.extend_from_slice(&word(number));
        }
        bytes.extend_from_slice(&self.block.start.to_be_bytes());
    }
}

/// Writes an index: its head, whose sections follow from the others, the entries of its streams, and their blocks.
pub(crate) fn write(mut head: Head, entries: &[Entry], blocks: &[u8]) -> Result<Index, IndexError> {
    let digests = (entries.len() * ENTRY) as u64;
    let end = digests + (entries.len() * DIGEST) as u64;
    head.sections =
        Sections { entries: 0..digests, digests: digests..end, blocks: end..end + blocks.len() as u64 };
    let json = serde_json::to_vec(&head).map_err(|error| IndexError::Head(error.to_string()))?;
    let length = u32::try_from(json.len()).map_err(|_| IndexError::Damaged("its head is too long"))?;
    let mut bytes = Vec::with_capacity(PREFIX + json.len() + entries.len() * (ENTRY + DIGEST) + blocks.len());
    for part in [MAGIC, [VERSION, 0, 0, 0].as_slice(), &length.to_be_bytes(), &json] {
        bytes.extend_from_slice(part);
    }
    entries.iter().for_each(|entry| entry.write(&mut bytes));
    entries.iter().for_each(|entry| bytes.extend_from_slice(entry.sha256.as_bytes()));
    bytes.extend_from_slice(blocks);
    Index::parse(bytes.into())
}
