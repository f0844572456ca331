//! Videos in fragments: a head (`moov`) in one file, and the pictures in others (ISO/IEC 14496-12, section 8.16).

use std::io::{self, Read, Seek, SeekFrom};

/// Most boxes that are walked over: a head has a handful.
const MAX_BOXES: usize = 1_000;

/// Whether a file is the head of a video and holds no part of its content.
pub fn is_head(mut file: impl Read + Seek) -> io::Result<bool> {
    let end = file.seek(SeekFrom::End(0))?;
    let (mut at, mut has_movie) = (0, false);
    for _ in 0..MAX_BOXES {
        if at >= end {
            return Ok(has_movie);
        }
        file.seek(SeekFrom::Start(at))?;
        let (Some(length), Some(name)) = (word(&mut file)?, word(&mut file)?) else { return Ok(false) };
        match &name {
            b"mdat" | b"moof" => return Ok(false),
            b"moov" => has_movie = true,
            _ => {}
        }
        let length = match u32::from_be_bytes(length) {
            0 => return Ok(has_movie),
            1 => word(&mut file)?.map_or(0, u64::from_be_bytes),
            length => length.into(),
        };
        // A box that is shorter than its own head would be met for ever.
        if length < 8 {
            return Ok(false);
        }
        at = at.saturating_add(length);
    }
    Ok(false)
}

/// The next bytes of a file; `None` at its end.
fn word<const LENGTH: usize>(file: &mut impl Read) -> io::Result<Option<[u8; LENGTH]>> {
    let mut word = [0; LENGTH];
    match file.read_exact(&mut word) {
        Ok(()) => Ok(Some(word)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn file(names: &[&[u8; 4]]) -> Cursor<Vec<u8>> {
        Cursor::new(
            names.iter().flat_map(|name| [&[0, 0, 0, 12], name.as_slice(), &[0; 4]].concat()).collect(),
        )
    }

    #[test]
    fn a_head_has_no_content() {
        for (names, expected) in [
            (&[b"ftyp", b"uuid", b"moov"][..], true),
            (&[b"ftyp", b"moov", b"mdat"], false),
            (&[b"ftyp", b"moov", b"moof"], false),
            (&[b"styp", b"moof", b"mdat"], false),
            (&[b"ftyp"], false),
        ] {
            assert_eq!(is_head(file(names)).unwrap(), expected, "{names:?}");
        }
        assert!(!is_head(Cursor::new(b"\0\0\0\0")).unwrap());
        let stuck = [b"\0\0\0\x08moov".as_slice(), b"\0\0\0\x07free"].concat();
        assert!(!is_head(Cursor::new(stuck)).unwrap());
        let long = [b"\0\0\0\x01moov".as_slice(), &16_u64.to_be_bytes(), b"\0\0\0\x08mdat"].concat();
        assert!(!is_head(Cursor::new(long)).unwrap());
    }
}
