//! The reasons for which a picture is refused.

use crate::PictureType;

/// The reason for which a picture is refused, in words for the person who sent it: what is wrong, and what is allowed.
///
/// All but [`TookTooLong`](Self::TookTooLong) and [`NotEncoded`](Self::NotEncoded) are properties of the bytes, so that
/// another try ends in the same way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The content is not a picture of a known type.
    #[error("this is not a picture: JPEG, PNG, WebP, GIF, HEIC and AVIF are recognised, by their content")]
    NotAPicture,
    /// The type is known, but this program was built without its decoder.
    #[error("{format} is not decoded here; JPEG, PNG, WebP and GIF are")]
    NotDecodedHere {
        /// The type of the picture.
        format: PictureType,
    },
    /// A variant of its type that no decoder here reads.
    #[error("this {format} is of a kind that is not supported: {kind}")]
    Unsupported {
        /// The type of the picture.
        format: PictureType,
        /// The kind of picture.
        kind: String,
    },
    /// The file is too long.
    #[error("the picture has {bytes} bytes; {allowed} are allowed")]
    TooManyBytes {
        /// The length of the file.
        bytes: usize,
        /// The longest allowed file.
        allowed: usize,
    },
    /// The picture has too many pixels.
    #[error("the picture has {width} × {height} pixels; {allowed} in all are allowed")]
    TooManyPixels {
        /// The width in pixels.
        width: u32,
        /// The height in pixels.
        height: u32,
        /// The most pixels that are allowed.
        allowed: u64,
    },
    /// A side is too long.
    #[error("a side of the picture has {pixels} pixels; {allowed} are allowed")]
    SideTooLong {
        /// The longest side.
        pixels: u32,
        /// The longest allowed side.
        allowed: u32,
    },
    /// The animation has too many frames.
    #[error("the animation has too many frames; {allowed} are allowed")]
    TooManyFrames {
        /// The most frames that are allowed.
        allowed: u32,
    },
    /// The frames of the animation have too many pixels together.
    #[error("the frames of the animation have {pixels} pixels together; {allowed} are allowed")]
    TooManyFramePixels {
        /// The pixels of all frames.
        pixels: u64,
        /// The most pixels that are allowed.
        allowed: u64,
    },
    /// The colour profile is too long.
    #[error("the colour profile is longer than the {allowed} bytes that are allowed")]
    ProfileTooLong {
        /// The longest allowed profile.
        allowed: usize,
    },
    /// The JPEG has too many scans.
    #[error("the JPEG has too many scans; {allowed} are allowed")]
    TooManyScans {
        /// The most scans that are allowed.
        allowed: u32,
    },
    /// The scans of the JPEG visit too many pixels.
    #[error("the {scans} scans of the JPEG visit {pixels} pixels together; {allowed} are allowed")]
    ScansTooCostly {
        /// The number of scans.
        scans: u32,
        /// The pixels that all scans visit.
        pixels: u64,
        /// The most pixels that are allowed.
        allowed: u64,
    },
    /// The file ends before the picture does.
    #[error("the {format} is cut off: its end is missing")]
    CutOff {
        /// The type of the picture.
        format: PictureType,
    },
    /// The content breaks the rules of its type.
    #[error("the {format} is damaged: {damage}")]
    Damaged {
        /// The type of the picture.
        format: PictureType,
        /// The damage that was found first.
        damage: String,
    },
    /// The picture is an animation, and its policy allows only still pictures.
    #[error("the picture is an animation of {frames} frames; only still pictures are allowed")]
    Animation {
        /// The number of frames.
        frames: u32,
    },
    /// The deadline has passed.
    #[error("the picture took too long to decode")]
    TookTooLong,
    /// A rendition could not be encoded. The picture is not at fault.
    #[error("a rendition could not be encoded as {format}")]
    NotEncoded {
        /// The type of the rendition.
        format: PictureType,
    },
}

impl Refusal {
    /// Returns a word for the reason that never changes, for counters and stored states.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotAPicture => "not-a-picture",
            Self::NotDecodedHere { .. } => "not-decoded-here",
            Self::Unsupported { .. } => "unsupported",
            Self::TooManyBytes { .. } => "too-many-bytes",
            Self::TooManyPixels { .. } => "too-many-pixels",
            Self::SideTooLong { .. } => "side-too-long",
            Self::TooManyFrames { .. } => "too-many-frames",
            Self::TooManyFramePixels { .. } => "too-many-frame-pixels",
            Self::ProfileTooLong { .. } => "profile-too-long",
            Self::TooManyScans { .. } => "too-many-scans",
            Self::ScansTooCostly { .. } => "scans-too-costly",
            Self::CutOff { .. } => "cut-off",
            Self::Damaged { .. } => "damaged",
            Self::Animation { .. } => "animation",
            Self::TookTooLong => "took-too-long",
            Self::NotEncoded { .. } => "not-encoded",
        }
    }

    /// Returns `true` if another try may end differently: the reason is time or memory, and not the bytes.
    #[must_use]
    pub const fn may_pass_later(&self) -> bool {
        matches!(self, Self::TookTooLong | Self::NotEncoded { .. })
    }

    pub(crate) fn damaged(format: PictureType, damage: impl ToString) -> Self {
        Self::Damaged { format, damage: damage.to_string() }
    }

    pub(crate) fn unsupported(format: PictureType, kind: impl ToString) -> Self {
        Self::Unsupported { format, kind: kind.to_string() }
    }
}
