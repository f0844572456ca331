//! The reasons why a recording is kept and proven, but not played.

use crate::bmff::FourCc;

/// A reason why players cannot be given a recording. Its bytes are kept, hashed and proven all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unplayable {
    /// The file is of another format.
    #[error(
        "it is no MP4 file (ISO base media file format); MPEG-TS, Matroska and others are kept but not played"
    )]
    Container,
    /// The file ends before its index, or has none.
    #[error("it was cut off: the box `moov`, which says where the pictures are, is missing or incomplete")]
    Incomplete,
    /// A box says something that cannot be.
    #[error("its box `{kind}` is damaged: {detail}")]
    Malformed {
        /// The box.
        kind: FourCc,
        /// The contradiction.
        detail: &'static str,
    },
    /// A box is longer than is read into memory.
    #[error("its box `{kind}` has {length} bytes, and at most {allowed} are read")]
    TooLong {
        /// The box.
        kind: FourCc,
        /// Its length in bytes.
        length: u64,
        /// The most bytes that are read.
        allowed: u64,
    },
    /// There are more boxes, tracks or samples than are counted.
    #[error("it has more than {allowed} {what}")]
    TooMany {
        /// The things that are counted, in the plural.
        what: &'static str,
        /// The most of them.
        allowed: u64,
    },
    /// No track has pictures.
    #[error("it has no video track")]
    NoVideo,
    /// The video track has no samples.
    #[error("its video track is empty")]
    Empty,
    /// No browser decodes the track.
    #[error("its track {track} is `{codec}`, which browsers do not decode")]
    Codec {
        /// The ID of the track.
        track: u32,
        /// The sample entry's type.
        codec: FourCc,
    },
    /// The track is encrypted.
    #[error("its track {0} is encrypted")]
    Encrypted(u32),
    /// The codec's parameters change within the file.
    #[error("the format of its video track changes within the file")]
    SeveralFormats,
    /// The edit list does more than to shift the track.
    #[error("its edit list repeats or leaves out parts of the track {0}, or changes their speed")]
    EditList(u32),
    /// Samples are both in the movie box and in fragments.
    #[error("its pictures are both in `moov` and in fragments")]
    Mixed,
    /// The pictures are not in the order of the file.
    #[error("its pictures do not follow each other in the file in the order of decoding")]
    Scattered,
    /// The pictures between two key frames are too many bytes for one segment.
    #[error("it has {length} bytes between two key frames, and a segment has at most {allowed}")]
    LongSegment {
        /// Their length in bytes.
        length: u64,
        /// The most bytes of a segment.
        allowed: u64,
    },
}

impl Unplayable {
    /// Returns the name that answers and records have for the reason.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Incomplete => "incomplete",
            Self::Malformed { .. } => "malformed",
            Self::TooLong { .. } | Self::TooMany { .. } => "too_large",
            Self::NoVideo => "no_video",
            Self::Empty => "empty",
            Self::Codec { .. } => "codec",
            Self::Encrypted(_) => "encrypted",
            Self::SeveralFormats => "several_formats",
            Self::EditList(_) => "edit_list",
            Self::Mixed => "mixed",
            Self::Scattered => "scattered",
            Self::LongSegment { .. } => "long_segment",
        }
    }

    pub(crate) const fn malformed(kind: FourCc, detail: &'static str) -> Self {
        Self::Malformed { kind, detail }
    }
}
