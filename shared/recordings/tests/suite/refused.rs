//! Recordings that are not played, each with its reason, and bytes that are damaged at random.

use credlink_recordings::{
    Index, Indexer, MovieSearch, Part, Plan, SearchError, StreamName, Unplayable, bounds,
};
use proptest::prelude::*;

use super::ground::{content_of, file, indexed, plan, recording};

fn reason(bytes: &[u8]) -> Unplayable {
    let (indexed, _) = indexed(bytes, 5_000);
    assert_eq!(indexed.length, bytes.len() as u64);
    indexed.index.unwrap_err()
}

/// Puts numbers in place of those at some distance behind the type of a box.
fn changed(mut bytes: Vec<u8>, kind: &[u8; 4], distance: usize, new: &[u8]) -> Vec<u8> {
    let at = content_of(&bytes, kind) + distance;
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

#[test]
fn other_formats_are_distinguished_from_truncated_files() {
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
        assert_eq!(reason(bytes).name(), "incomplete", "{} bytes", bytes.len());
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
            reason == Unplayable::TooMany { what: "samples in a track", allowed: bounds::MAX_SAMPLES };
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
        (b"mvhd", 12, &zero[..], "its box `mvhd` is damaged: its timescale is zero"),
        (b"mdhd", 12, &zero, "its box `mdhd` is damaged: its timescale is zero"),
        (b"stsc", 8, &[0, 0, 0, 2], "its box `stsc` is damaged: it does not begin with the first chunk"),
        (b"stco", 8, &[0xff; 4], "it ends before the last pictures"),
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
    let mut search = MovieSearch::new(length + 16);
    assert_eq!(search.advance(b"\0\0\0\x10ftypisom\0\0\0\0"), Ok(None));
    let beginning = [&u32::try_from(length).unwrap().to_be_bytes()[..], b"moov", &[0; 8]].concat();
    let reason = search.advance(&beginning).unwrap_err();
    assert!(matches!(reason, SearchError::Unplayable(_)));
    assert_eq!(reason.to_string(), "its box `moov` has 209715200 bytes, and at most 20971520 are read");
}

#[test]
fn boxes_that_go_round_in_circles_end() {
    // Boxes of length 0, 1 and 7, where another one should follow.
    for (size, is_end) in [(0_u32, true), (1, false), (7, false)] {
        let bytes = [b"\0\0\0\x10ftypisom\0\0\0\0", &size.to_be_bytes()[..], b"free", &[0; 40]].concat();
        let reason = reason(&bytes);
        assert_eq!(reason == Unplayable::NoMovie, is_end, "{size}: {reason}");
    }
    let many = b"\0\0\0\x08free".repeat(2_000);
    assert_eq!(reason(&many).name(), "too_large");
}

#[test]
fn a_recording_of_another_length_than_was_planned_is_not_played() {
    let bytes = file("progressive.mp4");
    let planned = bytes.len() as u64;
    for (pieces, read) in [(&[&bytes[..20_000]][..], 20_000), (&[&bytes, b"and more"], planned + 8)] {
        let mut indexer = Indexer::new(plan(&bytes));
        for piece in pieces {
            let _ = indexer.push(piece);
        }
        assert_eq!(indexer.finish().index, Err(Unplayable::OtherLength { read, planned }));
    }
}

#[test]
fn fragments_that_do_not_begin_with_a_key_frame_are_refused() {
    let mut bytes = file("fragmented.mp4");
    // The flags of the first sample, of each run.
    for at in 0..bytes.len() - 4 {
        if &bytes[at..at + 4] == b"trun" && bytes[at + 7] & 4 != 0 {
            bytes[at + 16..at + 20].copy_from_slice(&[1, 1, 0, 0]);
        }
    }
    assert_eq!(reason(&bytes), Unplayable::NoKeyFrame(1));
}

#[test]
fn pictures_before_the_first_key_frame_are_left_out() {
    let bytes = file("onegop.mp4");
    let of_key = |number: u8| changed(bytes.clone(), b"stss", 8, &[0, 0, 0, number]);
    let recording = recording(of_key(3)).unwrap();
    let segment = recording.index.segments(StreamName::Video).next().unwrap();
    assert!(segment.start > 0 && segment.duration < 10 * 12_800, "{segment:?}");
    let without = changed(bytes.clone(), b"stss", 4, &[0; 4]);
    assert_eq!(reason(&without), Unplayable::NoKeyFrame(1));
}

#[test]
fn no_single_byte_that_is_wrong_panics() {
    for name in ["progressive.mp4", "fragmented.mp4", "absolute.mp4"] {
        let bytes = file(name);
        let movie = content_of(&bytes, b"moov");
        for at in (movie..(movie + 4_000).min(bytes.len())).step_by(3) {
            for value in [0, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                // Whatever is found, it can be viewed to its end.
                if let Ok(recording) = recording(bytes) {
                    for (stream, _) in recording.index.head().streams() {
                        recording.whole(stream);
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
        let mut bytes = indexed(&file("onegop.mp4"), 50_000).0.index.unwrap().bytes().to_vec();
        let place = at % bytes.len();
        bytes[place] = value;
        if let Ok(index) = Index::parse(bytes.into()) {
            for part in [Part::Hls, Part::Dash, Part::Playlist(StreamName::Video), Part::Segment(StreamName::Video, 1)] {
                let _ = index.view(part, None);
            }
        }
    }
}
