//! The views beside the recording, both read by `shiguredo_mp4`: the same samples, the same times, the same bytes.

use std::collections::BTreeSet;

use credlink_core::hash::Digest;
use shiguredo_mp4::TrackKind;
use shiguredo_mp4::demux::{Fmp4SegmentDemuxer, Input, Mp4FileDemuxer};

use credlink_recordings::{Part, StreamName};

use super::ground::{Recording, file, recording};

/// A sample: its times of decoding and of presentation, its duration, and the hash of its bytes.
#[derive(Clone, Debug, PartialEq)]
struct Read {
    decode: i64,
    presented: i64,
    duration: u32,
    is_sync: bool,
    bytes: Digest,
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
            bytes: Digest::of(&bytes[start..start + sample.data_size]),
        });
    }
    (timescale, samples)
}

/// Reads the samples of a stream as players get it, one segment at a time.
fn of_view(recording: &Recording, stream: StreamName) -> (u32, Vec<Read>) {
    let mut demuxer = Fmp4SegmentDemuxer::new();
    demuxer.handle_init_segment(&recording.get(Part::Init(stream))).unwrap();
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
                bytes: Digest::of(&bytes[at..at + sample.data_size]),
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
        let (own, view) = of_view(&recording, StreamName::Video);
        assert_eq!((own, view.len()), (timescale, original.len()), "{name}");
        assert_eq!(view, original, "{name}");
    }
}

#[test]
fn sound_is_that_of_the_recording_without_what_the_encoder_put_before_it() {
    for name in ["progressive.mp4", "faststart.mp4", "hevc.mp4"] {
        let recording = Recording::of(name);
        let (timescale, original) = of_file(&recording.media, TrackKind::Audio);
        let (own, view) = of_view(&recording, StreamName::Audio);
        assert_eq!(own, timescale, "{name}");
        // ffmpeg's encoder has 1,024 samples of priming: one packet. As the first picture is decoded before it is shown, the sound
        // begins later by as much.
        assert_eq!(view.len(), original.len() - 1, "{name}");
        let video = &recording.index.head().video;
        let later = i64::try_from(video.start * u64::from(timescale) / u64::from(video.timescale)).unwrap();
        for (view, original) in view.iter().zip(&original[1..]) {
            assert_eq!(
                (view.decode, &view.bytes),
                (original.decode - 1_024 + later, &original.bytes),
                "{name}"
            );
        }
    }
}

#[test]
fn segments_begin_at_key_frames_after_four_seconds() {
    for (name, expected) in
        [("progressive.mp4", vec![4, 4, 2]), ("onegop.mp4", vec![10]), ("cmaf.mp4", vec![4, 4, 2])]
    {
        let recording = Recording::of(name);
        let timescale = u64::from(recording.index.head().video.timescale);
        let seconds: Vec<u64> =
            recording.index.segments(StreamName::Video).map(|segment| segment.duration / timescale).collect();
        assert_eq!(seconds, expected, "{name}");
    }
}

#[test]
fn sound_that_browsers_do_not_decode_is_left_out_with_a_reason() {
    let recording = Recording::of("mulaw.mov");
    let head = recording.index.head();
    assert_eq!(head.audio, None);
    let [left_out] = &head.left_out[..] else { panic!("{:?}", head.left_out) };
    assert_eq!((left_out.track, &*left_out.reason, &*left_out.codec), (2, "codec", "ulaw"));
    assert!(recording.sound.is_empty());
}

#[test]
fn fragments_are_served_as_they_are() {
    for name in ["fragmented.mp4", "cmaf.mp4"] {
        let recording = Recording::of(name);
        // All but what follows the last fragment.
        assert!(recording.media.starts_with(&recording.whole(StreamName::Video)), "{name}");
        let segments = recording.segments(StreamName::Video);
        for ((segment, _), (next, _)) in segments.iter().zip(&segments[1..]) {
            assert_eq!(segment.start + segment.duration, next.start, "{name}");
        }
        let video = &recording.index.head().video;
        assert_eq!(video.samples, 250, "{name}");
        assert_eq!(video.codecs, ["avc1.64000a", "mp4a.40.2"], "{name}");
    }
}

/// Media Source Extensions forbid offsets from the beginning of the file, so that players get generated headers.
#[test]
fn fragments_whose_offsets_count_from_the_beginning_of_the_file_are_served_by_their_samples() {
    let source = file("progressive.mp4");
    let recording = Recording::of("absolute.mp4");
    let head = recording.index.head();
    assert_eq!(head.video.codecs, ["avc1.64000a"]);
    for (stream, kind, number) in
        [(StreamName::Video, TrackKind::Video, 52), (StreamName::Audio, TrackKind::Audio, 33)]
    {
        let (timescale, original) = of_file(&source, kind);
        let (own, view) = of_view(&recording, stream);
        assert_eq!((own, view.len()), (timescale, number), "{stream}");
        for (view, original) in view.iter().zip(&original) {
            assert_eq!((view.bytes, view.is_sync), (original.bytes, original.is_sync), "{stream}");
            if stream == StreamName::Video {
                assert_eq!((view.decode, view.presented), (original.decode, original.presented));
            }
        }
    }
}

#[test]
fn samples_of_fragments_that_were_cut_off_are_played_as_far_as_fragments_are_whole() {
    let bytes = file("absolute.mp4");
    let whole = of_view(&Recording::of("absolute.mp4"), StreamName::Video).1;
    let mut lengths = BTreeSet::new();
    for cut in (2_000..bytes.len()).step_by(101) {
        match recording(bytes[..cut].to_vec()) {
            Ok(recording) => {
                let view = of_view(&recording, StreamName::Video).1;
                assert!(whole.starts_with(&view), "{cut}");
                lengths.insert(view.len());
            }
            Err(reason) => {
                assert!(["incomplete", "no_key_frame"].contains(&reason.name()), "{cut}: {reason}")
            }
        }
    }
    assert_eq!(lengths, BTreeSet::from([50, 52]));
}

#[test]
fn fragments_with_sound_that_browsers_do_not_decode_are_served_without_it() {
    let (recording, source) = (Recording::of("mulawfragments.mov"), file("mulaw.mov"));
    let head = recording.index.head();
    assert_eq!(head.audio, None);
    let [left_out] = &head.left_out[..] else { panic!("{:?}", head.left_out) };
    assert_eq!((left_out.track, &*left_out.reason, &*left_out.codec), (2, "codec", "ulaw"));
    let ((own, view), (timescale, original)) =
        (of_view(&recording, StreamName::Video), of_file(&source, TrackKind::Video));
    assert_eq!((own, view.len()), (timescale, original.len()));
    for (view, original) in view.iter().zip(&original) {
        assert_eq!(view, original);
    }
}

#[test]
fn a_recording_of_fragments_that_was_cut_off_is_played_to_its_last_whole_one() {
    let whole = Recording::of("fragmented.mp4");
    let segments = whole.segments(StreamName::Video);
    let last = &segments.last().unwrap().0;
    for cut in [last.range.end - 1, last.range.start + 10, segments[1].0.range.end] {
        let bytes = whole.media[..usize::try_from(cut).unwrap()].to_vec();
        let recording = recording(bytes).unwrap();
        let cut_off = recording.segments(StreamName::Video);
        assert!(cut_off.len() + 1 >= segments.len(), "{cut}");
        for ((segment, bytes), (original, all)) in cut_off.iter().zip(&segments) {
            assert_eq!(segment.range.start, original.range.start, "{cut}");
            assert!(segment.range.end <= cut && all.starts_with(bytes), "{cut}");
        }
    }
    // Nothing is whole.
    let first = usize::try_from(segments[0].0.range.start).unwrap();
    assert_eq!(recording(file("fragmented.mp4")[..first + 600].to_vec()).unwrap_err().name(), "incomplete");
}
