//! The encoder: libwebp through the crate `webp`, whose interface is safe.

use std::panic::{AssertUnwindSafe, catch_unwind};

use webp::{Encoder, PixelLayout, WebPConfig};

use crate::bitmap::{Bitmap, Model};
use crate::{PictureType, Refusal};

/// Encodes a bitmap as lossy WebP, without metadata. An opaque one is stored without opacity.
///
/// # Panics
///
/// If the bitmap has inks, which a WebP cannot have.
pub(crate) fn encode(bitmap: &Bitmap, quality: u8, effort: u8) -> Result<Vec<u8>, Refusal> {
    const FAILED: Refusal = Refusal::NotEncoded { format: PictureType::WebP };
    let colours;
    let (bitmap, layout) = match bitmap.model {
        Model::Rgb => (bitmap, PixelLayout::Rgb),
        Model::Rgba => (bitmap, PixelLayout::Rgba),
        Model::Grey => {
            colours = bitmap.clone().with_colours();
            (&colours, PixelLayout::Rgb)
        }
        Model::Cmyk => panic!("inks are not encoded as WebP"),
    };
    let encoded = catch_unwind(AssertUnwindSafe(|| {
        let mut config = WebPConfig::new().ok()?;
        config.quality = quality.into();
        config.method = effort.into();
        Encoder::new(&bitmap.samples, layout, bitmap.width, bitmap.height).encode_advanced(&config).ok()
    }));
    let bytes = encoded.ok().flatten().ok_or(FAILED)?.to_vec();
    // libwebp leaves nothing if it runs out of memory.
    if bytes.is_empty() { Err(FAILED) } else { Ok(bytes) }
}
