//! HLS playlists (RFC 8216) of a recording. All addresses in them are relative.

use std::fmt::Write as _;

use credlink_core::time::Timestamp;

use crate::index::{Index, Stream};
use crate::names::{self, StreamName};
use crate::rates::{self, Rates};

/// The version of the protocol that knows fragmented MP4 (section 7).
const VERSION: u32 = 7;

/// Returns the multivariant playlist, which names those of the streams.
#[must_use]
pub fn multivariant(index: &Index) -> String {
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    let streams = &index.head().streams;
    let has_sound = streams.len() > 1;
    if has_sound {
        let uri = names::playlist(StreamName::Sound);
        let _ = writeln!(
            text,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"sound\",DEFAULT=YES,AUTOSELECT=YES,URI=\"{uri}\""
        );
    }
    let rates = (0..streams.len()).map(|stream| Rates::of(index, stream));
    let Rates { peak, average } = rates.fold(Rates::default(), Rates::plus);
    let codecs = streams.iter().flat_map(|stream| &stream.codecs).cloned().collect::<Vec<_>>().join(",");
    let _ =
        write!(text, "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{codecs}\"");
    if let Some(pictures) = streams.first() {
        if let (Some(width), Some(height)) = (pictures.width, pictures.height) {
            let _ = write!(text, ",RESOLUTION={width}x{height}");
        }
        if let Some(thousandths) = rates::frames_per_1000_seconds(index) {
            let _ = write!(text, ",FRAME-RATE={}.{:03}", thousandths / 1_000, thousandths % 1_000);
        }
    }
    if has_sound {
        text.push_str(",AUDIO=\"sound\"");
    }
    let _ = writeln!(text, "\n{}", names::playlist(StreamName::Pictures));
    text
}

/// Returns the playlist of a stream. `started` is the time at which its time 0 was recorded.
#[must_use]
pub fn media(index: &Index, stream: StreamName, started: Option<Timestamp>) -> Option<String> {
    let Stream { timescale, .. } = *index.head().streams.get(stream.number())?;
    let timescale = u64::from(timescale.max(1));
    let longest = index.segments(stream.number()).map(|segment| segment.duration).max().unwrap_or_default();
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"{}\"\n",
        // Each duration is at most this many seconds, when it is rounded.
        longest.div_ceil(timescale).max(1),
        names::init(stream),
    );
    for (number, segment) in (1..).zip(index.segments(stream.number())) {
        if let (1, Some(started)) = (number, started) {
            let milliseconds = u128::from(segment.start) * 1_000 / u128::from(timescale);
            let offset = i64::try_from(milliseconds).unwrap_or(i64::MAX);
            let at = Timestamp::from_milliseconds(started.milliseconds().saturating_add(offset));
            let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{at}");
        }
        let micros = u128::from(segment.duration) * 1_000_000 / u128::from(timescale);
        let _ = writeln!(
            text,
            "#EXTINF:{}.{:06},\n{}",
            micros / 1_000_000,
            micros % 1_000_000,
            names::segment(stream, number)
        );
    }
    text.push_str("#EXT-X-ENDLIST\n");
    Some(text)
}
