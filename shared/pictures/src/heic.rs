//! HEIC: its structure, and its decoder, the crate `heic-decoder`, which is memory-safe.
//!
//! It takes 13 to 19 bytes a pixel: a picture of 50 million pixels takes up to 950 MB.

use heic_decoder::bitreader::strip_emulation_prevention;
use heic_decoder::hevc::nal::{NAL_SPS, parse_nal_header};
use heic_decoder::hevc::params::parse_sps;
use heic_decoder::isobmff::{self, Metadata, ParsedHeif};
use heic_decoder::{ColorInfo, HeifError, RgbOptions};

use crate::bitmap::{Bitmap, Model};
use crate::bounds::Bounds;
use crate::colour::Colour;
use crate::exif::{self, Fields};
use crate::facts::Colours;
use crate::heif::Heif;
use crate::{Orientation, PictureType, Refusal};

/// The meaning of samples where the file does not say it (MIAF, ISO/IEC 23000-22, 7.3.6.4): sRGB, as BT.601 over the full range.
const UNLABELLED: ColorInfo =
    ColorInfo { color_primaries: 1, transfer_characteristics: 13, matrix_coefficients: 6, full_range: true };
/// Tiles reach beyond the picture at the right and at the bottom, by less than one tile.
const TILES: u64 = 2;

/// Everything that is known of a HEIC before it is decoded.
#[derive(Debug)]
pub(crate) struct Structure {
    pub width: u32,
    pub height: u32,
    pub bit_depth: u8,
    pub colours: Colours,
    pub has_alpha: bool,
    metadata: Metadata,
    exif_bytes: usize,
}

fn failed(error: HeifError) -> Refusal {
    let format = PictureType::Heic;
    match error {
        HeifError::Truncated { .. } => Refusal::CutOff { format },
        HeifError::Unsupported(kind) => Refusal::unsupported(format, kind),
        error => Refusal::damaged(format, error),
    }
}

impl Structure {
    /// Reads the structure of a HEIC, and refuses it if it is cut off or beyond the bounds.
    pub(crate) fn of(bytes: &[u8], bounds: &Bounds) -> Result<Self, Refusal> {
        let format = PictureType::Heic;
        // Before anything is copied.
        Heif::read(format, bytes)?.check_repeats()?;
        let info = heic_decoder::probe(bytes).map_err(failed)?;
        let size = |length| u32::try_from(length).unwrap_or(u32::MAX);
        bounds.check_size(format, size(info.coded_width), size(info.coded_height))?;
        let parsed = isobmff::parse(bytes).map_err(failed)?;
        let coded = coded_pixels(&parsed)?;
        if coded > bounds.pixels.saturating_mul(TILES) {
            return Err(Refusal::damaged(format, format_args!("its tiles have {coded} pixels together")));
        }
        if parsed.sequence.is_some_and(|sequence| sequence.sample_count > 1) {
            return Err(Refusal::unsupported(format, "it is a sequence of pictures"));
        }
        if parsed.metadata.icc_profile.as_ref().is_some_and(|profile| profile.len() > bounds.profile_bytes) {
            return Err(Refusal::ProfileTooLong { allowed: bounds.profile_bytes });
        }
        Ok(Self {
            width: size(info.width),
            height: size(info.height),
            bit_depth: u8::try_from(info.bit_depth_luma).unwrap_or(u8::MAX),
            colours: if info.chroma_format_idc == 0 { Colours::Grey } else { Colours::Rgb },
            has_alpha: info.alpha_bit_depth.is_some(),
            metadata: parsed.metadata,
            exif_bytes: bounds.exif_bytes,
        })
    }

    /// Returns the meaning of the decoded samples.
    pub(crate) fn colour(&self) -> Result<Colour, Refusal> {
        match (&self.metadata.icc_profile, self.metadata.color_info) {
            (Some(profile), _) => Ok(Colour::of_profile(profile)),
            (None, Some(info)) => {
                let points = [info.color_primaries, info.transfer_characteristics];
                let [primaries, transfer] = points.map(|point| u8::try_from(point).unwrap_or(0));
                Colour::of_code_points(PictureType::Heic, primaries, transfer)
            }
            (None, None) => Ok(Colour::default()),
        }
    }

    /// Returns the EXIF fields. The decoder turns the picture upright by the container's own properties, which precede EXIF's
    /// orientation.
    pub(crate) fn fields(&self) -> Fields {
        let exif = self.metadata.exif.as_deref().filter(|exif| exif.len() <= self.exif_bytes);
        Fields { orientation: Orientation::Upright, ..exif.map(exif::read).unwrap_or_default() }
    }

    /// Decodes the picture, upright.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<Bitmap, Refusal> {
        let decoded = heic_decoder::decode(bytes).map_err(failed)?;
        let mut options = RgbOptions::default();
        if decoded.color_info.is_none() {
            options.color = Some(UNLABELLED);
        }
        let premultiplied = decoded.alpha.as_ref().is_some_and(|alpha| alpha.premultiplied);
        let (model, width, height, mut samples) = if decoded.alpha.is_some() {
            let image = decoded.to_rgba8_with_options(&options).map_err(failed)?;
            (Model::Rgba, image.width, image.height, image.data)
        } else {
            let image = decoded.to_rgb8_with_options(&options).map_err(failed)?;
            (Model::Rgb, image.width, image.height, image.data)
        };
        if (width, height) != (self.width as usize, self.height as usize) {
            return Err(Refusal::damaged(PictureType::Heic, "its headers state different sizes"));
        }
        if premultiplied {
            Bitmap::divide_by_opacity(&mut samples);
        }
        Ok(Bitmap { width: self.width, height: self.height, model, samples })
    }
}

/// Returns the pixels of all coded pictures: tiles, opacity, and the one that others are predicted from.
fn coded_pixels(parsed: &ParsedHeif) -> Result<u64, Refusal> {
    let mut pixels = 0_u64;
    for image in parsed.images.iter().chain(&parsed.reference_image) {
        for unit in image.hevc_config.nalus_of_type(NAL_SPS) {
            let (_, payload) = parse_nal_header(unit).map_err(failed)?;
            let parameters = parse_sps(&strip_emulation_prevention(payload)).map_err(failed)?;
            let size =
                [parameters.pic_width_in_luma_samples, parameters.pic_height_in_luma_samples].map(u64::from);
            pixels = pixels.saturating_add(size[0] * size[1]);
        }
    }
    match &parsed.alpha {
        // Opacity is decoded beside the picture, and no opacity has an opacity.
        Some(alpha) if alpha.image.alpha.is_none() => Ok(pixels.max(coded_pixels(&alpha.image)?)),
        Some(_) => Err(Refusal::damaged(PictureType::Heic, "its opacity has an opacity")),
        None => Ok(pixels),
    }
}
