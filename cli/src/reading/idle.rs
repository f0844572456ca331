//! Boxes of an ISO base media file that a hash may leave out, as nothing that is shown depends on them. What is shown is read from
//! where tables say, and a table may name a place in such a box: so what stands in it matters all the same.

use std::io::{self, Read, Seek, SeekFrom};

use super::coverage::C2PA_UUID;
use super::fragments::Found;

/// Longest text in free space that is taken for one: some writers leave their name there.
const MAX_TEXT: u64 = 1_024;
/// Longest content of a file type box: a brand, its version, and the brands that it is compatible with.
const MAX_BRANDS: u64 = 264;

/// Purposes of the boxes that hold a manifest.
const MANIFESTS: [&[u8]; 3] = [b"manifest", b"original", b"update"];

/// The boxes that hold more than what can be nothing but idle, of those whose names are among `left_out`, in words.
pub fn doubtful(
    boxes: &[Found],
    left_out: &[&str],
    file: &mut (impl Read + Seek),
) -> io::Result<Vec<String>> {
    let (mut doubtful, mut purposes) = (Vec::new(), Vec::new());
    for (name, start, end) in boxes {
        let xpath = format!("/{}", String::from_utf8_lossy(name));
        if !left_out.contains(&&*xpath) {
            continue;
        }
        let is_idle = match name {
            b"free" | b"skip" => is_blank(file, *start, *end)?,
            b"ftyp" => is_brands(file, *start, *end)?,
            b"uuid" => match purpose(file, *start, *end)? {
                None => true,
                // A manifest, and an update of it, is compared with the one that is validated. Others hold what nothing is compared with.
                Some(purpose) => {
                    let is_first = !purposes.contains(&purpose);
                    let is_manifests = MANIFESTS.contains(&purpose.as_slice());
                    purposes.push(purpose);
                    is_manifests && is_first
                }
            },
            // An index of fragments, in which any number may stand.
            _ => end == start,
        };
        if !is_idle {
            doubtful.push(format!("bytes {start} to {} (`{}`)", end.saturating_sub(1), &xpath[1..]));
        }
    }
    Ok(doubtful)
}

/// Returns `true` if bytes of a file are zeros, or a short text of printable ASCII.
fn is_blank(file: &mut (impl Read + Seek), start: u64, end: u64) -> io::Result<bool> {
    let may_be_text = end - start <= MAX_TEXT;
    let is_printable = |byte: u8| may_be_text && (byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    file.seek(SeekFrom::Start(start))?;
    let (mut left, mut piece) = (end - start, [0; 65_536]);
    while left > 0 {
        let room = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let Some(room) = piece.get_mut(..room) else { return Ok(false) };
        let count = file.read(room)?;
        let read = room.get(..count).unwrap_or_default();
        if count == 0 || !read.iter().all(|byte| *byte == 0 || is_printable(*byte)) {
            return Ok(false);
        }
        left -= count as u64;
    }
    Ok(true)
}

/// Returns `true` if bytes of a file are brands (ISO/IEC 14496-12, section 4.3): four printable characters each, or four zeros as in
/// QuickTime, but for the version behind the first.
fn is_brands(file: &mut (impl Read + Seek), start: u64, end: u64) -> io::Result<bool> {
    if end - start > MAX_BRANDS || !(end - start).is_multiple_of(4) {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(end - start).read_to_end(&mut bytes)?;
    let brands = bytes.chunks(4).enumerate().filter(|(at, _)| *at != 1);
    let is_brand = |brand: &[u8]| brand == [0; 4] || brand.iter().all(|byte| (0x20..0x7f).contains(byte));
    Ok(brands.into_iter().all(|(_, brand)| is_brand(brand)))
}

/// The purpose of a box of C2PA, which stands behind its version and flags (C2PA 2.x, appendix A.5); `None` of another box.
fn purpose(file: &mut (impl Read + Seek), start: u64, end: u64) -> io::Result<Option<Vec<u8>>> {
    file.seek(SeekFrom::Start(start))?;
    let mut head = Vec::new();
    file.take((end - start).min(36)).read_to_end(&mut head)?;
    let Some(rest) = head.strip_prefix(&C2PA_UUID) else { return Ok(None) };
    let text = rest.get(4..).unwrap_or_default();
    Ok(text.split(|byte| *byte == 0).next().map(<[u8]>::to_vec))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// The doubtful boxes of a file of these, of which all are left out.
    fn told(boxes: &[(&[u8; 4], Vec<u8>)]) -> Vec<String> {
        let (mut file, mut found) = (Vec::new(), Vec::new());
        for (name, content) in boxes {
            file.extend((content.len() as u32 + 8).to_be_bytes());
            file.extend_from_slice(*name);
            let start = file.len() as u64;
            file.extend_from_slice(content);
            found.push((**name, start, file.len() as u64));
        }
        doubtful(&found, &["/ftyp", "/free", "/skip", "/mfra", "/uuid"], &mut Cursor::new(file)).unwrap()
    }

    #[test]
    fn what_can_hold_a_picture_is_not_idle() {
        let brands = b"mp42\0\0\x02\0isommp42".to_vec();
        let manifest = || [&C2PA_UUID[..], b"\0\0\0\0manifest\0"].concat();
        let idle = [
            (b"ftyp", brands.clone()),
            (b"ftyp", b"qt  \x20\x05\x03\0qt  \0\0\0\0\0\0\0\0\0\0\0\0".to_vec()),
            (b"free", vec![0; 200_000]),
            (b"skip", b"made by an encoder\r\n".to_vec()),
            (b"free", Vec::new()),
            (b"uuid", manifest()),
            (b"uuid", vec![7; 40]),
            (b"mdat", vec![0xff; 40]),
        ];
        assert_eq!(told(&idle), [""; 0]);
        for (name, content, expected) in [
            (b"free", vec![0xff; 40], "bytes 8 to 47 (`free`)"),
            (b"skip", vec![b'a'; 1_025], "bytes 8 to 1032 (`skip`)"),
            (b"free", [vec![0; 70_000], vec![1]].concat(), "bytes 8 to 70008 (`free`)"),
            (b"ftyp", [brands.clone(), vec![0xff; 4]].concat(), "bytes 8 to 27 (`ftyp`)"),
            (b"ftyp", [brands.clone(), vec![b'a'; 252]].concat(), "bytes 8 to 275 (`ftyp`)"),
            (b"mfra", vec![0; 8], "bytes 8 to 15 (`mfra`)"),
        ] {
            assert_eq!(told(&[(name, content)]), [expected]);
        }
        let second = told(&[(b"uuid", manifest()), (b"uuid", manifest())]);
        assert_eq!(second, ["bytes 45 to 73 (`uuid`)"]);
        let of = |purpose: &[u8]| [&C2PA_UUID[..], b"\0\0\0\0", purpose, b"\0more"].concat();
        assert_eq!(told(&[(b"uuid", of(b"original")), (b"uuid", of(b"update"))]), [""; 0]);
        assert_eq!(told(&[(b"uuid", of(b"merkle"))]), ["bytes 8 to 38 (`uuid`)"]);
    }
}
