//! GIF: its blocks, and the decoder of its frames.

use std::io::Cursor;
use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, DecodingError, DisposalMethod, MemoryLimit};

use crate::bitmap::{Bitmap, Model};
use crate::bounds::Bounds;
use crate::canvas::{Canvas, Disposal, Patch, Visitor};
use crate::deadline::Deadline;
use crate::{PictureType, Refusal};

/// Everything that is known of a GIF before it is decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Structure {
    pub width: u32,
    pub height: u32,
    /// The number of frames, which is 1 for a still picture.
    pub frames: u32,
    /// The number of times that the animation is played; 0 is for ever.
    pub plays: u32,
    /// `true` if a frame has a transparent colour.
    pub has_alpha: bool,
}

impl Structure {
    /// Reads the blocks of a GIF (GIF89a, section 12) without decoding them, and refuses it if it is cut off or beyond the
    /// bounds.
    pub(crate) fn of(bytes: &[u8], bounds: &Bounds) -> Result<Self, Refusal> {
        const CUT_OFF: Refusal = Refusal::CutOff { format: PictureType::Gif };
        let mut rest = Rest(bytes.get(6..).ok_or(CUT_OFF)?);
        let [w0, w1, h0, h1, packed, _, _] = *rest.take()?;
        let mut found = Self {
            width: u16::from_le_bytes([w0, w1]).into(),
            height: u16::from_le_bytes([h0, h1]).into(),
            frames: 0,
            plays: 1,
            has_alpha: false,
        };
        bounds.check_size(PictureType::Gif, found.width, found.height)?;
        rest.skip_colours(packed)?;
        loop {
            match rest.take::<1>()? {
                b"\x3b" => break,
                b"\x21" => {
                    let [label] = *rest.take()?;
                    let first = rest.sub_block()?;
                    let second = if first.is_empty() { first } else { rest.sub_block()? };
                    match (label, first) {
                        (0xf9, [packed, ..]) => found.has_alpha |= packed & 1 == 1,
                        // Netscape's extension counts the repetitions after the first time; 0 is for ever.
                        (0xff, b"NETSCAPE2.0" | b"ANIMEXTS1.0") => {
                            if let [1, low, high, ..] = *second {
                                let more = u32::from(u16::from_le_bytes([low, high]));
                                found.plays = if more == 0 { 0 } else { more + 1 };
                            }
                        }
                        _ => {}
                    }
                    if !second.is_empty() {
                        rest.skip_sub_blocks()?;
                    }
                }
                b"\x2c" => {
                    let [_, _, _, _, w0, w1, h0, h1, packed] = *rest.take()?;
                    let (width, height) = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
                    // A frame may be larger than the canvas, and is decoded all the same.
                    bounds.check_size(PictureType::Gif, width.into(), height.into())?;
                    found.frames += 1;
                    bounds.check_frames(
                        found.frames,
                        found.width.max(width.into()),
                        found.height.max(height.into()),
                    )?;
                    rest.skip_colours(packed)?;
                    rest.take::<1>()?;
                    rest.skip_sub_blocks()?;
                }
                _ => return Err(Refusal::damaged(PictureType::Gif, "a block has an unknown kind")),
            }
        }
        if found.frames == 0 {
            return Err(Refusal::damaged(PictureType::Gif, "it has no picture"));
        }
        Ok(found)
    }
}

/// The bytes that are not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const LENGTH: usize>(&mut self) -> Result<&'a [u8; LENGTH], Refusal> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Refusal::CutOff { format: PictureType::Gif })?;
        self.0 = rest;
        Ok(taken)
    }

    fn take_some(&mut self, length: usize) -> Result<&'a [u8], Refusal> {
        let (taken, rest) =
            self.0.split_at_checked(length).ok_or(Refusal::CutOff { format: PictureType::Gif })?;
        self.0 = rest;
        Ok(taken)
    }

    /// Skips the colour table that the packed fields of a descriptor announce.
    fn skip_colours(&mut self, packed: u8) -> Result<(), Refusal> {
        if packed & 0x80 != 0 {
            self.take_some(3 << ((packed & 7) + 1))?;
        }
        Ok(())
    }

    fn sub_block(&mut self) -> Result<&'a [u8], Refusal> {
        let [length] = *self.take()?;
        self.take_some(length.into())
    }

    fn skip_sub_blocks(&mut self) -> Result<(), Refusal> {
        while !self.sub_block()?.is_empty() {}
        Ok(())
    }
}

/// Shows each frame to the visitor.
pub(crate) fn each_frame(
    bytes: &[u8],
    structure: &Structure,
    bounds: &Bounds,
    deadline: Deadline,
    visit: Visitor<'_>,
) -> Result<(), Refusal> {
    let failed = |error: DecodingError| Refusal::damaged(PictureType::Gif, error);
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    options.allow_unknown_blocks(true);
    options.set_memory_limit(MemoryLimit::Bytes(
        NonZeroU64::new(bounds.pixels.saturating_mul(4)).unwrap_or(NonZeroU64::MIN),
    ));
    let mut decoder = options.read_info(Cursor::new(bytes)).map_err(failed)?;
    let mut canvas = Canvas::new(structure.width, structure.height);
    for _ in 0..structure.frames {
        deadline.check()?;
        let frame = decoder
            .read_next_frame()
            .map_err(failed)?
            .ok_or_else(|| Refusal::damaged(PictureType::Gif, "a frame is missing"))?;
        let time = milliseconds(frame.delay);
        let patch = Patch {
            left: frame.left.into(),
            top: frame.top.into(),
            pixels: Bitmap {
                width: frame.width.into(),
                height: frame.height.into(),
                model: Model::Rgba,
                samples: frame.buffer.to_vec(),
            },
            blended: true,
            disposal: match frame.dispose {
                DisposalMethod::Any | DisposalMethod::Keep => Disposal::Keep,
                DisposalMethod::Background => Disposal::Clear,
                DisposalMethod::Previous => Disposal::Restore,
            },
        };
        canvas.show(patch, |shown| visit(shown, time))?;
    }
    Ok(())
}

/// Returns a delay in milliseconds. Browsers show a frame of less than 20 ms for 100 ms, because programs that leave the
/// delay out write 0 or 1.
const fn milliseconds(hundredths: u16) -> u32 {
    if hundredths <= 1 { 100 } else { hundredths as u32 * 10 }
}
