//! Everything that is known of a picture once it is decoded.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Camera, Orientation, PictureType, Position};

/// Everything that is known of a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The type, by content.
    pub format: PictureType,
    /// The length of the file, in bytes.
    pub bytes: usize,
    /// The width as it is seen, after its orientation is applied.
    pub width: u32,
    /// The height as it is seen, after its orientation is applied.
    pub height: u32,
    /// The orientation that the file states. Renditions are upright.
    pub orientation: Orientation,
    /// The number of frames: 1 for a still picture.
    pub frames: u32,
    /// The bits of each sample.
    pub bit_depth: u8,
    /// The samples of a pixel, without opacity.
    pub colours: Colours,
    /// `true` if pixels can be transparent.
    pub has_alpha: bool,
    /// The embedded colour profile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub profile: Option<Profile>,
    /// The camera, and the time of the picture.
    #[serde(default)]
    pub camera: Camera,
    /// The place of the picture, which only its owner may see.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub position: Option<Position>,
    /// A placeholder to show while the picture loads.
    pub placeholder: ThumbHash,
}

/// The samples of a pixel, without opacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colours {
    /// Brightness alone.
    Grey,
    /// Red, green and blue, also where they are stored as brightness and colour differences.
    Rgb,
    /// Cyan, magenta, yellow and black inks.
    Cmyk,
}

/// An embedded colour profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its length, in bytes.
    pub bytes: usize,
    /// Its name for people, such as `Display P3`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    /// `true` if it could be read. One that cannot be read is ignored, as browsers do.
    pub applied: bool,
}

/// A [ThumbHash](https://evanw.github.io/thumbhash/): about 25 bytes that a browser draws as a blurred picture of the right
/// shape.
#[derive(Clone, PartialEq, Eq)]
pub struct ThumbHash(Vec<u8>);

impl ThumbHash {
    pub(crate) const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for ThumbHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl fmt::Debug for ThumbHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ThumbHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ThumbHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}
