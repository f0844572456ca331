//! Rendition profiles, and the size of a rendition.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::file::{FocalPoint, Format, ProfileName, RenditionName};

/// A profile: how a rendition is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The name, which is unique within the collection.
    pub name: ProfileName,
    /// The version. An operator who changes the profile increases it, and its renditions get new names. Two collections
    /// that have a profile with the same name and version must agree on it, because they may share blobs.
    pub version: NonZeroU32,
    /// The fit of the picture into width and height.
    pub fit: Fit,
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The formats in which the rendition is made.
    pub formats: Vec<Encoding>,
}

/// A format of a profile, with the options of its encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoding {
    /// The format.
    pub format: Format,
    /// The quality from 1 to 100. PNG has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<u8>,
    /// `true` if a JPEG is written so that it appears as a whole and becomes sharper. It is slower to make.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub progressive: bool,
}

/// The fit of a picture into the width and height of a profile. No picture is ever enlarged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// The whole picture, scaled down until it fits.
    Inside,
    /// A part with the proportions of the profile, around the focal point, scaled down.
    Cover,
}

/// The geometry of a rendition: which part of the upright original it shows, and in which size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The offset of the part from the left edge, in pixels of the original.
    pub left: u32,
    /// The offset of the part from the upper edge, in pixels of the original.
    pub top: u32,
    /// The width of the part, in pixels of the original.
    pub part_width: u32,
    /// The height of the part, in pixels of the original.
    pub part_height: u32,
    /// The width of the rendition, in pixels.
    pub width: u32,
    /// The height of the rendition, in pixels.
    pub height: u32,
}

impl Profile {
    /// Returns the name of this profile's rendition in `format`, of a picture with this focal point.
    #[must_use]
    pub fn rendition(&self, format: Format, focal: FocalPoint) -> RenditionName {
        let is_cut = self.fit == Fit::Cover && focal != FocalPoint::CENTRE;
        RenditionName {
            profile: self.name.clone(),
            version: self.version,
            focal: is_cut.then_some(focal),
            format,
        }
    }

    /// Returns the point around which this profile cuts its part of an upright picture: the focal point, as exactly as the
    /// renditions of one picture differ. There are at most 51.
    #[must_use]
    pub fn cut_around(&self, width: u32, height: u32, focal: FocalPoint) -> FocalPoint {
        match self.fit {
            Fit::Inside => FocalPoint::CENTRE,
            Fit::Cover => focal.of_part((width, height), self.part(width, height)),
        }
    }

    /// Returns the size of the part that is cut.
    fn part(&self, width: u32, height: u32) -> (u32, u32) {
        if self.is_wider(width, height) {
            (scaled(height, self.width, self.height).min(width), height)
        } else {
            (width, scaled(width, self.height, self.width).min(height))
        }
    }

    /// Returns the geometry of the rendition of an upright picture.
    #[must_use]
    pub fn geometry(&self, width: u32, height: u32, focal: FocalPoint) -> Geometry {
        match self.fit {
            Fit::Inside => {
                let (inside_width, inside_height) = self.inside(width, height);
                Geometry {
                    left: 0,
                    top: 0,
                    part_width: width,
                    part_height: height,
                    width: inside_width,
                    height: inside_height,
                }
            }
            Fit::Cover => {
                let (part_width, part_height) = self.part(width, height);
                let is_small = part_width <= self.width && part_height <= self.height;
                Geometry {
                    left: focal.left(width, part_width),
                    top: focal.top(height, part_height),
                    part_width,
                    part_height,
                    width: if is_small { part_width } else { self.width },
                    height: if is_small { part_height } else { self.height },
                }
            }
        }
    }

    /// Returns `true` if a picture is wider than the profile, in proportion to its height.
    fn is_wider(&self, width: u32, height: u32) -> bool {
        u64::from(width) * u64::from(self.height) > u64::from(height) * u64::from(self.width)
    }

    fn inside(&self, width: u32, height: u32) -> (u32, u32) {
        if width <= self.width && height <= self.height {
            (width, height)
        } else if self.is_wider(width, height) {
            (self.width, scaled(height, self.width, width))
        } else {
            (scaled(width, self.height, height), self.height)
        }
    }
}

/// Returns `length` times `by` through `over`, rounded, and at least 1.
fn scaled(length: u32, by: u32, over: u32) -> u32 {
    let over = u64::from(over.max(1));
    let product = u64::from(length) * u64::from(by);
    u32::try_from((product + over / 2) / over).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(fit: Fit, width: u32, height: u32) -> Profile {
        Profile {
            name: "x".parse().unwrap(),
            version: NonZeroU32::MIN,
            fit,
            width,
            height,
            formats: Vec::new(),
        }
    }

    #[test]
    fn what_fits_inside_keeps_its_proportions_and_is_never_enlarged() {
        for ((width, height), expected) in [
            ((4_032, 3_024), (800, 600)),
            ((3_024, 4_032), (600, 800)),
            ((800, 800), (800, 800)),
            ((799, 10), (799, 10)),
            ((801, 10), (800, 10)),
            ((100_000, 1), (800, 1)),
            ((1, 100_000), (1, 800)),
            ((1_001, 1_000), (800, 799)),
            ((u32::MAX, u32::MAX), (800, 800)),
        ] {
            let made = profile(Fit::Inside, 800, 800).geometry(width, height, FocalPoint::CENTRE);
            assert_eq!((made.width, made.height), expected, "{width} x {height}");
            assert_eq!((made.left, made.top, made.part_width, made.part_height), (0, 0, width, height));
        }
    }

    #[test]
    fn a_cover_is_cut_around_the_focal_point() {
        let right = FocalPoint::new(1.0, 0.5).unwrap();
        for (size, (width, height), focal, part, made) in [
            ((300, 300), (4_000, 3_000), FocalPoint::CENTRE, (500, 0, 3_000, 3_000), (300, 300)),
            ((300, 300), (4_000, 3_000), right, (1_000, 0, 3_000, 3_000), (300, 300)),
            ((300, 300), (3_000, 4_000), right, (0, 500, 3_000, 3_000), (300, 300)),
            ((300, 300), (200, 100), FocalPoint::CENTRE, (50, 0, 100, 100), (100, 100)),
            ((400, 200), (1_000, 1_000), FocalPoint::CENTRE, (0, 250, 1_000, 500), (400, 200)),
            ((400, 200), (300, 300), FocalPoint::CENTRE, (0, 75, 300, 150), (300, 150)),
            ((300, 300), (1, 1), FocalPoint::CENTRE, (0, 0, 1, 1), (1, 1)),
        ] {
            let geometry = profile(Fit::Cover, size.0, size.1).geometry(width, height, focal);
            let Geometry { left, top, part_width, part_height, .. } = geometry;
            assert_eq!((left, top, part_width, part_height), part, "{width} x {height}");
            assert_eq!((geometry.width, geometry.height), made, "{width} x {height}");
        }
    }
}
