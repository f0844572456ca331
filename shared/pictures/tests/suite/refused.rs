//! Pictures that are refused: cut off, damaged, not pictures, and built to cost too much.

use std::time::Duration;

use credlink_pictures::{Animations, Bounds, Deadline, PictureType, Refusal, Treatment, inspect, render};

use crate::samples::{
    GifFrame, Jpeg, chunk, deflated, extended_webp, gif, iccp, jpeg, noise, quarters, rendered, rgb_png,
    riff, side, webp, with_chunks,
};

fn refusal(bytes: &[u8]) -> Refusal {
    rendered(bytes, &[side(32)]).unwrap_err()
}

fn animation() -> Vec<u8> {
    let frames: Vec<_> = (0..4).map(|colour| GifFrame::filled([0, 0, 40, 40], colour, 5)).collect();
    gif(40, 40, gif::Repeat::Infinite, &frames)
}

/// One picture of each type, and of JPEG both kinds.
fn pictures() -> Vec<Vec<u8>> {
    let lossy = ::webp::Encoder::from_rgb(noise(80, 60).as_flattened(), 80, 60).encode(80.0).to_vec();
    vec![
        Jpeg::default().rgb(80, 60, &noise(80, 60)),
        Jpeg { progressive: true, ..Jpeg::default() }.rgb(80, 60, &noise(80, 60)),
        crate::samples::png(80, 60, png::ColorType::Rgb, png::BitDepth::Eight, noise(80, 60).as_flattened()),
        webp(80, 60, noise(80, 60).as_flattened()),
        lossy,
        animation(),
    ]
}

#[test]
fn a_picture_that_is_cut_off_anywhere_is_refused() {
    for bytes in pictures() {
        assert!(rendered(&bytes, &[]).is_ok());
        let format = PictureType::of(&bytes).unwrap();
        let places =
            (1..50).map(|part| bytes.len() * part / 50).chain((1..=12).map(|back| bytes.len() - back));
        for place in places.filter(|place| *place > 12) {
            let error = refusal(&bytes[..place]);
            assert!(
                matches!(error, Refusal::CutOff { .. } | Refusal::Damaged { .. }),
                "{format} of {} bytes, cut off after {place}: {error}",
                bytes.len()
            );
        }
        assert_eq!(refusal(&bytes[..bytes.len() - 1]), Refusal::CutOff { format });
    }
}

#[test]
fn a_jpeg_whose_middle_is_missing_is_refused_although_it_ends_well() {
    for progressive in [false, true] {
        let whole = Jpeg { progressive, ..Jpeg::default() }.rgb(80, 60, &noise(80, 60));
        for part in [30, 48, 70, 90] {
            let cut = [&whole[..whole.len() * part / 100], &[0xff, 0xd9]].concat();
            let error = refusal(&cut);
            // A progressive one may end between two scans, as a valid but coarse picture.
            assert!(
                matches!(error, Refusal::Damaged { .. }),
                "progressive: {progressive}, {part} %: {error}"
            );
        }
    }
}

#[test]
fn damaged_compressed_data_is_refused() {
    let mut damaged = rgb_png(80, 60);
    let place = damaged.len() - 30;
    damaged[place] ^= 0xff;
    assert!(matches!(refusal(&damaged), Refusal::Damaged { format: PictureType::Png, .. }));
}

#[test]
fn random_damage_is_refused_or_harmless() {
    // No damage may crash the process. Most is noticed; some only changes colours, as in every decoder.
    let mut state = 7_u64;
    let mut next = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    for bytes in pictures() {
        for _ in 0..150 {
            let mut damaged = bytes.clone();
            for _ in 0..=next(3) {
                let place = next(damaged.len());
                damaged[place] = next(256) as u8;
            }
            let _ = rendered(&damaged, &[side(32)]);
        }
    }
}

#[test]
fn what_is_not_a_picture_is_refused() {
    for bytes in [b"".as_slice(), b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", &[0; 100]] {
        assert_eq!(refusal(bytes), Refusal::NotAPicture);
    }
    // These only begin as pictures do.
    for bytes in
        [b"GIF89a<script>alert(1)</script>".as_slice(), b"\xff\xd8\xff\xe0abc", b"RIFF\x04\0\0\0WEBP"]
    {
        let error = refusal(bytes);
        let expected =
            matches!(error, Refusal::Damaged { .. } | Refusal::CutOff { .. } | Refusal::TooManyPixels { .. });
        assert!(expected, "{error}");
    }
}

#[test]
fn types_whose_decoder_is_not_built_are_named() {
    for (brand, format) in [(b"heic", PictureType::Heic), (b"avif", PictureType::Avif)] {
        let bytes = [b"\0\0\0\x14ftyp".as_slice(), brand, b"\0\0\0\0mif1"].concat();
        assert_eq!(PictureType::of(&bytes), Some(format));
        let built = match format {
            PictureType::Heic => cfg!(feature = "heic"),
            _ => cfg!(feature = "avif"),
        };
        if !built {
            assert_eq!(refusal(&bytes), Refusal::NotDecodedHere { format });
            assert!(refusal(&bytes).to_string().contains("is not decoded here"));
        }
    }
}

#[test]
fn too_many_bytes_are_refused() {
    let bytes = jpeg(80, 60);
    let bounds = Bounds { bytes: bytes.len() - 1, ..Bounds::default() };
    let error = inspect(&bytes, &bounds, Deadline::NEVER).unwrap_err();
    assert_eq!(error, Refusal::TooManyBytes { bytes: bytes.len(), allowed: bytes.len() - 1 });
}

/// Changes the size in the header of a JPEG's frame.
fn jpeg_of_size(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = jpeg(80, 60);
    let frame = bytes.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

fn png_of_size(width: u32, height: u32) -> Vec<u8> {
    let header = [&width.to_be_bytes(), &height.to_be_bytes(), [8, 6, 0, 0, 0].as_slice()].concat();
    let data = chunk(b"IDAT", &deflated(&[0; 100]));
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), data, chunk(b"IEND", &[])].concat()
}

#[test]
fn huge_sizes_in_small_files_are_refused_before_anything_is_allocated() {
    let huge = extended_webp(16_000, 16_000, &webp(8, 8, quarters(8, 8).as_flattened()), 0, &[], &[]);
    let canvas = gif(60_000, 60_000, gif::Repeat::Infinite, &[GifFrame::filled([0, 0, 4, 4], 0, 5)]);
    // The canvas is small, and its frame is not.
    let mut frame = animation();
    let place = frame.windows(9).position(|nine| nine == [0x2c, 0, 0, 0, 0, 40, 0, 40, 0]).unwrap();
    frame[place + 5..place + 9].copy_from_slice(&[0x60, 0xea, 0x60, 0xea]);
    for bytes in [jpeg_of_size(65_000, 65_000), png_of_size(60_000, 60_000), huge, canvas, frame] {
        let error = refusal(&bytes);
        assert!(matches!(error, Refusal::TooManyPixels { .. }), "{error}");
    }
    let error = refusal(&png_of_size(40_000_000, 1));
    assert_eq!(error, Refusal::SideTooLong { pixels: 40_000_000, allowed: 65_535 });
    assert_eq!(
        refusal(&png_of_size(10_000, 9_000)).to_string(),
        "the picture has 10000 × 9000 pixels; 50000000 in all are allowed"
    );
}

#[test]
fn a_picture_without_pixels_is_refused() {
    for bytes in [jpeg_of_size(0, 60), jpeg_of_size(80, 0), png_of_size(0, 1)] {
        assert!(matches!(refusal(&bytes), Refusal::Damaged { .. }));
    }
}

#[test]
fn a_webp_whose_headers_disagree_is_refused() {
    let picture = webp(8, 8, quarters(8, 8).as_flattened());
    assert!(matches!(refusal(&extended_webp(900, 900, &picture, 0, &[], &[])), Refusal::Damaged { .. }));
}

/// A progressive JPEG whose last scan is there this often.
fn jpeg_of_scans(width: u32, height: u32, times: usize) -> Vec<u8> {
    let bytes = Jpeg { progressive: true, ..Jpeg::default() }.rgb(width, height, &quarters(width, height));
    let last = bytes.windows(2).rposition(|two| two == [0xff, 0xda]).unwrap();
    let end = bytes.len() - 2;
    [&bytes[..last], &bytes[last..end].repeat(times), &bytes[end..]].concat()
}

#[test]
fn too_many_scans_are_refused() {
    assert_eq!(refusal(&jpeg_of_scans(64, 64, 101)), Refusal::TooManyScans { allowed: 100 });
    // Fewer scans over more pixels cost as much.
    let bytes = jpeg_of_scans(640, 640, 60);
    let bounds = Bounds { scanned_pixels: 20_000_000, ..Bounds::default() };
    let error = inspect(&bytes, &bounds, Deadline::NEVER).unwrap_err();
    assert!(matches!(error, Refusal::ScansTooCostly { .. }), "{error}");
}

#[test]
fn a_profile_that_inflates_without_end_is_refused() {
    let bomb = with_chunks(&rgb_png(8, 8), &[chunk(b"iCCP", &iccp(&vec![0; 5_000_000]))]);
    assert!(bomb.len() < 10_000);
    assert_eq!(refusal(&bomb), Refusal::ProfileTooLong { allowed: 4_000_000 });
    let long = Jpeg::with_profile(&vec![0; 4_100_000]).rgb(8, 8, &quarters(8, 8));
    assert_eq!(refusal(&long), Refusal::ProfileTooLong { allowed: 4_000_000 });
    let picture = webp(8, 8, quarters(8, 8).as_flattened());
    let long = extended_webp(8, 8, &picture, 0x20, &[riff(b"ICCP", &vec![0; 4_100_000])], &[]);
    assert_eq!(refusal(&long), Refusal::ProfileTooLong { allowed: 4_000_000 });
}

#[test]
fn a_file_of_empty_parts_is_refused() {
    let jpeg = jpeg(8, 8);
    let comments = [&jpeg[..2], &b"\xff\xfe\0\x02".repeat(100_001), &jpeg[2..]].concat();
    let chunks = with_chunks(&rgb_png(8, 8), &[chunk(b"prVt", &[]).repeat(100_001)]);
    let picture = webp(8, 8, quarters(8, 8).as_flattened());
    let parts = extended_webp(8, 8, &picture, 0, &[], &[riff(b"none", &[]).repeat(100_001)]);
    for (bytes, words) in
        [(comments, "too many segments"), (chunks, "too many chunks"), (parts, "too many chunks")]
    {
        let error = refusal(&bytes).to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn text_is_never_inflated() {
    let text = [b"Comment\0\0".to_vec(), deflated(&vec![b'x'; 50_000_000])].concat();
    let bomb = with_chunks(&rgb_png(8, 8), &[chunk(b"zTXt", &text)]);
    assert!(rendered(&bomb, &[side(8)]).is_ok());
}

#[test]
fn too_many_frames_are_refused() {
    let frames: Vec<_> = (0..201).map(|_| GifFrame::filled([0, 0, 2, 2], 0, 5)).collect();
    assert_eq!(refusal(&gif(2, 2, gif::Repeat::Infinite, &frames)), Refusal::TooManyFrames { allowed: 200 });
    // Each frame draws four pixels of a large canvas, and is shown with all of it.
    let frames: Vec<_> = (0..30).map(|_| GifFrame::filled([0, 0, 2, 2], 0, 5)).collect();
    let error = refusal(&gif(2000, 2000, gif::Repeat::Infinite, &frames));
    assert_eq!(error, Refusal::TooManyFramePixels { pixels: 104_000_000, allowed: 100_000_000 });
}

#[test]
fn an_animation_is_refused_where_only_still_pictures_are_allowed() {
    let treatment = Treatment { animations: Animations::Refuse, ..Treatment::default() };
    let refused = render(&animation(), &[side(32)], &treatment, &Bounds::default(), Deadline::NEVER);
    assert_eq!(refused.unwrap_err(), Refusal::Animation { frames: 4 });
    // One frame is a still picture.
    let still = gif(8, 8, gif::Repeat::Infinite, &[GifFrame::filled([0, 0, 8, 8], 0, 5)]);
    assert!(render(&still, &[side(8)], &treatment, &Bounds::default(), Deadline::NEVER).is_ok());
}

#[test]
fn kinds_of_jpeg_that_are_not_decoded_are_named() {
    let mut arithmetic = jpeg(8, 8);
    let frame = arithmetic.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    arithmetic[frame + 1] = 0xc9;
    assert_eq!(
        refusal(&arithmetic).to_string(),
        "this JPEG is of a kind that is not supported: its coding is arithmetic"
    );
    let mut deep = jpeg(8, 8);
    deep[frame + 4] = 12;
    assert!(refusal(&deep).to_string().ends_with("its samples have 12 bits"));
}

#[test]
fn a_deadline_that_has_passed_refuses_everything() {
    for bytes in pictures() {
        let refused = inspect(&bytes, &Bounds::default(), Deadline::after(Duration::ZERO)).unwrap_err();
        assert_eq!(refused, Refusal::TookTooLong);
        assert!(refused.may_pass_later());
    }
}

#[test]
fn a_deadline_ends_the_decoding_of_many_scans() {
    // Without a deadline, all these scans of 4 million pixels take seconds.
    let bytes = jpeg_of_scans(2000, 2000, 90);
    let start = std::time::Instant::now();
    let refused = inspect(&bytes, &Bounds::default(), Deadline::after(Duration::from_millis(1)));
    let refused_after = start.elapsed();
    assert_eq!(refused.unwrap_err(), Refusal::TookTooLong);
    let start = std::time::Instant::now();
    // libjpeg decodes all of them, and warns that they repeat each other.
    let refused = inspect(&bytes, &Bounds::default(), Deadline::NEVER);
    assert!(matches!(refused, Err(Refusal::Damaged { .. })), "{refused:?}");
    assert!(refused_after < start.elapsed() / 2, "{refused_after:?}");
}
