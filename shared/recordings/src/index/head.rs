//! The head of an index: its streams, and where the entries of their segments are.

use std::ops::Range;

use base64::engine::general_purpose::STANDARD;
use credlink_core::hash::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{DIGEST, ENTRY, IndexError, MAGIC, PREFIX, Segment, VERSION};
use crate::bmff::movie::GEOMETRY;
use crate::bounds::MAX_SEGMENTS;
use crate::names::StreamName;

/// The description of a recording as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The length of the recording in bytes.
    pub length: u64,
    /// The SHA-256 of the recording.
    pub sha256: Digest,
    /// The SHA-256 of the bytes before the first segment.
    pub front: Digest,
    /// The SHA-256 of the bytes behind the last segment. Front, segments of the pictures and tail are all bytes of the recording.
    pub tail: Digest,
    /// The pictures, and in a recording of fragments also the sound.
    pub video: Stream,
    /// The sound, if it is a stream of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<Stream>,
    /// The tracks that players do not get.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    pub(super) sections: Sections,
    /// The length of everything before the sections.
    #[serde(skip)]
    pub(super) end: u64,
}

/// The places of the sections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sections {
    pub(super) entries: Range<u64>,
    pub(super) digests: Range<u64>,
    pub(super) blocks: Range<u64>,
}

/// A stream: segments of the same timescale that follow each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// The object that has the bytes of its segments.
    pub source: Source,
    /// The length of that object in bytes.
    pub source_length: u64,
    /// The initialization segment.
    pub init: Init,
    /// The units of a second.
    pub timescale: u32,
    /// The codecs (RFC 6381).
    pub codecs: Vec<String>,
    /// The width in pixels, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// The height in pixels, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// The number of samples: pictures, or pieces of sound.
    pub samples: u64,
    /// The number of segments.
    pub segments: u32,
    /// The time of presentation of the first segment, in units of the stream.
    pub start: u64,
    /// The end of the last segment.
    pub end: u64,
    /// The duration of the longest segment.
    pub longest: u64,
    /// The highest rate in bits a second, over a segment or about as long (RFC 8216, section 4.1).
    pub peak: u64,
    /// The rate over all segments.
    pub average: u64,
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
    /// It is generated for this track, and so are the headers of the segments that are ranges of the recording.
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
    pub entry: Vec<u8>,
}

/// A track that players do not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The ID of the track.
    pub track: u32,
    /// The name of the reason ([`Unplayable::name`](crate::Unplayable::name)).
    pub reason: String,
    /// The type of its sample entry.
    pub codec: String,
}

impl Head {
    /// Reads the head at the beginning of an index, of which more bytes may be given.
    ///
    /// # Errors
    /// Fails if the bytes are of another format or damaged, or if they are too few.
    pub fn parse(bytes: &[u8]) -> Result<Self, IndexError> {
        let [m0, m1, m2, m3, version, z0, z1, z2, l0, l1, l2, l3] =
            *bytes.first_chunk::<PREFIX>().ok_or(IndexError::CutOff { needed: PREFIX as u64 })?;
        if [m0, m1, m2, m3] != *MAGIC || version != VERSION || [z0, z1, z2] != [0; 3] {
            return Err(IndexError::Version);
        }
        let needed = PREFIX as u64 + u64::from(u32::from_be_bytes([l0, l1, l2, l3]));
        let json = usize::try_from(needed).ok().and_then(|end| bytes.get(PREFIX..end));
        let mut head: Self = serde_json::from_slice(json.ok_or(IndexError::CutOff { needed })?)
            .map_err(|error| IndexError::Head(error.to_string()))?;
        head.end = needed;
        head.check()?;
        Ok(head)
    }

    fn check(&self) -> Result<(), IndexError> {
        let Sections { entries, digests, blocks } = &self.sections;
        let segments = self.count(StreamName::Video) + self.count(StreamName::Audio);
        let holds = |section: &Range<u64>, size: usize| {
            section.end.checked_sub(section.start) == Some(segments * size as u64)
        };
        let is_far = |section: &Range<u64>| section.start > section.end || section.end > 1 << 40;
        if segments > 2 * MAX_SEGMENTS
            || !holds(entries, ENTRY)
            || !holds(digests, DIGEST)
            || is_far(entries)
            || is_far(digests)
            || is_far(blocks)
        {
            return Err(IndexError::Damaged("its sections do not fit its segments"));
        }
        for stream in [Some(&self.video), self.audio.as_ref()].into_iter().flatten() {
            if stream.timescale == 0 {
                return Err(IndexError::Damaged("a timescale is zero"));
            }
            let is_plain =
                |codec: &String| codec.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
            if !stream.codecs.iter().all(is_plain) {
                return Err(IndexError::Damaged(
                    "the name of a codec has other characters than letters, digits and dots",
                ));
            }
            match &stream.init {
                Init::Generated(track) if track.geometry.len() != GEOMETRY => {
                    return Err(IndexError::Damaged("the geometry of a track has another length"));
                }
                Init::Range(range) if range.start > range.end || range.end > stream.source_length => {
                    return Err(IndexError::Damaged("an initialization segment is beyond its source"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns a stream, if the recording has it.
    #[must_use]
    pub const fn stream(&self, name: StreamName) -> Option<&Stream> {
        match name {
            StreamName::Video => Some(&self.video),
            StreamName::Audio => self.audio.as_ref(),
        }
    }

    /// Returns the streams of the recording.
    pub fn streams(&self) -> impl Iterator<Item = (StreamName, &Stream)> {
        StreamName::ALL.into_iter().filter_map(|name| Some((name, self.stream(name)?)))
    }

    fn count(&self, name: StreamName) -> u64 {
        self.stream(name).map_or(0, |stream| stream.segments.into())
    }

    /// Returns the place of the entries of a stream in the index. [`Head::segments`] reads them.
    #[must_use]
    pub fn entries(&self, name: StreamName) -> Range<u64> {
        self.column(&self.sections.entries, ENTRY, name)
    }

    /// Returns the place of the entry of the segment with this number, from 1, if there is one.
    #[must_use]
    pub fn entry(&self, name: StreamName, number: u32) -> Option<Range<u64>> {
        nth(&self.entries(name), ENTRY, number)
    }

    /// Returns the place of the SHA-256 of the bytes of the segment with this number, from 1, if there is one.
    #[must_use]
    pub fn digest(&self, name: StreamName, number: u32) -> Option<Range<u64>> {
        nth(&self.column(&self.sections.digests, DIGEST, name), DIGEST, number)
    }

    fn column(&self, section: &Range<u64>, size: usize, name: StreamName) -> Range<u64> {
        let before = match name {
            StreamName::Video => 0,
            StreamName::Audio => self.count(StreamName::Video),
        };
        let start = self.end + section.start + before * size as u64;
        start..start + self.count(name) * size as u64
    }

    /// Reads segments from their entries: those of a stream from the one with this number on.
    ///
    /// # Errors
    /// The items are errors where an entry is damaged.
    pub fn segments<'a>(
        &'a self,
        name: StreamName,
        first: u32,
        entries: &'a [u8],
    ) -> impl Iterator<Item = Result<Segment, IndexError>> + Clone + 'a {
        (first..)
            .zip(entries.as_chunks::<ENTRY>().0)
            .map(move |(number, entry)| self.segment(name, number, entry))
    }

    fn segment(&self, stream: StreamName, number: u32, entry: &[u8; ENTRY]) -> Result<Segment, IndexError> {
        let word = |at: usize| {
            entry
                .get(at..at + 4)
                .and_then(|bytes| bytes.first_chunk())
                .map_or(0, |bytes| u32::from_be_bytes(*bytes))
        };
        let number_at = |at: usize| u64::from(word(at)) << 32 | u64::from(word(at + 4));
        let beyond = IndexError::Damaged("a segment is beyond its source");
        let start = number_at(16);
        let end = start.checked_add(word(24).into());
        let end = end.filter(|end| self.stream(stream).is_some_and(|stream| *end <= stream.source_length));
        let range = start..end.ok_or(beyond.clone())?;
        let key_frame = match word(32) {
            0 => None,
            size => {
                let key = range.start + u64::from(word(28));
                Some(key..Some(key + u64::from(size)).filter(|end| *end <= range.end).ok_or(beyond.clone())?)
            }
        };
        let blocks = &self.sections.blocks;
        let block =
            blocks.start.checked_add(number_at(40)).and_then(|at| Some(at..at.checked_add(word(36).into())?));
        let block = block.filter(|block| block.end <= blocks.end).ok_or(beyond)?;
        Ok(Segment {
            stream,
            number,
            start: number_at(0),
            duration: number_at(8),
            range,
            key_frame,
            block: self.end + block.start..self.end + block.end,
        })
    }
}

/// Returns the place of an item with this number, from 1, of a column.
fn nth(column: &Range<u64>, size: usize, number: u32) -> Option<Range<u64>> {
    let start = column.start + u64::from(number.checked_sub(1)?) * size as u64;
    Some(start..start + size as u64).filter(|item| item.end <= column.end)
}

/// Returns a head whose sections are not known yet.
pub(crate) fn head(
    length: u64,
    [sha256, front, tail]: [Digest; 3],
    video: Stream,
    audio: Option<Stream>,
    left_out: Vec<LeftOut>,
) -> Head {
    Head { length, sha256, front, tail, video, audio, left_out, sections: Sections::default(), end: 0 }
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
