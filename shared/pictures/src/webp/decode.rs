//! The decoder: the crate `image-webp`, which is memory-safe. libwebp gets only pixels that were decoded here.

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use super::Structure;
use crate::bitmap::{Bitmap, Model};
use crate::canvas::Visitor;
use crate::deadline::Deadline;
use crate::{PictureType, Refusal};

fn failed(error: DecodingError) -> Refusal {
    Refusal::damaged(PictureType::WebP, error)
}

type Decoder<'a> = WebPDecoder<Cursor<&'a [u8]>>;

/// Opens the decoder, with a bitmap for what it decodes.
fn open<'a>(bytes: &'a [u8], structure: &Structure<'_>) -> Result<(Decoder<'a>, Bitmap), Refusal> {
    let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(failed)?;
    // The sizes were checked where the structure was read, so the decoder must have read the same.
    if decoder.dimensions() != (structure.width, structure.height) {
        return Err(Refusal::damaged(PictureType::WebP, "its headers state different sizes"));
    }
    let model = if decoder.has_alpha() { Model::Rgba } else { Model::Rgb };
    Ok((decoder, Bitmap::blank(structure.width, structure.height, model)))
}

/// Decodes a still picture.
pub(crate) fn decode(bytes: &[u8], structure: &Structure<'_>) -> Result<Bitmap, Refusal> {
    let (mut decoder, mut bitmap) = open(bytes, structure)?;
    decoder.read_image(&mut bitmap.samples).map_err(failed)?;
    Ok(bitmap)
}

/// Shows each frame of an animation to the visitor.
pub(crate) fn each_frame(
    bytes: &[u8],
    structure: &Structure<'_>,
    deadline: Deadline,
    visit: Visitor<'_>,
) -> Result<(), Refusal> {
    let (mut decoder, mut bitmap) = open(bytes, structure)?;
    if !decoder.is_animated() || decoder.num_frames() != structure.frames {
        return Err(Refusal::damaged(PictureType::WebP, "its headers disagree on its frames"));
    }
    for _ in 0..structure.frames {
        deadline.check()?;
        let time = decoder.read_frame(&mut bitmap.samples).map_err(failed)?;
        visit(&bitmap.clone().with_opacity(), time)?;
    }
    Ok(())
}
