//! A picture of any type, read but not decoded.

#[cfg(feature = "avif")]
use crate::avif;
use crate::bitmap::Bitmap;
use crate::bounds::Bounds;
use crate::canvas::Visitor;
use crate::colour::Colour;
use crate::deadline::Deadline;
use crate::exif::{self, Fields};
use crate::facts::Colours;
#[cfg(feature = "heic")]
use crate::heic;
use crate::{PictureType, Refusal, gif, jpeg, png, webp};

/// A picture whose structure was read and is within the bounds.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    bytes: &'a [u8],
    structure: Structure<'a>,
    /// The size as it is stored, before the orientation is applied.
    pub width: u32,
    pub height: u32,
    pub frames: u32,
    /// The number of times that the animation is played; 0 is for ever.
    pub plays: u32,
    pub bit_depth: u8,
    pub colours: Colours,
    pub has_alpha: bool,
    pub colour: Colour,
    pub fields: Fields,
}

/// The structure of a picture, by type.
#[derive(Debug)]
enum Structure<'a> {
    Jpeg(jpeg::Structure<'a>),
    Png(png::Structure<'a>),
    WebP(webp::Structure<'a>),
    Gif(gif::Structure),
    #[cfg(feature = "heic")]
    Heic(heic::Structure),
    #[cfg(feature = "avif")]
    Avif(avif::Structure<'a>),
}

impl<'a> Source<'a> {
    /// Reads a picture, and refuses it if it is cut off, of a kind that is not decoded, or beyond the bounds. Nothing is
    /// allocated for its pixels.
    pub(crate) fn read(bytes: &'a [u8], bounds: &Bounds) -> Result<Self, Refusal> {
        bounds.check_bytes(bytes)?;
        match PictureType::of(bytes).ok_or(Refusal::NotAPicture)? {
            PictureType::Jpeg => Self::jpeg(bytes, bounds),
            PictureType::Png => Self::png(bytes, bounds),
            PictureType::WebP => Self::webp(bytes, bounds),
            PictureType::Gif => Self::gif(bytes, bounds),
            #[cfg(feature = "heic")]
            PictureType::Heic => Self::heic(bytes, bounds),
            #[cfg(feature = "avif")]
            PictureType::Avif => Self::avif(bytes, bounds),
            #[cfg(not(all(feature = "heic", feature = "avif")))]
            format => Err(Refusal::NotDecodedHere { format }),
        }
    }

    fn jpeg(bytes: &'a [u8], bounds: &Bounds) -> Result<Self, Refusal> {
        let read = jpeg::Structure::of(bytes, bounds)?;
        Ok(Self {
            bytes,
            width: read.width,
            height: read.height,
            frames: 1,
            plays: 1,
            bit_depth: 8,
            colours: match read.components {
                1 => Colours::Grey,
                3 => Colours::Rgb,
                _ => Colours::Cmyk,
            },
            has_alpha: false,
            colour: read.profile.as_deref().map(Colour::of_profile).unwrap_or_default(),
            fields: read.exif.map(exif::read).unwrap_or_default(),
            structure: Structure::Jpeg(read),
        })
    }

    fn png(bytes: &'a [u8], bounds: &Bounds) -> Result<Self, Refusal> {
        let read = png::Structure::of(bytes, bounds)?;
        // Code points precede a profile (PNG specification, 4.3).
        let colour = match (read.code_points, read.profile.as_deref()) {
            (Some((primaries, transfer)), _) => {
                Colour::of_code_points(PictureType::Png, primaries, transfer)?
            }
            (None, Some(profile)) => Colour::of_profile(profile),
            (None, None) => Colour::default(),
        };
        Ok(Self {
            bytes,
            width: read.width,
            height: read.height,
            frames: read.frames,
            plays: read.plays,
            bit_depth: read.bit_depth,
            colours: if read.grey { Colours::Grey } else { Colours::Rgb },
            has_alpha: read.has_alpha,
            colour,
            fields: read.exif.map(exif::read).unwrap_or_default(),
            structure: Structure::Png(read),
        })
    }

    fn webp(bytes: &'a [u8], bounds: &Bounds) -> Result<Self, Refusal> {
        let read = webp::Structure::of(bytes, bounds)?;
        Ok(Self {
            bytes,
            width: read.width,
            height: read.height,
            frames: read.frames,
            plays: read.plays,
            bit_depth: 8,
            colours: Colours::Rgb,
            has_alpha: read.has_alpha,
            colour: read.profile.as_deref().map(Colour::of_profile).unwrap_or_default(),
            fields: read.exif.map(exif::read).unwrap_or_default(),
            structure: Structure::WebP(read),
        })
    }

    fn gif(bytes: &'a [u8], bounds: &Bounds) -> Result<Self, Refusal> {
        let read = gif::Structure::of(bytes, bounds)?;
        Ok(Self {
            bytes,
            width: read.width,
            height: read.height,
            frames: read.frames,
            plays: read.plays,
            bit_depth: 8,
            colours: Colours::Rgb,
            has_alpha: read.has_alpha,
            colour: Colour::default(),
            fields: Fields::default(),
            structure: Structure::Gif(read),
        })
    }

    #[cfg(feature = "heic")]
    fn heic(bytes: &'a [u8], bounds: &Bounds) -> Result<Self, Refusal> {
        let read = heic::Structure::of(bytes, bounds)?;
        Ok(Self {
            bytes,
            width: read.width,
            height: read.height,
            frames: 1,
            plays: 1,
            bit_depth: read.bit_depth,
            colours: read.colours,
            has_alpha: read.has_alpha,
            colour: read.colour()?,
            fields: read.fields(),
            structure: Structure::Heic(read),
        })
    }

    #[cfg(feature = "avif")]
    fn avif(bytes: &'a [u8], bounds: &Bounds) -> Result<Self, Refusal> {
        let read = avif::Structure::of(bytes, bounds)?;
        Ok(Self {
            bytes,
            width: read.width,
            height: read.height,
            frames: 1,
            plays: 1,
            bit_depth: read.bit_depth,
            colours: read.colours,
            has_alpha: read.has_alpha(),
            colour: read.colour()?,
            fields: read.fields(),
            structure: Structure::Avif(read),
        })
    }

    /// Returns the type of the picture.
    pub(crate) const fn format(&self) -> PictureType {
        match &self.structure {
            Structure::Jpeg(_) => PictureType::Jpeg,
            Structure::Png(_) => PictureType::Png,
            Structure::WebP(_) => PictureType::WebP,
            Structure::Gif(_) => PictureType::Gif,
            #[cfg(feature = "heic")]
            Structure::Heic(_) => PictureType::Heic,
            #[cfg(feature = "avif")]
            Structure::Avif(_) => PictureType::Avif,
        }
    }

    /// Returns the length of the file.
    pub(crate) const fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Decodes a still picture at a scale of at least `scale`, as it is stored.
    pub(crate) fn decode(&self, scale: f64, bounds: &Bounds, deadline: Deadline) -> Result<Bitmap, Refusal> {
        match &self.structure {
            Structure::Jpeg(structure) => jpeg::decode(structure, scale, deadline),
            Structure::Png(structure) if !structure.animated => png::decode(self.bytes, structure, deadline),
            Structure::WebP(structure) if !structure.animated => webp::decode(self.bytes, structure),
            #[cfg(feature = "heic")]
            Structure::Heic(structure) => structure.decode(self.bytes),
            #[cfg(feature = "avif")]
            Structure::Avif(structure) => structure.decode(bounds, deadline),
            // An animation of one frame is a still picture.
            Structure::Png(_) | Structure::WebP(_) | Structure::Gif(_) => {
                let mut only = None;
                self.each_frame(bounds, deadline, &mut |frame, _| {
                    only = Some(frame.clone());
                    Ok(())
                })?;
                only.ok_or_else(|| Refusal::damaged(self.format(), "it has no picture"))
            }
        }
    }

    /// Shows each frame of an animation to the visitor.
    pub(crate) fn each_frame(
        &self,
        bounds: &Bounds,
        deadline: Deadline,
        visit: Visitor<'_>,
    ) -> Result<(), Refusal> {
        match &self.structure {
            Structure::Png(structure) => png::each_frame(self.bytes, structure, deadline, visit),
            Structure::WebP(structure) => webp::each_frame(self.bytes, structure, deadline, visit),
            Structure::Gif(structure) => gif::each_frame(self.bytes, structure, bounds, deadline, visit),
            _ => Err(Refusal::unsupported(self.format(), "it has frames")),
        }
    }
}
