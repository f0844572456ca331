//! The choices that a collection makes, each with its default.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The handling of metadata, such as EXIF.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The handling of metadata in published bytes.
    #[serde(default)]
    pub published: Published,
    /// The fields that are read from the original into the record.
    #[serde(default)]
    pub extract: BTreeSet<ExtractedField>,
}

/// The handling of metadata in the bytes that readers get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Published {
    /// Readers get renditions without metadata, and only the owner gets the original of a picture.
    #[default]
    Strip,
    /// Readers get the original as it came.
    Keep,
}

/// A field of EXIF that may be read into the record. It is shown to those who may see the details of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExtractedField {
    /// Maker and model of the camera.
    Camera,
    /// Time at which the picture was taken.
    Time,
    /// Exposure time, aperture, sensitivity and focal length.
    Exposure,
    /// Latitude and longitude.
    Location,
}

/// The provenance of renditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provenance {
    /// None: nothing leads from a rendition to its original.
    None,
    /// A record for each rendition leads from its hash to the proof of the original.
    #[default]
    Bind,
    /// A signed C2PA manifest for each rendition names the original as its parent.
    Sign,
}

/// The handling of a signed original whose manifest carries a location, which a signed rendition would pass on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParentLocation {
    /// The assertions with the location are redacted in the rendition's manifest.
    #[default]
    Redact,
    /// The upload is rejected.
    Refuse,
    /// The renditions of this original are bound, and not signed.
    Bind,
}

/// The handling of animated pictures. None is ever reduced to its first frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Animation {
    /// The upload is rejected.
    #[default]
    Refuse,
    /// The renditions are animated too.
    Keep,
}

/// The caches that may keep public files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cache {
    /// All, for as long as the type of the file allows ([`CachePolicy`](crate::cache_policy::CachePolicy)).
    #[default]
    ByType,
    /// None.
    None,
}
