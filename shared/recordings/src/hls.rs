//! HLS playlists (RFC 8216) of a recording. All addresses in them are relative.

use std::fmt::Write as _;

use credlink_core::time::Timestamp;

use crate::index::{Head, Segment};
use crate::names::{Part, StreamName};
use crate::rates;

/// The media type of a playlist (section 10).
pub const MEDIA_TYPE: &str = "application/vnd.apple.mpegurl";

/// The version of the protocol that RFC 8216 describes. `EXT-X-MAP` needs version 6.
const VERSION: u32 = 7;

/// Returns the multivariant playlist, which names those of the streams.
#[must_use]
pub fn multivariant(head: &Head) -> String {
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    let video = &head.video;
    if head.audio.is_some() {
        let uri = Part::Playlist(StreamName::Audio);
        let _ = writeln!(
            text,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"sound\",DEFAULT=YES,AUTOSELECT=YES,URI=\"{uri}\""
        );
    }
    let (mut peak, mut average, mut codecs) = (0_u64, 0_u64, Vec::new());
    for (_, stream) in head.streams() {
        peak = peak.saturating_add(stream.peak);
        average = average.saturating_add(stream.average);
        codecs.extend(stream.codecs.iter().map(String::as_str));
    }
    let codecs = codecs.join(",");
    let _ =
        write!(text, "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{codecs}\"");
    if let (Some(width), Some(height)) = (video.width, video.height) {
        let _ = write!(text, ",RESOLUTION={width}x{height}");
    }
    if let Some(rate) = rates::frames_per_1000_seconds(head) {
        let _ = write!(text, ",FRAME-RATE={}.{:03}", rate / 1_000, rate % 1_000);
    }
    if head.audio.is_some() {
        text.push_str(",AUDIO=\"sound\"");
    }
    let _ = writeln!(text, "\n{}", Part::Playlist(StreamName::Video));
    text
}

/// Returns the playlist of a stream with these segments. `started` is the time at which the first picture was taken.
#[must_use]
pub fn media(
    head: &Head,
    stream: StreamName,
    segments: impl Iterator<Item = Segment>,
    started: Option<Timestamp>,
) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n",
        rates::target_duration(head.streams().map(|(_, stream)| stream)),
    );
    write_segments(&mut text, head, stream, "", segments, started);
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

/// Writes the segments of a stream, with what players need before them, as a part of a playlist that may have those of other
/// recordings too. `prefix` is the way from the playlist to the recording.
pub fn write_segments(
    text: &mut String,
    head: &Head,
    stream: StreamName,
    prefix: &str,
    segments: impl Iterator<Item = Segment>,
    started: Option<Timestamp>,
) {
    let timescale =
        |stream: StreamName| i128::from(head.stream(stream).map_or(1, |stream| stream.timescale.max(1)));
    let own = timescale(stream);
    let _ = writeln!(text, "#EXT-X-MAP:URI=\"{prefix}{}\"", Part::Init(stream));
    let mut started = started;
    for segment in segments {
        if let Some(started) = started.take() {
            // Sound may begin before the first picture, or behind it.
            let first = i128::from(head.video.start) * 1_000 / timescale(StreamName::Video);
            let offset = i128::from(segment.start) * 1_000 / own - first;
            let at = started.milliseconds().saturating_add(i64::try_from(offset).unwrap_or_default());
            let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", Timestamp::from_milliseconds(at));
        }
        let micros = i128::from(segment.duration) * 1_000_000 / own;
        let _ = writeln!(
            text,
            "#EXTINF:{}.{:06},\n{prefix}{}",
            micros / 1_000_000,
            micros % 1_000_000,
            Part::Segment(stream, segment.number)
        );
    }
}
