//! The decoder: mozjpeg, at a reduced scale.

use std::cell::Cell;
use std::ffi::c_int;
use std::io::{self, BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

use mozjpeg::ColorSpace;
use mozjpeg::decompress::DecompressBuilder;
use mozjpeg_sys::{jpeg_common_struct, jpeg_error_mgr};

use super::Structure;
use crate::bitmap::{Bitmap, Model};
use crate::deadline::Deadline;
use crate::{PictureType, Refusal};

/// The rows that are decoded between two looks at the deadline.
const ROWS: usize = 64;
/// The bytes that a decoder gets at once. libjpeg's fast path for sequential scans needs a few hundred bytes in its buffer.
const SEQUENTIAL_BYTES: usize = 65_536;
/// A scan of a progressive JPEG can be as short as 100 bytes and visit every pixel, so its decoder comes back for more sooner.
const PROGRESSIVE_BYTES: usize = 512;

thread_local! {
    /// The warnings of the decoder that runs on this thread. libjpeg counts them where safe code cannot look.
    static WARNINGS: Cell<u32> = const { Cell::new(0) };
}

/// Decodes a JPEG at the smallest scale of n/8 that has at least `scale` of its width and height.
///
/// libjpeg leaves out the frequencies that the smaller picture cannot show, so a photo that is to be a quarter as wide costs a
/// fraction of the memory, and no filter can do better. A warning refuses the picture, as sharp does it by default: libjpeg fills
/// what is missing with grey and only warns.
pub(crate) fn decode(structure: &Structure<'_>, scale: f64, deadline: Deadline) -> Result<Bitmap, Refusal> {
    WARNINGS.set(0);
    let decoded = catch_unwind(AssertUnwindSafe(|| read(structure, scale, deadline)));
    // The reader fails once the deadline has passed, and libjpeg cannot say why it failed.
    deadline.check()?;
    let damaged = |damage| Refusal::damaged(PictureType::Jpeg, damage);
    let bitmap = decoded.map_err(|_| damaged("its structure or its data is invalid"))??;
    if WARNINGS.get() > 0 {
        return Err(damaged("its data is incomplete or corrupt"));
    }
    Ok(bitmap)
}

fn read(structure: &Structure<'_>, scale: f64, deadline: Deadline) -> Result<Bitmap, Refusal> {
    let failed = |error: io::Error| Refusal::damaged(PictureType::Jpeg, error);
    let (space, model) = match structure.components {
        1 => (ColorSpace::JCS_GRAYSCALE, Model::Grey),
        3 => (ColorSpace::JCS_RGB, Model::Rgb),
        _ => (ColorSpace::JCS_CMYK, Model::Cmyk),
    };
    let mut decoder = DecompressBuilder::new()
        .with_err(error_manager())
        .from_reader(Essential::new(structure, deadline))
        .map_err(failed)?;
    decoder.scale(eighths(scale));
    let mut rows = decoder.to_colorspace(space).map_err(failed)?;
    let width = u32::try_from(rows.width()).map_err(|error| Refusal::damaged(PictureType::Jpeg, error))?;
    let height = u32::try_from(rows.height()).map_err(|error| Refusal::damaged(PictureType::Jpeg, error))?;
    let mut bitmap = Bitmap::blank(width, height, model);
    let strip = ROWS * bitmap.row_bytes();
    for strip in bitmap.samples.chunks_mut(strip) {
        deadline.check()?;
        rows.read_scanlines_into(strip).map_err(failed)?;
    }
    rows.finish().map_err(failed)?;
    if structure.adobe && model == Model::Cmyk {
        bitmap.samples.iter_mut().for_each(|ink| *ink = 255 - *ink);
    }
    Ok(bitmap)
}

/// Returns the n of the scale n/8: the least one that is enough.
fn eighths(scale: f64) -> u8 {
    // A scale that is computed from whole pixels may lie a rounding error above n/8.
    (1..8).find(|n| f64::from(*n) / 8.0 >= scale - 1e-9).unwrap_or(8)
}

/// The essential segments of a JPEG as one stream, that fails once the deadline has passed.
struct Essential<'a> {
    pieces: std::vec::IntoIter<&'a [u8]>,
    piece: &'a [u8],
    at_once: usize,
    deadline: Deadline,
}

impl<'a> Essential<'a> {
    fn new(structure: &Structure<'a>, deadline: Deadline) -> Self {
        let mut pieces = structure.essential.clone();
        pieces.push(&[0xff, 0xd9]);
        let at_once = if structure.progressive { PROGRESSIVE_BYTES } else { SEQUENTIAL_BYTES };
        Self { pieces: pieces.into_iter(), piece: &[0xff, 0xd8], at_once, deadline }
    }
}

impl BufRead for Essential<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.deadline.has_passed() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if self.piece.is_empty() {
            self.piece = self.pieces.next().unwrap_or_default();
        }
        Ok(&self.piece[..self.piece.len().min(self.at_once)])
    }

    fn consume(&mut self, length: usize) {
        self.piece = &self.piece[length..];
    }
}

impl Read for Essential<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let length = from.len().min(to.len());
        to[..length].copy_from_slice(&from[..length]);
        self.consume(length);
        Ok(length)
    }
}

/// Returns an error manager that counts warnings. mozjpeg's own drops them.
fn error_manager() -> jpeg_error_mgr {
    jpeg_error_mgr {
        error_exit: Some(give_up),
        emit_message: Some(count),
        output_message: Some(ignore),
        // Only libjpeg's own output would call it.
        format_message: None,
        reset_error_mgr: Some(ignore),
        msg_code: 0,
        msg_parm: Default::default(),
        trace_level: 0,
        num_warnings: 0,
        jpeg_message_table: ptr::null(),
        last_jpeg_message: 0,
        addon_message_table: ptr::null(),
        first_addon_message: 0,
        last_addon_message: 0,
    }
}

/// Leaves libjpeg, which must not get back control after an error. The panic hook is not called: a damaged picture is no bug.
extern "C-unwind" fn give_up(_: &mut jpeg_common_struct) {
    resume_unwind(Box::new("libjpeg gave up"));
}

/// Counts a warning, which has the level -1; the levels from 0 on are for tracing.
extern "C-unwind" fn count(_: &mut jpeg_common_struct, level: c_int) {
    if level < 0 {
        WARNINGS.set(WARNINGS.get().saturating_add(1));
    }
}

extern "C-unwind" fn ignore(_: &mut jpeg_common_struct) {}

#[cfg(test)]
mod tests {
    use super::eighths;

    #[test]
    fn the_scale_is_the_least_that_is_enough() {
        assert_eq!(eighths(1200.0 / 4032.0), 3);
        assert_eq!(eighths(0.375), 3);
        assert_eq!(eighths(0.376), 4);
        assert_eq!(eighths(0.001), 1);
        assert_eq!(eighths(0.9), 8);
        assert_eq!(eighths(1.0), 8);
    }
}
