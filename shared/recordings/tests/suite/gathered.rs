//! Fragments of which players get the samples: odd ones, made of a real recording.

use credlink_recordings::{Index, StreamName, bounds};

use super::ground::{Recording, file, indexed, recording};

/// The places of all boxes of a kind, by their content.
fn contents(bytes: &[u8], kind: &[u8; 4]) -> Vec<usize> {
    (4..bytes.len()).filter(|at| &bytes[at - 4..*at] == kind).collect()
}

fn put(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
}

/// The places of the `traf` boxes of a track, by their content: the pictures are track 1, and the sound is track 2.
fn parts_of(bytes: &[u8], track: u8) -> Vec<usize> {
    let is_of = |at: &usize| bytes[at + 15] == track;
    contents(bytes, b"traf").into_iter().filter(is_of).collect()
}

/// Moves the times of the fragments of a track from the second one on.
fn later(bytes: &mut [u8], track: u8, ticks: u32) {
    for at in parts_of(bytes, track).into_iter().skip(1) {
        let time = at + contents(&bytes[at..], b"tfdt")[0];
        let place = time + 8;
        let before = u32::from_be_bytes(bytes[place..place + 4].try_into().unwrap());
        put(bytes, place, before + ticks);
    }
}

fn durations(index: &Index, stream: StreamName) -> Vec<(u64, u64)> {
    index.segments(stream).map(|segment| (segment.start, segment.duration)).collect()
}

/// The durations of the samples of a stream, as headers say them, for each segment.
fn told(recording: &Recording, stream: StreamName) -> Vec<u64> {
    let number = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let sum = |bytes: Vec<u8>| {
        let header = &bytes[..contents(&bytes, b"mdat")[0]];
        let samples = contents(header, b"trun").into_iter().flat_map(|run| {
            (0..number(header, run + 4) as usize).map(move |sample| number(header, run + 12 + 16 * sample))
        });
        samples.map(u64::from).sum()
    };
    recording.segments(stream).into_iter().map(|(_, bytes)| sum(bytes)).collect()
}

#[test]
fn a_gap_between_fragments_is_one_for_players_too() {
    let bytes = file("absolute.mp4");
    let whole = Recording::of("absolute.mp4");
    let timescale = 12_800_u32;
    let [(start, duration)] = durations(&whole.index, StreamName::Video)[..] else {
        panic!("two seconds are one segment")
    };
    // The second fragment begins with a key frame: a second later, it begins a segment.
    let mut moved = bytes.clone();
    later(&mut moved, 1, timescale);
    let moved = recording(moved).unwrap();
    let found = durations(&moved.index, StreamName::Video);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].0, start);
    assert_eq!(found[1].0, start + duration - found[1].1 + u64::from(timescale));
    assert_eq!(
        told(&moved, StreamName::Video),
        found.iter().map(|(_, duration)| *duration).collect::<Vec<_>>()
    );

    // Without a key frame there, the picture before is shown longer.
    let mut moved = bytes.clone();
    later(&mut moved, 1, timescale);
    let second = parts_of(&moved, 1)[1];
    let run = second + contents(&moved[second..], b"trun")[0];
    // The flags of the first sample follow the number of samples and the offset.
    put(&mut moved, run + 12, 0x0101_0000);
    // If the recording ends before that fragment does, the segment lasts as long as its header says, too.
    let cut_off = recording(moved[..moved.len() - 300].to_vec()).unwrap();
    let found = durations(&cut_off.index, StreamName::Video);
    assert_eq!(
        found.iter().map(|(_, duration)| *duration).collect::<Vec<_>>(),
        told(&cut_off, StreamName::Video)
    );
    let moved = recording(moved).unwrap();
    let found = durations(&moved.index, StreamName::Video);
    assert_eq!(found, [(start, duration + u64::from(timescale))]);
    assert_eq!(told(&moved, StreamName::Video), [duration + u64::from(timescale)]);

    // So it is with sound, which begins a segment anywhere.
    let mut moved = bytes;
    later(&mut moved, 2, 16_000);
    let moved = recording(moved).unwrap();
    let sound = durations(&moved.index, StreamName::Audio);
    assert_eq!(sound.len(), 2, "{sound:?}");
    assert_eq!(sound[1].0, sound[0].0 + sound[0].1 + 16_000);
}

#[test]
fn sound_that_cannot_be_served_leaves_the_pictures() {
    let bytes = file("absolute.mp4");
    let whole = Recording::of("absolute.mp4");
    let second = parts_of(&bytes, 2)[1];
    let header = second + contents(&bytes[second..], b"tfhd")[0];
    let run = second + contents(&bytes[second..], b"trun")[0];
    // Another sample entry, in place of the offset of the fragment, and samples that begin before the fragment.
    let mut other_entry = bytes.clone();
    put(&mut other_entry, header, u32::from_be_bytes(bytes[header..header + 4].try_into().unwrap()) & !1 | 2);
    let mut elsewhere = bytes.clone();
    put(&mut elsewhere, run + 8, 0_u32.wrapping_sub(10_000));
    for (bytes, reason) in [(elsewhere, "scattered"), (other_entry, "several_formats")] {
        let recording = recording(bytes).unwrap();
        let head = recording.index.head();
        assert_eq!(head.audio, None, "{reason}");
        let [left_out] = &head.left_out[..] else { panic!("{reason}: {:?}", head.left_out) };
        assert_eq!((left_out.track, &*left_out.reason, &*left_out.codec), (2, reason, "mp4a"));
        assert_eq!(head.video.samples, whole.index.head().video.samples, "{reason}");
    }
}

#[test]
fn a_fragment_that_claims_many_samples_is_refused_before_they_are_read() {
    let bytes = file("absolute.mp4");
    for track in [1, 2] {
        let at = parts_of(&bytes, track)[0];
        let run = at + contents(&bytes[at..], b"trun")[0];
        let mut bytes = bytes.clone();
        // No member has a value of its own for each sample, so the box is long enough for any number of them.
        put(&mut bytes, run, 1);
        put(&mut bytes, run + 4, u32::MAX);
        let reason = indexed(&bytes, 1_000).0.index.unwrap_err();
        let expected = format!("it has more than {} samples in a fragment", bounds::MAX_SEGMENT_SAMPLES);
        assert_eq!(reason.to_string(), expected);
    }
}
