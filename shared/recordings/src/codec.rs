//! Codecs: their names in playlists (RFC 6381), read from sample entries, and whether browsers decode them.

use std::fmt::Write as _;

use crate::bmff::FourCc;
use crate::bmff::movie::SampleEntry;
use crate::bmff::reader::Reader;
use crate::bmff::writer::Writer;
use crate::unplayable::Unplayable;

/// The length of the members of a visual sample entry before its boxes (ISO/IEC 14496-12, section 12.1.3).
const VISUAL: usize = 78;
/// The length of those of an audio sample entry (section 12.2.3).
const AUDIO: usize = 28;

/// Returns the name of a video codec, as `avc1.64001f`.
///
/// # Errors
/// Fails if browsers do not decode it, if it is encrypted, or if the entry is damaged.
pub(crate) fn video(track: u32, entry: &SampleEntry<'_>) -> Result<String, Unplayable> {
    let kind = entry.kind;
    let mut content = Reader::new(kind, entry.content);
    let unsupported = Unplayable::Codec { track, codec: kind };
    match &kind.0 {
        b"encv" => Err(Unplayable::Encrypted(track)),
        b"avc1" | b"avc3" => {
            content.take(VISUAL)?;
            avc(kind, content.boxes().required(b"avcC")?)
        }
        b"hvc1" | b"hev1" => {
            content.take(VISUAL)?;
            hevc(kind, content.boxes().required(b"hvcC")?)
        }
        b"av01" => {
            content.take(VISUAL)?;
            av1(content.boxes().required(b"av1C")?)
        }
        b"vp09" => {
            content.take(VISUAL)?;
            vp9(content.boxes().required(b"vpcC")?)
        }
        _ => Err(unsupported),
    }
}

/// Returns the name of an audio codec, as `mp4a.40.2`.
///
/// # Errors
/// Fails as [`video`] does.
pub(crate) fn audio(track: u32, entry: &SampleEntry<'_>) -> Result<String, Unplayable> {
    let kind = entry.kind;
    let unsupported = Unplayable::Codec { track, codec: kind };
    match &kind.0 {
        b"enca" => Err(Unplayable::Encrypted(track)),
        b"mp4a" => {
            let mut content = Reader::new(kind, entry.content);
            content.take(8)?;
            // QuickTime's versions 1 and 2 have further members.
            let version = content.u16()?;
            content.take(AUDIO - 10)?;
            match version {
                0 => {}
                1 => {
                    content.take(16)?;
                }
                _ => return Err(unsupported),
            }
            match descriptors(content)? {
                Some(descriptors) => mpeg4(track, kind, descriptors),
                None => Err(unsupported),
            }
        }
        // RFC 6381 has the type of the sample entry; browsers know these names, in lower case.
        b"Opus" => Ok("opus".to_owned()),
        b"fLaC" => Ok("flac".to_owned()),
        _ => Err(unsupported),
    }
}

/// Returns the descriptors of a stream of MPEG-4, which QuickTime keeps in a box of their own.
fn descriptors<'a>(boxes: Reader<'a>) -> Result<Option<Reader<'a>>, Unplayable> {
    match (boxes.boxes().first(b"esds")?, boxes.boxes().first(b"wave")?) {
        (Some(descriptors), _) => Ok(Some(descriptors)),
        (None, Some(wave)) => wave.boxes().first(b"esds"),
        (None, None) => Ok(None),
    }
}

/// Returns `true` if a sample entry is one of QuickTime's versions, which players of MP4 do not read.
pub(crate) fn is_of_quick_time(entry: &SampleEntry<'_>) -> bool {
    entry.kind.0 == *b"mp4a" && entry.content.get(8..10).is_some_and(|version| version != [0; 2])
}

/// Returns the content of an audio sample entry as players read it: one of QuickTime's version 1 becomes one of version 0, with the
/// same channels, rate and descriptors.
///
/// # Errors
/// Fails if the entry is damaged.
pub(crate) fn as_version_0(entry: &SampleEntry<'_>) -> Result<Vec<u8>, Unplayable> {
    if !is_of_quick_time(entry) {
        return Ok(entry.content.to_vec());
    }
    let mut content = Reader::new(entry.kind, entry.content);
    let (reference, _, shape) = (content.take(8)?, content.take(8)?, content.take(4)?);
    content.take(4)?;
    let rate = content.take(4)?;
    content.take(16)?;
    let mut written = Writer::default();
    written.bytes(reference).zeros(8).bytes(shape).zeros(4).bytes(rate);
    if let Some(descriptors) = descriptors(content)? {
        written.boxed(b"esds", |esds| {
            esds.bytes(descriptors.rest());
        });
    }
    Ok(written.finish())
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
        // MPEG-2 AAC, and layer 3 of MPEG-2 and MPEG-1.
        other @ (0x66..=0x69 | 0x6b) => Ok(format!("mp4a.{other:02x}")),
        _ => Err(Unplayable::Codec { track, codec: kind }),
    }
}

/// Reads the descriptor with this tag, which is the next one.
fn descriptor<'a>(content: &mut Reader<'a>, tag: u8) -> Result<Reader<'a>, Unplayable> {
    if content.u8()? != tag {
        return Err(content.malformed("it has not the descriptor that belongs here"));
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

/// Returns the width and the height in pixels of a visual sample entry, if it has them.
pub(crate) fn dimensions(entry: &SampleEntry<'_>) -> Option<(u32, u32)> {
    let mut content = Reader::new(entry.kind, entry.content);
    content.take(24).ok()?;
    let (width, height) = (content.u16().ok()?, content.u16().ok()?);
    (width > 0 && height > 0).then_some((width.into(), height.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(members: usize, kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let mut entry = Writer::default();
        entry.zeros(members).boxed(kind, |inner| {
            inner.bytes(content);
        });
        entry.finish()
    }

    #[test]
    fn a_codec_has_the_name_that_browsers_know() {
        let of_hevc = [1, 0x01, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93];
        for (kind, configuration, content, expected) in [
            (b"avc1", b"avcC", &[1, 0x64, 0, 0x1f][..], "avc1.64001f"),
            (b"avc3", b"avcC", &[1, 0x42, 0xc0, 0x1e], "avc3.42c01e"),
            (b"hvc1", b"hvcC", &of_hevc, "hvc1.1.6.L93.90"),
            (b"av01", b"av1C", &[0x81, 0x04, 0x0c, 0], "av01.0.04M.08"),
            (b"av01", b"av1C", &[0x81, 0x48, 0xcc, 0], "av01.2.08H.10"),
            (b"vp09", b"vpcC", &[1, 0, 0, 0, 0, 31, 0x82], "vp09.00.31.08"),
        ] {
            let content = entry(VISUAL, configuration, content);
            let entry = SampleEntry { kind: FourCc(*kind), content: &content };
            assert_eq!(video(1, &entry).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn sound_of_mpeg_4_is_named_by_its_descriptors() {
        let esds = |object: u8, specific: &[u8]| {
            let inner =
                [&[object][..], &[0; 12], &[5, u8::try_from(specific.len()).unwrap()], specific].concat();
            // The length of the stream's descriptor is written with four bytes, as many encoders do.
            let rest = u8::try_from(inner.len() + 5).unwrap();
            [&[0; 4], &[3, 0x80, 0x80, 0x80, rest][..], &[0, 1, 0, 4, rest - 5], &inner].concat()
        };
        for (object, specific, expected) in [
            (0x40, &[0x12, 0x10][..], Ok("mp4a.40.2".to_owned())),
            (0x40, &[0x2b, 0x8a], Ok("mp4a.40.5".to_owned())),
            (0x40, &[0xf9, 0x40], Ok("mp4a.40.42".to_owned())),
            (0x6b, &[], Ok("mp4a.6b".to_owned())),
            (0xdd, &[], Err(Unplayable::Codec { track: 2, codec: FourCc(*b"mp4a") })),
        ] {
            let descriptors = esds(object, specific);
            let plain = entry(AUDIO, b"esds", &descriptors);
            // QuickTime: version 1, with further members, and the descriptors in a box of their own.
            let mut quick_time = entry(AUDIO + 16, b"wave", &entry(0, b"esds", &descriptors));
            quick_time[9] = 1;
            for content in [plain, quick_time] {
                let entry = SampleEntry { kind: FourCc(*b"mp4a"), content: &content };
                assert_eq!(audio(2, &entry), expected, "{object:#x}");
                // What is written for players has the descriptors behind the members of version 0.
                let written = as_version_0(&entry).unwrap();
                assert_eq!(written[AUDIO + 8..], descriptors, "{object:#x}");
                assert_eq!(audio(2, &SampleEntry { kind: FourCc(*b"mp4a"), content: &written }), expected);
            }
        }
        for (kind, expected) in [(b"Opus", "opus"), (b"fLaC", "flac")] {
            assert_eq!(audio(2, &SampleEntry { kind: FourCc(*kind), content: &[] }).as_deref(), Ok(expected));
        }
        let encrypted = SampleEntry { kind: FourCc(*b"enca"), content: &[] };
        assert_eq!(audio(2, &encrypted), Err(Unplayable::Encrypted(2)));
    }
}
