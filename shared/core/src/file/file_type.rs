//! The types of files that CredLink accepts, by their content.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::excerpt::excerpt;
use crate::hash::serde_as_text;

/// Declares the types: name, media type and class in one place.
macro_rules! types {
    ($($(#[$doc:meta])* $name:ident, $media:literal, $class:ident;)+) => {
        /// The type of a file, written as its media type.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum FileType {
            $($(#[$doc])* #[cfg_attr(feature = "openapi", schema(rename = $media))] $name,)+
        }

        impl FileType {
            /// All types.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Returns the media type.
            #[must_use]
            pub const fn media_type(self) -> &'static str {
                match self { $(Self::$name => $media,)+ }
            }

            /// Returns the class.
            #[must_use]
            pub const fn class(self) -> FileClass {
                match self { $(Self::$name => FileClass::$class,)+ }
            }
        }
    };
}

types! {
    /// JPEG (ISO/IEC 10918-1).
    Jpeg, "image/jpeg", Picture;
    /// PNG (ISO/IEC 15948).
    Png, "image/png", Picture;
    /// WebP (RFC 9649).
    Webp, "image/webp", Picture;
    /// GIF 87a and 89a.
    Gif, "image/gif", Picture;
    /// HEIC: HEVC in HEIF (ISO/IEC 23008-12).
    Heic, "image/heic", Picture;
    /// AVIF: AV1 in HEIF.
    Avif, "image/avif", Picture;
    /// PDF (ISO 32000).
    Pdf, "application/pdf", Document;
    /// MP4 (ISO/IEC 14496-14), with video.
    Mp4, "video/mp4", Video;
    /// `QuickTime`.
    QuickTime, "video/quicktime", Video;
}

/// The class of a file, which decides how long it may be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileClass {
    /// A picture, which may have renditions.
    Picture,
    /// A video.
    Video,
    /// A document, which is served as it came.
    Document,
}

/// The error for text that is not the media type of a file that CredLink accepts. It holds the beginning of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{all}, not `{0}`", all = FileType::list())]
pub struct FileTypeError(String);

impl FileType {
    /// Returns all media types, for people.
    fn list() -> String {
        Self::join(Self::ALL)
    }

    /// Returns these media types as a list for people: "`a`, `b` or `c`".
    #[must_use]
    pub fn join<'a>(types: impl IntoIterator<Item = &'a Self>) -> String {
        let quoted: Vec<String> = types.into_iter().map(|kind| format!("`{kind}`")).collect();
        match quoted.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => "nothing".to_owned(),
        }
    }

    /// Returns the type of the file that begins with `start`, or `None` if it is not one of them. The first 64 bytes
    /// suffice.
    ///
    /// This is a filter: that the whole file has this type, only its decoder can say.
    #[must_use]
    pub fn sniff(start: &[u8]) -> Option<Self> {
        match start {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'%', b'P', b'D', b'F', b'-', ..] => Some(Self::Pdf),
            [a, b, c, d, b'f', b't', b'y', b'p', brands @ ..] => {
                let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                Self::of_brands(brands.get(..length.saturating_sub(8)).unwrap_or(brands))
            }
            _ => None,
        }
    }

    /// Returns the type that the content of a box `ftyp` names: the major brand, its version, and the compatible brands
    /// (ISO/IEC 14496-12, section 4.3). A picture's major brand may be the general `mif1`, so all brands count.
    fn of_brands(content: &[u8]) -> Option<Self> {
        let major = content.get(..4)?;
        let others = content.get(8..).unwrap_or_default().chunks_exact(4);
        let brands = || std::iter::once(major).chain(others.clone());
        let has = |known: &[&[u8; 4]]| brands().any(|brand| known.iter().any(|known| *known == brand));
        if major == b"qt  " {
            Some(Self::QuickTime)
        } else if has(&[b"avif", b"avis"]) {
            Some(Self::Avif)
        } else if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"]) {
            Some(Self::Heic)
        } else if has(&[
            b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"dash",
        ]) {
            Some(Self::Mp4)
        } else {
            None
        }
    }
}

impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.media_type())
    }
}

impl FromStr for FileType {
    type Err = FileTypeError;

    /// Reads a media type as clients declare it: in any case, and with parameters.
    fn from_str(text: &str) -> Result<Self, FileTypeError> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        let known = Self::ALL.iter().find(|kind| kind.media_type().eq_ignore_ascii_case(essence));
        // Some browsers and cameras write the last, which was never registered.
        let known =
            known.copied().or_else(|| essence.eq_ignore_ascii_case("image/jpg").then_some(Self::Jpeg));
        known.ok_or_else(|| FileTypeError(excerpt(text).into_owned()))
    }
}

serde_as_text!(FileType);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_read_as_clients_write_them() {
        for kind in FileType::ALL {
            assert_eq!(kind.to_string().parse(), Ok(*kind));
            assert_eq!(kind.to_string().to_uppercase().parse(), Ok(*kind));
        }
        assert_eq!("image/jpg; charset=binary".parse(), Ok(FileType::Jpeg));
        let error = "image/svg+xml".parse::<FileType>().unwrap_err().to_string();
        assert!(error.starts_with("`image/jpeg`, `image/png`, "), "{error}");
        assert!(error.ends_with("`video/mp4` or `video/quicktime`, not `image/svg+xml`"), "{error}");
        assert!("".parse::<FileType>().is_err());
    }

    #[test]
    fn the_content_says_what_a_file_is() {
        let boxed = |brands: &[u8]| {
            let length = u32::try_from(brands.len() + 8).unwrap().to_be_bytes();
            [&length[..], b"ftyp", brands, b"heic"].concat()
        };
        for (start, kind) in [
            (b"\xff\xd8\xff\xe0\0\x10JFIF".to_vec(), Some(FileType::Jpeg)),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), Some(FileType::Png)),
            (b"RIFF\x24\0\0\0WEBPVP8 ".to_vec(), Some(FileType::Webp)),
            (b"RIFF\x24\0\0\0WAVEfmt ".to_vec(), None),
            (b"GIF89a<script>".to_vec(), Some(FileType::Gif)),
            (b"GIF88a".to_vec(), None),
            (b"%PDF-1.7".to_vec(), Some(FileType::Pdf)),
            (boxed(b"heic\0\0\0\0mif1heic"), Some(FileType::Heic)),
            (boxed(b"mif1\0\0\0\0mif1heic"), Some(FileType::Heic)),
            (boxed(b"mif1\0\0\0\0mif1avif"), Some(FileType::Avif)),
            (boxed(b"avis\0\0\0\0msf1"), Some(FileType::Avif)),
            (boxed(b"mif1\0\0\0\0mif1"), None),
            (boxed(b"isom\0\0\x02\0isomiso2avc1mp41"), Some(FileType::Mp4)),
            (boxed(b"qt  \0\0\0\0qt  "), Some(FileType::QuickTime)),
            (boxed(b"M4A \0\0\0\0"), None),
            (boxed(b"is"), None),
            (b"<svg xmlns=".to_vec(), None),
            (b"<!DOCTYPE html>".to_vec(), None),
            (b"\x7fELF".to_vec(), None),
            (b"\xff\xd8".to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(FileType::sniff(&start), kind, "{}", start.escape_ascii());
        }
        // A length that lies reads no further than the file.
        assert_eq!(FileType::sniff(b"\xff\xff\xff\xffftypavif"), Some(FileType::Avif));
    }
}
