//! Recordings that are not played, each with its reason, and bytes that are damaged at random.

use credlink_recordings::{Index, Pass, Plan, Search, Unplayable, bounds};
use proptest::prelude::*;

use super::ground::{content_of, file, passed, plan, recording};

fn reason(bytes: &[u8]) -> Unplayable {
    let (passed, sound) = passed(bytes, 5_000);
    assert_eq!(passed.length, bytes.len() as u64);
    assert!(sound.is_empty() || passed.index.is_err());
    passed.index.unwrap_err()
}

/// Puts numbers in place of those at some distance behind the type of a box.
fn changed(mut bytes: Vec<u8>, kind: &[u8; 4], distance: usize, new: &[u8]) -> Vec<u8> {
    let at = content_of(&bytes, kind) + distance;
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

#[test]
fn other_formats_are_told_from_films_that_were_cut_off() {
    for bytes in [file("other.mkv"), b"".to_vec(), b"\0\0\0".to_vec(), b"GIF89a and more".to_vec()] {
        assert_eq!(reason(&bytes), Unplayable::Container);
    }
    let progressive = file("progressive.mp4");
    let faststart = file("faststart.mp4");
    for bytes in [
        // Without its end, where `moov` is, without a part of `moov`, and without the end of the media.
        &progressive[..30_000],
        &progressive[..progressive.len() - 1],
        &faststart[..100],
        &faststart[..faststart.len() - 1],
        b"\0\0\0\x10ftypisom\0\0\0\0",
    ] {
        assert_eq!(reason(bytes), Unplayable::Incomplete, "{} bytes", bytes.len());
    }
}

#[test]
fn counts_that_the_file_cannot_have_are_refused_without_room_for_them() {
    let many = [0xff; 4];
    for kind in [b"stts", b"ctts", b"stsc", b"stsz", b"stco", b"stss"] {
        let distance = if kind == b"stsz" { 8 } else { 4 };
        let reason = reason(&changed(file("onegop.mp4"), kind, distance, &many));
        let is_named = reason.to_string().contains(std::str::from_utf8(kind).unwrap());
        let is_counted =
            reason == Unplayable::TooMany { what: "samples in a track", allowed: bounds::SAMPLES };
        assert!(is_named || is_counted, "{kind:?}: {reason}");
    }
    // One size for four thousand million samples needs no table.
    let bytes = changed(file("onegop.mp4"), b"stsz", 4, &[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(reason(&bytes).name(), "too_large");
}

#[test]
fn what_cannot_be_is_said_by_box() {
    let zero = [0; 4];
    for (kind, distance, new, expected) in [
        (b"mvhd", 12, &zero[..], "its box `mvhd` is damaged: a second has no units in it"),
        (b"mdhd", 12, &zero, "its box `mdhd` is damaged: a second has no units in it"),
        (b"stsc", 8, &[0, 0, 0, 2], "its box `stsc` is damaged: it does not begin with the first chunk"),
        (b"stco", 8, &[0xff; 4], "the box `moov`"),
        (b"avc1", 0, b"\0\0", "`avcC` is damaged"),
    ] {
        let bytes = changed(file("onegop.mp4"), kind, distance, new);
        let reason = if kind == b"avc1" {
            // The name of the box within the sample entry.
            let at = content_of(&bytes, b"avcC");
            let mut bytes = bytes;
            bytes[at - 4..at].copy_from_slice(b"none");
            reason(&bytes)
        } else {
            reason(&bytes)
        };
        assert!(reason.to_string().contains(expected), "{kind:?}: {reason}");
    }
}

#[test]
fn codecs_that_browsers_do_not_decode_are_named() {
    for (new, expected) in [
        (b"mp4v", "its track 1 is `mp4v`, which browsers do not decode"),
        (b"encv", "its track 1 is encrypted"),
    ] {
        let mut bytes = file("onegop.mp4");
        let at = content_of(&bytes, b"avc1");
        // The first is a compatible brand.
        let at = at + content_of(&bytes[at..], b"avc1");
        bytes[at - 4..at].copy_from_slice(new);
        assert_eq!(reason(&bytes).to_string(), expected);
    }
}

#[test]
fn a_movie_box_that_is_too_long_is_not_read() {
    let length = 200 * 1_024 * 1_024_u64;
    let mut search = Search::new(length + 16);
    assert_eq!(search.advance(b"\0\0\0\x10ftypisom\0\0\0\0"), Ok(None));
    let beginning = [&u32::try_from(length).unwrap().to_be_bytes()[..], b"moov", &[0; 8]].concat();
    let reason = search.advance(&beginning).unwrap_err();
    assert_eq!(reason.to_string(), "its box `moov` has 209715200 bytes, and at most 50331648 are read");
}

#[test]
fn boxes_that_go_round_in_circles_end() {
    // Boxes of length 0, 1 and 7, where another one should follow.
    for (size, is_end) in [(0_u32, true), (1, false), (7, false)] {
        let bytes = [b"\0\0\0\x10ftypisom\0\0\0\0", &size.to_be_bytes()[..], b"free", &[0; 40]].concat();
        let reason = reason(&bytes);
        assert_eq!(reason == Unplayable::Incomplete, is_end, "{size}: {reason}");
    }
    let many = b"\0\0\0\x08free".repeat(2_000);
    assert_eq!(reason(&many).name(), "too_large");
}

#[test]
fn a_recording_of_another_length_than_was_planned_is_not_played() {
    let bytes = file("progressive.mp4");
    for (fed, expected) in [(&bytes[..20_000], false), (&bytes[..], true)] {
        let mut pass = Pass::new(plan(&bytes));
        pass.push(fed);
        assert_eq!(pass.finish().index.is_ok(), expected);
    }
    let mut pass = Pass::new(plan(&bytes));
    pass.push(&bytes);
    pass.push(b"and more");
    assert_eq!(pass.finish().index, Err(Unplayable::Incomplete));
}

#[test]
fn no_single_byte_that_is_wrong_panics() {
    for name in ["progressive.mp4", "fragmented.mp4"] {
        let bytes = file(name);
        let movie = content_of(&bytes, b"moov");
        for at in (movie..(movie + 4_000).min(bytes.len())).step_by(3) {
            for value in [0, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                // Whatever is found, it can be viewed to its end.
                if let Ok(recording) = recording(bytes) {
                    for stream in 0..recording.index.head().streams.len() {
                        recording.view(stream);
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_movie_box_panics(content: Vec<u8>) {
        let bytes = [&u32::try_from(content.len() + 8).unwrap().to_be_bytes()[..], b"moov", &content].concat();
        let _ = Plan::of(&bytes, 0..bytes.len() as u64, bytes.len() as u64);
    }

    #[test]
    fn no_index_panics(at in 0_usize..2_000, value: u8) {
        let mut bytes = passed(&file("onegop.mp4"), 50_000).0.index.unwrap().to_vec();
        let place = at % bytes.len();
        bytes[place] = value;
        if let Ok(index) = Index::parse(&bytes.into()) {
            for segment in index.segments(0).take(10) {
                let _ = index.header(0, 1, &segment);
            }
            let _ = (credlink_recordings::hls::multivariant(&index), credlink_recordings::dash::manifest(&index));
        }
    }
}
