//! The encoder of animations: frames that libwebp encodes as still pictures, put together here.
//!
//! libwebp's own encoder of animations keeps every frame in memory until the last one has come; this one keeps only what is
//! encoded. It stores the rectangle that changed, and lengthens the frame before if nothing did.

use super::chunks::{assembled, chunks, push};
use super::encode::encode;
use super::flags;
use crate::bitmap::{Bitmap, Model};
use crate::{PictureType, Refusal};

/// The longest time of a frame, in milliseconds (RFC 9649, 2.7.1.1).
const LONGEST_TIME: u32 = 0xff_ffff;
/// The frame's pixels replace those of the canvas, and stay.
const REPLACE_AND_KEEP: u8 = 0b10;

/// An animation under way.
#[derive(Debug)]
pub(crate) struct Animation {
    quality: u8,
    effort: u8,
    plays: u16,
    shown: Option<Bitmap>,
    frames: Vec<Frame>,
    has_alpha: bool,
}

#[derive(Debug)]
struct Frame {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    time: u32,
    /// A still WebP of the rectangle.
    still: Vec<u8>,
}

impl Animation {
    /// Returns an animation without frames, that is played this often; 0 is for ever.
    pub(crate) fn new(quality: u8, effort: u8, plays: u32) -> Self {
        let plays = u16::try_from(plays).unwrap_or(0);
        Self { quality, effort, plays, shown: None, frames: Vec::new(), has_alpha: false }
    }

    /// Adds a frame, in RGBA, with its time in milliseconds.
    pub(crate) fn add(&mut self, bitmap: Bitmap, time: u32) -> Result<(), Refusal> {
        let (left, top, width, height) = match (&self.shown, self.frames.last_mut()) {
            (Some(before), Some(frame)) => match changed(before, &bitmap) {
                Some(rectangle) => rectangle,
                None if frame.time.saturating_add(time) <= LONGEST_TIME => {
                    frame.time += time;
                    return Ok(());
                }
                // So long a time needs another frame, however small.
                None => (0, 0, 1, 1),
            },
            _ => (0, 0, bitmap.width, bitmap.height),
        };
        let part = cut(&bitmap, left, top, width, height);
        self.has_alpha |= !part.is_opaque();
        let still = encode(&part, self.quality, self.effort)?;
        self.frames.push(Frame { left, top, width, height, time: time.min(LONGEST_TIME), still });
        self.shown = Some(bitmap);
        Ok(())
    }

    /// Returns the number of stored frames.
    pub(crate) fn frames(&self) -> u32 {
        u32::try_from(self.frames.len()).unwrap_or(u32::MAX)
    }

    /// Puts the animation together (2.7.1.1).
    pub(crate) fn finish(self) -> Result<Vec<u8>, Refusal> {
        const FAILED: Refusal = Refusal::NotEncoded { format: PictureType::WebP };
        let canvas = self.shown.as_ref().ok_or(FAILED)?;
        let alpha = if self.has_alpha { flags::ALPHA } else { 0 };
        let mut header = vec![flags::ANIMATION | alpha, 0, 0, 0];
        header.extend(three_bytes(canvas.width - 1));
        header.extend(three_bytes(canvas.height - 1));
        // The background is transparent black.
        let mut animation = vec![0; 4];
        animation.extend(self.plays.to_le_bytes());
        let mut frames = Vec::with_capacity(self.frames.len());
        for frame in &self.frames {
            let mut content = Vec::with_capacity(frame.still.len() + 16);
            for number in [frame.left / 2, frame.top / 2, frame.width - 1, frame.height - 1, frame.time] {
                content.extend(three_bytes(number));
            }
            content.push(REPLACE_AND_KEEP);
            for (kind, picture) in chunks(&frame.still).map_err(|_| FAILED)? {
                if matches!(&kind, b"ALPH" | b"VP8 " | b"VP8L") {
                    push(&mut content, kind, picture);
                }
            }
            frames.push(content);
        }
        let start = [(*b"VP8X", header.as_slice()), (*b"ANIM", animation.as_slice())];
        Ok(assembled(start.into_iter().chain(frames.iter().map(|frame| (*b"ANMF", frame.as_slice())))))
    }
}

const fn three_bytes(number: u32) -> [u8; 3] {
    let [first, second, third, _] = number.to_le_bytes();
    [first, second, third]
}

/// Returns the smallest rectangle with everything that differs, as left, top, width and height. Left and top are even, as the
/// format stores half of them.
fn changed(before: &Bitmap, after: &Bitmap) -> Option<(u32, u32, u32, u32)> {
    let row = after.row_bytes();
    let rows = || before.samples.chunks_exact(row).zip(after.samples.chunks_exact(row)).enumerate();
    let differing = rows().filter(|(_, (before, after))| before != after);
    let (mut top, mut bottom, mut left, mut right) = (usize::MAX, 0, usize::MAX, 0);
    for (y, (before, after)) in differing {
        top = top.min(y);
        bottom = y;
        let pixels = || before.chunks_exact(4).zip(after.chunks_exact(4));
        left = left.min(pixels().position(|(before, after)| before != after).unwrap_or(0));
        right = right.max(pixels().rposition(|(before, after)| before != after).unwrap_or(0));
    }
    if top == usize::MAX {
        return None;
    }
    let (left, top) = (left & !1, top & !1);
    Some((left as u32, top as u32, (right + 1 - left) as u32, (bottom + 1 - top) as u32))
}

fn cut(bitmap: &Bitmap, left: u32, top: u32, width: u32, height: u32) -> Bitmap {
    let (start, length) = (left as usize * 4, width as usize * 4);
    let samples = bitmap
        .samples
        .chunks_exact(bitmap.row_bytes())
        .skip(top as usize)
        .take(height as usize)
        .flat_map(|row| &row[start..start + length])
        .copied()
        .collect();
    Bitmap { width, height, model: Model::Rgba, samples }
}
