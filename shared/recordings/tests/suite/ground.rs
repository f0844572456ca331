//! A recording, and its views.

use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_recordings::{Index, Init, Pass, Passed, Plan, Search, Segment, Source, Unplayable};

pub fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media").join(name)).unwrap()
}

pub fn part(bytes: &[u8], range: &Range<u64>) -> Vec<u8> {
    bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()].to_vec()
}

/// Plans a recording as a finaliser does, by ranges.
pub fn plan(bytes: &[u8]) -> Result<Plan, Unplayable> {
    let length = bytes.len() as u64;
    let mut search = Search::new(length);
    loop {
        let wanted = search.wanted();
        if let Some(at) = search.advance(&part(bytes, &wanted))? {
            return Plan::of(&part(bytes, &at), at, length);
        }
    }
}

/// A recording that was read, with its index and the copy of its sound.
#[derive(Debug)]
pub struct Recording {
    pub media: Vec<u8>,
    pub sound: Vec<u8>,
    pub index: Index,
}

/// Reads a recording in pieces of this length.
pub fn passed(bytes: &[u8], piece: usize) -> (Passed, Vec<u8>) {
    let mut pass = Pass::new(plan(bytes));
    let sound = bytes.chunks(piece).flat_map(|piece| pass.push(piece)).collect();
    (pass.finish(), sound)
}

pub fn recording(bytes: Vec<u8>) -> Result<Recording, Unplayable> {
    let (passed, sound) = passed(&bytes, 1_000);
    assert_eq!((passed.length, passed.sha256), (bytes.len() as u64, Digest::of(&bytes)));
    Ok(Recording { media: bytes, sound, index: Index::parse(&passed.index?).unwrap() })
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

    pub fn init(&self, stream: usize) -> Vec<u8> {
        let head = &self.index.head().streams[stream];
        match (&head.init, self.index.generated_init(stream)) {
            (Init::Range(range), None) => part(self.source(head.source), range),
            (Init::Generated(_), Some(init)) => init,
            other => panic!("{other:?}"),
        }
    }

    pub fn segments(&self, stream: usize) -> Vec<(Segment, Vec<u8>)> {
        let source = self.index.head().streams[stream].source;
        let view = |(number, segment): (u32, Segment)| {
            let bytes = part(self.source(source), &segment.range);
            assert_eq!(segment.sha256, Digest::of(&bytes), "segment {number} of {stream}");
            let header = self.index.header(stream, number, &segment).unwrap();
            assert_eq!(self.index.segment(stream, number).as_ref(), Some(&segment));
            (segment, [header, bytes].concat())
        };
        (1..).zip(self.index.segments(stream)).map(view).collect()
    }

    /// The streams as players put them together.
    pub fn view(&self, stream: usize) -> Vec<u8> {
        let segments = self.segments(stream).into_iter().map(|(_, bytes)| bytes);
        [self.init(stream)].into_iter().chain(segments).collect::<Vec<_>>().concat()
    }
}

/// The place after which a box, whose type occurs first there, has its content.
pub fn content_of(bytes: &[u8], kind: &[u8; 4]) -> usize {
    bytes.windows(4).position(|part| part == kind).unwrap_or_else(|| panic!("no {kind:?}")) + 4
}

#[test]
fn pieces_of_any_length_make_the_same_index() {
    for name in ["progressive.mp4", "fragmented.mp4", "faststart.mp4"] {
        let bytes = file(name);
        let (whole, sound) = passed(&bytes, bytes.len());
        assert!(whole.index.is_ok(), "{name}: {whole:?}");
        for piece in [1, 7, 4_096, 30_011] {
            assert_eq!(passed(&bytes, piece), (whole.clone(), sound.clone()), "{name} by {piece}");
        }
    }
}

#[test]
fn an_index_is_read_as_it_was_written_and_never_beyond_its_end() {
    for name in ["progressive.mp4", "fragmented.mp4"] {
        let bytes = passed(&file(name), 5_000).0.index.unwrap();
        assert_eq!(&bytes[..8], b"CLRX\x01\0\0\0");
        let index = Index::parse(&bytes).unwrap();
        for end in 0..bytes.len() {
            // What is missing is noticed at once, by reading or by the first segment that needs it.
            let Ok(cut) = Index::parse(&bytes.slice(..end)) else { continue };
            panic!("{name}: {end} of {} bytes are an index of {:?}", bytes.len(), cut.head());
        }
        let mut later = bytes.to_vec();
        later[4] = 2;
        assert!(Index::parse(&Bytes::from(later)).is_err());
        assert_eq!(index.head().length, file(name).len() as u64);
    }
}
