//! The end of a picture in its file: the last of the parts that a box hash names. A decoder reads no further.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::next_bytes::read;

/// The part that a picture ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The name that a box hash has for it.
    pub name: &'static str,
    /// `true` if the file ends there as well.
    pub is_at_the_end: bool,
}

/// The end of a JPEG, a PNG or a GIF; `None` of anything else, and of what has none.
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

/// The place at which a JPEG ends: behind the marker of its end, which stands in no segment. `None` also where it has something that those who
/// hash it and those who show it may read differently: bytes between segments, an `0xff` that is repeated in a scan, or segments of which
/// the specification does not say what they are (ITU-T T.81, annex B).
fn jpeg(file: &mut BufReader<impl Read + Seek>) -> io::Result<Option<u64>> {
    loop {
        let Some([0xff, mut marker]) = read::<2>(file)? else { return Ok(None) };
        // A marker may be filled up in front, which says nothing (ITU-T T.81, B.1.1.2).
        while marker == 0xff {
            let Some([next]) = read(file)? else { return Ok(None) };
            marker = next;
        }
        match marker {
            0xd9 => return file.stream_position().map(Some),
            // What stands by itself in a scan alone, and what is reserved.
            0x00..=0xbf | 0xd0..=0xd8 | 0xf0..=0xfd => return Ok(None),
            _ => {}
        }
        let Some(length) = read(file)?.map(u16::from_be_bytes) else { return Ok(None) };
        // One of JUMBF has its number and the head of a box.
        if length < 2 || (marker == 0xeb && length <= 16) {
            return Ok(None);
        }
        file.seek_relative(i64::from(length) - 2)?;
        if marker == 0xda && !pass_scan(file)? {
            return Ok(None);
        }
    }
}

/// Passes over the data of a scan, up to the marker behind it. Returns `false` if none is there, or an `0xff` is repeated.
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

/// The place at which a PNG ends: behind its chunk `IEND`.
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

/// The place at which a GIF ends: behind its trailer, which follows the last block.
fn gif(file: &mut BufReader<impl Read + Seek>) -> io::Result<Option<u64>> {
    // The rest of the head, and the screen: a byte of it says how long its table of colours is.
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

/// The length of the table of colours that a byte of a GIF announces.
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
        // A segment with the mark of an end in it, and a picture with all that is no marker in it.
        let jpeg = b"\xff\xd8\xff\xe1\0\x04\xff\xd9\xff\xda\0\x02\xaa\xff\0\xff\xd0\xbb\xff\xd9".as_slice();
        assert_eq!(end(jpeg), Some(End { name: "EOI", is_at_the_end: true }));
        assert_eq!(end(&[jpeg, b"more"].concat()), Some(End { name: "EOI", is_at_the_end: false }));
        assert_eq!(end(&jpeg[..jpeg.len() - 1]), None);
        let filled = b"\xff\xd8\xff\xff\xff\xe1\0\x04aa\xff\xff\xda\0\x02\xaa\xff\xd9";
        assert_eq!(end(filled), Some(End { name: "EOI", is_at_the_end: true }));
        for odd in [
            // In a scan, and behind it.
            b"\xff\xd8\xff\xda\0\x02\xaa\xff\xff\0\xbb\xff\xd9".as_slice(),
            b"\xff\xd8\xff\xda\0\x02\xaa\xff\xff\xd9",
            // Between segments.
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
