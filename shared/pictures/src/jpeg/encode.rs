//! The encoder: mozjpeg in its fastest profile, which is libjpeg-turbo's.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mozjpeg::{ColorSpace, Compress};

use crate::bitmap::{Bitmap, Model};
use crate::{PictureType, Refusal};

/// Encodes a bitmap as JPEG: colours at half their width and height (4:2:0), Huffman tables for this picture, no metadata.
///
/// # Panics
///
/// If the bitmap has opacity or inks, which a JPEG for the web cannot have.
pub(crate) fn encode(bitmap: &Bitmap, quality: u8, progressive: bool) -> Result<Vec<u8>, Refusal> {
    let space = match bitmap.model {
        Model::Grey => ColorSpace::JCS_GRAYSCALE,
        Model::Rgb => ColorSpace::JCS_RGB,
        Model::Rgba | Model::Cmyk => panic!("only grey and RGB are encoded as JPEG"),
    };
    let encoded = catch_unwind(AssertUnwindSafe(|| {
        let mut encoder = Compress::new(space);
        encoder.set_size(bitmap.width as usize, bitmap.height as usize);
        encoder.set_fastest_defaults();
        encoder.set_quality(quality.into());
        encoder.set_optimize_coding(true);
        if space == ColorSpace::JCS_RGB {
            encoder.set_chroma_sampling_pixel_sizes((2, 2), (2, 2));
        }
        if progressive {
            encoder.set_progressive_mode();
        }
        let mut started = encoder.start_compress(Vec::new())?;
        started.write_scanlines(&bitmap.samples)?;
        started.finish()
    }));
    match encoded {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) | Err(_) => Err(Refusal::NotEncoded { format: PictureType::Jpeg }),
    }
}
