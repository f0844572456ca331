//! The conversion of colours to sRGB.
//!
//! A published picture carries no profile, so that every viewer takes it for sRGB. A profile that is dropped without a conversion
//! shifts all colours: a red of Display P3 becomes paler.

use moxcms::{
    CicpColorPrimaries, CicpProfile, ColorProfile, DataColorSpace, Layout, MatrixCoefficients, ProfileText,
    TransferCharacteristics, TransformOptions,
};

use crate::bitmap::{Bitmap, Model};
use crate::facts::Profile;
use crate::{PictureType, Refusal};

/// The longest description of a profile that is kept, in characters.
const DESCRIPTION: usize = 64;

/// The meaning of a picture's samples.
#[derive(Debug, Default)]
pub(crate) struct Colour {
    /// The profile, if there is one and it can be read. Without it, colours are sRGB.
    profile: Option<Box<ColorProfile>>,
    /// The facts about the embedded profile.
    pub facts: Option<Profile>,
}

impl Colour {
    /// Reads an embedded ICC profile. One that cannot be read is ignored, as browsers do, and the facts say so.
    pub(crate) fn of_profile(embedded: &[u8]) -> Self {
        let profile = ColorProfile::new_from_slice(embedded).ok();
        let description = profile.as_ref().and_then(|profile| profile.description.as_ref()).map(text);
        let facts = Profile { bytes: embedded.len(), description, applied: profile.is_some() };
        Self { profile: profile.map(Box::new), facts: Some(facts) }
    }

    /// Reads code points (ITU-T H.273). High dynamic range is refused: shown as sRGB it would be far too dark.
    pub(crate) fn of_code_points(format: PictureType, primaries: u8, transfer: u8) -> Result<Self, Refusal> {
        /// SMPTE ST 2084 and ARIB STD-B67.
        const HIGH_DYNAMIC_RANGE: [u8; 2] = [16, 18];
        /// BT.709 and sRGB, and unspecified: what browsers show as sRGB.
        const SRGB: [u8; 4] = [1, 2, 6, 13];
        if HIGH_DYNAMIC_RANGE.contains(&transfer) {
            return Err(Refusal::unsupported(format, "its brightness has a high dynamic range"));
        }
        if matches!(primaries, 1 | 2) && SRGB.contains(&transfer) {
            return Ok(Self::default());
        }
        let read = |primaries, transfer| {
            Some(CicpProfile {
                color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
                transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
                matrix_coefficients: MatrixCoefficients::Identity,
                full_range: true,
            })
        };
        // 13 is sRGB's own function, which BT.709's stands for in files for screens.
        let transfer = if SRGB.contains(&transfer) { 13 } else { transfer };
        let Some(points) = read(if primaries == 2 { 1 } else { primaries }, transfer) else {
            return Ok(Self::default());
        };
        Ok(Self { profile: Some(Box::new(ColorProfile::new_from_cicp(points))), facts: None })
    }

    /// Converts a bitmap to sRGB: grey without a profile stays grey, inks become RGB.
    pub(crate) fn to_srgb(&self, bitmap: Bitmap) -> Bitmap {
        let Some(profile) = &self.profile else { return without_profile(bitmap) };
        let (bitmap, from, to, model) = match (profile.color_space, bitmap.model) {
            (DataColorSpace::Gray, Model::Grey) => (bitmap, Layout::Gray, Layout::Rgb, Model::Rgb),
            (DataColorSpace::Rgb, Model::Grey | Model::Rgb) => {
                (bitmap.with_colours(), Layout::Rgb, Layout::Rgb, Model::Rgb)
            }
            (DataColorSpace::Rgb, Model::Rgba) => (bitmap, Layout::Rgba, Layout::Rgba, Model::Rgba),
            (DataColorSpace::Cmyk, Model::Cmyk) => (bitmap, Layout::Rgba, Layout::Rgb, Model::Rgb),
            // A profile of other samples than the picture has says nothing about it.
            _ => return without_profile(bitmap),
        };
        let srgb = ColorProfile::new_srgb();
        let Ok(conversion) = profile.create_transform_8bit(from, &srgb, to, TransformOptions::default())
        else {
            return without_profile(bitmap);
        };
        let mut converted = Bitmap::blank(bitmap.width, bitmap.height, model);
        match conversion.transform(&bitmap.samples, &mut converted.samples) {
            Ok(()) => converted,
            Err(_) => without_profile(bitmap),
        }
    }
}

/// Returns a bitmap in the model of a published picture, with the usual formula for inks.
fn without_profile(bitmap: Bitmap) -> Bitmap {
    if bitmap.model != Model::Cmyk {
        return bitmap;
    }
    let samples = bitmap
        .samples
        .chunks_exact(4)
        .flat_map(|inks| {
            let paper = |ink: u8| u32::from(255 - ink);
            [0, 1, 2].map(|ink| ((paper(inks[ink]) * paper(inks[3]) + 127) / 255) as u8)
        })
        .collect();
    Bitmap { model: Model::Rgb, samples, ..bitmap }
}

/// Returns the text of a description, without control characters.
fn text(text: &ProfileText) -> String {
    let text = match text {
        ProfileText::PlainString(text) => text.as_str(),
        ProfileText::Localizable(texts) => texts.first().map(|text| text.value.as_str()).unwrap_or_default(),
        ProfileText::Description(text) => text.ascii_string.as_str(),
    };
    text.chars().filter(|character| !character.is_control()).take(DESCRIPTION).collect()
}
