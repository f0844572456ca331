//! A recording, and its views.

use std::ops::Range;
use std::path::Path;

use credlink_core::hash::Digest;
use credlink_recordings::{
    Index, Indexed, Indexer, MovieSearch, Part, Plan, SearchError, Segment, Source, StreamName, Unplayable,
    View,
};

pub fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media").join(name)).unwrap()
}

pub fn part(bytes: &[u8], range: &Range<u64>) -> Vec<u8> {
    bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()].to_vec()
}

/// Plans a recording as a finaliser does, by ranges of at least this length.
fn plan_by(bytes: &[u8], least: u64) -> Result<Plan, Unplayable> {
    let length = bytes.len() as u64;
    let mut search = MovieSearch::new(length);
    loop {
        let wanted = search.wanted();
        let end = wanted.end.max(wanted.start + least).min(length);
        match search.advance(&part(bytes, &(wanted.start..end))) {
            Ok(Some(at)) => return Plan::of(&part(bytes, &at), at, length),
            Ok(None) => {}
            Err(SearchError::Unplayable(reason)) => return Err(reason),
            Err(error) => panic!("{error}"),
        }
    }
}

pub fn plan(bytes: &[u8]) -> Result<Plan, Unplayable> {
    plan_by(bytes, 0)
}

/// A recording that was read, with its index and the copy of its sound.
#[derive(Debug)]
pub struct Recording {
    pub media: Vec<u8>,
    pub sound: Vec<u8>,
    pub index: Index,
}

/// Reads a recording in pieces of this length.
pub fn indexed(bytes: &[u8], piece: usize) -> (Indexed, Vec<u8>) {
    let mut indexer = Indexer::new(plan(bytes));
    let mut sound: Vec<u8> = bytes.chunks(piece).flat_map(|piece| indexer.push(piece)).collect();
    let indexed = indexer.finish();
    sound.extend_from_slice(&indexed.sound);
    (indexed, sound)
}

pub fn recording(bytes: Vec<u8>) -> Result<Recording, Unplayable> {
    let (indexed, sound) = indexed(&bytes, 1_000);
    assert_eq!((indexed.length, indexed.sha256), (bytes.len() as u64, Digest::of(&bytes)));
    let recording = Recording { media: bytes, sound, index: indexed.index? };
    recording.assert_covered();
    Ok(recording)
}

impl Recording {
    pub fn of(name: &str) -> Self {
        recording(file(name)).unwrap_or_else(|reason| panic!("{name}: {reason}"))
    }

    fn source(&self, source: Source) -> &[u8] {
        match source {
            Source::Media => &self.media,
            Source::Audio => &self.sound,
        }
    }

    /// Returns what a player gets for a part, whole.
    pub fn get(&self, part: Part) -> Vec<u8> {
        let view = self.index.view(part, None).unwrap().unwrap_or_else(|| panic!("{part}"));
        let View { generated, stored, .. } = view;
        let stored = stored.map(|(source, range)| self::part(self.source(source), &range));
        [generated, stored.unwrap_or_default()].concat()
    }

    /// The segments of a stream, each with the bytes that a player gets.
    pub fn segments(&self, stream: StreamName) -> Vec<(Segment, Vec<u8>)> {
        let source = self.source(self.index.head().stream(stream).unwrap().source);
        let view = |segment: Segment| {
            let Segment { number, range, .. } = &segment;
            let digest = self.index.digest(stream, *number).unwrap();
            assert_eq!(digest, Digest::of(&part(source, range)), "segment {number} of {stream}");
            assert_eq!(self.index.segment(stream, *number).as_ref(), Some(&segment));
            let bytes = self.get(Part::Segment(stream, *number));
            (segment, bytes)
        };
        self.index.segments(stream).map(view).collect()
    }

    /// A stream as a player puts it together.
    pub fn whole(&self, stream: StreamName) -> Vec<u8> {
        let segments = self.segments(stream).into_iter().map(|(_, bytes)| bytes);
        [self.get(Part::Init(stream))].into_iter().chain(segments).collect::<Vec<_>>().concat()
    }

    /// Asserts that each byte of the recording is in one range whose hash the index has, and each of the copy in one segment.
    fn assert_covered(&self) {
        let head = self.index.head();
        assert_eq!((head.length, head.sha256), (self.media.len() as u64, Digest::of(&self.media)));
        for (stream, described) in head.streams() {
            let segments = self.segments(stream);
            assert_eq!(segments.len(), described.segments as usize);
            for ((one, _), (next, _)) in segments.iter().zip(&segments[1..]) {
                assert_eq!(one.range.end, next.range.start, "{stream}");
            }
            let (first, last) = (segments[0].0.range.start, segments[segments.len() - 1].0.range.end);
            if described.source == Source::Media {
                assert_eq!(head.front, Digest::of(&part(&self.media, &(0..first))));
                assert_eq!(head.tail, Digest::of(&part(&self.media, &(last..head.length))));
            } else {
                assert_eq!((first, last), (0, self.sound.len() as u64));
            }
        }
    }
}

/// The place after which a box, whose type occurs first there, has its content.
pub fn content_of(bytes: &[u8], kind: &[u8; 4]) -> usize {
    bytes.windows(4).position(|part| part == kind).unwrap_or_else(|| panic!("no {kind:?}")) + 4
}

#[test]
fn pieces_of_any_length_make_the_same_index() {
    for name in ["progressive.mp4", "fragmented.mp4", "faststart.mp4", "absolute.mp4"] {
        let bytes = file(name);
        let (whole, sound) = indexed(&bytes, bytes.len());
        assert!(whole.index.is_ok(), "{name}: {whole:?}");
        for piece in [1, 7, 4_096, 30_011] {
            assert_eq!(indexed(&bytes, piece), (whole.clone(), sound.clone()), "{name} by {piece}");
        }
    }
}

#[test]
fn a_search_takes_more_than_it_wants_and_not_less() {
    let bytes = file("progressive.mp4");
    for least in [17, 100, 70_000] {
        assert!(plan_by(&bytes, least).is_ok(), "{least}");
    }
    let mut search = MovieSearch::new(bytes.len() as u64);
    let error = search.advance(&bytes[..15]).unwrap_err();
    assert_eq!(error.to_string(), "15 bytes were given, and 16 are wanted");
    assert!(search.advance(&bytes[..16]).is_ok(), "it can be given again");
}
