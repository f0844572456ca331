//! Sizes of renditions, squares around a focal point, and what is left out.

use credlink_core::hash::MediaHash;
use credlink_pictures::{
    Bounds, Deadline, Encoding, FocalPoint, Omission, OmissionReason, PictureType, RenditionProfile, Shape,
    Treatment, render,
};

use crate::samples::{
    BLUE, CORNERS, Jpeg, RED, YELLOW, assert_near, jpeg, profile, quarters, rendered, rgb_png, seen, side,
};

fn item_photo() -> Vec<RenditionProfile> {
    [("thumbnail", 60), ("medium", 160), ("large", 240)]
        .map(|(name, side)| profile(name, Shape::LongestSide(side)))
        .into()
}

#[test]
fn every_profile_gets_each_of_its_types() {
    let result = rendered(&jpeg(480, 360), &item_photo()).unwrap();
    let made: Vec<_> = result
        .renditions
        .iter()
        .map(|made| (made.profile.as_str(), made.format, made.width, made.height))
        .collect();
    use PictureType::{Jpeg, WebP};
    assert_eq!(
        made,
        [
            ("large", Jpeg, 240, 180),
            ("large", WebP, 240, 180),
            ("medium", Jpeg, 160, 120),
            ("medium", WebP, 160, 120),
            ("thumbnail", Jpeg, 60, 45),
            ("thumbnail", WebP, 60, 45),
        ]
    );
    for made in &result.renditions {
        let seen = seen(&made.bytes);
        assert_eq!((seen.width, seen.height), (made.width, made.height));
        assert_eq!(PictureType::of(&made.bytes), Some(made.format));
        assert_eq!(made.hash, MediaHash::of(&made.bytes));
        assert_near(seen.corners(), CORNERS, 12);
    }
}

#[test]
fn a_small_picture_gets_fewer_renditions_and_none_is_enlarged() {
    let result = rendered(&jpeg(100, 75), &item_photo()).unwrap();
    let sizes: Vec<_> = result.renditions.iter().map(|made| (made.profile.as_str(), made.width)).collect();
    assert_eq!(sizes, [("medium", 100), ("medium", 100), ("thumbnail", 60), ("thumbnail", 60)]);
    assert_eq!(
        result.omissions,
        [Omission {
            profile: "large".into(),
            version: 1,
            reason: OmissionReason::Repeats { profile: "medium".into() }
        }]
    );
}

#[test]
fn one_pixel_is_a_picture() {
    for bytes in [jpeg(1, 1), rgb_png(1, 1)] {
        let result = rendered(&bytes, &[side(300), profile("face", Shape::Square(300))]).unwrap();
        assert!(result.renditions.iter().all(|made| (made.width, made.height) == (1, 1)));
        assert_eq!(result.renditions.len(), 4);
    }
}

#[test]
fn a_thin_picture_keeps_one_pixel_of_width() {
    let result = rendered(&jpeg(2, 900), &[side(300)]).unwrap();
    assert_eq!((result.renditions[0].width, result.renditions[0].height), (1, 300));
}

/// Renders the square around a point of a picture of 120 × 60, and returns its corners.
fn square(x: f64, y: f64) -> [[u8; 3]; 4] {
    let treatment = Treatment { focal: FocalPoint::new(x, y).unwrap(), ..Treatment::default() };
    let profiles = [side(90), profile("face", Shape::Square(30))];
    let result = render(&jpeg(120, 60), &profiles, &treatment, &Bounds::default(), Deadline::NEVER).unwrap();
    let made = result.renditions.iter().find(|made| made.profile == "face").unwrap();
    let seen = seen(&made.bytes);
    assert_eq!((seen.width, seen.height), (30, 30));
    seen.corners()
}

#[test]
fn a_square_keeps_the_focal_point() {
    assert_near(square(0.5, 0.5), CORNERS, 20);
    assert_near(square(0.0, 0.5), [RED, RED, BLUE, BLUE], 20);
    let [_, green, _, yellow] = CORNERS;
    assert_near(square(1.0, 0.0), [green, green, YELLOW, yellow], 20);
}

#[test]
fn a_focal_point_is_within_the_picture() {
    assert!(FocalPoint::new(0.0, 1.0).is_some());
    for (x, y) in [(-0.1, 0.5), (0.5, 1.1), (f64::NAN, 0.5)] {
        assert!(FocalPoint::new(x, y).is_none(), "{x} {y}");
    }
}

#[test]
fn progressive_jpeg_is_an_option_of_the_profile() {
    let start_of_frame = |progressive| {
        let encoding = Encoding::Jpeg { quality: 80, progressive };
        let profile = RenditionProfile::new("large", 1, Shape::LongestSide(100), [encoding]).unwrap();
        let made = rendered(&jpeg(200, 200), &[profile]).unwrap().renditions.swap_remove(0);
        assert_near(seen(&made.bytes).corners(), CORNERS, 20);
        (
            made.bytes.windows(2).filter(|two| *two == [0xff, 0xc2]).count(),
            made.bytes.windows(2).filter(|two| *two == [0xff, 0xc0]).count(),
        )
    };
    assert_eq!(start_of_frame(false), (0, 1));
    assert_eq!(start_of_frame(true), (1, 0));
}

#[test]
fn colours_of_a_jpeg_are_stored_at_half_size() {
    let made = rendered(&jpeg(200, 200), &[side(100)]).unwrap().renditions.swap_remove(0);
    let frame = made.bytes.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    // The first component of the frame: its number, its sampling factors.
    assert_eq!(made.bytes[frame + 10..frame + 12], [1, 0x22]);
}

#[test]
fn the_same_picture_gives_the_same_bytes() {
    let bytes = Jpeg { progressive: true, ..Jpeg::default() }.rgb(300, 200, &quarters(300, 200));
    let once = rendered(&bytes, &item_photo()).unwrap();
    assert_eq!(rendered(&bytes, &item_photo()).unwrap(), once);
}

#[test]
fn a_profile_that_makes_no_sense_is_refused() {
    let error = |name, shape, encodings: &[Encoding]| {
        RenditionProfile::new(name, 1, shape, encodings).unwrap_err().to_string()
    };
    let side = Shape::LongestSide(300);
    for (error, words) in [
        (error("", side, &[Encoding::JPEG]), "a name has 1 to 32 characters"),
        (error("../x", side, &[Encoding::JPEG]), "a name has 1 to 32 characters"),
        (error("x", Shape::Square(0), &[Encoding::JPEG]), "a side of 0 pixels; 1 to 16383"),
        (error("x", Shape::Square(16_384), &[Encoding::JPEG]), "a side of 16384 pixels"),
        (error("x", side, &[]), "no encoding"),
        (error("x", side, &[Encoding::WEBP, Encoding::WEBP]), "WebP is there twice"),
        (error("x", side, &[Encoding::WebP { quality: 0, effort: 4 }]), "quality 0; 1 to 100"),
        (error("x", side, &[Encoding::WebP { quality: 80, effort: 7 }]), "effort 7; 0 to 6"),
    ] {
        assert!(error.contains(words), "{error}");
    }
}
