//! The chunks of a PNG (PNG specification, third edition), read without decoding anything.
//!
//! Text chunks are never inflated, and a profile only up to its bound, so that a compressed bomb in either costs nothing.

use std::io::Read;

use flate2::read::ZlibDecoder;

use crate::bounds::{Bounds, PARTS};
use crate::{PictureType, Refusal};

/// The first bytes of every PNG.
pub(crate) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A chunk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk<'a> {
    pub kind: [u8; 4],
    pub content: &'a [u8],
}

/// Reads the chunks of a PNG, from its signature to its end. What follows the end is not part of the picture.
pub(crate) fn chunks(bytes: &[u8]) -> Result<Vec<Chunk<'_>>, Refusal> {
    const CUT_OFF: Refusal = Refusal::CutOff { format: PictureType::Png };
    let mut rest = bytes
        .strip_prefix(SIGNATURE)
        .ok_or_else(|| Refusal::damaged(PictureType::Png, "it does not begin as a PNG does"))?;
    let mut chunks = Vec::new();
    loop {
        let [l3, l2, l1, l0, kind @ ..] = *rest.first_chunk::<8>().ok_or(CUT_OFF)?;
        let length = u32::from_be_bytes([l3, l2, l1, l0]) as usize;
        let content = rest.get(8..).and_then(|after| after.get(..length)).ok_or(CUT_OFF)?;
        let whole = rest.get(..length + 12).ok_or(CUT_OFF)?;
        if chunks.len() == PARTS {
            return Err(Refusal::damaged(PictureType::Png, "it has too many chunks"));
        }
        chunks.push(Chunk { kind, content });
        if &kind == b"IEND" {
            return Ok(chunks);
        }
        rest = &rest[whole.len()..];
    }
}

/// Everything that is known of a PNG before it is decoded.
#[derive(Debug)]
pub(crate) struct Structure<'a> {
    pub width: u32,
    pub height: u32,
    pub bit_depth: u8,
    pub grey: bool,
    pub has_alpha: bool,
    /// The number of frames, which is 1 for a still picture.
    pub frames: u32,
    /// `true` if the picture is stored as an animation, be it of one frame.
    pub animated: bool,
    /// The number of times that the animation is played; 0 is for ever.
    pub plays: u32,
    pub exif: Option<&'a [u8]>,
    pub profile: Option<Vec<u8>>,
    /// The colours as code points (ITU-T H.273): primaries and transfer function.
    pub code_points: Option<(u8, u8)>,
}

impl<'a> Structure<'a> {
    /// Reads the structure of a PNG, and refuses it if it is cut off or beyond the bounds.
    pub(crate) fn of(bytes: &'a [u8], bounds: &Bounds) -> Result<Self, Refusal> {
        let damaged = |damage| Refusal::damaged(PictureType::Png, damage);
        let chunks = chunks(bytes)?;
        let find =
            |kind: &[u8; 4]| chunks.iter().find(|chunk| &chunk.kind == kind).map(|chunk| chunk.content);
        let header = chunks.first().filter(|chunk| &chunk.kind == b"IHDR").map(|chunk| chunk.content);
        let [w3, w2, w1, w0, h3, h2, h1, h0, bit_depth, colour, ..] = *header.unwrap_or_default() else {
            return Err(damaged("its header is missing"));
        };
        let (width, height) = (u32::from_be_bytes([w3, w2, w1, w0]), u32::from_be_bytes([h3, h2, h1, h0]));
        bounds.check_size(PictureType::Png, width, height)?;
        if find(b"IDAT").is_none() {
            return Err(damaged("it has no picture"));
        }
        let [frames, plays] = match find(b"acTL") {
            Some(&[f3, f2, f1, f0, p3, p2, p1, p0]) => {
                [u32::from_be_bytes([f3, f2, f1, f0]), u32::from_be_bytes([p3, p2, p1, p0])]
            }
            Some(_) => return Err(damaged("the header of its animation has a wrong length")),
            None => [1, 1],
        };
        bounds.check_frames(frames, width, height)?;
        let controls = chunks.iter().filter(|chunk| &chunk.kind == b"fcTL").count();
        if frames == 0 || (find(b"acTL").is_some() && controls < frames as usize) {
            return Err(damaged("frames of its animation are missing"));
        }
        Ok(Self {
            width,
            height,
            bit_depth,
            // Colour types 0 and 4 are grey; 4 and 6 have alpha (11.2.1).
            grey: matches!(colour, 0 | 4),
            has_alpha: matches!(colour, 4 | 6) || find(b"tRNS").is_some(),
            frames,
            animated: find(b"acTL").is_some(),
            plays,
            exif: find(b"eXIf").filter(|exif| exif.len() <= bounds.exif_bytes),
            profile: find(b"iCCP").map(|content| profile(content, bounds)).transpose()?.flatten(),
            code_points: find(b"cICP").and_then(|content| Some((*content.first()?, *content.get(1)?))),
        })
    }
}

/// Inflates the profile of an `iCCP` chunk (11.3.2.3), up to its bound. One that cannot be inflated is no profile, as for
/// browsers.
fn profile(content: &[u8], bounds: &Bounds) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(name) = content.iter().position(|byte| *byte == 0) else { return Ok(None) };
    // After the name and its zero comes the method of compression, of which there is one.
    let Some(compressed) = content.get(name + 2..) else { return Ok(None) };
    let mut profile = Vec::new();
    let bound = bounds.profile_bytes as u64 + 1;
    let inflated = ZlibDecoder::new(compressed).take(bound).read_to_end(&mut profile);
    if profile.len() > bounds.profile_bytes {
        return Err(Refusal::ProfileTooLong { allowed: bounds.profile_bytes });
    }
    Ok(inflated.is_ok().then_some(profile))
}
