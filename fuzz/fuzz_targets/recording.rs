//! Arbitrary bytes as a recording: its plan, its index, and every view of it. Also as an index, and as the name of a part.

#![no_main]

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_recordings::{
    Index, Indexer, MovieSearch, Part, Plan, SearchError, Source, StreamName, Unplayable, bounds,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let plan = plan(bytes);
    let mut indexer = Indexer::new(plan.clone());
    let mut sound: Vec<u8> = bytes.chunks(100).flat_map(|piece| indexer.push(piece)).collect();
    let indexed = indexer.finish();
    let mut indexer = Indexer::new(plan);
    assert_eq!(indexer.push(bytes), sound, "the pieces do not matter");
    assert_eq!(indexer.finish(), indexed);
    sound.extend_from_slice(&indexed.sound);
    assert_eq!((indexed.length, indexed.sha256), (bytes.len() as u64, Digest::of(bytes)));
    match &indexed.index {
        Ok(index) => played(index, bytes, &sound),
        Err(reason) => assert!(!reason.to_string().is_empty()),
    }
    if let Ok(index) = Index::parse(Bytes::copy_from_slice(bytes)) {
        view(&index);
    }
    if let Ok(name) = std::str::from_utf8(bytes)
        && let Some(part) = Part::parse(name)
    {
        assert_eq!(part.to_string(), name);
    }
});

fn part<'a>(bytes: &'a [u8], range: &std::ops::Range<u64>) -> &'a [u8] {
    let place = |at: u64| usize::try_from(at).expect("it is within the bytes");
    &bytes[place(range.start)..place(range.end)]
}

fn plan(bytes: &[u8]) -> Result<Plan, Unplayable> {
    let mut search = MovieSearch::new(bytes.len() as u64);
    for _ in 0..=bounds::MAX_BOXES {
        match search.advance(part(bytes, &search.wanted())) {
            Ok(Some(at)) => return Plan::of(part(bytes, &at), at, bytes.len() as u64),
            Ok(None) => {}
            Err(SearchError::Unplayable(reason)) => return Err(reason),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the search does not end");
}

/// Each byte is in one range whose hash is right, and each segment is what its header says.
fn played(index: &Index, bytes: &[u8], sound: &[u8]) {
    view(index);
    let head = index.head();
    for (stream, described) in head.streams() {
        let (source, mut end) = match described.source {
            Source::Media => (bytes, None),
            Source::Audio => (sound, Some(0)),
        };
        for segment in index.segments(stream) {
            assert_eq!(index.digest(stream, segment.number), Some(Digest::of(part(source, &segment.range))));
            match end.replace(segment.range.end) {
                Some(end) => assert_eq!(end, segment.range.start),
                None => assert_eq!(head.front, Digest::of(part(bytes, &(0..segment.range.start)))),
            }
            let view = index.view(Part::Segment(stream, segment.number), None).expect("it is not damaged");
            let generated = view.expect("it is there").generated;
            if !generated.is_empty() {
                let mdat =
                    u32::from_be_bytes(*generated[generated.len() - 8..].first_chunk().expect("eight bytes"));
                assert_eq!(u64::from(mdat), 8 + segment.range.end - segment.range.start);
            }
        }
        if described.source == Source::Media {
            assert_eq!(head.tail, Digest::of(part(bytes, &(end.unwrap_or(0)..head.length))));
        }
    }
}

fn view(index: &Index) {
    for part in [Part::Media, Part::Hls, Part::Dash] {
        let _ = index.view(part, None);
    }
    for stream in StreamName::ALL {
        let _ = (index.view(Part::Playlist(stream), None), index.view(Part::Init(stream), None));
        for segment in index.segments(stream) {
            let _ = index.view(Part::Segment(stream, segment.number), None);
        }
    }
}
