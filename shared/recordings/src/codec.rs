//! Codecs: their names in playlists (RFC 6381), read from sample entries, and whether browsers decode them.

use std::fmt::Write as _;

use crate::bmff::FourCc;
use crate::bmff::movie::Format;
use crate::bmff::reader::Reader;
use crate::unplayable::Unplayable;

/// The length of the members of a visual sample entry before its boxes (ISO/IEC 14496-12, section 12.1.3).
const VISUAL: usize = 78;
/// The length of those of an audio sample entry (section 12.2.3).
const AUDIO: usize = 28;

/// Returns the name of a video codec, as `avc1.64001f`.
///
/// # Errors
/// Fails if browsers do not decode it, if it is encrypted, or if the entry is damaged.
pub(crate) fn video(track: u32, format: &Format<'_>) -> Result<String, Unplayable> {
    let kind = format.kind;
    let mut entry = Reader::new(kind, format.content);
    let unsupported = Unplayable::Codec { track, codec: kind };
    match &kind.0 {
        b"encv" => Err(Unplayable::Encrypted(track)),
        b"avc1" | b"avc3" => {
            entry.take(VISUAL)?;
            avc(kind, entry.boxes().required(b"avcC")?)
        }
        b"hvc1" | b"hev1" => {
            entry.take(VISUAL)?;
            hevc(kind, entry.boxes().required(b"hvcC")?)
        }
        b"av01" => {
            entry.take(VISUAL)?;
            av1(entry.boxes().required(b"av1C")?)
        }
        b"vp09" => {
            entry.take(VISUAL)?;
            vp9(entry.boxes().required(b"vpcC")?)
        }
        _ => Err(unsupported),
    }
}

/// Returns the name of an audio codec, as `mp4a.40.2`.
///
/// # Errors
/// Fails as [`video`] does.
pub(crate) fn audio(track: u32, format: &Format<'_>) -> Result<String, Unplayable> {
    let kind = format.kind;
    let unsupported = Unplayable::Codec { track, codec: kind };
    match &kind.0 {
        b"enca" => Err(Unplayable::Encrypted(track)),
        b"mp4a" => {
            let mut entry = Reader::new(kind, format.content);
            entry.take(8)?;
            // QuickTime's versions 1 and 2 have further members.
            let version = entry.u16()?;
            entry.take(AUDIO - 10)?;
            match version {
                0 => {}
                1 => {
                    entry.take(16)?;
                }
                _ => return Err(unsupported),
            }
            let found = entry.boxes().first(b"esds")?;
            let Some(descriptors) = found else { return Err(unsupported) };
            mpeg4(track, kind, descriptors)
        }
        b"Opus" => Ok("opus".to_owned()),
        b"fLaC" => Ok("flac".to_owned()),
        _ => Err(unsupported),
    }
}

/// `avcC` (ISO/IEC 14496-15, section 5.3.3.1).
fn avc(kind: FourCc, mut content: Reader<'_>) -> Result<String, Unplayable> {
    content.u8()?;
    let (profile, constraints, level) = (content.u8()?, content.u8()?, content.u8()?);
    Ok(format!("{kind}.{profile:02x}{constraints:02x}{level:02x}"))
}

/// `hvcC` (ISO/IEC 14496-15, section 8.3.3.1; the name: annex E.3).
fn hevc(kind: FourCc, mut content: Reader<'_>) -> Result<String, Unplayable> {
    content.u8()?;
    let general = content.u8()?;
    let compatibility = content.u32()?.reverse_bits();
    let constraints = content.take(6)?;
    let level = content.u8()?;
    let space = ["", "A", "B", "C"].get(usize::from(general >> 6)).copied().unwrap_or_default();
    let tier = if general & 0x20 == 0 { 'L' } else { 'H' };
    let mut name = format!("{kind}.{space}{}.{compatibility:X}.{tier}{level}", general & 0x1f);
    let used = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    for byte in constraints.iter().take(used) {
        let _ = write!(name, ".{byte:X}");
    }
    Ok(name)
}

/// `av1C` (AV1 Codec ISO Media File Format Binding, section 2.3; the name: section 5).
fn av1(mut content: Reader<'_>) -> Result<String, Unplayable> {
    content.u8()?;
    let (profile, depth) = (content.u8()?, content.u8()?);
    let tier = if depth & 0x80 == 0 { 'M' } else { 'H' };
    let bits = match (depth & 0x40 != 0, depth & 0x20 != 0) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    };
    Ok(format!("av01.{}.{:02}{tier}.{bits:02}", profile >> 5, profile & 0x1f))
}

/// `vpcC` (VP Codec ISO Media File Format Binding).
fn vp9(mut content: Reader<'_>) -> Result<String, Unplayable> {
    content.version()?;
    let (profile, level, depth) = (content.u8()?, content.u8()?, content.u8()? >> 4);
    Ok(format!("vp09.{profile:02}.{level:02}.{depth:02}"))
}

/// `esds` (ISO/IEC 14496-14, section 5.6; its descriptors: ISO/IEC 14496-1, section 7.2.6).
fn mpeg4(track: u32, kind: FourCc, mut content: Reader<'_>) -> Result<String, Unplayable> {
    content.version()?;
    let mut stream = descriptor(&mut content, 3)?;
    stream.u16()?;
    let flags = stream.u8()?;
    if flags & 0x80 != 0 {
        stream.u16()?;
    }
    if flags & 0x40 != 0 {
        let length = stream.u8()?;
        stream.take(length.into())?;
    }
    if flags & 0x20 != 0 {
        stream.u16()?;
    }
    let mut configuration = descriptor(&mut stream, 4)?;
    match configuration.u8()? {
        0x40 => {
            configuration.take(12)?;
            let mut specific = descriptor(&mut configuration, 5)?;
            let first = specific.u8()?;
            let kind = match first >> 3 {
                31 => 32 + (first & 0x07) * 8 + (specific.u8()? >> 5),
                kind => kind,
            };
            Ok(format!("mp4a.40.{kind}"))
        }
        // MPEG-1 and MPEG-2 layer 3.
        other @ (0x69 | 0x6b) => Ok(format!("mp4a.{other:02x}")),
        _ => Err(Unplayable::Codec { track, codec: kind }),
    }
}

/// Reads the descriptor with this tag, which is the next one.
fn descriptor<'a>(content: &mut Reader<'a>, tag: u8) -> Result<Reader<'a>, Unplayable> {
    if content.u8()? != tag {
        return Err(content.malformed("its descriptors are not those of a stream"));
    }
    let mut length = 0;
    for _ in 0..4 {
        let byte = content.u8()?;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    let inner = content.take(length)?;
    Ok(content.over(inner))
}
