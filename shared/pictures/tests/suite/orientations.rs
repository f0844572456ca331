//! Each orientation, in each type that can state one.

use credlink_pictures::{Orientation, Shape};
use exif::{Tag, Value};

use crate::samples::{
    CORNERS, Jpeg, assert_near, both, chunk, exif, extended_webp, png, profile, quarters, rendered, riff,
    seen, webp, with_chunks,
};

/// The pixels of a picture of 64 × 32 that is seen as [`quarters`], stored in this orientation, with their width and height.
///
/// The table is EXIF's: the sides of the picture that are seen where the first row and the first column are stored.
fn stored(orientation: u16) -> (Vec<[u8; 3]>, u32, u32) {
    let (width, height) = (64, 32);
    let picture = quarters(width, height);
    let (first_row, first_column) = [
        ("top", "left"),
        ("top", "right"),
        ("bottom", "right"),
        ("bottom", "left"),
        ("left", "top"),
        ("right", "top"),
        ("right", "bottom"),
        ("left", "bottom"),
    ][usize::from(orientation) - 1];
    let from = |side, place, length| if matches!(side, "top" | "left") { place } else { length - 1 - place };
    let swapped = matches!(first_row, "left" | "right");
    let (columns, rows) = if swapped { (height, width) } else { (width, height) };
    let mut pixels = Vec::new();
    for row in 0..rows {
        for column in 0..columns {
            let (x, y) = if swapped {
                (from(first_row, row, width), from(first_column, column, height))
            } else {
                (from(first_column, column, width), from(first_row, row, height))
            };
            pixels.push(picture[(y * width + x) as usize]);
        }
    }
    (pixels, columns, rows)
}

fn block(orientation: u16) -> Vec<u8> {
    exif(&[(Tag::Orientation, Value::Short(vec![orientation]))])
}

#[track_caller]
fn assert_upright(bytes: &[u8], orientation: u16) {
    let result = rendered(bytes, &[]).unwrap();
    assert_eq!((result.facts.width, result.facts.height), (64, 32), "{orientation}");
    assert_eq!(result.facts.orientation, Orientation::from_number(orientation.into()).unwrap());
    for seen in both(bytes, 40) {
        assert_eq!((seen.width, seen.height), (40, 20), "{orientation}");
        assert_near(seen.corners(), CORNERS, 12);
    }
}

#[test]
fn a_jpeg_is_turned_upright() {
    for orientation in 1..=8 {
        let (pixels, width, height) = stored(orientation);
        assert_upright(&Jpeg::with_exif(block(orientation)).rgb(width, height, &pixels), orientation);
    }
}

#[test]
fn a_png_is_turned_upright() {
    for orientation in 1..=8 {
        let (pixels, width, height) = stored(orientation);
        let png = png(width, height, png::ColorType::Rgb, png::BitDepth::Eight, pixels.as_flattened());
        assert_upright(&with_chunks(&png, &[chunk(b"eXIf", &block(orientation))]), orientation);
    }
}

#[test]
fn a_webp_is_turned_upright() {
    for orientation in 1..=8 {
        let (pixels, width, height) = stored(orientation);
        let simple = webp(width, height, pixels.as_flattened());
        let exif = riff(b"EXIF", &block(orientation));
        assert_upright(&extended_webp(width, height, &simple, 0x08, &[], &[exif]), orientation);
    }
}

#[test]
fn a_square_is_cut_from_the_upright_picture() {
    let (pixels, width, height) = stored(6);
    let bytes = Jpeg::with_exif(block(6)).rgb(width, height, &pixels);
    let rendered = rendered(&bytes, &[profile("face", Shape::Square(16))]).unwrap();
    let seen = seen(&rendered.renditions[0].bytes);
    assert_eq!((seen.width, seen.height), (16, 16));
    assert_near(seen.corners(), CORNERS, 20);
}

#[test]
fn an_orientation_that_does_not_exist_is_upright() {
    let (pixels, width, height) = stored(1);
    let bytes = Jpeg::with_exif(block(9)).rgb(width, height, &pixels);
    assert_eq!(rendered(&bytes, &[]).unwrap().facts.orientation, Orientation::Upright);
}
