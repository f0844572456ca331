//! Content credentials in a picture: the C2PA manifest store, as its container carries it (C2PA 2.2, A.3).

use std::collections::BTreeMap;

use crate::{PictureType, jpeg, png, webp};

/// Returns the C2PA manifest store in a JPEG, PNG or WebP, or `None` if there is none, more than one, or one that is not
/// whole. What the store says is not looked at.
#[must_use]
pub fn credentials(bytes: &[u8]) -> Option<Vec<u8>> {
    match PictureType::of(bytes)? {
        PictureType::Jpeg => in_jpeg(bytes),
        PictureType::Png => {
            let chunks = png::chunks(bytes).ok()?;
            only(chunks.iter().filter(|chunk| &chunk.kind == b"caBX").map(|chunk| chunk.content.to_vec()))
        }
        PictureType::WebP => {
            let chunks = webp::chunks(bytes).ok()?;
            only(chunks.iter().filter(|(kind, _)| kind == b"C2PA").map(|(_, content)| content.to_vec()))
        }
        _ => None,
    }
}

fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

/// The length of a box's header: its length and its type. Each segment after the first repeats that of the first.
const HEADER: usize = 8;

/// Returns the store in a JPEG. A box is cut into segments APP11 that have a common number, and are counted from 1
/// (ISO/IEC 19566-5, annex D).
fn in_jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    const APP11: u8 = 0xeb;
    let mut boxes: BTreeMap<[u8; 2], BTreeMap<u32, &[u8]>> = BTreeMap::new();
    for segment in jpeg::segments(bytes).ok()?.iter().filter(|segment| segment.code == APP11) {
        let Some([n1, n0, c3, c2, c1, c0, part @ ..]) = segment.content.strip_prefix(b"JP") else { continue };
        let counted = u32::from_be_bytes([*c3, *c2, *c1, *c0]);
        // Two segments of the same place are no box.
        if boxes.entry([*n1, *n0]).or_default().insert(counted, part).is_some() {
            return None;
        }
    }
    only(boxes.into_values().filter_map(|parts| store(&parts)))
}

/// Returns the box that these segments are the parts of, if it is a manifest store.
fn store(parts: &BTreeMap<u32, &[u8]>) -> Option<Vec<u8>> {
    let first = parts.get(&1)?;
    // A superbox, whose description names its type by a UUID that begins like this.
    let is_store = first.get(4..8) == Some(b"jumb")
        && first.get(12..16) == Some(b"jumd")
        && first.get(16..20) == Some(b"c2pa");
    if !is_store {
        return None;
    }
    let length = u32::from_be_bytes(*first.first_chunk()?) as usize;
    let mut whole = first.to_vec();
    for (expected, (counted, part)) in (1..).zip(parts) {
        if *counted != expected {
            return None;
        }
        if expected > 1 {
            whole.extend(part.get(HEADER..)?);
        }
    }
    (whole.len() == length).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manifest store of this length, as far as its first boxes tell.
    fn a_store(length: usize) -> Vec<u8> {
        let mut store = u32::try_from(length).unwrap().to_be_bytes().to_vec();
        store.extend(b"jumb\0\0\0\x1ejumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0");
        store.extend((store.len()..length).map(|at| u8::try_from(at % 251).unwrap()));
        store
    }

    fn segment(code: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
        [&[0xff, code], length.as_slice(), content].concat()
    }

    /// A segment with a part of a box.
    fn part(number: u16, counted: u32, content: &[u8]) -> Vec<u8> {
        let head = [b"JP".as_slice(), &number.to_be_bytes(), &counted.to_be_bytes()].concat();
        segment(0xeb, &[&head, content].concat())
    }

    fn jpeg_of(parts: &[Vec<u8>]) -> Vec<u8> {
        let parts: Vec<u8> = parts.concat();
        [b"\xff\xd8".as_slice(), &segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"), &parts, b"\xff\xd9"]
            .concat()
    }

    #[test]
    fn a_store_in_a_jpeg_is_put_together_in_the_order_of_its_parts() {
        let store = a_store(150_000);
        let (head, pieces) = (&store[..8], store.chunks(65_000).collect::<Vec<_>>());
        let first = part(7, 1, pieces[0]);
        let second = part(7, 2, &[head, pieces[1]].concat());
        let third = part(7, 3, &[head, pieces[2]].concat());
        let other = part(8, 1, b"\0\0\0\x18jumb\0\0\0\x10jumdjson\0\0\0\0");
        let whole = [first.clone(), other, third.clone(), second.clone()];
        assert_eq!(credentials(&jpeg_of(&whole)), Some(store.clone()));
        for broken in [
            vec![first.clone(), third.clone()],
            vec![first.clone(), second.clone()],
            vec![second.clone(), third.clone()],
            vec![first.clone(), second.clone(), second.clone(), third.clone()],
            vec![first.clone(), second, third, part(9, 1, &a_store(100))],
            vec![part(7, 1, &a_store(100)[..99])],
            vec![segment(0xeb, b"JP\0\x07")],
            vec![],
        ] {
            assert_eq!(credentials(&jpeg_of(&broken)), None);
        }
        assert_eq!(credentials(&jpeg_of(&[part(1, 1, &a_store(100))])), Some(a_store(100)));
    }

    #[test]
    fn a_store_in_a_png_or_a_webp_is_the_content_of_a_chunk() {
        let store = a_store(99);
        let chunk = |kind: &[u8; 4], content: &[u8]| {
            let length = u32::try_from(content.len()).unwrap().to_be_bytes();
            [&length, kind.as_slice(), content, &[0; 4]].concat()
        };
        let png = |middle: &[Vec<u8>]| [png::SIGNATURE, &middle.concat(), &chunk(b"IEND", b"")].concat();
        assert_eq!(credentials(&png(&[chunk(b"caBX", &store)])), Some(store.clone()));
        assert_eq!(credentials(&png(&[chunk(b"caBX", &store), chunk(b"caBX", &store)])), None);
        assert_eq!(credentials(&png(&[chunk(b"tEXt", &store)])), None);
        let webp = webp::assembled([(*b"VP8X", [0; 10].as_slice()), (*b"C2PA", store.as_slice())]);
        assert_eq!(credentials(&webp), Some(store));
        assert_eq!(credentials(b"GIF89a"), None);
        assert_eq!(credentials(b""), None);
    }
}
