//! AVIF: its structure, and its decoder: `re_rav1d`, which is dav1d in Rust.

use std::borrow::Cow;

use re_rav1d::dav1d::pixel::{MatrixCoefficients, YUVRange};
use re_rav1d::dav1d::{Decoder, Picture, PixelLayout, PlanarImageComponent as Component, Settings};

use crate::bitmap::{Bitmap, Model};
use crate::bounds::Bounds;
use crate::colour::Colour;
use crate::deadline::Deadline;
use crate::exif::{self, Fields};
use crate::facts::Colours;
use crate::heif::Heif;
use crate::{Orientation, PictureType, Refusal};

const FORMAT: PictureType = PictureType::Avif;

/// Everything that is known of an AVIF before it is decoded.
#[derive(Debug)]
pub(crate) struct Structure<'a> {
    pub width: u32,
    pub height: u32,
    pub bit_depth: u8,
    pub colours: Colours,
    picture: Cow<'a, [u8]>,
    alpha: Option<Cow<'a, [u8]>>,
    /// `true` if colours are stored multiplied by their opacity.
    multiplied: bool,
    exif: Option<Cow<'a, [u8]>>,
    profile: Option<&'a [u8]>,
    /// Primaries, transfer function and matrix, and whether the range is full (ITU-T H.273).
    code_points: Option<(u8, u8, u8, bool)>,
    orientation: Orientation,
}

impl<'a> Structure<'a> {
    /// Reads the structure of an AVIF, and refuses it if it is cut off, of a kind that is not decoded, or beyond the bounds.
    pub(crate) fn of(bytes: &'a [u8], bounds: &Bounds) -> Result<Self, Refusal> {
        let heif = Heif::read(FORMAT, bytes)?;
        let primary = heif.primary;
        if &heif.kind(primary) != b"av01" {
            return Err(Refusal::unsupported(FORMAT, "it is put together from several pictures"));
        }
        let (width, height) = heif
            .property(primary, b"ispe")
            .and_then(size)
            .ok_or_else(|| Refusal::damaged(FORMAT, "its size is missing"))?;
        bounds.check_size(FORMAT, width, height)?;
        if heif.property(primary, b"clap").is_some() {
            return Err(Refusal::unsupported(FORMAT, "it shows only a part of its pixels"));
        }
        // The configuration (AV1-ISOBMFF, 2.3.3) has the depth in two bits, and whether there are only brightnesses in another.
        let configuration =
            heif.property(primary, b"av1C").and_then(|content| content.get(2)).copied().unwrap_or(0);
        let mut profile = None;
        let mut code_points = None;
        for (_, content) in heif.properties(primary).filter(|(kind, _)| kind == b"colr") {
            match content {
                [b'p', b'r', b'o', b'f', embedded @ ..] | [b'r', b'I', b'C', b'C', embedded @ ..] => {
                    profile = Some(embedded);
                }
                [b'n', b'c', b'l', b'x', _, primaries, _, transfer, _, matrix, range, ..] => {
                    code_points = Some((*primaries, *transfer, *matrix, range & 0x80 != 0));
                }
                _ => {}
            }
        }
        if profile.is_some_and(|profile| profile.len() > bounds.profile_bytes) {
            return Err(Refusal::ProfileTooLong { allowed: bounds.profile_bytes });
        }
        let alpha = heif.alpha(primary);
        Ok(Self {
            width,
            height,
            bit_depth: match (configuration >> 6 & 1, configuration >> 5 & 1) {
                (0, _) => 8,
                (_, 0) => 10,
                _ => 12,
            },
            colours: if configuration >> 4 & 1 == 1 { Colours::Grey } else { Colours::Rgb },
            picture: heif.data(primary)?,
            multiplied: alpha.is_some_and(|alpha| heif.is_multiplied(primary, alpha)),
            alpha: alpha.map(|alpha| heif.data(alpha)).transpose()?,
            exif: heif.exif(primary, bounds.exif_bytes),
            profile,
            code_points,
            orientation: orientation(&heif, primary),
        })
    }

    /// Returns `true` if pixels can be transparent.
    pub(crate) const fn has_alpha(&self) -> bool {
        self.alpha.is_some()
    }

    /// Returns the meaning of the decoded samples.
    pub(crate) fn colour(&self) -> Result<Colour, Refusal> {
        match (self.profile, self.code_points) {
            (Some(profile), _) => Ok(Colour::of_profile(profile)),
            (None, Some((primaries, transfer, ..))) => Colour::of_code_points(FORMAT, primaries, transfer),
            (None, None) => Ok(Colour::default()),
        }
    }

    /// Returns the EXIF fields, with the orientation of the container, which precedes EXIF's (MIAF, 7.3.6.6).
    pub(crate) fn fields(&self) -> Fields {
        let fields = self.exif.as_deref().map(exif::read).unwrap_or_default();
        Fields { orientation: self.orientation, ..fields }
    }

    /// Decodes the picture as it is stored.
    pub(crate) fn decode(&self, bounds: &Bounds, deadline: Deadline) -> Result<Bitmap, Refusal> {
        let bitmap = self.coloured(&self.frame(&self.picture, bounds)?)?;
        let Some(alpha) = &self.alpha else { return Ok(bitmap) };
        deadline.check()?;
        let alpha = plane(&self.frame(alpha, bounds)?, Component::Y);
        let mut bitmap = bitmap.with_opacity();
        for (pixel, opacity) in bitmap.samples.chunks_exact_mut(4).zip(&alpha.samples) {
            pixel[3] = *opacity;
        }
        if self.multiplied {
            Bitmap::divide_by_opacity(&mut bitmap.samples);
        }
        Ok(bitmap)
    }

    /// Decodes a still frame of the size that the container states.
    fn frame(&self, data: &[u8], bounds: &Bounds) -> Result<Picture, Refusal> {
        let failed = |error: re_rav1d::dav1d::Error| Refusal::damaged(FORMAT, error);
        let mut settings = Settings::new();
        settings.set_n_threads(1);
        settings.set_max_frame_delay(1);
        settings.set_all_layers(false);
        settings.set_frame_size_limit(u32::try_from(bounds.pixels).unwrap_or(u32::MAX));
        let mut decoder = Decoder::with_settings(&settings).map_err(failed)?;
        decoder.send_data(data.to_vec(), None, None, None).map_err(failed)?;
        let picture = decoder.get_picture().map_err(failed)?;
        if (picture.width(), picture.height()) != (self.width, self.height) {
            return Err(Refusal::damaged(FORMAT, "its headers state different sizes"));
        }
        Ok(picture)
    }

    /// Converts a frame to grey or RGB.
    fn coloured(&self, frame: &Picture) -> Result<Bitmap, Refusal> {
        let (matrix, full) = match self.code_points {
            Some((.., matrix, full)) => (matrix, full),
            None => {
                let matrix = match frame.matrix_coefficients() {
                    MatrixCoefficients::Identity => 0,
                    MatrixCoefficients::BT709 => 1,
                    MatrixCoefficients::BT2020NonConstantLuminance => 9,
                    _ => 6,
                };
                (matrix, frame.color_range() == YUVRange::Full)
            }
        };
        let mut luma = plane(frame, Component::Y);
        let range = Range::new(full);
        if frame.pixel_layout() == PixelLayout::I400 {
            luma.samples.iter_mut().for_each(|sample| *sample = byte(range.luma(*sample)));
            return Ok(luma);
        }
        let (first, second) = (plane(frame, Component::U), plane(frame, Component::V));
        let mut bitmap = Bitmap::blank(self.width, self.height, Model::Rgb);
        let pixels = bitmap.samples.chunks_exact_mut(3);
        let samples = luma.samples.iter().zip(first.samples.iter().zip(&second.samples));
        if matrix == 0 {
            for (pixel, (green, (blue, red))) in pixels.zip(samples) {
                pixel.copy_from_slice(&[*red, *green, *blue].map(|sample| byte(range.luma(sample))));
            }
            return Ok(bitmap);
        }
        // The weights of red and blue in brightness (H.273, table 4); unspecified is BT.601.
        let (red, blue) = match matrix {
            1 => (0.2126, 0.0722),
            2 | 5 | 6 => (0.299, 0.114),
            9 => (0.2627, 0.0593),
            _ => {
                return Err(Refusal::unsupported(
                    FORMAT,
                    format_args!("its colours have the matrix {matrix}"),
                ));
            }
        };
        let green = 1.0 - red - blue;
        for (pixel, (luma, (first, second))) in pixels.zip(samples) {
            let (luma, first, second) = (range.luma(*luma), range.chroma(*first), range.chroma(*second));
            let r = luma + 2.0 * (1.0 - red) * second;
            let b = luma + 2.0 * (1.0 - blue) * first;
            let g = (luma - red * r - blue * b) / green;
            pixel.copy_from_slice(&[byte(r), byte(g), byte(b)]);
        }
        Ok(bitmap)
    }
}

/// Reads the size of an `ispe` property.
fn size(content: &[u8]) -> Option<(u32, u32)> {
    let [_, _, _, _, w3, w2, w1, w0, h3, h2, h1, h0] = *content.first_chunk()?;
    Some((u32::from_be_bytes([w3, w2, w1, w0]), u32::from_be_bytes([h3, h2, h1, h0])))
}

/// Returns the orientation that `irot` and `imir` make, in their order, which is first the turn (MIAF, 7.3.6.7).
fn orientation(heif: &Heif<'_>, item: u32) -> Orientation {
    let quarter = |kind| heif.property(item, kind).and_then(|content| content.first()).copied();
    let turns = quarter(b"irot").unwrap_or(0) & 3;
    // Axis 0 reflects from top to bottom, axis 1 from left to right.
    let axis = quarter(b"imir").map(|axis| axis & 1);
    match (turns, axis) {
        (0, None) => Orientation::Upright,
        (1, None) => Orientation::TurnLeft,
        (2, None) => Orientation::Turned,
        (_, None) => Orientation::TurnRight,
        (0, Some(0)) | (2, Some(1)) => Orientation::Flipped,
        (0, Some(_)) | (2, Some(_)) => Orientation::Mirrored,
        (1, Some(0)) | (3, Some(1)) => Orientation::Transposed,
        (_, Some(_)) => Orientation::Transversed,
    }
}

/// Returns a plane with eight bits a sample, in the size of the picture.
fn plane(frame: &Picture, component: Component) -> Bitmap {
    let halved = |length: u32| length.div_ceil(2);
    let (width, height) = match (component, frame.pixel_layout()) {
        (Component::Y, _) | (_, PixelLayout::I444 | PixelLayout::I400) => (frame.width(), frame.height()),
        (_, PixelLayout::I422) => (halved(frame.width()), frame.height()),
        (_, PixelLayout::I420) => (halved(frame.width()), halved(frame.height())),
    };
    let data = frame.plane(component);
    let rows = data.chunks(frame.stride(component) as usize).take(height as usize);
    let samples = if frame.bit_depth() == 8 {
        rows.flat_map(|row| &row[..width as usize]).copied().collect()
    } else {
        let shift = frame.bit_depth() - 8;
        let rounded = |two: &[u8]| {
            let sample = u32::from(u16::from_ne_bytes([two[0], two[1]])) + (1 << (shift - 1));
            (sample >> shift).min(255) as u8
        };
        rows.flat_map(|row| row[..width as usize * 2].chunks_exact(2).map(rounded)).collect()
    };
    let stored = Bitmap { width, height, model: Model::Grey, samples };
    stored.enlarged(frame.width(), frame.height())
}

/// The range of stored samples (H.273, 8.3).
struct Range {
    black: f32,
    luma: f32,
    chroma: f32,
}

impl Range {
    const fn new(full: bool) -> Self {
        if full {
            Self { black: 0.0, luma: 255.0, chroma: 255.0 }
        } else {
            Self { black: 16.0, luma: 219.0, chroma: 224.0 }
        }
    }

    fn luma(&self, sample: u8) -> f32 {
        (f32::from(sample) - self.black) / self.luma
    }

    fn chroma(&self, sample: u8) -> f32 {
        (f32::from(sample) - 128.0) / self.chroma
    }
}

/// Returns a sample from 0 to 1 as a byte.
fn byte(sample: f32) -> u8 {
    (sample * 255.0).round().clamp(0.0, 255.0) as u8
}
