//! Photos: pictures whose detail falls with its fineness as in nature, with edges and noise of a sensor.

use moxcms::ColorProfile;
use mozjpeg::{ColorSpace, Compress, Marker};

use crate::Error;

/// A photo to be made.
#[derive(Debug, Clone, Copy)]
pub struct Photo {
    /// The name of the file, without its extension.
    pub name: &'static str,
    /// A description for the tables.
    pub words: &'static str,
    width: usize,
    height: usize,
    is_progressive: bool,
    is_p3: bool,
}

/// The photos that are measured.
pub const PHOTOS: [Photo; 3] = [
    Photo { name: "phone", words: "12 MP", width: 4_000, height: 3_000, is_progressive: false, is_p3: false },
    Photo {
        name: "phone-p3",
        words: "12 MP, Display P3",
        width: 4_000,
        height: 3_000,
        is_progressive: false,
        is_p3: true,
    },
    Photo {
        name: "camera-p3",
        words: "20 MP, progressive, Display P3",
        width: 5_184,
        height: 3_888,
        is_progressive: true,
        is_p3: true,
    },
];

impl Photo {
    /// Returns the photo as a JPEG of quality 92 with halved colours, as phones make it.
    pub fn jpeg(&self) -> Result<Vec<u8>, Error> {
        let failed = |error: std::io::Error| Error::Io(self.name.to_owned(), error);
        let mut encoder = Compress::new(ColorSpace::JCS_RGB);
        encoder.set_size(self.width, self.height);
        encoder.set_fastest_defaults();
        encoder.set_quality(92.0);
        encoder.set_chroma_sampling_pixel_sizes((2, 2), (2, 2));
        if self.is_progressive {
            encoder.set_progressive_mode();
        }
        let mut started = encoder.start_compress(Vec::new()).map_err(failed)?;
        if self.is_p3 {
            let profile = ColorProfile::new_display_p3().encode();
            let profile = profile.map_err(|error| Error::Failed(format!("a colour profile: {error}")))?;
            started.write_marker(Marker::APP(2), &[b"ICC_PROFILE\0\x01\x01", profile.as_slice()].concat());
        }
        started.write_scanlines(&self.pixels()).map_err(failed)?;
        started.finish().map_err(failed)
    }

    fn pixels(&self) -> Vec<u8> {
        let mut pixels = Vec::with_capacity(self.width * self.height * 3);
        for y in 0..self.height {
            for x in 0..self.width {
                let light = fractal(x, y, 0);
                // Things in front of each other, each with an edge and a colour.
                let thing = (fractal(x / 2, y / 2, 9) * 6.0) as u32;
                let tint = |seed: u32| (hash(thing, seed, 3) - 0.5) * 90.0;
                let grain = (hash(x as u32, y as u32, 7) - 0.5) * 6.0;
                for channel in 0..3 {
                    let value = 20.0 + light * 190.0 + tint(channel) + grain;
                    pixels.push(value.clamp(0.0, 255.0) as u8);
                }
            }
        }
        pixels
    }
}

/// Returns a number from 0 to 1 that follows from the three.
fn hash(x: u32, y: u32, seed: u32) -> f32 {
    let mut bits = x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77) ^ seed.wrapping_mul(0xc2b2_ae3d);
    bits ^= bits >> 15;
    bits = bits.wrapping_mul(0x2c1b_3c6d);
    bits ^= bits >> 12;
    bits = bits.wrapping_mul(0x297a_2d39);
    bits ^= bits >> 15;
    (bits >> 8) as f32 / 16_777_216.0
}

/// Returns a number from 0 to 1 that changes slowly, and ever less at smaller distances: value noise in nine octaves, each of
/// half the height of the one before, which is the usual spectrum of photos.
fn fractal(x: usize, y: usize, seed: u32) -> f32 {
    let (mut sum, mut height, mut total) = (0.0, 1.0, 0.0);
    let mut cell = 1_024.0_f32;
    for octave in 0..9 {
        let (fx, fy) = (x as f32 / cell, y as f32 / cell);
        let (cx, cy) = (fx as u32, fy as u32);
        let smooth = |part: f32| part * part * (3.0 - 2.0 * part);
        let (tx, ty) = (smooth(fx.fract()), smooth(fy.fract()));
        let at = |dx, dy| hash(cx + dx, cy + dy, seed + octave);
        let top = at(0, 0) + (at(1, 0) - at(0, 0)) * tx;
        let bottom = at(0, 1) + (at(1, 1) - at(0, 1)) * tx;
        sum += (top + (bottom - top) * ty) * height;
        total += height;
        height *= 0.55;
        cell /= 2.0;
    }
    sum / total
}
