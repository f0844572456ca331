//! Playlists, whose addresses lead to parts of the recording.

use credlink_recordings::{Part, StreamName};

use super::ground::Recording;

fn text(recording: &Recording, part: Part) -> String {
    String::from_utf8(recording.get(part)).unwrap()
}

#[test]
fn the_multivariant_playlist_names_the_streams() {
    let recording = Recording::of("progressive.mp4");
    let head = recording.index.head();
    let rates = [&head.video, head.audio.as_ref().unwrap()];
    let (peak, average) = (rates.map(|stream| stream.peak), rates.map(|stream| stream.average));
    assert_eq!(
        text(&recording, Part::Hls),
        format!(
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"sound\",DEFAULT=YES,AUTOSELECT=YES,URI=\"a.m3u8\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"avc1.64000a,mp4a.40.2\",RESOLUTION=96x64,\
             FRAME-RATE=25.000,AUDIO=\"sound\"\nv.m3u8\n",
            peak[0] + peak[1],
            average[0] + average[1],
        )
    );
    let text_of = |name: &str| text(&Recording::of(name), Part::Hls);
    let fragmented = text_of("fragmented.mp4");
    assert!(
        !fragmented.contains("TYPE=AUDIO") && fragmented.contains("CODECS=\"avc1.64000a,mp4a.40.2\""),
        "{fragmented}"
    );
    let hevc = text_of("hevc.mp4");
    assert!(hevc.contains("CODECS=\"hvc1.1.6.L30.90,mp4a.40.2\""), "{hevc}");
}

/// A player that chooses by the rates gets no more bits than they say.
#[test]
fn the_rates_are_those_of_the_bytes_that_players_get() {
    for name in ["progressive.mp4", "fragmented.mp4", "vfr.mp4"] {
        let recording = Recording::of(name);
        for (stream, described) in recording.index.head().streams() {
            let segments = recording.segments(stream);
            let bits: u64 = segments.iter().map(|(_, bytes)| bytes.len() as u64 * 8).sum();
            let ticks: u64 = segments.iter().map(|(segment, _)| segment.duration).sum();
            let rate = |bits: u64, ticks: u64| (bits * u64::from(described.timescale)).div_ceil(ticks);
            assert_eq!(described.average, rate(bits, ticks), "{name} {stream}");
            // All but the last segment last for about a target duration.
            let long = &segments[..segments.len() - 1];
            let peak =
                long.iter().map(|(segment, bytes)| rate(bytes.len() as u64 * 8, segment.duration)).max();
            assert!(described.peak >= peak.unwrap_or_default().max(described.average), "{name} {stream}");
        }
    }
}

#[test]
fn a_media_playlist_has_every_segment() {
    let recording = Recording::of("progressive.mp4");
    assert_eq!(
        text(&recording, Part::Playlist(StreamName::Video)),
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init-v.mp4\"\n\
         #EXTINF:4.000000,\nv/1.m4s\n#EXTINF:4.000000,\nv/2.m4s\n#EXTINF:2.000000,\nv/3.m4s\n#EXT-X-ENDLIST\n"
    );
    let sound = text(&recording, Part::Playlist(StreamName::Audio));
    assert!(sound.contains("URI=\"init-a.mp4\"") && sound.contains("a/3.m4s"), "{sound}");
    let fragmented = Recording::of("fragmented.mp4").index;
    assert_eq!(fragmented.view(Part::Playlist(StreamName::Audio), None), Ok(None));
}

/// RFC 8216, section 6.2.4, and 4.3.3.1: no segment is longer when it is rounded.
#[test]
fn all_playlists_have_the_same_target_duration() {
    for name in ["progressive.mp4", "faststart.mp4", "hevc.mp4", "vfr.mp4", "onegop.mp4"] {
        let recording = Recording::of(name);
        let playlists: Vec<String> = recording
            .index
            .head()
            .streams()
            .map(|(stream, _)| text(&recording, Part::Playlist(stream)))
            .collect();
        let target = |text: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix("#EXT-X-TARGETDURATION:"));
            line.unwrap().parse::<f64>().unwrap()
        };
        for playlist in &playlists {
            assert!((target(playlist) - target(&playlists[0])).abs() < 0.1, "{name}");
            for line in playlist.lines().filter_map(|line| line.strip_prefix("#EXTINF:")) {
                let seconds: f64 = line.trim_end_matches(',').parse().unwrap();
                assert!(seconds.round() <= target(playlist), "{name}: {seconds}");
            }
        }
    }
}

#[test]
fn every_address_in_a_playlist_is_a_part() {
    for name in ["progressive.mp4", "fragmented.mp4", "vfr.mp4"] {
        let recording = Recording::of(name);
        for (stream, described) in recording.index.head().streams() {
            let playlist = text(&recording, Part::Playlist(stream));
            let addresses: Vec<&str> = playlist.lines().filter(|line| !line.starts_with('#')).collect();
            assert_eq!(addresses.len(), described.segments as usize, "{name}");
            for (number, address) in (1..).zip(addresses) {
                let part = Part::parse(address);
                assert_eq!(part, Some(Part::Segment(stream, number)), "{name}");
                assert!(recording.index.view(part.unwrap(), None).unwrap().is_some());
            }
        }
    }
}

#[test]
fn the_manifest_of_dash_has_the_times_of_all_segments() {
    let manifest = text(&Recording::of("progressive.mp4"), Part::Dash);
    for expected in [
        "<AdaptationSet contentType=\"video\" mimeType=\"video/mp4\" segmentAlignment=\"true\" startWithSAP=\"2\">",
        "codecs=\"avc1.64000a\"",
        "frameRate=\"25000/1000\"",
        "<SegmentTemplate timescale=\"12800\" presentationTimeOffset=\"1024\" initialization=\"init-v.mp4\" \
         media=\"v/$Number$.m4s\" startNumber=\"1\">",
        "<S t=\"1024\" d=\"51200\" r=\"1\"/>\n            <S d=\"25600\"/>",
        "initialization=\"init-a.mp4\" media=\"a/$Number$.m4s\"",
        // The longest segment is one of sound.
        "maxSegmentDuration=\"PT4.033S\"",
    ] {
        assert!(manifest.contains(expected), "{expected}: {manifest}");
    }
    let fragmented = text(&Recording::of("fragmented.mp4"), Part::Dash);
    assert!(fragmented.contains("codecs=\"avc1.64000a,mp4a.40.2\""), "{fragmented}");
}
