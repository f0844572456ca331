//! The names of renditions: a profile, its version and a format.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{FileType, FocalPoint, ProfileName};
use crate::excerpt::excerpt;
use crate::hash::serde_as_text;

/// The format of a rendition, written as its extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Format {
    /// JPEG, which every reader shows.
    #[cfg_attr(feature = "openapi", schema(rename = "jpg"))]
    Jpeg,
    /// PNG.
    #[cfg_attr(feature = "openapi", schema(rename = "png"))]
    Png,
    /// WebP.
    #[cfg_attr(feature = "openapi", schema(rename = "webp"))]
    Webp,
    /// AVIF.
    #[cfg_attr(feature = "openapi", schema(rename = "avif"))]
    Avif,
}

/// The error for text that is not the format of a rendition. It holds the beginning of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`jpg`, `png`, `webp` or `avif`, not `{0}`")]
pub struct FormatError(String);

impl Format {
    /// All formats, from the one that most readers show to the one that fewest do.
    pub const ALL: [Self; 4] = [Self::Jpeg, Self::Png, Self::Webp, Self::Avif];

    /// Returns the extension.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Avif => "avif",
        }
    }

    /// Returns the type of a file in this format.
    #[must_use]
    pub const fn file_type(self) -> FileType {
        match self {
            Self::Jpeg => FileType::Jpeg,
            Self::Png => FileType::Png,
            Self::Webp => FileType::Webp,
            Self::Avif => FileType::Avif,
        }
    }

    /// Returns `true` if every reader of pictures is taken to show this format, whatever its `Accept` says.
    #[must_use]
    pub const fn is_universal(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let known = Self::ALL.into_iter().find(|format| format.extension() == text);
        known.ok_or_else(|| FormatError(excerpt(text).into_owned()))
    }
}

/// The name of a rendition within its blob, written `{profile}-{version}.{extension}`, or
/// `{profile}-{version}~{x}x{y}.{extension}` for a part around a focal point.
///
/// A changed profile gets a new version and its renditions new names, and two files with the same content may have
/// different focal points. The bytes follow from blob and name, so a rendition is immutable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RenditionName {
    /// The profile.
    pub profile: ProfileName,
    /// The version of the profile.
    pub version: NonZeroU32,
    /// The point around which the part was cut, if it is not the centre.
    pub focal: Option<FocalPoint>,
    /// The format.
    pub format: Format,
}

/// The error for text that is not the name of a rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rendition is written `PROFILE-VERSION.EXTENSION`, such as `large-1.webp`")]
pub struct RenditionNameError;

impl fmt::Display for RenditionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.profile, self.version)?;
        if let Some(focal) = self.focal {
            write!(f, "~{focal}")?;
        }
        write!(f, ".{}", self.format)
    }
}

impl FromStr for RenditionName {
    type Err = RenditionNameError;

    fn from_str(text: &str) -> Result<Self, RenditionNameError> {
        let read = || {
            let (rest, extension) = text.rsplit_once('.')?;
            // The name of a profile may contain dashes, and a version does not.
            let (profile, rest) = rest.rsplit_once('-')?;
            let (version, focal) = match rest.split_once('~') {
                None => (rest, None),
                Some((version, focal)) => (version, Some(focal.parse().ok()?)),
            };
            // The centre has no second spelling.
            if focal == Some(FocalPoint::CENTRE) {
                return None;
            }
            Some(Self {
                focal,
                profile: profile.parse().ok()?,
                version: version.parse().ok()?,
                format: extension.parse().ok()?,
            })
        };
        read().filter(|name| name.to_string() == text).ok_or(RenditionNameError)
    }
}

serde_as_text!(Format, RenditionName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rendition_has_one_name() {
        for text in [
            "large-1.webp",
            "thumbnail-12.jpg",
            "a-b-c-3.avif",
            "x-4294967295.png",
            "square-1~2500x10000.jpg",
        ] {
            assert_eq!(text.parse::<RenditionName>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "large",
            "large.webp",
            "large-0.webp",
            "large-01.webp",
            "large-+1.webp",
            "large-1.jpeg",
            "large-1.WEBP",
            "large-1",
            "-1.webp",
            "original-1.jpg",
            "large-4294967296.webp",
            "large-1.webp/x",
            "square-1~5000x5000.jpg",
            "square-1~.jpg",
            "square-1~1x1~2x2.jpg",
            "square-1~01x1.jpg",
        ] {
            assert_eq!(bad.parse::<RenditionName>(), Err(RenditionNameError), "{bad}");
        }
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
            assert!(format.file_type().media_type().starts_with("image/"));
        }
        let error = "gif".parse::<Format>().unwrap_err().to_string();
        assert_eq!(error, "`jpg`, `png`, `webp` or `avif`, not `gif`");
    }
}
