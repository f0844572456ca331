//! The views beside the recording, both read by `shiguredo_mp4`: the same samples, the same times, the same bytes.

use shiguredo_mp4::TrackKind;
use shiguredo_mp4::demux::{Fmp4SegmentDemuxer, Input, Mp4FileDemuxer};

use super::ground::Recording;

/// A sample: its times of decoding and of presentation in microseconds, its duration, and its bytes.
#[derive(Clone, Debug, PartialEq)]
struct Read {
    decode: i64,
    presented: i64,
    duration: u32,
    is_sync: bool,
    bytes: Vec<u8>,
}

/// Reads the samples of one kind from a progressive file.
fn of_file(bytes: &[u8], kind: TrackKind) -> (u32, Vec<Read>) {
    let mut demuxer = Mp4FileDemuxer::new();
    while let Some(wanted) = demuxer.required_input() {
        let start = usize::try_from(wanted.position).unwrap();
        let end = wanted.size.map_or(bytes.len(), |size| (start + size).min(bytes.len()));
        demuxer.handle_input(Input { position: wanted.position, data: &bytes[start..end] });
    }
    let mut timescale = 0;
    let mut samples = Vec::new();
    while let Some(sample) = demuxer.next_sample().unwrap() {
        if sample.track.kind != kind {
            continue;
        }
        timescale = sample.track.timescale.get();
        let start = usize::try_from(sample.data_offset).unwrap();
        let decode = i64::try_from(sample.timestamp).unwrap();
        samples.push(Read {
            decode,
            presented: decode + sample.composition_time_offset.unwrap_or_default(),
            duration: sample.duration,
            is_sync: sample.keyframe,
            bytes: bytes[start..start + sample.data_size].to_vec(),
        });
    }
    (timescale, samples)
}

/// Reads the samples of a stream as players get it, one segment at a time.
fn of_view(recording: &Recording, stream: usize) -> (u32, Vec<Read>) {
    let mut demuxer = Fmp4SegmentDemuxer::new();
    demuxer.handle_init_segment(&recording.init(stream)).unwrap();
    let mut timescale = 0;
    let mut samples = Vec::new();
    for (segment, bytes) in recording.segments(stream) {
        let length = u32::from_be_bytes(*bytes.first_chunk().unwrap());
        assert_eq!(&bytes[4..8], b"styp");
        // Without `styp`, which this reader does not know, one `moof` and one `mdat` follow, and nothing else.
        let bytes = &bytes[usize::try_from(length).unwrap()..];
        let read = demuxer.handle_media_segment(bytes).unwrap();
        let first = &read[0];
        timescale = first.track.timescale.get();
        let presented = |timestamp: u64, shift: Option<i64>| {
            i64::try_from(timestamp).unwrap() + shift.unwrap_or_default()
        };
        let start = presented(first.timestamp, first.composition_time_offset);
        assert_eq!(i64::try_from(segment.start).unwrap(), start);
        let duration: u64 = read.iter().map(|sample| u64::from(sample.duration)).sum();
        assert_eq!(segment.duration, duration);
        assert!(first.keyframe);
        samples.extend(read.iter().map(|sample| {
            let at = usize::try_from(sample.data_offset).unwrap();
            Read {
                decode: i64::try_from(sample.timestamp).unwrap(),
                presented: presented(sample.timestamp, sample.composition_time_offset),
                duration: sample.duration,
                is_sync: sample.keyframe,
                bytes: bytes[at..at + sample.data_size].to_vec(),
            }
        }));
    }
    (timescale, samples)
}

#[test]
fn pictures_are_those_of_the_recording() {
    for name in ["progressive.mp4", "faststart.mp4", "hevc.mp4", "vfr.mp4", "onegop.mp4", "mulaw.mov"] {
        let recording = Recording::of(name);
        let (timescale, original) = of_file(&recording.media, TrackKind::Video);
        let (own, view) = of_view(&recording, 0);
        assert_eq!((own, view.len()), (timescale, original.len()), "{name}");
        // The edit list begins with the first picture.
        let first = original.iter().map(|sample| sample.presented).min().unwrap();
        for (number, (view, original)) in view.iter().zip(&original).enumerate() {
            let expected = Read { presented: original.presented - first, ..original.clone() };
            assert_eq!(*view, expected, "{name}: sample {number}");
        }
        assert_eq!(view.iter().map(|sample| sample.presented).min(), Some(0), "{name}");
    }
}

#[test]
fn sound_is_that_of_the_recording_without_what_the_encoder_put_before_it() {
    for name in ["progressive.mp4", "faststart.mp4", "hevc.mp4"] {
        let recording = Recording::of(name);
        let (timescale, original) = of_file(&recording.media, TrackKind::Audio);
        let (own, view) = of_view(&recording, 1);
        assert_eq!(own, timescale, "{name}");
        // ffmpeg's encoder has 1,024 samples of priming: one packet.
        assert_eq!(view.len(), original.len() - 1, "{name}");
        for (view, original) in view.iter().zip(&original[1..]) {
            assert_eq!((view.decode, &view.bytes), (original.decode - 1_024, &original.bytes), "{name}");
        }
        let segments = recording.segments(1);
        assert_eq!(segments.len(), recording.segments(0).len(), "{name}: cut where the pictures are");
        assert_eq!(
            segments.iter().map(|(_, bytes)| bytes.len()).sum::<usize>(),
            recording.sound.len(),
            "{name}: the copy is its segments, and nothing else"
        );
    }
}

#[test]
fn segments_begin_at_key_frames_after_four_seconds() {
    for (name, expected) in
        [("progressive.mp4", vec![4, 4, 2]), ("onegop.mp4", vec![10]), ("cmaf.mp4", vec![4, 4, 2])]
    {
        let recording = Recording::of(name);
        let timescale = u64::from(recording.index.head().streams[0].timescale);
        let seconds: Vec<u64> =
            recording.index.segments(0).map(|segment| segment.duration / timescale).collect();
        assert_eq!(seconds, expected, "{name}");
    }
}

#[test]
fn sound_that_browsers_do_not_decode_is_left_out_with_a_reason() {
    let recording = Recording::of("mulaw.mov");
    let head = recording.index.head();
    assert_eq!(head.streams.len(), 1);
    assert_eq!(head.left_out[0].reason, "its track 2 is `ulaw`, which browsers do not decode");
    assert!(recording.sound.is_empty());
}

/// Returns the type and the length of each box of a file.
fn boxes(mut bytes: &[u8]) -> Vec<([u8; 4], usize)> {
    let mut boxes = Vec::new();
    while let Some([s0, s1, s2, s3, kind @ ..]) = bytes.first_chunk::<8>() {
        let length = usize::try_from(u32::from_be_bytes([*s0, *s1, *s2, *s3])).unwrap();
        boxes.push((*kind, length));
        bytes = &bytes[length..];
    }
    boxes
}

#[test]
fn fragments_are_served_as_they_are() {
    for name in ["fragmented.mp4", "cmaf.mp4"] {
        let recording = Recording::of(name);
        let view = recording.view(0);
        // Only what belongs to no fragment is left out: an index of random access at the end, and of segments in front.
        assert!(recording.media.starts_with(&recording.init(0)), "{name}");
        let segments = recording.segments(0);
        for ((segment, bytes), (next, _)) in segments.iter().zip(&segments[1..]) {
            assert_eq!(&bytes[4..8], b"moof", "{name}");
            assert_eq!(segment.start + segment.duration, next.start, "{name}");
            assert!(segment.range.end <= next.range.start, "{name}");
        }
        let missing = recording.media.len() - view.len();
        let indexes =
            boxes(&recording.media).into_iter().filter(|(kind, _)| kind == b"mfra" || kind == b"sidx");
        assert_eq!(missing, indexes.map(|(_, length)| length).sum::<usize>(), "{name}");
        let codecs = &recording.index.head().streams[0].codecs;
        assert_eq!(codecs.len(), 2, "{codecs:?}");
        assert!(codecs[0].starts_with("avc1.") && codecs[1] == "mp4a.40.2", "{codecs:?}");
    }
}

#[test]
fn a_recording_of_fragments_that_was_cut_off_is_played_to_its_last_whole_one() {
    let whole = Recording::of("fragmented.mp4");
    let segments = whole.segments(0);
    let last = &segments.last().unwrap().0;
    for cut in [last.range.end - 1, last.range.start + 10, segments[1].0.range.end] {
        let bytes = whole.media[..usize::try_from(cut).unwrap()].to_vec();
        let recording = super::ground::recording(bytes).unwrap();
        let cut_off = recording.segments(0);
        assert!(cut_off.len() + 1 >= segments.len(), "{cut}");
        for ((segment, bytes), (original, all)) in cut_off.iter().zip(&segments) {
            assert_eq!(segment.range.start, original.range.start, "{cut}");
            assert!(segment.range.end <= cut && all.starts_with(bytes), "{cut}");
        }
    }
}
