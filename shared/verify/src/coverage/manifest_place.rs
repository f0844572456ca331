//! The place of a manifest in a file, compared with the exclusions of `c2pa.hash.data`.
//!
//! An exclusion may contain the manifest store and nothing else (C2PA 2.x, section 15.12): anything else in it can be
//! changed at will. Some signers of JPEGs write an exclusion that begins at the first byte of the file and includes the
//! segments before the manifest. Those describe the picture but are not part of it, so the rest of it is still bound.

use std::io::{self, Read, Seek, SeekFrom};

use super::next_bytes::read;
use crate::byte_range::ByteRange;

const MARKER: u8 = 0xff;
const START_OF_IMAGE: u8 = 0xd8;
const APP0: u8 = 0xe0;
const APP11: u8 = 0xeb;
const APP15: u8 = 0xef;
const COMMENT: u8 = 0xfe;

/// Maximum number of segments that are walked over. Each has at least four bytes, and metadata has a few dozen
/// segments.
const MAX_SEGMENTS: usize = 10_000;
/// Maximum number of directories of a TIFF that are walked over. Each is a page.
const MAX_DIRECTORIES: usize = 10_000;
/// Maximum number of entries of a directory that are walked over, which is the number of tags.
const MAX_ENTRIES: u64 = 65_535;
/// The tag of the manifest in a directory (C2PA 2.x, appendix A.3.7), and the type of its content.
const C2PA_TAG: [u16; 2] = [0xcd41, 7];
/// Maximum number of bytes that a container adds around a manifest: the head and the end of a box, a chunk or a frame.
const FRAME: u64 = 64;

/// Returns `true` if bytes of a file are just the place of its manifest, which has `length` bytes. In a JPEG, the place
/// consists of JUMBF segments and nothing else. Elsewhere it is as long as the manifest in the encoding of the format.
pub fn is_manifests(
    file: &mut (impl Read + Seek),
    exclusion: ByteRange,
    format: &str,
    length: u64,
) -> io::Result<bool> {
    file.rewind()?;
    if read(file)? == Some([MARKER, START_OF_IMAGE]) {
        return is_jumbf(file, exclusion);
    }
    let encoded = match format {
        // The manifest is in base64.
        "image/svg+xml" => length.div_ceil(3) * 4,
        // The manifest is in blocks of 255 bytes, each preceded by its length.
        "image/gif" => length + length.div_ceil(255),
        _ => length,
    };
    Ok(exclusion.length <= encoded + FRAME)
}

/// Returns `true` if bytes of a JPEG are consecutive JUMBF segments.
fn is_jumbf(jpeg: &mut (impl Read + Seek), exclusion: ByteRange) -> io::Result<bool> {
    let mut at = exclusion.start;
    for _ in 0..MAX_SEGMENTS {
        if at >= exclusion.end() {
            return Ok(true);
        }
        jpeg.seek(SeekFrom::Start(at))?;
        let Some([MARKER, APP11, high, low, b'J', b'P']) = read(jpeg)? else { return Ok(false) };
        at += u64::from(u16::from_be_bytes([high, low])) + 2;
    }
    Ok(false)
}

/// Returns the places at which the directories of a TIFF hold the length of its manifest. The length is known only when
/// the manifest is written, so no hash in the manifest covers it. There are none in a file that is not a TIFF.
pub fn lengths_in_directories(file: &mut (impl Read + Seek)) -> io::Result<Vec<ByteRange>> {
    file.rewind()?;
    let mut found = Vec::new();
    let Some(head) = read::<8>(file)? else { return Ok(found) };
    let (is_little, is_big_tiff) = match &head[..4] {
        b"II*\0" => (true, false),
        b"MM\0*" => (false, false),
        b"II+\0" => (true, true),
        b"MM\0+" => (false, true),
        _ => return Ok(found),
    };
    let short =
        |bytes: [u8; 2]| if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) };
    let number = |file: &mut dyn Read, wide: usize| -> io::Result<Option<u64>> {
        let mut bytes = vec![0; wide];
        if let Err(error) = file.read_exact(&mut bytes) {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
        }
        if is_little {
            bytes.reverse();
        }
        Ok(Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))))
    };
    // The lengths, in bytes, of an offset, of the number of entries, and of an entry.
    let (wide, counted, entry) = if is_big_tiff { (8, 8, 20) } else { (4, 2, 12) };
    file.seek(SeekFrom::Start(if is_big_tiff { 8 } else { 4 }))?;
    let mut next = number(file, wide)?;
    for _ in 0..MAX_DIRECTORIES {
        let Some(directory) = next.filter(|offset| *offset > 0) else { return Ok(found) };
        file.seek(SeekFrom::Start(directory))?;
        let Some(entries) = number(file, counted)?.filter(|entries| *entries <= MAX_ENTRIES) else {
            return Ok(found);
        };
        let first = directory.saturating_add(counted as u64);
        for index in 0..entries {
            let at = first.saturating_add(index * entry);
            file.seek(SeekFrom::Start(at))?;
            let Some([a, b, c, d]) = read(file)? else { return Ok(found) };
            if [short([a, b]), short([c, d])] == C2PA_TAG {
                found.push(ByteRange { start: at.saturating_add(4), length: wide as u64 });
            }
        }
        file.seek(SeekFrom::Start(first.saturating_add(entries * entry)))?;
        next = number(file, wide)?;
    }
    Ok(found)
}

/// Returns the number of bytes before the manifest in an exclusion that consists of metadata segments and the manifest.
/// Returns `None` if it contains anything else, or does not end with the manifest.
pub fn metadata_before(jpeg: &mut (impl Read + Seek), exclusion: ByteRange) -> io::Result<Option<u64>> {
    if exclusion.start != 0 {
        return Ok(None);
    }
    Ok(place(jpeg)?.filter(|manifest| manifest.end() == exclusion.end()).map(|manifest| manifest.start))
}

/// Returns the place of the manifest of a JPEG, if only metadata precedes it: consecutive APP11 segments (ISO/IEC
/// 19566-5, annex D).
fn place(jpeg: &mut (impl Read + Seek)) -> io::Result<Option<ByteRange>> {
    jpeg.rewind()?;
    if read(jpeg)? != Some([MARKER, START_OF_IMAGE]) {
        return Ok(None);
    }
    let mut at = 2;
    let mut found: Option<ByteRange> = None;
    for _ in 0..MAX_SEGMENTS {
        jpeg.seek(SeekFrom::Start(at))?;
        let Some([mark, name, high, low, identifier @ ..]) = read::<6>(jpeg)? else { return Ok(None) };
        let length = u64::from(u16::from_be_bytes([high, low])) + 2;
        let is_manifest = name == APP11 && identifier == *b"JP";
        match &mut found {
            _ if mark != MARKER => return Ok(found),
            Some(manifest) if is_manifest => manifest.length += length,
            Some(_) => return Ok(found),
            None if is_manifest => found = Some(ByteRange { start: at, length }),
            None if !matches!(name, APP0..=APP15 | COMMENT) => return Ok(None),
            None => {}
        }
        at += length;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn segment(name: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
        [&[MARKER, name], length.as_slice(), content].concat()
    }

    /// Returns a picture with these segments, and the position at which the first of them ends.
    fn jpeg(segments: &[Vec<u8>]) -> Cursor<Vec<u8>> {
        Cursor::new([&[MARKER, START_OF_IMAGE], segments.concat().as_slice()].concat())
    }

    #[test]
    fn metadata_before_the_manifest_is_measured() {
        let parts = [
            segment(0xe1, b"Exif\0\0 where and when"),
            segment(APP11, b"JP first"),
            segment(APP11, b"JP second"),
            segment(0xdb, &[0; 64]),
        ];
        let before = 2 + parts[0].len() as u64;
        let end = before + (parts[1].len() + parts[2].len()) as u64;
        let all = |start, length| metadata_before(&mut jpeg(&parts), ByteRange { start, length }).unwrap();
        assert_eq!(all(0, end), Some(before));
        assert_eq!(all(0, end + 1), None, "a byte behind the manifest");
        assert_eq!(all(2, end - 2), None, "the exclusion begins elsewhere");
    }

    #[test]
    fn what_makes_the_picture_is_no_metadata() {
        // A decoder shows the tables and the scan before the manifest, and no hash covers them.
        let parts = [segment(0xdb, &[0; 64]), segment(APP11, b"JP the manifest"), segment(0xda, b"scan")];
        let end = 2 + (parts[0].len() + parts[1].len()) as u64;
        assert_eq!(metadata_before(&mut jpeg(&parts), ByteRange { start: 0, length: end }).unwrap(), None);
        let nothing =
            metadata_before(&mut Cursor::new(b"GIF89a".to_vec()), ByteRange { start: 0, length: 6 });
        assert_eq!(nothing.unwrap(), None);
    }

    #[test]
    fn the_place_of_a_manifest_holds_nothing_else() {
        let parts = [
            segment(0xe0, b"JFIF\0"),
            segment(APP11, b"JP first"),
            segment(0xfe, b"a comment"),
            segment(APP11, b"JP second"),
        ];
        let start = 2 + parts[0].len() as u64;
        let [first, comment, second] = [1, 2, 3].map(|index| parts[index].len() as u64);
        let is = |start, length| {
            is_manifests(&mut jpeg(&parts), ByteRange { start, length }, "image/jpeg", 14).unwrap()
        };
        assert!(is(start, first));
        assert!(is(start + first + comment, second));
        assert!(!is(start, first + comment + second), "a comment is between");
        assert!(!is(start, first + 1));
        assert!(!is(start - 1, first));
        let elsewhere = |format, length| {
            let exclusion = ByteRange { start: 9, length };
            is_manifests(&mut Cursor::new(vec![0; 9]), exclusion, format, 3_000).unwrap()
        };
        assert!(elsewhere("image/png", 3_012) && !elsewhere("image/png", 3_100));
        assert!(elsewhere("image/svg+xml", 4_000) && !elsewhere("image/svg+xml", 4_100));
        assert!(elsewhere("image/gif", 3_030) && !elsewhere("image/gif", 3_100));
    }

    #[test]
    fn a_tiff_says_how_long_its_manifest_is() {
        for (mark, is_little) in [(b"II*\0", true), (b"MM\0*", false)] {
            let number = |number: u32| if is_little { number.to_le_bytes() } else { number.to_be_bytes() };
            let short = |number: u16| if is_little { number.to_le_bytes() } else { number.to_be_bytes() };
            let entry = |tag, kind| [&short(tag), &short(kind), number(1).as_slice(), &number(0)].concat();
            let second = 8 + 2 + 12 + 4;
            let file = [
                mark.as_slice(),
                &number(8),
                &short(1),
                &entry(256, 3),
                &number(second),
                &short(2),
                &entry(256, 3),
                &entry(0xcd41, 7),
                &number(0),
            ]
            .concat();
            let found = lengths_in_directories(&mut Cursor::new(file.clone())).unwrap();
            assert_eq!(found, [ByteRange { start: u64::from(second) + 2 + 12 + 4, length: 4 }]);
            // The directories point to each other.
            let mut stuck = file;
            stuck[22..26].copy_from_slice(&number(8));
            assert!(lengths_in_directories(&mut Cursor::new(stuck)).unwrap().is_empty());
        }
        assert!(lengths_in_directories(&mut Cursor::new(b"II*\0\xff".to_vec())).unwrap().is_empty());
        assert!(
            lengths_in_directories(&mut Cursor::new(b"\xff\xd8\xff\xe0 and more".to_vec()))
                .unwrap()
                .is_empty()
        );
    }
}
