//! Arbitrary bytes as a recording: its plan, its index, and every view of it. Also as an index, and as the name of a part.

#![no_main]

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_recordings::{
    Index, Part, Pass, Plan, Search, Source, StreamName, Unplayable, bounds, dash, hls,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let plan = plan(bytes);
    let mut pass = Pass::new(plan.clone());
    let sound: Vec<u8> = bytes.chunks(100).flat_map(|piece| pass.push(piece)).collect();
    let passed = pass.finish();
    let mut pass = Pass::new(plan);
    assert_eq!(pass.push(bytes), sound, "the pieces do not matter");
    assert_eq!(pass.finish(), passed);
    assert_eq!((passed.length, passed.sha256), (bytes.len() as u64, Digest::of(bytes)));
    match &passed.index {
        Ok(index) => {
            let index = Index::parse(index).expect("an index reads back");
            view(&index);
            for stream in 0..index.head().streams.len() {
                let source = match index.head().streams[stream].source {
                    Source::Media => bytes,
                    Source::Audio => &sound,
                };
                for segment in index.segments(stream) {
                    assert_eq!(Digest::of(part(source, &segment.range)), segment.sha256);
                }
            }
        }
        Err(reason) => assert!(!reason.to_string().is_empty()),
    }
    if let Ok(index) = Index::parse(&Bytes::copy_from_slice(bytes)) {
        view(&index);
    }
    if let Ok(name) = std::str::from_utf8(bytes) {
        let _ = Part::parse(name);
    }
});

fn part<'a>(bytes: &'a [u8], range: &std::ops::Range<u64>) -> &'a [u8] {
    let place = |at: u64| usize::try_from(at).expect("it is within the bytes");
    &bytes[place(range.start)..place(range.end)]
}

fn plan(bytes: &[u8]) -> Result<Plan, Unplayable> {
    let mut search = Search::new(bytes.len() as u64);
    for _ in 0..=bounds::TOP_BOXES {
        if let Some(at) = search.advance(part(bytes, &search.wanted()))? {
            return Plan::of(part(bytes, &at), at, bytes.len() as u64);
        }
    }
    panic!("the search does not end");
}

fn view(index: &Index) {
    let _ = (hls::multivariant(index), dash::manifest(index));
    for stream in StreamName::ALL {
        let _ = hls::media(index, stream, None);
        let number = stream.number();
        let _ = index.generated_init(number);
        for segment in index.segments(number) {
            let _ = index.header(number, 1, &segment);
        }
    }
}
