//! The decoder: the crate `png`, which is memory-safe.

use std::io::Cursor;

use png::{BlendOp, ColorType, Decoder, DisposeOp, Limits, Reader, Transformations};

use super::Structure;
use crate::bitmap::{Bitmap, Model};
use crate::canvas::{Canvas, Disposal, Patch, Visitor};
use crate::deadline::Deadline;
use crate::{PictureType, Refusal};

/// The rows that are decoded between two looks at the deadline.
const ROWS: usize = 64;
/// The memory for rows and chunks. A row of 65,535 pixels of 16 bits takes 0.5 MB, and each frame of an animation counts its
/// row again.
const LIMITS: Limits = Limits { bytes: 128_000_000 };

fn failed(error: png::DecodingError) -> Refusal {
    Refusal::damaged(PictureType::Png, error)
}

fn open(bytes: &[u8]) -> Result<Reader<Cursor<&[u8]>>, Refusal> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), LIMITS);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    // Palettes become colours, fewer than eight bits become eight, and of sixteen bits the upper eight are kept.
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.read_info().map_err(failed)
}

/// Decodes a still picture.
pub(crate) fn decode(bytes: &[u8], structure: &Structure<'_>, deadline: Deadline) -> Result<Bitmap, Refusal> {
    let mut reader = open(bytes)?;
    let colours = reader.output_color_type().0;
    if reader.info().interlaced {
        let length =
            reader.output_buffer_size().ok_or_else(|| Refusal::damaged(PictureType::Png, "too large"))?;
        let mut samples = vec![0; length];
        reader.next_frame(&mut samples).map_err(failed)?;
        return Ok(bitmap(structure.width, structure.height, colours, samples));
    }
    // Row by row, as opacity beside grey is spread to four samples at once.
    let mut samples =
        Vec::with_capacity(structure.width as usize * structure.height as usize * model(colours).samples());
    let mut rows = 0;
    while let Some(row) = reader.next_row().map_err(failed)? {
        if rows % ROWS == 0 {
            deadline.check()?;
        }
        rows += 1;
        spread(colours, row.data(), &mut samples);
    }
    if rows != structure.height as usize {
        return Err(Refusal::damaged(PictureType::Png, "rows are missing"));
    }
    Ok(Bitmap { width: structure.width, height: structure.height, model: model(colours), samples })
}

/// Shows each frame of an animation to the visitor. A default picture that is not part of the animation is skipped.
pub(crate) fn each_frame(
    bytes: &[u8],
    structure: &Structure<'_>,
    deadline: Deadline,
    visit: Visitor<'_>,
) -> Result<(), Refusal> {
    let mut reader = open(bytes)?;
    let colours = reader.output_color_type().0;
    let length =
        reader.output_buffer_size().ok_or_else(|| Refusal::damaged(PictureType::Png, "too large"))?;
    let mut canvas = Canvas::new(structure.width, structure.height);
    let mut left = structure.frames;
    while left > 0 {
        deadline.check()?;
        let mut samples = vec![0; length];
        let frame = reader.next_frame(&mut samples).map_err(failed)?;
        // Before the first fcTL stands the default picture, for viewers without animation.
        let Some(control) = reader.info().frame_control else { continue };
        left -= 1;
        let samples = if reader.info().interlaced {
            // Its rows are as far apart as those of the whole picture.
            let row = structure.width as usize * colours.samples();
            let used = frame.width as usize * colours.samples();
            samples.chunks(row).take(frame.height as usize).flat_map(|row| &row[..used]).copied().collect()
        } else {
            samples.truncate(frame.line_size * frame.height as usize);
            samples
        };
        let patch = Patch {
            left: control.x_offset,
            top: control.y_offset,
            pixels: bitmap(frame.width, frame.height, colours, samples).with_opacity(),
            blended: control.blend_op == BlendOp::Over,
            disposal: match control.dispose_op {
                DisposeOp::None => Disposal::Keep,
                DisposeOp::Background => Disposal::Clear,
                DisposeOp::Previous => Disposal::Restore,
            },
        };
        canvas.show(patch, |shown| visit(shown, milliseconds(control.delay_num, control.delay_den)))?;
    }
    Ok(())
}

/// Returns a delay in milliseconds; a denominator of 0 stands for 100 (11.3.6.2).
fn milliseconds(numerator: u16, denominator: u16) -> u32 {
    let denominator = if denominator == 0 { 100 } else { u32::from(denominator) };
    u32::from(numerator) * 1000 / denominator
}

/// Returns the model of the bitmap for these colours: grey with opacity becomes RGBA.
const fn model(colours: ColorType) -> Model {
    match colours {
        ColorType::Grayscale => Model::Grey,
        ColorType::Rgb | ColorType::Indexed => Model::Rgb,
        ColorType::GrayscaleAlpha | ColorType::Rgba => Model::Rgba,
    }
}

/// Appends decoded samples in the model of the bitmap.
fn spread(colours: ColorType, decoded: &[u8], samples: &mut Vec<u8>) {
    if colours == ColorType::GrayscaleAlpha {
        samples.extend(decoded.chunks_exact(2).flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]]));
    } else {
        samples.extend_from_slice(decoded);
    }
}

fn bitmap(width: u32, height: u32, colours: ColorType, decoded: Vec<u8>) -> Bitmap {
    let samples = if colours == ColorType::GrayscaleAlpha {
        let mut samples = Vec::with_capacity(decoded.len() * 2);
        spread(colours, &decoded, &mut samples);
        samples
    } else {
        decoded
    };
    Bitmap { width, height, model: model(colours), samples }
}
