//! The chunks of a WebP (RFC 9649), read and written without decoding anything.

use super::flags;
use crate::bounds::{Bounds, PARTS};
use crate::{PictureType, Refusal};

/// A chunk: its kind and its content.
pub(crate) type Chunk<'a> = ([u8; 4], &'a [u8]);

/// Reads the chunks of a WebP. What follows the end that its header states is not part of the picture.
pub(crate) fn chunks(bytes: &[u8]) -> Result<Vec<Chunk<'_>>, Refusal> {
    let body = match bytes {
        [b'R', b'I', b'F', b'F', length @ ..] => length.first_chunk().and_then(|length| {
            let length = u32::from_le_bytes(*length) as usize;
            // The length is rounded up, but some programs write an odd one and no padding.
            bytes.get(8..8 + length).and_then(|body| body.strip_prefix(b"WEBP"))
        }),
        _ => return Err(Refusal::damaged(PictureType::WebP, "it does not begin as a WebP does")),
    };
    within(body.ok_or(Refusal::CutOff { format: PictureType::WebP })?)
}

/// Reads chunks that follow each other (2.3).
pub(super) fn within(mut rest: &[u8]) -> Result<Vec<Chunk<'_>>, Refusal> {
    const CUT_OFF: Refusal = Refusal::CutOff { format: PictureType::WebP };
    let mut chunks = Vec::new();
    // One byte can only be padding.
    while rest.len() > 1 {
        let [k0, k1, k2, k3, length @ ..] = *rest.first_chunk::<8>().ok_or(CUT_OFF)?;
        let length = u32::from_le_bytes(length) as usize;
        let content = rest.get(8..).and_then(|after| after.get(..length)).ok_or(CUT_OFF)?;
        if chunks.len() == PARTS {
            return Err(Refusal::damaged(PictureType::WebP, "it has too many chunks"));
        }
        chunks.push(([k0, k1, k2, k3], content));
        rest = rest.get(8 + length + length % 2..).unwrap_or_default();
    }
    Ok(chunks)
}

/// Writes a WebP of these chunks.
pub(crate) fn assembled<'a>(chunks: impl IntoIterator<Item = Chunk<'a>>) -> Vec<u8> {
    let mut bytes = b"RIFF\0\0\0\0WEBP".to_vec();
    for (kind, content) in chunks {
        push(&mut bytes, kind, content);
    }
    let length = u32::try_from(bytes.len() - 8).unwrap_or(u32::MAX);
    bytes[4..8].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// Appends a chunk, with its padding.
pub(super) fn push(bytes: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) {
    bytes.extend(kind);
    bytes.extend(u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend(content);
    if content.len() % 2 == 1 {
        bytes.push(0);
    }
}

/// Everything that is known of a WebP before it is decoded.
#[derive(Debug)]
pub(crate) struct Structure<'a> {
    pub width: u32,
    pub height: u32,
    pub has_alpha: bool,
    /// The number of frames, which is 1 for a still picture.
    pub frames: u32,
    /// `true` if the picture is stored as an animation, be it of one frame.
    pub animated: bool,
    /// The number of times that the animation is played; 0 is for ever.
    pub plays: u32,
    pub exif: Option<&'a [u8]>,
    pub profile: Option<Vec<u8>>,
}

impl<'a> Structure<'a> {
    /// Reads the structure of a WebP, and refuses it if it is cut off or beyond the bounds.
    pub(crate) fn of(bytes: &'a [u8], bounds: &Bounds) -> Result<Self, Refusal> {
        let damaged = |damage| Refusal::damaged(PictureType::WebP, damage);
        let chunks = chunks(bytes)?;
        let find = |kind: &[u8; 4]| chunks.iter().find(|chunk| &chunk.0 == kind).map(|chunk| chunk.1);
        let (width, height, flags) = match chunks.first() {
            Some(([b'V', b'P', b'8', b'X'], content)) => extended(content),
            Some(([b'V', b'P', b'8', b' '], content)) => lossy(content),
            Some(([b'V', b'P', b'8', b'L'], content)) => lossless(content),
            _ => None,
        }
        .ok_or_else(|| damaged("its header is invalid"))?;
        bounds.check_size(PictureType::WebP, width, height)?;
        let animated = flags & flags::ANIMATION != 0;
        let frames = chunks.iter().filter(|(kind, _)| kind == b"ANMF").count();
        let frames = if animated { u32::try_from(frames).unwrap_or(u32::MAX) } else { 1 };
        bounds.check_frames(frames, width, height)?;
        let pictures = chunks.iter().filter(|(kind, _)| matches!(kind, b"VP8 " | b"VP8L" | b"ANMF")).count();
        if frames == 0 || pictures == 0 {
            return Err(damaged("it has no picture"));
        }
        let profile = find(b"ICCP").filter(|_| flags & flags::PROFILE != 0);
        if profile.is_some_and(|profile| profile.len() > bounds.profile_bytes) {
            return Err(Refusal::ProfileTooLong { allowed: bounds.profile_bytes });
        }
        let plays =
            find(b"ANIM").and_then(|content| content.get(4..6)).and_then(|plays| plays.try_into().ok());
        // Some programs write JPEG's prefix before the TIFF header.
        let exif = find(b"EXIF").map(|exif| exif.strip_prefix(b"Exif\0\0").unwrap_or(exif));
        Ok(Self {
            width,
            height,
            has_alpha: flags & flags::ALPHA != 0,
            frames,
            animated,
            plays: plays.map_or(0, u16::from_le_bytes).into(),
            exif: exif.filter(|exif| exif.len() <= bounds.exif_bytes),
            profile: profile.map(<[u8]>::to_vec),
        })
    }
}

/// Reads size and flags of an extended header (2.7.1).
fn extended(content: &[u8]) -> Option<(u32, u32, u8)> {
    let [flags, _, _, _, w0, w1, w2, h0, h1, h2] = *content.first_chunk()?;
    Some((u32::from_le_bytes([w0, w1, w2, 0]) + 1, u32::from_le_bytes([h0, h1, h2, 0]) + 1, flags))
}

/// Reads the size of a lossy picture (RFC 6386, 9.1): 14 bits each, after the frame's tag and start code.
fn lossy(content: &[u8]) -> Option<(u32, u32, u8)> {
    let [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1] = *content.first_chunk()? else { return None };
    Some(((u16::from_le_bytes([w0, w1]) & 0x3fff).into(), (u16::from_le_bytes([h0, h1]) & 0x3fff).into(), 0))
}

/// Reads the size of a lossless picture (3.4): 14 bits each, less one, and then whether there is opacity.
fn lossless(content: &[u8]) -> Option<(u32, u32, u8)> {
    let [0x2f, bits @ ..] = *content.first_chunk::<5>()? else { return None };
    let bits = u32::from_le_bytes(bits);
    let alpha = if bits >> 28 & 1 == 1 { flags::ALPHA } else { 0 };
    Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1, alpha))
}
