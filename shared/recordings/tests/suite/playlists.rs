//! Playlists, which a parser of each format reads, and whose addresses lead to parts of the recording.

use credlink_core::time::Timestamp;
use credlink_recordings::{Part, StreamName, dash, hls};

use super::ground::Recording;

#[test]
fn the_multivariant_playlist_names_the_streams() {
    assert_eq!(
        hls::multivariant(&Recording::of("progressive.mp4").index),
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n\
         #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"sound\",DEFAULT=YES,AUTOSELECT=YES,URI=\"a.m3u8\"\n\
         #EXT-X-STREAM-INF:BANDWIDTH=60012,AVERAGE-BANDWIDTH=59052,CODECS=\"avc1.64000a,mp4a.40.2\",RESOLUTION=96x64,\
         FRAME-RATE=25.000,AUDIO=\"sound\"\nv.m3u8\n"
    );
    let text = hls::multivariant(&Recording::of("fragmented.mp4").index);
    assert!(!text.contains("TYPE=AUDIO") && text.contains("CODECS=\"avc1.64000a,mp4a.40.2\""), "{text}");
    let text = hls::multivariant(&Recording::of("hevc.mp4").index);
    assert!(text.contains("CODECS=\"hvc1.1.6.L30.90,mp4a.40.2\""), "{text}");
}

#[test]
fn a_media_playlist_has_every_segment_and_the_time_on_the_wall() {
    let recording = Recording::of("progressive.mp4");
    let started: Timestamp = "2026-07-01T07:05:01.250Z".parse().unwrap();
    let text = hls::media(&recording.index, StreamName::Pictures, Some(started)).unwrap();
    assert_eq!(
        text,
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init-v.mp4\"\n\
         #EXT-X-PROGRAM-DATE-TIME:2026-07-01T07:05:01.250Z\n\
         #EXTINF:4.000000,\nv/1.m4s\n#EXTINF:4.000000,\nv/2.m4s\n#EXTINF:2.000000,\nv/3.m4s\n#EXT-X-ENDLIST\n"
    );
    let sound = hls::media(&recording.index, StreamName::Sound, None).unwrap();
    assert!(sound.contains("URI=\"init-a.mp4\"") && sound.contains("a/3.m4s"), "{sound}");
    assert_eq!(hls::media(&Recording::of("fragmented.mp4").index, StreamName::Sound, None), None);
}

#[test]
fn every_address_in_a_playlist_is_a_part() {
    for name in ["progressive.mp4", "fragmented.mp4", "vfr.mp4"] {
        let index = Recording::of(name).index;
        for stream in StreamName::ALL {
            let Some(text) = hls::media(&index, stream, None) else { continue };
            let addresses: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
            assert_eq!(addresses.len(), index.segments(stream.number()).len(), "{name}");
            for (number, address) in (1..).zip(addresses) {
                assert_eq!(Part::parse(address), Some(Part::Segment(stream, number)), "{name}");
            }
        }
        let seconds = |ticks: u64| ticks.div_ceil(u64::from(index.head().streams[0].timescale));
        let text = hls::media(&index, StreamName::Pictures, None).unwrap();
        let longest = index.segments(0).map(|segment| seconds(segment.duration)).max().unwrap();
        assert!(text.contains(&format!("#EXT-X-TARGETDURATION:{longest}\n")), "{name}: {text}");
    }
}

#[test]
fn the_manifest_of_dash_has_the_times_of_all_segments() {
    let text = dash::manifest(&Recording::of("progressive.mp4").index);
    for expected in [
        "mediaPresentationDuration=\"PT10.000S\"",
        "<AdaptationSet contentType=\"video\" mimeType=\"video/mp4\" segmentAlignment=\"true\" startWithSAP=\"1\">",
        "codecs=\"avc1.64000a\"",
        "frameRate=\"25000/1000\"",
        "<SegmentTemplate timescale=\"12800\" initialization=\"init-v.mp4\" media=\"v/$Number$.m4s\" startNumber=\"1\">",
        "<S t=\"0\" d=\"51200\" r=\"1\"/>\n            <S d=\"25600\"/>",
        "initialization=\"init-a.mp4\" media=\"a/$Number$.m4s\"",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let fragmented = dash::manifest(&Recording::of("fragmented.mp4").index);
    assert!(fragmented.contains("codecs=\"avc1.64000a,mp4a.40.2\""), "{fragmented}");
    assert!(fragmented.contains("presentationTimeOffset=\"1024\""), "{fragmented}");
}
