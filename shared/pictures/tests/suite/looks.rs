//! Renditions beside the picture that they were made of.

use crate::samples::{Jpeg, both, png};

/// Smooth waves, as in a sky, whose middle frequencies survive a reduction.
fn waves(width: u32, height: u32) -> Vec<[u8; 3]> {
    let wave = |x: u32, y: u32, step: f64| {
        let phase = f64::from(x) / step + f64::from(y) / (step * 1.7);
        (128.0 + 100.0 * phase.sin()).round() as u8
    };
    (0..height)
        .flat_map(|y| (0..width).map(move |x| [wave(x, y, 40.0), wave(x, y, 61.0), wave(y, x, 52.0)]))
        .collect()
}

/// The mean difference of two pictures' samples.
fn difference(one: &[[u8; 4]], other: &[[u8; 3]]) -> f64 {
    let sum: u32 = one
        .iter()
        .zip(other)
        .map(|(one, other)| one.iter().zip(other).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>())
        .sum();
    f64::from(sum) / (other.len() * 3) as f64
}

/// Averages squares of so many pixels.
fn averaged(width: u32, height: u32, pixels: &[[u8; 3]], step: u32) -> Vec<[u8; 3]> {
    let mut averaged = Vec::new();
    for y in (0..height).step_by(step as usize) {
        for x in (0..width).step_by(step as usize) {
            let mut sums = [0_u32; 3];
            for line in y..y + step {
                for column in x..x + step {
                    for (sum, sample) in sums.iter_mut().zip(pixels[(line * width + column) as usize]) {
                        *sum += u32::from(sample);
                    }
                }
            }
            averaged.push(sums.map(|sum| (sum / (step * step)) as u8));
        }
    }
    averaged
}

#[test]
fn a_rendition_looks_like_the_averaged_picture_at_every_scale() {
    let (width, height) = (480, 360);
    let picture = waves(width, height);
    let jpeg = Jpeg::default().rgb(width, height, &picture);
    let progressive = Jpeg { progressive: true, ..Jpeg::default() }.rgb(width, height, &picture);
    let png = png(width, height, png::ColorType::Rgb, png::BitDepth::Eight, picture.as_flattened());
    // The decoder's scale is 8/8, 4/8, 3/8 (rounded up from a third), 2/8 and 1/8.
    for step in [1, 2, 3, 4, 10] {
        let expected = averaged(width, height, &picture, step);
        for bytes in [&jpeg, &progressive, &png] {
            for seen in both(bytes, width / step) {
                assert_eq!(seen.pixels.len(), expected.len());
                let difference = difference(&seen.pixels, &expected);
                assert!(difference < 3.0, "1/{step}: {difference}");
            }
        }
    }
}
