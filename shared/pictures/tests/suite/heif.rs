//! HEIC and AVIF, which `tests/pictures/make.py` made with other encoders.

use std::path::Path;

use credlink_pictures::{Bounds, Deadline, PictureType, Refusal, inspect};

use crate::samples::{CORNERS, assert_near, both, rendered, side};

fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures").join(name)).unwrap()
}

/// Asserts that a picture of 64 × 32 shows the four colours.
#[track_caller]
fn assert_seen(name: &str, tolerance: u8) {
    let bytes = file(name);
    let facts = rendered(&bytes, &[]).unwrap().facts;
    assert_eq!((facts.width, facts.height), (64, 32), "{name}");
    for seen in both(&bytes, 64) {
        assert_eq!((seen.width, seen.height), (64, 32), "{name}");
        assert_near(seen.corners(), CORNERS, tolerance);
    }
}

/// Asserts that the right half of a picture is transparent.
#[track_caller]
fn assert_half_transparent(name: &str) {
    let bytes = file(name);
    assert!(rendered(&bytes, &[]).unwrap().facts.has_alpha);
    let [jpeg, webp] = both(&bytes, 64);
    assert_near([jpeg.corners()[1], jpeg.corners()[0]], [[255; 3], CORNERS[0]], 16);
    assert_eq!((webp.at(8, 8)[3], webp.at(56, 8)[3]), (255, 0));
}

/// Asserts that a picture is refused wherever it is cut off, and where its size is beyond the bounds.
#[track_caller]
fn assert_bounded(name: &str) {
    let bytes = file(name);
    for place in
        (1..40).map(|part| bytes.len() * part / 40).chain([bytes.len() - 1]).filter(|place| *place > 40)
    {
        let error = rendered(&bytes[..place], &[side(32)]).unwrap_err();
        let expected =
            matches!(error, Refusal::CutOff { .. } | Refusal::Damaged { .. } | Refusal::Unsupported { .. });
        assert!(expected, "{name} cut off after {place}: {error}");
    }
    let bounds = Bounds { pixels: 64 * 32 - 1, ..Bounds::default() };
    let error = inspect(&bytes, &bounds, Deadline::NEVER).unwrap_err();
    assert!(matches!(error, Refusal::TooManyPixels { width: 64, .. }), "{error}");
}

/// Damages a picture in many ways, none of which may crash the process.
fn damage(name: &str) {
    let bytes = file(name);
    for place in (0..bytes.len()).step_by(3) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0xff;
        let _ = rendered(&damaged, &[]);
    }
}

#[cfg(feature = "avif")]
mod avif {
    use super::*;

    #[test]
    fn every_orientation_is_turned_upright() {
        for orientation in 1..=8 {
            assert_seen(&format!("orientation-{orientation}.avif"), 16);
        }
    }

    #[test]
    fn every_layout_and_range_is_decoded() {
        assert_seen("full.avif", 8);
        assert_seen("limited.avif", 12);
        let grey = rendered(&file("grey.avif"), &[side(64)]).unwrap();
        assert_eq!(grey.facts.colours, credlink_pictures::Colours::Grey);
        // The weights of BT.601: 0.299, 0.587, 0.114.
        let luma = CORNERS.map(|[r, g, b]| {
            [(0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b)).round() as u8; 3]
        });
        assert_near(crate::samples::seen(&grey.renditions[0].bytes).corners(), luma, 6);
    }

    #[test]
    fn opacity_is_decoded() {
        assert_half_transparent("transparent.avif");
    }

    #[test]
    fn exif_is_read() {
        let facts = rendered(&file("orientation-6.avif"), &[]).unwrap().facts;
        assert_eq!((facts.format, facts.camera.make.as_deref()), (PictureType::Avif, Some("Maker")));
    }

    #[test]
    fn an_animation_is_refused_and_not_flattened() {
        let error = rendered(&file("animation.avif"), &[]).unwrap_err();
        assert!(error.to_string().ends_with("it is an animation or a film"), "{error}");
    }

    #[test]
    fn cut_off_and_large_pictures_are_refused() {
        assert_bounded("full.avif");
        assert_bounded("transparent.avif");
    }

    #[test]
    fn damage_never_crashes() {
        damage("transparent.avif");
    }
}

#[cfg(feature = "heic")]
mod heic {
    use super::*;

    #[test]
    fn pictures_are_decoded_upright() {
        assert_seen("plain.heic", 16);
        assert_seen("turned.heic", 16);
        // The orientation in EXIF does not count, since the container has its own.
        assert_seen("exif.heic", 16);
        let facts = rendered(&file("turned.heic"), &[]).unwrap().facts;
        assert_eq!((facts.format, facts.camera.make.as_deref()), (PictureType::Heic, Some("Maker")));
    }

    #[test]
    fn opacity_is_decoded() {
        assert_half_transparent("transparent.heic");
    }

    #[test]
    fn cut_off_and_large_pictures_are_refused() {
        assert_bounded("plain.heic");
    }

    #[test]
    fn damage_never_crashes() {
        damage("plain.heic");
    }
}
