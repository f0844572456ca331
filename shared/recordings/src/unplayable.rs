//! The reasons why a recording is kept and proven, but not played.

use crate::bmff::FourCc;

/// A reason why players cannot be given a recording, or a track of it. Its bytes are kept, hashed and proven all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unplayable {
    /// The file is of another format.
    #[error(
        "it is not an MP4 file (ISO base media file format); MPEG-TS, Matroska and others are kept but not played"
    )]
    Container,
    /// The file ends before its `moov` box, or within it.
    #[error("it was cut off: the box `moov`, which says where the pictures are, is missing or incomplete")]
    NoMovie,
    /// The file ends before its media.
    #[error("it was cut off: it ends before the last pictures or sounds that it lists")]
    Incomplete,
    /// Other bytes were read than were planned.
    #[error("its length is {read} bytes, and not {planned} as when it was planned")]
    OtherLength {
        /// The number of bytes that were read.
        read: u64,
        /// The number of bytes that were planned.
        planned: u64,
    },
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
    /// There are more boxes, tracks, samples or segments than are counted.
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
    /// The track has no samples.
    #[error("its track {0} is empty")]
    Empty(u32),
    /// Decoding cannot begin anywhere in the track.
    #[error("its track {0} has no key frame, or no fragment begins with one")]
    NoKeyFrame(u32),
    /// No browser decodes the track.
    #[error("its track {track} is `{codec}`, which browsers do not decode")]
    Codec {
        /// The ID of the track.
        track: u32,
        /// The type of the sample entry.
        codec: FourCc,
    },
    /// The track is encrypted.
    #[error("its track {0} is encrypted")]
    Encrypted(u32),
    /// The codec's parameters change within the track.
    #[error("the format of its track {0} changes within the file")]
    SeveralFormats(u32),
    /// The edit list does more than to shift the track.
    #[error(
        "its edit list repeats parts of the track {0}, leaves some out in the middle, or changes their speed"
    )]
    EditList(u32),
    /// Samples are in the movie box of a recording that announces fragments, or media is before that box.
    #[error("it announces fragments, and has media outside of them")]
    Mixed,
    /// The first fragments can be served as they are, and a later one cannot: it has a `base-data-offset`, or no time.
    #[error(
        "its first fragments can be served as they are, but a later one has offsets from the beginning of the file, or no time"
    )]
    AbsoluteOffsets,
    /// The samples are not in the order of the file.
    #[error("the samples of its track {0} do not follow each other in the file in the order of decoding")]
    Scattered(u32),
    /// The samples between two key frames are too many bytes for one segment.
    #[error("its track {track} has {length} bytes in a segment, and at most {allowed} are allowed")]
    LongSegment {
        /// The ID of the track.
        track: u32,
        /// Their length in bytes.
        length: u64,
        /// The most bytes of a segment.
        allowed: u64,
    },
    /// Players get another track of the same kind.
    #[error("its track {0} is not played, because another one of its kind is")]
    OtherTrack(u32),
}

impl Unplayable {
    /// Returns the name that answers and records have for the reason.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::NoMovie | Self::Incomplete => "incomplete",
            Self::OtherLength { .. } => "other_length",
            Self::Malformed { .. } => "malformed",
            Self::TooLong { .. } | Self::TooMany { .. } => "too_large",
            Self::NoVideo => "no_video",
            Self::Empty(_) => "empty",
            Self::NoKeyFrame(_) => "no_key_frame",
            Self::Codec { .. } => "codec",
            Self::Encrypted(_) => "encrypted",
            Self::SeveralFormats(_) => "several_formats",
            Self::EditList(_) => "edit_list",
            Self::Mixed => "mixed",
            Self::AbsoluteOffsets => "absolute_offsets",
            Self::Scattered(_) => "scattered",
            Self::LongSegment { .. } => "long_segment",
            Self::OtherTrack(_) => "other_track",
        }
    }

    pub(crate) const fn malformed(kind: FourCc, detail: &'static str) -> Self {
        Self::Malformed { kind, detail }
    }
}
