//! Boxes of an ISO base media file that a hash may exclude, because nothing that is shown depends on them. However,
//! tables say from where the shown content is read, and a table may point into such a box. So its content matters all
//! the same.

use std::io::{self, Read, Seek, SeekFrom};

use super::boxes::{C2PA_UUID, FoundBox};

/// Maximum length of the content of a file type box, in bytes: a brand, its version, and the compatible brands.
const MAX_BRANDS: u64 = 64;
/// Maximum number of boxes that are named.
const NAMED: usize = 3;

/// The purposes of the boxes that hold a manifest.
const MANIFESTS: [&[u8]; 3] = [b"manifest", b"original", b"update"];

/// Returns the doubt, in words, about the boxes whose names are among `left_out` and that contain more than what is
/// certainly inert. Returns `None` if there is no doubt.
pub fn doubt(
    boxes: &[FoundBox],
    left_out: &[&str],
    file: &mut (impl Read + Seek),
) -> io::Result<Option<String>> {
    let (mut doubtful, mut purposes, mut has_index) = (Vec::new(), Vec::new(), false);
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
                // A manifest and its update are compared with the validated one. The content of the others is compared
                // with nothing.
                Some(purpose) => {
                    let is_first = !purposes.contains(&purpose);
                    let is_manifests = MANIFESTS.contains(&purpose.as_slice());
                    if is_first {
                        purposes.push(purpose);
                    }
                    is_manifests && is_first
                }
            },
            b"mfra" => {
                has_index |= end > start;
                true
            }
            // The box is excluded for a reason that is reported elsewhere.
            _ => true,
        };
        if !is_idle {
            doubtful.push(format!("bytes {start} to {} (`{}`)", end.saturating_sub(1), &xpath[1..]));
        }
    }
    let more = doubtful.len().saturating_sub(NAMED);
    doubtful.truncate(NAMED);
    if more > 0 {
        doubtful.push(format!("{more} more boxes"));
    }
    let places = (!doubtful.is_empty()).then(|| {
        format!("{} may have been changed, and what is shown may be read from there", doubtful.join(", "))
    });
    let index = has_index.then(|| "its index of fragments (`mfra`) may have been changed".to_owned());
    Ok(places.into_iter().chain(index).reduce(|places, index| format!("{places}; {index}")))
}

/// Returns `true` if bytes of a file are zeros. Text is not accepted, because it cannot be told from a picture: all its
/// samples may be printable.
fn is_blank(file: &mut (impl Read + Seek), start: u64, end: u64) -> io::Result<bool> {
    file.seek(SeekFrom::Start(start))?;
    let (mut left, mut piece) = (end - start, [0; 65_536]);
    while left > 0 {
        let room = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let Some(room) = piece.get_mut(..room) else { return Ok(false) };
        let count = file.read(room)?;
        if count == 0 || room.get(..count).unwrap_or_default().iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        left -= count as u64;
    }
    Ok(true)
}

/// Returns `true` if bytes of a file are brands (ISO/IEC 14496-12, section 4.3). Each has four printable characters, or
/// is four zeros, as in QuickTime. The version after the first brand may be anything.
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

/// Returns the purpose of a C2PA box, which follows its version and flags (C2PA 2.x, appendix A.5), and `None` for any
/// other box.
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

    /// Returns the doubt about a file of these boxes, all of which are excluded.
    fn told(boxes: &[(&[u8; 4], Vec<u8>)]) -> Option<String> {
        let (mut file, mut found) = (Vec::new(), Vec::new());
        for (name, content) in boxes {
            file.extend((content.len() as u32 + 8).to_be_bytes());
            file.extend_from_slice(*name);
            let start = file.len() as u64;
            file.extend_from_slice(content);
            found.push((**name, start, file.len() as u64));
        }
        doubt(&found, &["/ftyp", "/free", "/skip", "/mfra", "/uuid", "/mdat"], &mut Cursor::new(file))
            .unwrap()
    }

    #[test]
    fn what_can_hold_a_picture_is_not_idle() {
        let brands = b"mp42\0\0\x02\0isommp42".to_vec();
        let of = |purpose: &[u8]| [&C2PA_UUID[..], b"\0\0\0\0", purpose, b"\0more"].concat();
        let idle = [
            (b"ftyp", brands.clone()),
            (b"ftyp", b"qt  \x20\x05\x03\0qt  \0\0\0\0\0\0\0\0\0\0\0\0".to_vec()),
            (b"free", vec![0; 200_000]),
            (b"free", Vec::new()),
            (b"mfra", Vec::new()),
            (b"uuid", of(b"manifest")),
            (b"uuid", vec![7; 40]),
            (b"mdat", vec![0xff; 40]),
        ];
        assert_eq!(told(&idle), None);
        assert_eq!(told(&[(b"uuid", of(b"original")), (b"uuid", of(b"update"))]), None);
        for (boxes, expected) in [
            (vec![(b"free", vec![0xff; 40])], "bytes 8 to 47 (`free`) may have been changed"),
            (vec![(b"skip", b"made by an encoder".to_vec())], "bytes 8 to 25 (`skip`)"),
            (vec![(b"free", [vec![0; 70_000], vec![1]].concat())], "bytes 8 to 70008 (`free`)"),
            (vec![(b"ftyp", [brands.clone(), vec![0xff; 4]].concat())], "bytes 8 to 27 (`ftyp`)"),
            (vec![(b"ftyp", [brands.clone(), vec![b'a'; 52]].concat())], "bytes 8 to 75 (`ftyp`)"),
            (vec![(b"uuid", of(b"manifest")), (b"uuid", of(b"manifest"))], "(`uuid`)"),
            (vec![(b"uuid", of(b"merkle")); 5], "2 more boxes may have been changed"),
            (vec![(b"mfra", vec![0; 8])], "its index of fragments (`mfra`) may have been changed"),
        ] {
            let said = told(&boxes).unwrap_or_default();
            assert!(said.contains(expected), "{expected}: {said}");
        }
    }
}
