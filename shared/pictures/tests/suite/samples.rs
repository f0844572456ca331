//! Pictures that the tests make.

use std::io::Write;

use credlink_pictures::{
    Bounds, Deadline, Encoding, Refusal, Rendered, RenditionProfile, Shape, Treatment, render,
};
use exif::experimental::Writer;
use exif::{Field, In, Tag, Value};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use mozjpeg::{ColorSpace, Compress, Marker};

pub const RED: [u8; 3] = [220, 30, 30];
pub const GREEN: [u8; 3] = [30, 200, 30];
pub const BLUE: [u8; 3] = [30, 30, 220];
pub const YELLOW: [u8; 3] = [220, 210, 30];

/// A picture as it is seen: red at the top left, green at the top right, blue at the bottom left, yellow at the bottom right.
pub fn quarters(width: u32, height: u32) -> Vec<[u8; 3]> {
    let pixel = |x, y| match (x < width / 2, y < height / 2) {
        (true, true) => RED,
        (false, true) => GREEN,
        (true, false) => BLUE,
        (false, false) => YELLOW,
    };
    (0..height).flat_map(|y| (0..width).map(move |x| pixel(x, y))).collect()
}

/// The corners of [`quarters`], in the order of reading.
pub const CORNERS: [[u8; 3]; 4] = [RED, GREEN, BLUE, YELLOW];

/// A photo-like picture with detail everywhere.
pub fn noise(width: u32, height: u32) -> Vec<[u8; 3]> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..width * height).map(|_| [next(), next(), next()]).collect()
}

/// A JPEG to be made.
#[derive(Default)]
pub struct Jpeg {
    pub progressive: bool,
    pub markers: Vec<(u8, Vec<u8>)>,
    pub stored: Option<ColorSpace>,
}

impl Jpeg {
    pub fn with_exif(block: Vec<u8>) -> Self {
        Self { markers: vec![(1, [b"Exif\0\0".to_vec(), block].concat())], ..Self::default() }
    }

    pub fn with_profile(profile: &[u8]) -> Self {
        let pieces: Vec<_> = profile.chunks(60_000).collect();
        let markers = pieces.iter().enumerate().map(|(place, piece)| {
            let count = u8::try_from(pieces.len()).unwrap();
            (2, [b"ICC_PROFILE\0".as_slice(), &[u8::try_from(place).unwrap() + 1, count], piece].concat())
        });
        Self { markers: markers.collect(), ..Self::default() }
    }

    pub fn make(&self, width: u32, height: u32, space: ColorSpace, samples: &[u8]) -> Vec<u8> {
        let mut encoder = Compress::new(space);
        encoder.set_size(width as usize, height as usize);
        encoder.set_fastest_defaults();
        encoder.set_quality(95.0);
        if let Some(stored) = self.stored {
            encoder.set_color_space(stored);
        }
        if self.progressive {
            encoder.set_progressive_mode();
        }
        let mut started = encoder.start_compress(Vec::new()).unwrap();
        for (number, content) in &self.markers {
            started.write_marker(Marker::APP(*number), content);
        }
        started.write_scanlines(samples).unwrap();
        started.finish().unwrap()
    }

    pub fn rgb(&self, width: u32, height: u32, pixels: &[[u8; 3]]) -> Vec<u8> {
        self.make(width, height, ColorSpace::JCS_RGB, pixels.as_flattened())
    }
}

/// A baseline JPEG of [`quarters`].
pub fn jpeg(width: u32, height: u32) -> Vec<u8> {
    Jpeg::default().rgb(width, height, &quarters(width, height))
}

/// A PNG of these samples.
pub fn png(
    width: u32,
    height: u32,
    colours: png::ColorType,
    depth: png::BitDepth,
    samples: &[u8],
) -> Vec<u8> {
    png_with(width, height, colours, depth, samples, |_| {})
}

pub fn png_with(
    width: u32,
    height: u32,
    colours: png::ColorType,
    depth: png::BitDepth,
    samples: &[u8],
    settings: impl FnOnce(&mut png::Encoder<'_, &mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(colours);
    encoder.set_depth(depth);
    settings(&mut encoder);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(samples).unwrap();
    writer.finish().unwrap();
    bytes
}

/// A PNG of [`quarters`].
pub fn rgb_png(width: u32, height: u32) -> Vec<u8> {
    png(width, height, png::ColorType::Rgb, png::BitDepth::Eight, quarters(width, height).as_flattened())
}

/// A PNG chunk.
pub fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut sum = flate2::Crc::new();
    sum.update(kind);
    sum.update(content);
    let length = u32::try_from(content.len()).unwrap();
    [&length.to_be_bytes(), kind.as_slice(), content, &sum.sum().to_be_bytes()].concat()
}

/// A PNG with chunks added after its header, which has 33 bytes with the signature.
pub fn with_chunks(png: &[u8], chunks: &[Vec<u8>]) -> Vec<u8> {
    [&png[..33], &chunks.concat(), &png[33..]].concat()
}

pub fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The content of an `iCCP` chunk.
pub fn iccp(profile: &[u8]) -> Vec<u8> {
    [b"profile\0\0".to_vec(), deflated(profile)].concat()
}

/// A lossless WebP of these RGBA or RGB pixels.
pub fn webp(width: u32, height: u32, samples: &[u8]) -> Vec<u8> {
    let encoder = if samples.len() == (width * height * 4) as usize {
        webp::Encoder::from_rgba(samples, width, height)
    } else {
        webp::Encoder::from_rgb(samples, width, height)
    };
    encoder.encode_lossless().to_vec()
}

/// A WebP with an extended header, that has these flags, and chunks after the picture.
pub fn extended_webp(
    width: u32,
    height: u32,
    simple: &[u8],
    flags: u8,
    before: &[Vec<u8>],
    after: &[Vec<u8>],
) -> Vec<u8> {
    let (w, h) = ((width - 1).to_le_bytes(), (height - 1).to_le_bytes());
    let header = riff(b"VP8X", &[flags, 0, 0, 0, w[0], w[1], w[2], h[0], h[1], h[2]]);
    let body = [b"WEBP".to_vec(), header, before.concat(), simple[12..].to_vec(), after.concat()].concat();
    riff(b"RIFF", &body)
}

/// A RIFF chunk.
pub fn riff(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut chunk = [kind.as_slice(), &u32::try_from(content.len()).unwrap().to_le_bytes(), content].concat();
    if content.len() % 2 == 1 {
        chunk.push(0);
    }
    chunk
}

/// A frame of a GIF: left, top, width, height, colour index of each pixel, delay in hundredths of a second, disposal.
pub struct GifFrame {
    pub area: [u16; 4],
    pub pixels: Vec<u8>,
    pub delay: u16,
    pub dispose: gif::DisposalMethod,
}

impl GifFrame {
    /// A frame of one colour.
    pub fn filled(area: [u16; 4], colour: u8, delay: u16) -> Self {
        let pixels = vec![colour; usize::from(area[2]) * usize::from(area[3])];
        Self { area, pixels, delay, dispose: gif::DisposalMethod::Keep }
    }
}

/// A GIF whose palette is red, green, blue, yellow, and transparent as the fifth.
pub fn gif(width: u16, height: u16, repeat: gif::Repeat, frames: &[GifFrame]) -> Vec<u8> {
    let palette = [RED, GREEN, BLUE, YELLOW, [0, 0, 0]].concat();
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, width, height, &palette).unwrap();
    encoder.set_repeat(repeat).unwrap();
    for frame in frames {
        let [left, top, width, height] = frame.area;
        encoder
            .write_frame(&gif::Frame {
                left,
                top,
                width,
                height,
                delay: frame.delay,
                dispose: frame.dispose,
                transparent: Some(4),
                buffer: frame.pixels.as_slice().into(),
                ..gif::Frame::default()
            })
            .unwrap();
    }
    drop(encoder);
    bytes
}

/// An EXIF block with these fields.
pub fn exif(fields: &[(Tag, Value)]) -> Vec<u8> {
    let fields: Vec<_> = fields
        .iter()
        .map(|(tag, value)| Field { tag: *tag, ifd_num: In::PRIMARY, value: value.clone() })
        .collect();
    let mut writer = Writer::new();
    fields.iter().for_each(|field| writer.push_field(field));
    let mut block = std::io::Cursor::new(Vec::new());
    writer.write(&mut block, false).unwrap();
    block.into_inner()
}

pub fn text(text: &str) -> Value {
    Value::Ascii(vec![text.as_bytes().to_vec()])
}

/// A picture that was decoded by a decoder of the tests.
pub struct Seen {
    pub width: u32,
    pub height: u32,
    /// In RGBA.
    pub pixels: Vec<[u8; 4]>,
}

impl Seen {
    pub fn at(&self, x: u32, y: u32) -> [u8; 4] {
        self.pixels[(y * self.width + x) as usize]
    }

    /// The middles of the four quarters, in the order of reading.
    pub fn corners(&self) -> [[u8; 3]; 4] {
        let (left, right) = (self.width / 4, self.width * 3 / 4);
        let (top, bottom) = (self.height / 4, self.height * 3 / 4);
        [(left, top), (right, top), (left, bottom), (right, bottom)].map(|(x, y)| {
            let [red, green, blue, _] = self.at(x, y);
            [red, green, blue]
        })
    }
}

/// Decodes a rendition.
pub fn seen(bytes: &[u8]) -> Seen {
    if bytes.starts_with(b"RIFF") {
        return webp_frames(bytes).swap_remove(0).0;
    }
    let mut rows = mozjpeg::Decompress::new_mem(bytes).unwrap().rgb().unwrap();
    let (width, height) = (rows.width() as u32, rows.height() as u32);
    let pixels: Vec<[u8; 3]> = rows.read_scanlines().unwrap();
    Seen {
        width,
        height,
        pixels: pixels.iter().map(|[red, green, blue]| [*red, *green, *blue, 255]).collect(),
    }
}

/// Decodes each frame of a WebP, with its time in milliseconds.
pub fn webp_frames(bytes: &[u8]) -> Vec<(Seen, u32)> {
    let mut decoder = image_webp::WebPDecoder::new(std::io::Cursor::new(bytes)).unwrap();
    let (width, height) = decoder.dimensions();
    let samples = if decoder.has_alpha() { 4 } else { 3 };
    let mut buffer = vec![0; decoder.output_buffer_size().unwrap()];
    let mut frames = Vec::new();
    for _ in 0..decoder.num_frames().max(1) {
        let time = if decoder.is_animated() {
            decoder.read_frame(&mut buffer).unwrap()
        } else {
            decoder.read_image(&mut buffer).unwrap();
            0
        };
        let pixels = buffer
            .chunks_exact(samples)
            .map(|pixel| [pixel[0], pixel[1], pixel[2], pixel.get(3).copied().unwrap_or(255)])
            .collect();
        frames.push((Seen { width, height, pixels }, time));
    }
    frames
}

/// Asserts that each colour is near to the expected one.
#[track_caller]
pub fn assert_near<const COUNT: usize>(colours: [[u8; 3]; COUNT], expected: [[u8; 3]; COUNT], tolerance: u8) {
    let near = |(colour, expected): (&u8, &u8)| colour.abs_diff(*expected) <= tolerance;
    let all = colours.as_flattened().iter().zip(expected.as_flattened()).all(near);
    assert!(all, "{colours:?} is not within {tolerance} of {expected:?}");
}

/// A profile of this longest side, as JPEG and WebP of high quality.
pub fn side(side: u32) -> RenditionProfile {
    profile("side", Shape::LongestSide(side))
}

pub fn profile(name: &str, shape: Shape) -> RenditionProfile {
    let encodings =
        [Encoding::Jpeg { quality: 95, progressive: false }, Encoding::WebP { quality: 95, effort: 4 }];
    RenditionProfile::new(name, 1, shape, encodings).unwrap()
}

/// Renders with the defaults.
pub fn rendered(bytes: &[u8], profiles: &[RenditionProfile]) -> Result<Rendered, Refusal> {
    render(bytes, profiles, &Treatment::default(), &Bounds::default(), Deadline::NEVER)
}

/// Renders one size as JPEG and WebP, and decodes both.
#[track_caller]
pub fn both(bytes: &[u8], longest: u32) -> [Seen; 2] {
    let rendered = rendered(bytes, &[side(longest)]).unwrap();
    let [jpeg, webp] = rendered.renditions.as_slice() else { panic!("{:?}", rendered.omissions) };
    [seen(&jpeg.bytes), seen(&webp.bytes)]
}
