//! The index of a recording: what is computed once from its bytes, and from which every view of it follows.
//!
//! # Format, version 1
//!
//! | bytes | content |
//! |---|---|
//! | 4 | `CLRX` |
//! | 1 | the version, 1 |
//! | 3 | zeros |
//! | 4 | the length of the head |
//! | | the [`Head`] as JSON |
//! | 72 each | the directory: the segments of all streams, in the order of the streams |
//! | | the blocks of the segments whose headers are generated |
//!
//! An entry of the directory has, in big-endian order: the time of presentation and the duration (8 bytes each, in units of the
//! stream), the place of its bytes in the stream's source (8) and their number (4), the length of its block (4) and its place
//! behind the directory (8), and the SHA-256 of its bytes (32).

pub(crate) mod block;

use std::ops::Range;

use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use credlink_core::hash::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::bounds;
use block::{BlockError, BlockReader};

/// The first bytes of an index.
const MAGIC: &[u8; 4] = b"CLRX";
/// The version of the format.
const VERSION: u8 = 1;
/// The length of what is before the head.
const PREFIX: usize = 12;
/// The length of an entry of the directory.
const ENTRY: usize = 72;

/// The description of a recording as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The length of the recording in bytes.
    pub length: u64,
    /// The streams that players get. The first one has the pictures.
    pub streams: Vec<Stream>,
    /// The tracks of sound that players do not get.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// A stream: segments of the same time scale that follow each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// The object that has the bytes of its segments.
    pub source: Source,
    /// The segment that players need before all others.
    pub init: Init,
    /// The units of a second.
    pub timescale: u32,
    /// The codecs (RFC 6381).
    pub codecs: Vec<String>,
    /// The width in pixels, if it has pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// The height in pixels, if it has pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// The number of samples: pictures, or pieces of sound.
    pub samples: u64,
    /// The number of segments.
    pub segments: u32,
}

/// An object of a recording that has media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The recording itself, byte for byte.
    Media,
    /// The copy of its sound, cut into segments.
    Audio,
}

/// The initialization segment of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// It is generated for this track, and so are the headers of the segments of the recording itself.
    Generated(TrackHead),
    /// It is these bytes of the source.
    Range(Range<u64>),
}

/// The members of a track from which its initialization segment is generated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackHead {
    /// The ID of the track.
    pub id: u32,
    /// `true` if it has pictures, and not sound.
    pub is_video: bool,
    /// The language, packed (ISO/IEC 14496-12, section 8.4.2.3).
    pub language: u16,
    /// The matrix, the width and the height of the track header.
    #[serde(with = "as_base64")]
    pub geometry: Vec<u8>,
    /// The sample entry, with its size and type.
    #[serde(with = "as_base64")]
    pub format: Vec<u8>,
}

/// A track that players do not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The ID of the track.
    pub track: u32,
    /// The reason.
    pub reason: String,
}

/// A segment of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The time of presentation, in units of the stream.
    pub start: u64,
    /// The duration.
    pub duration: u64,
    /// Its bytes in the source of the stream.
    pub range: Range<u64>,
    /// The SHA-256 of these bytes.
    pub sha256: Digest,
    /// Its block, behind the directory.
    pub(crate) block: Range<u64>,
}

/// A reason why bytes are no index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The bytes are of another format, or of a later version.
    #[error("it is not an index of a recording in version {VERSION}")]
    Version,
    /// The bytes contradict each other.
    #[error("the index is damaged: {0}")]
    Damaged(&'static str),
    /// The head is not as it should be.
    #[error("the head of the index is damaged: {0}")]
    Head(String),
}

impl From<BlockError> for IndexError {
    fn from(_: BlockError) -> Self {
        Self::Damaged("a block of samples")
    }
}

/// The index of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    head: Head,
    directory: Bytes,
    blocks: Bytes,
}

impl Index {
    /// Reads an index.
    ///
    /// # Errors
    /// Fails if the bytes are of another format or damaged.
    pub fn parse(bytes: &Bytes) -> Result<Self, IndexError> {
        let prefix = bytes.first_chunk::<PREFIX>().ok_or(IndexError::Version)?;
        let [m0, m1, m2, m3, version, _, _, _, l0, l1, l2, l3] = *prefix;
        if [m0, m1, m2, m3] != *MAGIC || version != VERSION {
            return Err(IndexError::Version);
        }
        let cut_off = IndexError::Damaged("it is cut off");
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let head_end = PREFIX.checked_add(length).filter(|end| *end <= bytes.len()).ok_or(cut_off.clone())?;
        let head: Head = serde_json::from_slice(bytes.get(PREFIX..head_end).unwrap_or_default())
            .map_err(|error| IndexError::Head(error.to_string()))?;
        let count =
            head.streams.iter().try_fold(0_u64, |sum, stream| sum.checked_add(stream.segments.into()));
        let count = count.filter(|count| *count <= 2 * bounds::SEGMENTS);
        let count = count.ok_or(IndexError::Damaged("it has too many segments"))?;
        let directory_end = usize::try_from(count).ok().and_then(|count| count.checked_mul(ENTRY));
        let directory_end = directory_end.and_then(|length| head_end.checked_add(length));
        let directory_end = directory_end.filter(|end| *end <= bytes.len()).ok_or(cut_off)?;
        let index = Self {
            head,
            directory: bytes.slice(head_end..directory_end),
            blocks: bytes.slice(directory_end..),
        };
        index.check()?;
        Ok(index)
    }

    fn check(&self) -> Result<(), IndexError> {
        for (number, stream) in self.head.streams.iter().enumerate() {
            if stream.timescale == 0 {
                return Err(IndexError::Damaged("a second has no units in it"));
            }
            if let Init::Range(range) = &stream.init
                && (range.start > range.end || range.end > self.head.length)
            {
                return Err(IndexError::Damaged("an initialization segment is beyond the recording"));
            }
            for segment in self.segments(number) {
                let is_within = stream.source == Source::Audio || segment.range.end <= self.head.length;
                if !is_within || segment.block.end > self.blocks.len() as u64 {
                    return Err(IndexError::Damaged("a segment is beyond the recording"));
                }
            }
        }
        Ok(())
    }

    /// Returns the description of the recording as a whole.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the segments of a stream, in order.
    pub fn segments(&self, stream: usize) -> impl ExactSizeIterator<Item = Segment> + '_ {
        let before =
            self.head.streams.iter().take(stream).map(|stream| stream.segments as usize).sum::<usize>();
        let own = self.head.streams.get(stream).map_or(0, |stream| stream.segments as usize);
        let entries = self.directory.get(before * ENTRY..(before + own) * ENTRY).unwrap_or_default();
        entries.as_chunks::<ENTRY>().0.iter().map(Segment::read)
    }

    /// Returns the segment of a stream with this number, from 1.
    #[must_use]
    pub fn segment(&self, stream: usize, number: u32) -> Option<Segment> {
        self.segments(stream).nth(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// Returns the duration of a stream, in its units.
    #[must_use]
    pub fn duration(&self, stream: usize) -> u64 {
        self.segments(stream).fold(0, |sum, segment| sum.saturating_add(segment.duration))
    }

    pub(crate) fn block(&self, segment: &Segment) -> BlockReader<'_> {
        let range = usize::try_from(segment.block.start).unwrap_or(usize::MAX)
            ..usize::try_from(segment.block.end).unwrap_or(usize::MAX);
        BlockReader::new(self.blocks.get(range).unwrap_or_default())
    }

    /// Writes an index: its head, the segments of its streams, and their blocks.
    pub(crate) fn write(head: &Head, segments: &[Segment], blocks: &[u8]) -> Result<Bytes, IndexError> {
        let json = serde_json::to_vec(head).map_err(|error| IndexError::Head(error.to_string()))?;
        let length = u32::try_from(json.len()).map_err(|_| IndexError::Damaged("its head is too long"))?;
        let mut bytes = Vec::with_capacity(PREFIX + json.len() + segments.len() * ENTRY + blocks.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[VERSION, 0, 0, 0]);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&json);
        for segment in segments {
            segment.write(&mut bytes);
        }
        bytes.extend_from_slice(blocks);
        Ok(bytes.into())
    }
}

impl Segment {
    fn read(entry: &[u8; ENTRY]) -> Self {
        let number = |at: usize| {
            let bytes = entry.get(at..at + 8).and_then(|bytes| bytes.first_chunk());
            bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes))
        };
        let (offset, lengths, block) = (number(16), number(24), number(32));
        let (length, block_length) = (lengths >> 32, lengths & 0xffff_ffff);
        let sha256 = entry.last_chunk().copied().unwrap_or_default();
        Self {
            start: number(0),
            duration: number(8),
            range: offset..offset.saturating_add(length),
            sha256: Digest::from_bytes(sha256),
            block: block..block.saturating_add(block_length),
        }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        let length = |range: &Range<u64>| (range.end - range.start) & 0xffff_ffff;
        let lengths = length(&self.range) << 32 | length(&self.block);
        for number in [self.start, self.duration, self.range.start, lengths, self.block.start] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(self.sha256.as_bytes());
    }
}

mod as_base64 {
    use base64::Engine as _;

    use super::{Deserialize, Deserializer, STANDARD, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
