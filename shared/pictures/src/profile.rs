//! The profiles of renditions: which sizes and types a picture is published in.

use std::fmt;

use crate::webp;

/// A rendition that is wanted of every picture of a collection.
///
/// Renditions of a profile are stored under its name and version, and never change: who changes a profile raises its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenditionProfile {
    name: String,
    version: u32,
    shape: Shape,
    encodings: Vec<Encoding>,
}

/// The shape of a rendition. No rendition has more pixels than the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The whole picture, with a longest side of so many pixels.
    LongestSide(u32),
    /// A square with sides of so many pixels, around the focal point.
    Square(u32),
}

impl Shape {
    /// Returns the side that the shape fixes.
    #[must_use]
    pub const fn side(self) -> u32 {
        match self {
            Self::LongestSide(side) | Self::Square(side) => side,
        }
    }
}

/// The encoding of a rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JPEG.
    Jpeg {
        /// 1 to 100.
        quality: u8,
        /// Makes it appear coarse at first and then finer. It is a few per cent shorter, and takes longer to encode and decode.
        progressive: bool,
    },
    /// Lossy WebP; animations remain animations.
    WebP {
        /// 1 to 100.
        quality: u8,
        /// From 0, the fastest, to 6, the smallest.
        effort: u8,
    },
}

impl Encoding {
    /// JPEG of the usual quality, 80, that is not progressive.
    pub const JPEG: Self = Self::Jpeg { quality: 80, progressive: false };
    /// WebP of the usual quality, 80, and effort, 4.
    pub const WEBP: Self = Self::WebP { quality: 80, effort: 4 };

    /// Returns the type of the rendition.
    #[must_use]
    pub const fn format(self) -> crate::PictureType {
        match self {
            Self::Jpeg { .. } => crate::PictureType::Jpeg,
            Self::WebP { .. } => crate::PictureType::WebP,
        }
    }
}

/// The error in a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rendition profile `{name}`: {error}")]
pub struct InvalidProfile {
    name: String,
    error: String,
}

impl RenditionProfile {
    /// The longest name of a profile, in characters.
    const NAME: usize = 32;

    /// Returns a profile.
    ///
    /// # Errors
    ///
    /// If the name is not made of `a` to `z`, `0` to `9` and `-`, a side is not within 1 and 16,383 pixels, a quality is not
    /// within 1 and 100, an effort is above 6, or there is no encoding, or two of one type.
    pub fn new(
        name: &str,
        version: u32,
        shape: Shape,
        encodings: impl Into<Vec<Encoding>>,
    ) -> Result<Self, InvalidProfile> {
        let encodings = encodings.into();
        let invalid =
            |error: fmt::Arguments<'_>| InvalidProfile { name: name.to_owned(), error: error.to_string() };
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > Self::NAME || !name.bytes().all(allowed) {
            return Err(invalid(format_args!("a name has 1 to {} characters of a-z, 0-9 and -", Self::NAME)));
        }
        if !(1..=webp::LONGEST_SIDE).contains(&shape.side()) {
            let longest = webp::LONGEST_SIDE;
            return Err(invalid(format_args!(
                "a side of {} pixels; 1 to {longest} are allowed",
                shape.side()
            )));
        }
        for (place, encoding) in encodings.iter().enumerate() {
            let (Encoding::Jpeg { quality, .. } | Encoding::WebP { quality, .. }) = *encoding;
            if !(1..=100).contains(&quality) {
                return Err(invalid(format_args!("quality {quality}; 1 to 100 are allowed")));
            }
            if let Encoding::WebP { effort: effort @ 7.., .. } = *encoding {
                return Err(invalid(format_args!("effort {effort}; 0 to 6 are allowed")));
            }
            if encodings[..place].iter().any(|other| other.format() == encoding.format()) {
                return Err(invalid(format_args!("{} is there twice", encoding.format())));
            }
        }
        if encodings.is_empty() {
            return Err(invalid(format_args!("it has no encoding; JPEG and WebP are possible")));
        }
        Ok(Self { name: name.to_owned(), version, shape, encodings })
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the version.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Returns the shape.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Returns the encodings, each of another type.
    #[must_use]
    pub fn encodings(&self) -> &[Encoding] {
        &self.encodings
    }
}

/// The point of a picture that a square keeps, in parts of its width and height as it is seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FocalPoint {
    x: f64,
    y: f64,
}

impl FocalPoint {
    /// The middle of the picture.
    pub const CENTRE: Self = Self { x: 0.5, y: 0.5 };

    /// Returns a point, or `None` if it is not within the picture: 0 is left or top, 1 is right or bottom.
    #[must_use]
    pub fn new(x: f64, y: f64) -> Option<Self> {
        let inside = |part: f64| (0.0..=1.0).contains(&part);
        (inside(x) && inside(y)).then_some(Self { x, y })
    }

    /// Returns left and top of the largest square of a picture that has this point as near to its middle as possible.
    pub(crate) fn square(self, width: u32, height: u32) -> (f64, f64) {
        let side = f64::from(width.min(height));
        let start = |point: f64, length: u32| {
            let length = f64::from(length);
            (point * length - side / 2.0).clamp(0.0, length - side)
        };
        (start(self.x, width), start(self.y, height))
    }
}

impl Default for FocalPoint {
    fn default() -> Self {
        Self::CENTRE
    }
}
