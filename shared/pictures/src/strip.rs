//! The removal of metadata without decoding: the pixels stay bit for bit.

use crate::bounds::Bounds;
use crate::source::Source;
use crate::{Orientation, PictureType, Refusal, jpeg, png, webp};

/// Removes the metadata of a JPEG, PNG or WebP, and keeps every pixel: EXIF with its position and thumbnail, XMP, IPTC,
/// comments, text, content credentials, unknown parts, and whatever follows the end, such as the second picture or the film
/// of a phone's photo.
///
/// The colour profile stays, because the colours depend on it. So does the orientation, alone in an EXIF block of 26 bytes:
/// without it the picture would lie on its side.
///
/// # Errors
///
/// If the picture is refused. GIF, HEIC and AVIF are not supported.
pub fn strip(bytes: &[u8], bounds: &Bounds) -> Result<Vec<u8>, Refusal> {
    let source = Source::read(bytes, bounds)?;
    let orientation = source.fields.orientation;
    match source.format() {
        PictureType::Jpeg => strip_jpeg(bytes, orientation),
        PictureType::Png => strip_png(bytes, orientation),
        PictureType::WebP => strip_webp(bytes, orientation),
        format => Err(Refusal::unsupported(format, "its metadata can only be removed by rendering it")),
    }
}

/// Returns a TIFF header and a directory with the orientation alone (EXIF 2.32, 4.6.2), unless the picture is upright.
fn exif(orientation: Orientation) -> Option<[u8; 26]> {
    if orientation == Orientation::Upright {
        return None;
    }
    let mut block = *b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
    block[19] = orientation.into();
    Some(block)
}

fn strip_jpeg(bytes: &[u8], orientation: Orientation) -> Result<Vec<u8>, Refusal> {
    const APP0: u8 = 0xe0;
    let mut stripped = vec![0xff, 0xd8];
    let mut block = exif(orientation);
    let mut put = |stripped: &mut Vec<u8>| {
        if let Some(block) = block.take() {
            stripped.extend(b"\xff\xe1\0\x22Exif\0\0");
            stripped.extend(block);
        }
    };
    for segment in jpeg::segments(bytes)? {
        // JFIF's segment must be the first, and EXIF's follows.
        if segment.code != APP0 {
            put(&mut stripped);
        }
        if segment.is_essential() || segment.is_profile() {
            stripped.extend(segment.whole);
        }
    }
    stripped.extend([0xff, 0xd9]);
    Ok(stripped)
}

fn strip_png(bytes: &[u8], orientation: Orientation) -> Result<Vec<u8>, Refusal> {
    let mut stripped = png::SIGNATURE.to_vec();
    for (place, chunk) in png::chunks(bytes)?.iter().filter(|chunk| chunk.is_essential()).enumerate() {
        stripped.extend(chunk.whole);
        // After the header, which is the first.
        if let Some(block) = exif(orientation).filter(|_| place == 0) {
            let mut content = b"eXIf".to_vec();
            content.extend(block);
            let mut sum = flate2::Crc::new();
            sum.update(&content);
            stripped.extend(26_u32.to_be_bytes());
            stripped.extend(content);
            stripped.extend(sum.sum().to_be_bytes());
        }
    }
    Ok(stripped)
}

fn strip_webp(bytes: &[u8], orientation: Orientation) -> Result<Vec<u8>, Refusal> {
    use webp::flags::{EXIF, XMP};
    let block = exif(orientation);
    let mut header = Vec::new();
    let mut frames = Vec::new();
    let chunks = webp::chunks(bytes)?;
    for (kind, content) in &chunks {
        match kind {
            b"VP8X" => {
                header = content.to_vec();
                if let Some(flags) = header.first_mut() {
                    *flags = *flags & !(EXIF | XMP) | if block.is_some() { EXIF } else { 0 };
                }
            }
            b"ANMF" => frames.push(webp::essential_frame(content)?),
            _ => {}
        }
    }
    let mut frames = frames.iter();
    let kept = chunks.iter().filter_map(|(kind, content)| match kind {
        b"VP8X" => Some((*kind, header.as_slice())),
        b"ANMF" => frames.next().map(|frame| (*kind, frame.as_slice())),
        b"VP8 " | b"VP8L" | b"ALPH" | b"ANIM" | b"ICCP" => Some((*kind, *content)),
        _ => None,
    });
    let exif = block.iter().map(|block| (*b"EXIF", block.as_slice()));
    Ok(webp::assembled(kept.chain(exif)))
}
