//! Profiles, bit depths, grey, inks, palettes and transparency.

use credlink_pictures::{Bounds, Colours, Deadline, Refusal, Treatment, render};
use moxcms::ColorProfile;
use mozjpeg::ColorSpace;

use crate::samples::{
    CORNERS, GREEN, Jpeg, RED, assert_near, both, chunk, iccp, png, png_with, quarters, rendered, seen, side,
    webp, with_chunks,
};

fn filled(pixel: &[u8], count: usize) -> Vec<u8> {
    pixel.iter().copied().cycle().take(pixel.len() * count).collect()
}

/// Converts Display P3 to sRGB with the published matrix, which is not the code under test.
fn srgb_of_p3(pixel: [u8; 3]) -> [u8; 3] {
    let linear = pixel.map(|sample| {
        let sample = f64::from(sample) / 255.0;
        if sample <= 0.04045 { sample / 12.92 } else { ((sample + 0.055) / 1.055).powf(2.4) }
    });
    let rows = [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]];
    rows.map(|row: [f64; 3]| {
        let sum: f64 = row.iter().zip(linear).map(|(factor, sample)| factor * sample).sum();
        let sum = sum.clamp(0.0, 1.0);
        let encoded = if sum <= 0.003_130_8 { sum * 12.92 } else { 1.055 * sum.powf(1.0 / 2.4) - 0.055 };
        (encoded * 255.0).round() as u8
    })
}

const P3: [u8; 3] = [200, 90, 60];

#[test]
fn display_p3_is_converted() {
    let expected = srgb_of_p3(P3);
    // The conversion is visible, so that the tolerance below cannot hide its absence.
    assert!(expected[0].abs_diff(P3[0]) > 8, "{expected:?}");
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let jpeg = Jpeg::with_profile(&profile).rgb(64, 64, &[P3; 64 * 64]);
    let plain = png(64, 64, png::ColorType::Rgb, png::BitDepth::Eight, &filled(&P3, 64 * 64));
    let tagged = with_chunks(&plain, &[chunk(b"iCCP", &iccp(&profile))]);
    // Code points: primaries 12 are P3's, transfer 13 is sRGB's.
    let pointed = with_chunks(&plain, &[chunk(b"cICP", &[12, 13, 0, 1])]);
    for bytes in [jpeg, tagged, pointed] {
        for seen in both(&bytes, 32) {
            assert_near([seen.corners()[0]], [expected], 4);
        }
    }
    for seen in both(&plain, 32) {
        assert_near([seen.corners()[0]], [P3], 4);
    }
}

#[test]
fn the_profile_is_among_the_facts() {
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let facts =
        rendered(&Jpeg::with_profile(&profile).rgb(8, 8, &[P3; 64]), &[]).unwrap().facts.profile.unwrap();
    assert_eq!(
        (facts.description.as_deref(), facts.bytes, facts.applied),
        (Some("Display P3"), profile.len(), true)
    );
}

#[test]
fn a_profile_that_cannot_be_read_is_ignored() {
    let bytes = Jpeg::with_profile(&[7; 500]).rgb(64, 64, &[P3; 64 * 64]);
    let result = rendered(&bytes, &[side(32)]).unwrap();
    assert!(!result.facts.profile.unwrap().applied);
    assert_near([seen(&result.renditions[0].bytes).corners()[0]], [P3], 4);
}

#[test]
fn a_profile_with_a_missing_piece_is_ignored() {
    let mut jpeg = Jpeg::with_profile(&ColorProfile::new_display_p3().encode().unwrap());
    jpeg.markers[0].1[13] = 2;
    assert_eq!(rendered(&jpeg.rgb(8, 8, &[P3; 64]), &[]).unwrap().facts.profile, None);
}

#[test]
fn high_dynamic_range_is_refused() {
    let plain = png(4, 4, png::ColorType::Rgb, png::BitDepth::Sixteen, &[128; 96]);
    let error = rendered(&with_chunks(&plain, &[chunk(b"cICP", &[9, 16, 0, 1])]), &[]).unwrap_err();
    assert!(matches!(error, Refusal::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("high dynamic range"), "{error}");
}

#[test]
fn sixteen_bits_become_eight() {
    let samples: Vec<u8> =
        quarters(64, 64).as_flattened().iter().flat_map(|sample| [*sample, 0x55]).collect();
    let bytes = png(64, 64, png::ColorType::Rgb, png::BitDepth::Sixteen, &samples);
    assert_eq!(rendered(&bytes, &[]).unwrap().facts.bit_depth, 16);
    for seen in both(&bytes, 32) {
        assert_near(seen.corners(), CORNERS, 12);
    }
}

#[test]
fn grey_stays_grey() {
    let samples = filled(&[90], 64 * 64);
    let jpeg = Jpeg::default().make(64, 64, ColorSpace::JCS_GRAYSCALE, &samples);
    let png_8 = png(64, 64, png::ColorType::Grayscale, png::BitDepth::Eight, &samples);
    for bytes in [jpeg, png_8] {
        assert_eq!(rendered(&bytes, &[]).unwrap().facts.colours, Colours::Grey);
        for seen in both(&bytes, 32) {
            assert_near([seen.corners()[0]], [[90; 3]], 3);
        }
        // One component in the frame of the JPEG.
        let made = rendered(&bytes, &[side(32)]).unwrap().renditions.swap_remove(0).bytes;
        let frame = made.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
        assert_eq!(made[frame + 9], 1);
    }
}

#[test]
fn grey_of_one_two_and_four_bits_is_stretched() {
    // The brightest value in one half of each row, black in the other.
    for depth in [png::BitDepth::One, png::BitDepth::Two, png::BitDepth::Four] {
        let bytes_of_row = 64 * depth as usize / 8;
        let row: Vec<u8> =
            (0..bytes_of_row).map(|place| if place < bytes_of_row / 2 { 0xff } else { 0 }).collect();
        let bytes = png(64, 64, png::ColorType::Grayscale, depth, &filled(&row, 64));
        for seen in both(&bytes, 32) {
            assert_near(seen.corners(), [[255; 3], [0; 3], [255; 3], [0; 3]], 6);
        }
    }
}

#[test]
fn a_grey_profile_is_applied() {
    // With a gamma of 1, 55 of 255 is as bright as about 128 in sRGB.
    let profile = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    let bytes = Jpeg::with_profile(&profile).make(64, 64, ColorSpace::JCS_GRAYSCALE, &filled(&[55], 64 * 64));
    for seen in both(&bytes, 32) {
        assert_near([seen.corners()[0]], [[128; 3]], 4);
    }
}

#[test]
fn inks_become_colours() {
    // Cyan, magenta, yellow and black inks, as amounts; programs of Adobe store them inverted, and say so.
    let inks = [0, 200, 200, 20];
    // 255 - 20, and (255 - 200) × (255 - 20) ÷ 255.
    let expected = [235, 51, 51];
    let inverted = inks.map(|ink: u8| 255 - ink);
    for stored in [None, Some(ColorSpace::JCS_YCCK)] {
        let bytes = Jpeg { stored, ..Jpeg::default() }.make(
            64,
            64,
            ColorSpace::JCS_CMYK,
            &filled(&inverted, 64 * 64),
        );
        assert_eq!(rendered(&bytes, &[]).unwrap().facts.colours, Colours::Cmyk);
        for seen in both(&bytes, 32) {
            assert_near([seen.corners()[0]], [expected], 6);
        }
    }
}

#[test]
fn inks_without_the_mark_of_adobe_are_amounts() {
    let marked = Jpeg::default().make(64, 64, ColorSpace::JCS_CMYK, &filled(&[0, 200, 200, 0], 64 * 64));
    let place = marked.windows(7).position(|seven| seven == b"\0\x0eAdobe").unwrap() - 2;
    let bytes = [&marked[..place], &marked[place + 16..]].concat();
    for seen in both(&bytes, 32) {
        assert_near([seen.corners()[0]], [[255, 55, 55]], 6);
    }
}

#[test]
fn transparency_is_kept_as_webp_and_laid_over_a_colour_as_jpeg() {
    // The left half is red at half opacity, the right half is transparent green.
    let row: Vec<u8> = (0..64).flat_map(|x| if x < 32 { [200, 0, 0, 128] } else { [0, 200, 0, 0] }).collect();
    let samples = filled(&row, 64);
    let rgba = png(64, 64, png::ColorType::Rgba, png::BitDepth::Eight, &samples);
    for bytes in [rgba, webp(64, 64, &samples)] {
        let treatment = Treatment { background: [0, 0, 100], ..Treatment::default() };
        let result = render(&bytes, &[side(32)], &treatment, &Bounds::default(), Deadline::NEVER).unwrap();
        assert!(result.facts.has_alpha);
        let [jpeg, webp] = result.renditions.as_slice() else { panic!() };
        let corners = seen(&jpeg.bytes).corners();
        assert_near([corners[0], corners[1]], [[100, 0, 50], [0, 0, 100]], 8);
        let webp = seen(&webp.bytes);
        assert_eq!((webp.at(24, 8)[3], webp.at(8, 8)[3]), (0, 128));
        assert_near([webp.corners()[0]], [[200, 0, 0]], 8);
    }
}

#[test]
fn a_palette_with_transparency_is_expanded() {
    let row: Vec<u8> = (0..64).map(|x| u8::from(x >= 32)).collect();
    let bytes =
        png_with(64, 64, png::ColorType::Indexed, png::BitDepth::Eight, &filled(&row, 64), |encoder| {
            encoder.set_palette([RED, GREEN].concat());
            encoder.set_trns(vec![255, 0]);
        });
    let [jpeg, webp] = both(&bytes, 32);
    let corners = jpeg.corners();
    assert_near([corners[0], corners[1]], [RED, [255; 3]], 8);
    assert_eq!((webp.at(8, 8)[3], webp.at(24, 8)[3]), (255, 0));
}

#[test]
fn grey_with_opacity_is_expanded() {
    let samples = filled(&[90, 255, 90, 255], 32 * 64);
    let bytes = png(64, 64, png::ColorType::GrayscaleAlpha, png::BitDepth::Eight, &samples);
    for seen in both(&bytes, 32) {
        assert_near([seen.corners()[3]], [[90; 3]], 3);
    }
}

#[test]
fn an_interlaced_png_is_decoded() {
    let plain = crate::samples::rgb_png(64, 64);
    // The encoder does not interlace, so this one was made by hand: a row of one pixel is the same in all seven passes.
    let mut single = png(1, 1, png::ColorType::Rgb, png::BitDepth::Eight, &RED);
    single[28] = 1;
    let mut sum = flate2::Crc::new();
    sum.update(&single[12..29]);
    single[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    assert_near([seen(&rendered(&single, &[side(1)]).unwrap().renditions[0].bytes).corners()[0]], [RED], 6);
    assert!(rendered(&plain, &[]).is_ok());
}
