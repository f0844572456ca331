//! Metadata: none in renditions, and none in an original from which it was removed.

use credlink_pictures::{Bounds, Orientation, Refusal, strip};
use exif::{Tag, Value};
use moxcms::ColorProfile;

use crate::samples::{
    GifFrame, Jpeg, chunk, exif, extended_webp, gif, iccp, quarters, rendered, rgb_png, riff, seen, side,
    webp, with_chunks,
};

const SECRET: &[u8] = b"Jane Doe, 4 Privet Drive";

fn block() -> Vec<u8> {
    let secret = Value::Ascii(vec![SECRET.to_vec()]);
    exif(&[(Tag::Orientation, Value::Short(vec![6])), (Tag::Artist, secret)])
}

fn profile() -> Vec<u8> {
    ColorProfile::new_display_p3().encode().unwrap()
}

fn secret_jpeg() -> Vec<u8> {
    let mut jpeg = Jpeg::with_exif(block());
    jpeg.markers.extend(Jpeg::with_profile(&profile()).markers);
    jpeg.markers.push((1, [b"http://ns.adobe.com/xap/1.0/\0", SECRET].concat()));
    jpeg.markers.push((11, [b"JP\0\x01\0\0\0\x01", SECRET].concat()));
    jpeg.markers.push((13, [b"Photoshop 3.0\0", SECRET].concat()));
    // A phone's film follows the end of its photo.
    [jpeg.rgb(64, 32, &quarters(64, 32)), SECRET.to_vec()].concat()
}

fn secret_png() -> Vec<u8> {
    let chunks = [
        chunk(b"iCCP", &iccp(&profile())),
        chunk(b"eXIf", &block()),
        chunk(b"tEXt", &[b"Author\0", SECRET].concat()),
        chunk(b"caBX", SECRET),
        chunk(b"prVt", SECRET),
    ];
    [with_chunks(&rgb_png(64, 32), &chunks), SECRET.to_vec()].concat()
}

fn secret_webp() -> Vec<u8> {
    let simple = webp(64, 32, quarters(64, 32).as_flattened());
    let after = [riff(b"EXIF", &block()), riff(b"XMP ", SECRET), riff(b"C2PA", SECRET)];
    [extended_webp(64, 32, &simple, 0x2c, &[riff(b"ICCP", &profile())], &after), SECRET.to_vec()].concat()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn renditions_have_no_metadata() {
    for bytes in [secret_jpeg(), secret_png(), secret_webp()] {
        assert!(contains(&bytes, SECRET));
        let result = rendered(&bytes, &[side(32)]).unwrap();
        assert_eq!((result.facts.width, result.facts.height), (32, 64));
        let [jpeg, webp] = result.renditions.as_slice() else { panic!() };
        // A JPEG's application segments and comments have the codes e0 to ef and fe; only JFIF's is there, at the start.
        assert_eq!(jpeg.bytes[2..11], *b"\xff\xe0\0\x10JFIF\0");
        let segments = jpeg.bytes.windows(2).filter(|two| two[0] == 0xff && matches!(two[1], 0xe1..=0xfe));
        assert_eq!(segments.count(), 0);
        // A simple WebP has one chunk.
        assert_eq!(webp.bytes[12..16], *b"VP8 ");
        let length = u32::from_le_bytes(webp.bytes[16..20].try_into().unwrap()) as usize;
        assert_eq!(webp.bytes.len(), 20 + length + length % 2);
        for made in &result.renditions {
            assert!(!contains(&made.bytes, SECRET));
        }
    }
}

#[test]
fn stripping_keeps_pixels_profile_and_orientation() {
    for bytes in [secret_jpeg(), secret_png(), secret_webp()] {
        let stripped = strip(&bytes, &Bounds::default()).unwrap();
        assert!(!contains(&stripped, SECRET));
        assert!(!contains(&stripped, b"Artist") && !contains(&stripped, b"xap"));
        let (before, after) =
            (rendered(&bytes, &[side(40)]).unwrap(), rendered(&stripped, &[side(40)]).unwrap());
        assert_eq!(before.renditions, after.renditions);
        assert_eq!(after.facts.orientation, Orientation::TurnRight);
        assert_eq!(before.facts.profile, after.facts.profile);
        assert!(after.facts.profile.is_some());
        assert_eq!(strip(&stripped, &Bounds::default()).unwrap(), stripped);
    }
}

#[test]
fn the_compressed_data_is_the_same_byte_for_byte() {
    let bytes = secret_jpeg();
    let stripped = strip(&bytes, &Bounds::default()).unwrap();
    let scan = |bytes: &[u8]| {
        let start = bytes.windows(2).position(|two| two == [0xff, 0xda]).unwrap();
        let end = start + bytes[start..].windows(2).position(|two| two == [0xff, 0xd9]).unwrap();
        bytes[start..end + 2].to_vec()
    };
    assert_eq!(scan(&bytes), scan(&stripped));
    assert!(stripped.ends_with(&[0xff, 0xd9]));
}

#[test]
fn an_upright_picture_gets_no_exif() {
    let bytes = Jpeg::default().rgb(16, 16, &quarters(16, 16));
    assert_eq!(strip(&bytes, &Bounds::default()).unwrap(), bytes);
    assert_eq!(strip(&rgb_png(16, 16), &Bounds::default()).unwrap(), rgb_png(16, 16));
}

#[test]
fn a_stripped_animation_still_moves() {
    let frames = [GifFrame::filled([0, 0, 16, 16], 0, 10), GifFrame::filled([0, 0, 16, 16], 1, 10)];
    let moving = gif(16, 16, gif::Repeat::Infinite, &frames);
    let webp = rendered(&moving, &[side(16)]).unwrap().renditions.swap_remove(0).bytes;
    let mut with_secret = [&webp, riff(b"XMP ", SECRET).as_slice()].concat();
    let length = u32::try_from(with_secret.len() - 8).unwrap();
    with_secret[4..8].copy_from_slice(&length.to_le_bytes());
    assert_eq!(strip(&with_secret, &Bounds::default()).unwrap(), webp);
    assert!(seen(&webp).width == 16);
    assert!(matches!(strip(&moving, &Bounds::default()), Err(Refusal::Unsupported { .. })));
}
