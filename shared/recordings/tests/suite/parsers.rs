//! Playlists, initialization segments and headers, read by the parsers of others.

use std::collections::BTreeMap;
use std::time::Duration;

use dash_mpd_core::{MPD, SegmentTemplate};
use m3u8_rs::{MasterPlaylist, MediaPlaylist, MediaPlaylistType};
use mp4_atom::{Any, Decode as _, DecodeMaybe as _, Ftyp, Mdat, Moof, Moov, Styp};

use credlink_recordings::{Part, StreamName};

use super::ground::{Recording, file};

/// A recording of each kind.
const ALL: [&str; 11] = [
    "progressive.mp4",
    "faststart.mp4",
    "hevc.mp4",
    "vfr.mp4",
    "onegop.mp4",
    "mulaw.mov",
    "delayed.mp4",
    "trimmed.mp4",
    "fragmented.mp4",
    "cmaf.mp4",
    "absolute.mp4",
];

fn text(recording: &Recording, part: Part) -> String {
    String::from_utf8(recording.get(part)).unwrap()
}

fn is_about(one: f64, other: f64) -> bool {
    (one - other).abs() < 0.001_5
}

#[test]
fn playlists_of_hls_say_what_the_index_has() {
    for name in ALL {
        let recording = Recording::of(name);
        let head = recording.index.head();
        let master: MasterPlaylist =
            m3u8_rs::parse_master_playlist_res(text(&recording, Part::Hls).as_bytes()).unwrap();
        let [variant] = &master.variants[..] else { panic!("{name}: {master:?}") };
        let streams: Vec<_> = head.streams().collect();
        let peak: u64 = streams.iter().map(|(_, stream)| stream.peak).sum();
        assert_eq!(variant.bandwidth, peak, "{name}");
        assert_eq!(master.alternatives.len(), streams.len() - 1, "{name}");
        assert!(master.independent_segments && master.unknown_tags.is_empty(), "{name}: {master:?}");
        for (stream, described) in streams {
            let playlist = text(&recording, Part::Playlist(stream));
            let playlist: MediaPlaylist = m3u8_rs::parse_media_playlist_res(playlist.as_bytes()).unwrap();
            assert!(playlist.end_list && playlist.unknown_tags.is_empty(), "{name}: {playlist:?}");
            assert_eq!(playlist.playlist_type, Some(MediaPlaylistType::Vod), "{name}");
            assert_eq!(playlist.segments.len(), described.segments as usize, "{name} {stream}");
            let map = playlist.segments[0].map.as_ref().unwrap();
            assert_eq!(Part::parse(&map.uri), Some(Part::Init(stream)), "{name}");
            for (segment, listed) in recording.index.segments(stream).zip(&playlist.segments) {
                assert_eq!(Part::parse(&listed.uri), Some(Part::Segment(stream, segment.number)), "{name}");
                let seconds = segment.duration as f64 / f64::from(described.timescale);
                assert!(is_about(listed.duration.into(), seconds), "{name}: {listed:?} {seconds}");
            }
        }
    }
}

/// Returns the times and durations of the segments of a template, in its units, with their names.
fn expanded(template: &SegmentTemplate) -> Vec<(u64, u64, String)> {
    let mut segments = Vec::new();
    let (mut time, mut number) = (0, template.startNumber.unwrap());
    for run in &template.SegmentTimeline.as_ref().unwrap().segments {
        time = run.t.unwrap_or(time);
        for _ in 0..=run.r.unwrap_or(0) {
            let media = template.media.as_ref().unwrap().replace("$Number$", &number.to_string());
            segments.push((time, run.d, media));
            (time, number) = (time + run.d, number + 1);
        }
    }
    segments
}

#[test]
fn manifests_of_dash_say_what_the_index_has() {
    for name in ALL {
        let recording = Recording::of(name);
        let head = recording.index.head();
        let manifest: MPD = dash_mpd_core::parse(&text(&recording, Part::Dash)).unwrap();
        let [period] = &manifest.periods[..] else { panic!("{name}: {manifest:?}") };
        assert_eq!(period.adaptations.len(), head.streams().count(), "{name}");
        let mut longest = 0.0_f64;
        for ((stream, described), adaptation) in head.streams().zip(&period.adaptations) {
            let [representation] = &adaptation.representations[..] else { panic!("{name}: {adaptation:?}") };
            assert_eq!(representation.bandwidth, Some(described.peak), "{name}");
            let template = representation.SegmentTemplate.as_ref().or(adaptation.SegmentTemplate.as_ref());
            let template = template.unwrap_or_else(|| panic!("{name}: {adaptation:?}"));
            assert_eq!(template.timescale, Some(described.timescale.into()), "{name}");
            assert_eq!(
                Part::parse(template.initialization.as_ref().unwrap()),
                Some(Part::Init(stream)),
                "{name}"
            );
            let listed = expanded(template);
            assert_eq!(listed.len(), described.segments as usize, "{name} {stream}");
            for (segment, (time, duration, media)) in recording.index.segments(stream).zip(listed) {
                assert_eq!(Part::parse(&media), Some(Part::Segment(stream, segment.number)), "{name}");
                assert_eq!((time, duration), (segment.start, segment.duration), "{name} {media}");
                longest = longest.max(duration as f64 / f64::from(described.timescale));
            }
        }
        let told = manifest.maxSegmentDuration.unwrap_or(Duration::ZERO).as_secs_f64();
        // It is rounded up.
        assert!(told >= longest && is_about(told, longest), "{name}: {told} {longest}");
    }
}

/// The boxes of bytes, all of which are read.
fn boxes(bytes: &[u8]) -> Vec<Any> {
    let (mut rest, mut found) = (bytes, Vec::new());
    while let Some(each) = Any::decode_maybe(&mut rest).unwrap() {
        found.push(each);
    }
    assert!(rest.is_empty());
    found
}

/// Another reader of boxes finds the samples within the segment.
#[test]
fn generated_boxes_are_read_by_another_reader() {
    for name in ALL {
        let recording = Recording::of(name);
        for (stream, described) in recording.index.head().streams() {
            let init = boxes(&recording.get(Part::Init(stream)));
            let moov =
                init.iter().find_map(|each| if let Any::Moov(moov) = each { Some(moov) } else { None });
            let moov: &Moov = moov.unwrap_or_else(|| panic!("{name}: {init:?}"));
            assert!(matches!(&init[0], Any::Ftyp(Ftyp { .. })), "{name}");
            if name == "fragmented.mp4" || name == "cmaf.mp4" {
                continue;
            }
            let [track] = &moov.trak[..] else { panic!("{name}: {moov:?}") };
            assert_eq!(track.mdia.mdhd.timescale, described.timescale, "{name}");
            let mut samples = 0;
            for (segment, bytes) in recording.segments(stream) {
                let [Any::Styp(Styp { .. }), Any::Moof(moof), Any::Mdat(Mdat { data })] = &boxes(&bytes)[..]
                else {
                    panic!("{name} {stream} {}", segment.number)
                };
                let length = bytes.len() - data.len();
                samples += assert_samples_are_within(moof, data.len(), length - 24, (name, &segment.number));
                assert_eq!(moof.traf[0].tfhd.track_id, track.tkhd.track_id, "{name}");
            }
            assert_eq!(samples, described.samples, "{name} {stream}");
        }
    }
}

/// Asserts that the samples of a fragment are in an `mdat` box with so many bytes, whose content is at some distance from the
/// beginning of the fragment, and do not overlap. Returns their number.
fn assert_samples_are_within(moof: &Moof, bytes: usize, distance: usize, case: (&str, &u32)) -> u64 {
    let [traf] = &moof.traf[..] else { panic!("{case:?}: {moof:?}") };
    assert!(traf.tfhd.default_base_is_moof && traf.tfhd.base_data_offset.is_none(), "{case:?}");
    let (mut end, mut samples) = (distance, 0);
    for run in &traf.trun {
        let offset = usize::try_from(run.data_offset.unwrap()).unwrap();
        assert!(offset >= end, "{case:?}");
        end = offset;
        for sample in run.samples.iter() {
            end += sample.size.unwrap() as usize;
            samples += 1;
        }
    }
    assert!(end <= distance + bytes, "{case:?}");
    samples
}

/// The key frames that the tables of the movie box tell are those at which segments begin.
#[test]
fn segments_begin_at_samples_that_another_reader_takes_for_key_frames() {
    for name in ["progressive.mp4", "hevc.mp4", "vfr.mp4", "onegop.mp4"] {
        let bytes = file(name);
        let at = bytes.windows(4).position(|kind| kind == b"moov").unwrap() - 4;
        let moov = Moov::decode(&mut &bytes[at..]).unwrap();
        let track = moov.trak.iter().find(|track| track.mdia.minf.vmhd.is_some()).unwrap();
        let tables = &track.mdia.minf.stbl;
        let mut times = BTreeMap::new();
        let (mut time, mut number) = (0_u64, 1_u32);
        for run in &tables.stts.entries {
            for _ in 0..run.sample_count {
                times.insert(time, number);
                (time, number) = (time + u64::from(run.sample_delta), number + 1);
            }
        }
        let keys = &tables.stss.as_ref().unwrap().entries;
        let recording = Recording::of(name);
        let mut decoded = 0;
        for segment in recording.index.segments(StreamName::Video) {
            assert!(keys.contains(&times[&decoded]), "{name} {}", segment.number);
            decoded += segment.duration;
        }
        assert_eq!(decoded, time, "{name}");
    }
}
