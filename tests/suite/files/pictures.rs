//! Pictures that tests make.

use std::io::Cursor;

use credlink_pictures::{
    Bounds, Deadline, Encoding, RenditionProfile, Shape, Treatment, credentials, measure, render,
};
use serde_json::json;

/// A PNG of this size, whose pixels follow from `seed`: a gradient with noise, so that each is another file.
pub fn png(width: u32, height: u32, seed: u32) -> Vec<u8> {
    let mut pixels = Vec::new();
    let mut noise = seed.wrapping_mul(2_654_435_761).max(1);
    for y in 0..height {
        for x in 0..width {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            let part = |value: u32, of: u32| u8::try_from(value * 191 / of.max(1)).unwrap_or(191);
            let grain = u8::try_from(noise % 32).unwrap_or_default();
            pixels.extend([part(x, width) + grain, part(y, height), part(x + y, width + height)]);
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    bytes
}

/// Width and height of a picture, and its type.
pub fn measured(bytes: &[u8]) -> (u32, u32, &'static str) {
    let measures = measure(bytes, &Bounds::default()).unwrap();
    (measures.width, measures.height, measures.format.media_type())
}

/// Bytes that begin as a PDF does, of which each is another for each `seed`.
pub fn document(length: usize, seed: u8) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n".to_vec();
    bytes.extend((bytes.len()..length).map(|at| (at / 251) as u8 ^ (at % 251) as u8 ^ seed));
    bytes
}

/// A square PNG with a chunk of so many bytes that no program knows.
pub fn padded(side: u32, bytes: usize) -> Vec<u8> {
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(png::chunk::ChunkType(*b"prVt"), &vec![7; bytes]).unwrap();
    writer.write_image_data(&vec![99; (side * side) as usize]).unwrap();
    drop(writer);
    png
}

/// A picture that carries a manifest of its own, and that manifest, which has about `more` bytes more than it needs.
pub fn signed(kind: &str, picture: Vec<u8>, more: usize) -> (Vec<u8>, Vec<u8>) {
    let definition = json!({
        "claim_generator_info": [{ "name": "credlink-test", "version": "1" }],
        "assertions": [
            { "label": "c2pa.actions", "data": { "actions": [{
                "action": "c2pa.created",
                "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"
            }] } },
            { "label": "org.example.test", "data": { "text": "x".repeat(more) } },
        ]
    });
    let mut builder = c2pa::Builder::from_context(c2pa::Context::new()).with_definition(definition).unwrap();
    let signer = c2pa::EphemeralSigner::new("credlink-test").unwrap();
    let mut signed = Cursor::new(Vec::new());
    let manifest = builder.sign(&signer, kind, &mut Cursor::new(picture), &mut signed).unwrap();
    (signed.into_inner(), manifest)
}

/// The finaliser of the functions reads manifests without the library that wrote them.
#[test]
fn the_manifest_in_a_picture_is_the_one_that_was_put_in() {
    let original = png(320, 200, 3);
    let profile = RenditionProfile::new("p", 1, Shape::LongestSide(200), [Encoding::JPEG, Encoding::WEBP]);
    let deadline = Deadline::after(std::time::Duration::from_secs(60));
    let made = render(&original, &[profile.unwrap()], &Treatment::default(), &Bounds::default(), deadline);
    let made = made.unwrap().renditions.into_iter();
    let mut pictures: Vec<(&str, Vec<u8>)> =
        made.map(|rendition| (rendition.format.media_type(), rendition.bytes)).collect();
    pictures.push(("image/png", original));
    assert_eq!(pictures.len(), 3);
    for (kind, picture) in pictures {
        assert_eq!(credentials(&picture), None, "{kind}");
        // The longer one takes several segments of a JPEG.
        for more in [1, 200_000] {
            let (bytes, manifest) = signed(kind, picture.clone(), more);
            assert!(manifest.len() > more, "{kind}");
            assert!(credentials(&bytes).as_ref() == Some(&manifest), "{kind}, {more}");
        }
    }
}
