//! The type of a picture, by its content.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A type of picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PictureType {
    /// JPEG, ITU-T T.81.
    Jpeg,
    /// PNG, with APNG.
    Png,
    /// WebP, RFC 9649.
    WebP,
    /// GIF, 87a and 89a.
    Gif,
    /// HEIC: HEVC in HEIF.
    Heic,
    /// AVIF: AV1 in HEIF.
    Avif,
}

impl PictureType {
    /// Returns the type of this content, or `None` if it is not a picture of a known type.
    ///
    /// Only the first bytes are read, so this sorts out other files cheaply and proves nothing: `GIF89a<script>` begins as a GIF
    /// does. A picture is proved by decoding it.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Self::of_brands(bytes),
            _ => None,
        }
    }

    /// Returns the type that the brands of an ISO file name (ISO/IEC 14496-12, 4.3): the major one decides if it is specific, and
    /// otherwise the first compatible one that is.
    fn of_brands(bytes: &[u8]) -> Option<Self> {
        let length = usize::try_from(u32::from_be_bytes(*bytes.first_chunk()?)).ok()?;
        // 16 brands are four times what is usual.
        let brands = bytes.get(8..length.min(bytes.len()).min(16 + 4 * 16))?;
        brands.chunks_exact(4).enumerate().filter(|(place, _)| *place != 1).find_map(|(_, brand)| match brand
        {
            b"avif" => Some(Self::Avif),
            b"heic" | b"heix" | b"heim" | b"heis" => Some(Self::Heic),
            _ => None,
        })
    }

    /// Returns the media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
            Self::Heic => "image/heic",
            Self::Avif => "image/avif",
        }
    }

    /// Returns the usual ending of a file name, without the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::WebP => "webp",
            Self::Gif => "gif",
            Self::Heic => "heic",
            Self::Avif => "avif",
        }
    }
}

impl fmt::Display for PictureType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Heic => "HEIC",
            Self::Avif => "AVIF",
        })
    }
}
