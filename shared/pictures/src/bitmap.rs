//! Pixels in memory.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

/// The samples of a pixel, eight bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Model {
    Grey,
    Rgb,
    /// RGB with opacity, not multiplied by it.
    Rgba,
    /// Amounts of ink: 0 is none.
    Cmyk,
}

impl Model {
    /// Returns the number of samples, which is the number of bytes of a pixel.
    pub(crate) const fn samples(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }
}

/// A part of a bitmap, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

/// A rectangle of pixels, row by row without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bitmap {
    pub width: u32,
    pub height: u32,
    pub model: Model,
    pub samples: Vec<u8>,
}

impl Bitmap {
    /// Returns a bitmap whose samples are all zero: black, or transparent.
    pub(crate) fn blank(width: u32, height: u32, model: Model) -> Self {
        let samples = vec![0; width as usize * height as usize * model.samples()];
        Self { width, height, model, samples }
    }

    /// Returns the bytes of a row.
    pub(crate) const fn row_bytes(&self) -> usize {
        self.width as usize * self.model.samples()
    }

    /// Returns the part of this bitmap, or all of it, in another size, filtered with Lanczos3. Colours of transparent pixels
    /// do not bleed into others.
    pub(crate) fn resized(&self, width: u32, height: u32, part: Option<Area>) -> Self {
        if part.is_none() && (width, height) == (self.width, self.height) {
            return self.clone();
        }
        let pixel = match self.model {
            Model::Grey => PixelType::U8,
            Model::Rgb => PixelType::U8x3,
            Model::Rgba | Model::Cmyk => PixelType::U8x4,
        };
        let mut options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
            .use_alpha(self.model == Model::Rgba);
        if let Some(part) = part {
            options = options.crop(part.left, part.top, part.width, part.height);
        }
        let from = ImageRef::new(self.width, self.height, &self.samples, pixel)
            .expect("a bitmap has as many samples as its size and model need");
        let mut to = Image::new(width, height, pixel);
        Resizer::new()
            .resize(&from, &mut to, &options)
            .expect("both have the same pixels, and the part is inside");
        Self { width, height, model: self.model, samples: to.into_vec() }
    }

    /// Divides colours that were multiplied by their opacity, in RGBA.
    #[cfg(any(feature = "avif", feature = "heic"))]
    pub(crate) fn divide_by_opacity(samples: &mut [u8]) {
        for pixel in samples.chunks_exact_mut(4) {
            let opacity = u32::from(pixel[3]);
            for sample in &mut pixel[..3] {
                *sample = (u32::from(*sample) * 255).checked_div(opacity).unwrap_or(0).min(255) as u8;
            }
        }
    }

    /// Returns this grey bitmap enlarged with a linear filter: colour differences that were stored at half the size.
    #[cfg(feature = "avif")]
    pub(crate) fn enlarged(self, width: u32, height: u32) -> Self {
        if (width, height) == (self.width, self.height) {
            return self;
        }
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        let from = ImageRef::new(self.width, self.height, &self.samples, PixelType::U8)
            .expect("a bitmap has as many samples as its size and model need");
        let mut to = Image::new(width, height, PixelType::U8);
        Resizer::new().resize(&from, &mut to, &options).expect("both have the same pixels");
        Self { width, height, model: self.model, samples: to.into_vec() }
    }

    /// Returns this bitmap in RGB or RGBA. A grey one is repeated in each sample.
    pub(crate) fn with_colours(self) -> Self {
        if self.model != Model::Grey {
            return self;
        }
        let samples = self.samples.iter().flat_map(|grey| [*grey; 3]).collect();
        Self { model: Model::Rgb, samples, ..self }
    }

    /// Returns this bitmap in RGBA; what has no opacity is opaque.
    pub(crate) fn with_opacity(self) -> Self {
        let colours = self.with_colours();
        if colours.model != Model::Rgb {
            return colours;
        }
        let samples =
            colours.samples.chunks_exact(3).flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255]).collect();
        Self { model: Model::Rgba, samples, ..colours }
    }

    /// Returns this bitmap without opacity, laid over a colour.
    pub(crate) fn over(&self, background: [u8; 3]) -> Self {
        if self.model != Model::Rgba {
            return self.clone();
        }
        let samples = self
            .samples
            .chunks_exact(4)
            .flat_map(|pixel| {
                let opacity = u16::from(pixel[3]);
                // Rounded to the nearest.
                let mix = |sample: u8, behind: u8| {
                    ((u16::from(sample) * opacity + u16::from(behind) * (255 - opacity) + 127) / 255) as u8
                };
                [mix(pixel[0], background[0]), mix(pixel[1], background[1]), mix(pixel[2], background[2])]
            })
            .collect();
        Self { width: self.width, height: self.height, model: Model::Rgb, samples }
    }

    /// Returns `true` if every pixel is opaque.
    pub(crate) fn is_opaque(&self) -> bool {
        self.model != Model::Rgba || self.samples.chunks_exact(4).all(|pixel| pixel[3] == 255)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_that_nobody_sees_do_not_bleed() {
        let pair =
            Bitmap { width: 2, height: 1, model: Model::Rgba, samples: vec![200, 0, 0, 128, 0, 200, 0, 0] };
        // Multiplying by the opacity and dividing by it again may lose a level.
        assert!(matches!(*pair.resized(1, 1, None).samples, [198..=200, 0, 0, 64]));
        // The same samples as inks are only averaged.
        let inks = Bitmap { model: Model::Cmyk, ..pair };
        assert_eq!(inks.resized(1, 1, None).samples, [100, 100, 0, 64]);
    }
}
