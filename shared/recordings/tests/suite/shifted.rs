//! Edit lists, and times that do not begin at 0.

use credlink_core::time::Timestamp;
use credlink_recordings::{Part, StreamName, dash, hls};

use super::ground::Recording;

fn text(recording: &Recording, part: Part) -> String {
    String::from_utf8(recording.get(part)).unwrap()
}

/// The time at which a stream begins, in milliseconds.
fn begins(recording: &Recording, stream: StreamName) -> u64 {
    let stream = recording.index.head().stream(stream).unwrap();
    stream.start * 1_000 / u64::from(stream.timescale)
}

#[test]
fn pictures_and_sound_begin_together() {
    for name in ["progressive.mp4", "faststart.mp4", "hevc.mp4"] {
        let recording = Recording::of(name);
        let video = begins(&recording, StreamName::Video);
        assert!(video > 0, "{name}: the first picture is decoded before it is shown");
        assert_eq!(begins(&recording, StreamName::Audio), video, "{name}");
    }
}

#[test]
fn pictures_that_begin_later_than_the_sound_stay_behind_it() {
    let recording = Recording::of("delayed.mp4");
    let head = recording.index.head();
    let audio = head.audio.as_ref().unwrap();
    assert_eq!(begins(&recording, StreamName::Video), begins(&recording, StreamName::Audio) + 500);
    // Both streams have the same origin, which is the beginning of the sound.
    let manifest = text(&recording, Part::Dash);
    let origin = begins(&recording, StreamName::Audio);
    for stream in [&head.video, audio] {
        let offset = format!(
            "timescale=\"{0}\" presentationTimeOffset=\"{1}\"",
            stream.timescale,
            origin * u64::from(stream.timescale) / 1_000
        );
        assert!(manifest.contains(&offset), "{offset}: {manifest}");
        assert!(manifest.contains(&format!("<S t=\"{}\"", stream.start)), "{manifest}");
    }
    let end = |stream: &credlink_recordings::Stream| stream.end * 1_000 / u64::from(stream.timescale);
    let duration = end(&head.video).max(end(audio)) + 1 - origin;
    let duration = format!("PT{}.{:03}S", duration / 1_000, duration % 1_000);
    assert!(
        manifest.contains(&format!("<Period id=\"0\" start=\"PT0S\" duration=\"{duration}\">")),
        "{manifest}"
    );
    // The first picture is on the wall clock at its time, and the sound half a second before it.
    let started: Timestamp = "2026-07-01T07:05:01.500Z".parse().unwrap();
    for (stream, expected) in [(StreamName::Video, "01.500Z"), (StreamName::Audio, "01Z")] {
        let playlist = hls::media(head, stream, recording.index.segments(stream), Some(started));
        let date = format!("#EXT-X-PROGRAM-DATE-TIME:2026-07-01T07:05:{expected}\n");
        assert!(playlist.contains(&date) || playlist.contains(&date.replace("01Z", "01.000Z")), "{playlist}");
    }
}

/// Its edit list begins a second after a key frame. Players that get segments have no edit lists.
#[test]
fn a_recording_that_was_cut_between_key_frames_is_shown_from_the_key_frame_on() {
    let recording = Recording::of("trimmed.mp4");
    let head = recording.index.head();
    let seconds =
        |stream: &credlink_recordings::Stream| (stream.end - stream.start) / u64::from(stream.timescale);
    // Five seconds of pictures: the one before the cut, and four. The sound of the cut one is with the pictures of its time.
    assert_eq!(seconds(&head.video), 5);
    let (video, audio) = (begins(&recording, StreamName::Video), begins(&recording, StreamName::Audio));
    assert!(audio.abs_diff(video) <= 64, "within a packet: {video}, {audio}");
}

#[test]
fn fragments_keep_their_times_and_the_wall_clock_begins_with_the_first_picture() {
    let recording = Recording::of("fragmented.mp4");
    let head = recording.index.head();
    // The first picture is decoded two pictures before it is shown.
    assert_eq!(head.video.start * 25, 2 * u64::from(head.video.timescale));
    let manifest = dash::manifest(head, |stream| recording.index.segments(stream));
    assert!(
        manifest.contains("presentationTimeOffset=\"1024\"") && manifest.contains("<S t=\"1024\""),
        "{manifest}"
    );
    let started: Timestamp = "2026-07-01T07:05:01Z".parse().unwrap();
    let playlist =
        hls::media(head, StreamName::Video, recording.index.segments(StreamName::Video), Some(started));
    assert!(playlist.contains("#EXT-X-PROGRAM-DATE-TIME:2026-07-01T07:05:01"), "{playlist}");
}
