//! The addresses under which the bytes of files are read.

use std::fmt;
use std::str::FromStr;

use super::name::ORIGINAL;
use super::{FileId, Format, ProfileName};

/// The name under which a part of a file is read: `original`, or a profile, with or without an extension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaName {
    /// `original`: the bytes that were uploaded.
    Original,
    /// `{profile}`, in a format that the client accepts; or `{profile}.{extension}`.
    Rendition(ProfileName, Option<Format>),
}

/// The address of a part of a file, written `/media/{file}/{name}`. Signed links are bound to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaPath {
    /// The file.
    pub file: FileId,
    /// The part.
    pub name: MediaName,
}

/// The error for text that is not the name of a part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{ORIGINAL}`, or the name of a profile, with an extension or without: such as `large`, `large.jpg` or \
     `large.webp`"
)]
pub struct MediaNameError;

impl fmt::Display for MediaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Original => f.write_str(ORIGINAL),
            Self::Rendition(profile, None) => write!(f, "{profile}"),
            Self::Rendition(profile, Some(format)) => write!(f, "{profile}.{format}"),
        }
    }
}

impl FromStr for MediaName {
    type Err = MediaNameError;

    fn from_str(text: &str) -> Result<Self, MediaNameError> {
        if text == ORIGINAL {
            return Ok(Self::Original);
        }
        let (profile, format) = match text.split_once('.') {
            None => (text, None),
            Some((profile, extension)) => (profile, Some(extension.parse().map_err(|_| MediaNameError)?)),
        };
        Ok(Self::Rendition(profile.parse().map_err(|_| MediaNameError)?, format))
    }
}

impl fmt::Display for MediaPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/media/{}/{}", self.file, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_file_have_addresses() {
        let file = FileId::from_random([0; 20]);
        for text in ["original", "large", "large.webp", "a-b.jpg"] {
            let name: MediaName = text.parse().unwrap();
            let path = MediaPath { file, name }.to_string();
            assert_eq!(path, format!("/media/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/{text}"));
        }
        for bad in ["", "original.jpg", "large.", "large.gif", "large.webp.jpg", "Large", "../x", "large-1/x"]
        {
            assert_eq!(bad.parse::<MediaName>(), Err(MediaNameError), "{bad}");
        }
    }
}
