//! The facts about a picture: EXIF and position, types, placeholders.

use credlink_pictures::{Bounds, Camera, Deadline, Facts, PictureType, Position, inspect};
use exif::{Rational, Tag, Value};

use crate::samples::{Jpeg, exif, jpeg, quarters, rgb_png, text, webp};

fn rational(numbers: &[(u32, u32)]) -> Value {
    Value::Rational(numbers.iter().map(|(num, denom)| Rational { num: *num, denom: *denom }).collect())
}

fn facts(bytes: &[u8]) -> Facts {
    inspect(bytes, &Bounds::default(), Deadline::NEVER).unwrap()
}

fn of_fields(fields: &[(Tag, Value)]) -> Facts {
    facts(&Jpeg::with_exif(exif(fields)).rgb(8, 8, &quarters(8, 8)))
}

#[test]
fn the_allowed_fields_are_read_and_the_position_apart_from_them() {
    let facts = of_fields(&[
        (Tag::Make, text("Maker")),
        (Tag::Model, text("Model 7 \u{7}")),
        (Tag::Artist, text("Jane Doe")),
        (Tag::BodySerialNumber, text("SN-4711")),
        (Tag::DateTimeOriginal, text("2026:11:29 21:12:05")),
        (Tag::OffsetTimeOriginal, text("+01:00")),
        (Tag::ExposureTime, rational(&[(1, 250)])),
        (Tag::FNumber, rational(&[(18, 10)])),
        (Tag::PhotographicSensitivity, Value::Short(vec![64])),
        (Tag::GPSLatitudeRef, text("S")),
        (Tag::GPSLatitude, rational(&[(33, 1), (51, 1), (36, 1)])),
        (Tag::GPSLongitudeRef, text("E")),
        (Tag::GPSLongitude, rational(&[(151, 1), (12, 1), (0, 1)])),
        (Tag::GPSAltitudeRef, Value::Byte(vec![1])),
        (Tag::GPSAltitude, rational(&[(12, 1)])),
    ]);
    assert_eq!(
        facts.camera,
        Camera {
            make: Some("Maker".into()),
            model: Some("Model 7".into()),
            lens: None,
            taken: Some("2026-11-29T21:12:05+01:00".into()),
            exposure_seconds: Some(0.004),
            f_number: Some(1.8),
            iso: Some(64),
            focal_length_mm: None,
        }
    );
    let position = Position { latitude: -33.86, longitude: 151.2, altitude_m: Some(-12.0) };
    assert_eq!(facts.position, Some(position));
    let debug = format!("{:?}", facts.camera);
    assert!(!debug.contains("Jane") && !debug.contains("4711"));
}

#[test]
fn fields_that_make_no_sense_are_left_out() {
    let facts = of_fields(&[
        (Tag::Make, text("  ")),
        (Tag::DateTimeOriginal, text("0000:00:00")),
        (Tag::ExposureTime, rational(&[(1, 0)])),
        (Tag::FNumber, Value::Short(vec![4])),
        (Tag::GPSLatitudeRef, text("N")),
        (Tag::GPSLatitude, rational(&[(133, 1), (0, 1), (0, 1)])),
        (Tag::GPSLongitudeRef, text("E")),
        (Tag::GPSLongitude, rational(&[(1, 1), (0, 1), (0, 1)])),
    ]);
    assert_eq!((facts.camera, facts.position), (Camera::default(), None));
}

#[test]
fn damaged_exif_is_ignored() {
    let mut block = exif(&[(Tag::Make, text("Maker")), (Tag::Orientation, Value::Short(vec![6]))]);
    block.truncate(block.len() - 9);
    for block in [block, b"II*\0\xff\xff\xff\xff".to_vec(), vec![0; 40], Vec::new()] {
        facts(&Jpeg::with_exif(block).rgb(8, 8, &quarters(8, 8)));
    }
}

#[test]
fn a_type_is_known_by_content() {
    for (bytes, format, media_type) in [
        (jpeg(8, 8), PictureType::Jpeg, "image/jpeg"),
        (rgb_png(8, 8), PictureType::Png, "image/png"),
        (webp(8, 8, quarters(8, 8).as_flattened()), PictureType::WebP, "image/webp"),
    ] {
        let facts = facts(&bytes);
        assert_eq!((facts.format, facts.format.media_type(), facts.bytes), (format, media_type, bytes.len()));
    }
    let with_brands = |brands: &[[u8; 4]]| {
        let length = u32::try_from(8 + brands.len() * 4).unwrap();
        PictureType::of(&[&length.to_be_bytes(), b"ftyp".as_slice(), brands.as_flattened()].concat())
    };
    // The second place is the version, and not a brand.
    assert_eq!(with_brands(&[*b"mif1", *b"heic", *b"miaf"]), None);
    assert_eq!(with_brands(&[*b"mif1", [0; 4], *b"miaf", *b"heic"]), Some(PictureType::Heic));
    assert_eq!(with_brands(&[*b"isom", [0; 4], *b"mp42"]), None);
}

#[test]
fn a_placeholder_shows_the_colours() {
    let facts = facts(&jpeg(640, 480));
    let (width, height, rgba) = thumbhash::thumb_hash_to_rgba(facts.placeholder.as_bytes()).unwrap();
    assert!(width > height);
    let top_left = &rgba[(4 * width + 4) * 4..];
    assert!(top_left[0] > 130 && top_left[1] < 110 && top_left[2] < 110, "{:?}", &top_left[..3]);
    assert!(facts.placeholder.as_bytes().len() <= 25);
}

#[test]
fn facts_can_be_stored() {
    let facts = facts(&jpeg(64, 48));
    let stored = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<Facts>(&stored).unwrap(), facts);
    let placeholder = facts.placeholder.to_string();
    let expected = format!(
        r#"{{"format":"jpeg","bytes":{},"width":64,"height":48,"orientation":1,"frames":1,"bit_depth":8,"colours":"rgb","has_alpha":false,"camera":{{}},"placeholder":"{placeholder}"}}"#,
        facts.bytes
    );
    assert_eq!(stored, expected);
}
