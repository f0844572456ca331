//! What `c2pa.hash.data` leaves out of a JPEG beyond the manifest's own place.
//!
//! An exclusion may hold the manifest store and nothing else (C2PA 2.x, section 15.12): whatever else is in it can be
//! changed at will. Signers are known whose exclusion begins at the first byte of the file and takes in the segments before
//! the manifest. Those say something of the picture and are not the picture, so the rest of it is still bound.

use std::io::{self, Read, Seek, SeekFrom};

use crate::reading::Exclusion;

const MARKER: u8 = 0xff;
const START_OF_IMAGE: u8 = 0xd8;
const APP0: u8 = 0xe0;
const APP11: u8 = 0xeb;
const APP15: u8 = 0xef;
const COMMENT: u8 = 0xfe;

/// Most segments that are walked over: each has four bytes at least, and metadata has some dozens.
const MAX_SEGMENTS: usize = 10_000;

/// Bytes before the manifest that the exclusion takes in: they are metadata segments and nothing else, and the exclusion
/// ends where the manifest does. `None` where that is not so.
pub fn metadata_before(jpeg: impl Read + Seek, exclusion: Exclusion) -> io::Result<Option<u64>> {
    if exclusion.start != 0 {
        return Ok(None);
    }
    Ok(place(jpeg)?.filter(|manifest| manifest.end() == exclusion.end()).map(|manifest| manifest.start))
}

/// Where the manifest of a JPEG is, if only metadata stands before it: its APP11 segments, one behind the other (ISO/IEC
/// 19566-5, annex D).
fn place(mut jpeg: impl Read + Seek) -> io::Result<Option<Exclusion>> {
    let mut marker = [0; 2];
    jpeg.read_exact(&mut marker)?;
    if marker != [MARKER, START_OF_IMAGE] {
        return Ok(None);
    }
    let mut at = 2;
    let mut found: Option<Exclusion> = None;
    for _ in 0..MAX_SEGMENTS {
        let mut head = [0; 6];
        jpeg.seek(SeekFrom::Start(at))?;
        jpeg.read_exact(&mut head)?;
        let [mark, name, high, low, identifier @ ..] = head;
        let length = u64::from(u16::from_be_bytes([high, low])) + 2;
        let is_manifest = name == APP11 && identifier == *b"JP";
        match &mut found {
            _ if mark != MARKER => return Ok(found),
            Some(manifest) if is_manifest => manifest.length += length,
            Some(_) => return Ok(found),
            None if is_manifest => found = Some(Exclusion { start: at, length }),
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

    /// A picture with these segments, and where the first of them ends.
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
        let all = |start, length| metadata_before(jpeg(&parts), Exclusion { start, length }).unwrap();
        assert_eq!(all(0, end), Some(before));
        assert_eq!(all(0, end + 1), None, "a byte behind the manifest");
        assert_eq!(all(2, end - 2), None, "the exclusion begins elsewhere");
    }

    #[test]
    fn what_makes_the_picture_is_no_metadata() {
        // Tables and a scan before the manifest: a decoder shows them, and no hash covers them.
        let parts = [segment(0xdb, &[0; 64]), segment(APP11, b"JP the manifest"), segment(0xda, b"scan")];
        let end = 2 + (parts[0].len() + parts[1].len()) as u64;
        assert_eq!(metadata_before(jpeg(&parts), Exclusion { start: 0, length: end }).unwrap(), None);
        let nothing = metadata_before(Cursor::new(b"GIF89a".to_vec()), Exclusion { start: 0, length: 6 });
        assert_eq!(nothing.unwrap(), None);
    }
}
