//! The end of a picture in its file, which is the last part that a box hash names. A decoder reads no further.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::next_bytes::read;

/// The part at the end of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The name of the part in a box hash.
    pub name: &'static str,
    /// `true` if the file ends there as well.
    pub is_at_the_end: bool,
}

/// Returns the end of a JPEG, a PNG or a GIF, and `None` for any other file, or if it has no end.
pub fn of(file: &mut (impl Read + Seek)) -> io::Result<Option<End>> {
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let mut file = BufReader::new(file);
    let Some(start) = read::<2>(&mut file)? else { return Ok(None) };
    let (name, end) = match start {
        [0xff, 0xd8] => ("EOI", jpeg(&mut file)?),
        [0x89, b'P'] => ("IEND", png(&mut file, length)?),
        [b'G', b'I'] => ("3B", gif(&mut file)?),
        _ => return Ok(None),
    };
    Ok(end.map(|end| End { name, is_at_the_end: end == length }))
}

/// Returns the position after the end-of-image code of a JPEG, which is not part of a segment. Returns `None` also for
/// content that a hasher and a decoder may read differently: bytes between segments, a repeated `0xff` in a scan, or
/// segments that the specification does not define (ITU-T T.81, annex B).
fn jpeg(file: &mut BufReader<impl Read + Seek>) -> io::Result<Option<u64>> {
    loop {
        let Some([0xff, mut marker]) = read::<2>(file)? else { return Ok(None) };
        // A marker may be preceded by fill bytes, which mean nothing (ITU-T T.81, B.1.1.2).
        while marker == 0xff {
            let Some([next]) = read(file)? else { return Ok(None) };
            marker = next;
        }
        match marker {
            0xd9 => return file.stream_position().map(Some),
            // These markers are reserved, or stand alone within a scan only.
            0x00..=0xbf | 0xd0..=0xd8 | 0xf0..=0xfd => return Ok(None),
            _ => {}
        }
        let Some(length) = read(file)?.map(u16::from_be_bytes) else { return Ok(None) };
        // A JUMBF segment contains at least its number and the head of a box.
        if length < 2 || (marker == 0xeb && length <= 16) {
            return Ok(None);
        }
        file.seek_relative(i64::from(length) - 2)?;
        if marker == 0xda && !pass_scan(file)? {
            return Ok(None);
        }
    }
}

/// Skips the data of a scan, up to the next segment. Returns `false` if there is none, or if an `0xff` is repeated.
fn pass_scan(file: &mut BufReader<impl Read + Seek>) -> io::Result<bool> {
    loop {
        match read(file)? {
            None => return Ok(false),
            Some([0xff]) => match read(file)? {
                Some([0x00 | 0xd0..=0xd7]) => {}
                None | Some([0xff]) => return Ok(false),
                Some(_) => {
                    file.seek_relative(-2)?;
                    return Ok(true);
                }
            },
            Some(_) => {}
        }
    }
}

/// Returns the position at which a PNG ends, after its chunk `IEND`.
fn png(file: &mut BufReader<impl Read + Seek>, end: u64) -> io::Result<Option<u64>> {
    let mut at = 8;
    while at < end {
        file.seek(SeekFrom::Start(at))?;
        let (Some(length), Some(name)) = (read(file)?, read::<4>(file)?) else { return Ok(None) };
        at += u64::from(u32::from_be_bytes(length)) + 12;
        if &name == b"IEND" {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Returns the position at which a GIF ends, after its trailer, which follows the last block.
fn gif(file: &mut BufReader<impl Read + Seek>) -> io::Result<Option<u64>> {
    // This is the rest of the head, and the screen. A byte of the latter gives the length of its colour table.
    file.seek(SeekFrom::Start(6))?;
    let Some([_, _, _, _, colours, _, _]) = read(file)? else { return Ok(None) };
    file.seek_relative(table(colours))?;
    loop {
        match read(file)? {
            Some([0x3b]) => return file.stream_position().map(Some),
            Some([0x21]) => file.seek_relative(1)?,
            Some([0x2c]) => {
                let Some([_, _, _, _, _, _, _, _, colours]) = read(file)? else { return Ok(None) };
                file.seek_relative(table(colours) + 1)?;
            }
            _ => return Ok(None),
        }
        loop {
            match read(file)? {
                None => return Ok(None),
                Some([0]) => break,
                Some([length]) => file.seek_relative(length.into())?,
            }
        }
    }
}

/// Returns the length of the colour table that a byte of a GIF announces.
fn table(colours: u8) -> i64 {
    if colours & 0x80 == 0 { 0 } else { 3 << ((colours & 7) + 1) }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn end(file: &[u8]) -> Option<End> {
        of(&mut Cursor::new(file)).unwrap()
    }

    #[test]
    fn a_picture_ends_where_its_format_says() {
        // A segment contains an end marker, and the scan contains everything that is not a marker.
        let jpeg = b"\xff\xd8\xff\xe1\0\x04\xff\xd9\xff\xda\0\x02\xaa\xff\0\xff\xd0\xbb\xff\xd9".as_slice();
        assert_eq!(end(jpeg), Some(End { name: "EOI", is_at_the_end: true }));
        assert_eq!(end(&[jpeg, b"more"].concat()), Some(End { name: "EOI", is_at_the_end: false }));
        assert_eq!(end(&jpeg[..jpeg.len() - 1]), None);
        let filled = b"\xff\xd8\xff\xff\xff\xe1\0\x04aa\xff\xff\xda\0\x02\xaa\xff\xd9";
        assert_eq!(end(filled), Some(End { name: "EOI", is_at_the_end: true }));
        for odd in [
            // The repeated `0xff` is in a scan, and after it.
            b"\xff\xd8\xff\xda\0\x02\xaa\xff\xff\0\xbb\xff\xd9".as_slice(),
            b"\xff\xd8\xff\xda\0\x02\xaa\xff\xff\xd9",
            // There are bytes between the segments.
            b"\xff\xd8\xff\xe1\0\x04aax\xff\xda\0\x02\xaa\xff\xd9",
            b"\xff\xd8\xff\xf1\0\x04aa\xff\xda\0\x02\xaa\xff\xd9",
            b"\xff\xd8\xff\xeb\0\x10aaaaaaaaaaaaaa\xff\xda\0\x02\xaa\xff\xd9",
        ] {
            assert_eq!(end(odd), None, "{odd:?}");
        }
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x04IDATIENDcrc.\0\0\0\0IENDcrc.".as_slice();
        assert_eq!(end(png), Some(End { name: "IEND", is_at_the_end: true }));
        assert_eq!(end(&[png, b"more"].concat()), Some(End { name: "IEND", is_at_the_end: false }));
        assert_eq!(end(&png[..30]), None);
        let gif = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xfe\x01;\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;".as_slice();
        assert_eq!(end(gif), Some(End { name: "3B", is_at_the_end: true }));
        assert_eq!(end(&[gif, b"more"].concat()), Some(End { name: "3B", is_at_the_end: false }));
        assert_eq!(end(&gif[..gif.len() - 1]), None);
        assert_eq!(end(b"GIF89a"), None);
        assert_eq!(end(b"text"), None);
        assert_eq!(end(b""), None);
    }
}
