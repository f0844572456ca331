//! The index as it is stored.

use credlink_recordings::{Head, Index, IndexError, StreamName};

use super::ground::{Recording, file, indexed, part};

/// A change of the format must still read what was stored before.
#[test]
fn the_format_is_as_it_is_documented() {
    let recording = Recording::of("onegop.mp4");
    let bytes = recording.index.bytes();
    assert_eq!(&bytes[..8], b"CLRX\x01\0\0\0");
    let length = usize::try_from(u32::from_be_bytes(*bytes[8..].first_chunk().unwrap())).unwrap();
    let head: serde_json::Value = serde_json::from_slice(&bytes[12..12 + length]).unwrap();
    let mut names: Vec<&str> = head.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["front", "length", "sections", "sha256", "tail", "video"]);
    assert_eq!(head["video"]["init"]["generated"]["id"], 1);
    assert_eq!(head["sections"]["entries"], serde_json::json!({"start": 0, "end": 48}));
    assert_eq!(head["sections"]["digests"], serde_json::json!({"start": 48, "end": 80}));
    let entry = &bytes[12 + length..][..48];
    let number = |at: usize| u64::from_be_bytes(*entry[at..].first_chunk().unwrap());
    let segment = recording.index.segment(StreamName::Video, 1).unwrap();
    assert_eq!((number(0), number(8), number(16)), (segment.start, 10 * 12_800, segment.range.start));
    assert_eq!(number(24) >> 32, segment.range.end - segment.range.start);
    let key_frame = segment.key_frame.unwrap();
    assert_eq!(number(24) & 0xffff_ffff, key_frame.start - segment.range.start);
    assert_eq!(number(32) >> 32, key_frame.end - key_frame.start);
    assert_eq!(
        &bytes[12 + length + 48..][..32],
        recording.index.digest(StreamName::Video, 1).unwrap().as_bytes()
    );
}

#[test]
fn an_index_is_never_read_beyond_its_end() {
    for name in ["progressive.mp4", "fragmented.mp4"] {
        let bytes = indexed(&file(name), 5_000).0.index.unwrap().bytes().clone();
        assert_eq!(Index::parse(bytes.clone()).unwrap().bytes(), &bytes);
        for end in 0..bytes.len() {
            match Index::parse(bytes.slice(..end)) {
                Err(IndexError::CutOff { needed }) => assert!(needed > end as u64),
                other => panic!("{name}: {end} of {} bytes: {other:?}", bytes.len()),
            }
        }
        for (at, value) in [(0, b'X'), (4, 2), (5, 1)] {
            let mut later = bytes.to_vec();
            later[at] = value;
            assert_eq!(Index::parse(later.into()), Err(IndexError::Version), "{at}");
        }
    }
}

/// As the edge does, which has a store with ranges.
#[test]
fn a_segment_is_found_by_three_ranges_of_the_index() {
    let recording = Recording::of("progressive.mp4");
    let index = recording.index.bytes();
    let head = Head::parse(index).unwrap();
    for (stream, _) in head.streams() {
        for (expected, bytes) in recording.segments(stream) {
            let entry = part(index, &head.entry(stream, expected.number).unwrap());
            let segment = head.segments(stream, expected.number, &entry).next().unwrap().unwrap();
            assert_eq!(segment, expected);
            let header = segment.header(&head, &part(index, &segment.block)).unwrap();
            assert!(bytes.starts_with(&header));
            let digest = part(index, &head.digest(stream, segment.number).unwrap());
            assert_eq!(digest, recording.index.digest(stream, segment.number).unwrap().as_bytes());
        }
        let number = head.stream(stream).unwrap().segments;
        assert!(head.entry(stream, number).is_some());
        assert_eq!((head.entry(stream, number + 1), head.entry(stream, 0)), (None, None));
    }
}

#[test]
fn the_first_key_frame_of_each_segment_is_where_the_index_says() {
    for name in ["progressive.mp4", "fragmented.mp4", "cmaf.mp4", "onegop.mp4"] {
        let recording = Recording::of(name);
        for segment in recording.index.segments(StreamName::Video) {
            let frame = part(&recording.media, &segment.key_frame.unwrap());
            // Each NAL unit has its length in front, and all of them together have that of the frame.
            let (mut rest, mut kinds) = (&frame[..], Vec::new());
            while let Some(length) = rest.first_chunk::<4>() {
                let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
                kinds.push(rest[4] & 0x1f);
                rest = &rest[4 + length..];
            }
            assert!(rest.is_empty() && kinds.contains(&5), "{name}: an IDR picture: {kinds:?}");
        }
    }
}
