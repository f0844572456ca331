//! The names of the parts of a recording that players get, relative to its address.

use std::fmt;

/// A stream of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamName {
    /// The pictures, and in a recording of fragments also the sound.
    Video,
    /// The sound.
    Audio,
}

impl StreamName {
    /// All of them, in the order of an index.
    pub const ALL: [Self; 2] = [Self::Video, Self::Audio];
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Video => "v",
            Self::Audio => "a",
        })
    }
}

/// A part of a recording that players get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// `video.mp4`: the recording itself.
    Media,
    /// `hls.m3u8`: the multivariant playlist.
    Hls,
    /// `manifest.mpd`: the DASH manifest.
    Dash,
    /// `v.m3u8`: the playlist of a stream.
    Playlist(StreamName),
    /// `init-v.mp4`: the initialization segment of a stream.
    Init(StreamName),
    /// `v/1.m4s`: a segment of a stream.
    Segment(StreamName, u32),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Media => f.write_str("video.mp4"),
            Self::Hls => f.write_str("hls.m3u8"),
            Self::Dash => f.write_str("manifest.mpd"),
            Self::Playlist(stream) => write!(f, "{stream}.m3u8"),
            Self::Init(stream) => write!(f, "init-{stream}.mp4"),
            Self::Segment(stream, number) => write!(f, "{stream}/{number}.m4s"),
        }
    }
}

impl Part {
    /// Reads a name. Returns `None` for any other text.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        for part in [Self::Media, Self::Hls, Self::Dash] {
            if part.to_string() == name {
                return Some(part);
            }
        }
        let stream = |text: &str| StreamName::ALL.into_iter().find(|stream| stream.to_string() == text);
        if let Some(name) = name.strip_suffix(".m3u8") {
            return stream(name).map(Self::Playlist);
        }
        if let Some(name) = name.strip_prefix("init-") {
            return stream(name.strip_suffix(".mp4")?).map(Self::Init);
        }
        let (name, number) = name.strip_suffix(".m4s")?.split_once('/')?;
        // One address for a segment: no sign, no zeros in front.
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
        Some(Self::Segment(stream(name)?, number.parse().ok().filter(|_| is_plain)?))
    }
}

/// Returns the names of all segments as DASH writes them.
pub(crate) fn template(stream: StreamName) -> String {
    format!("{stream}/$Number$.m4s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_one_name() {
        for (name, part) in [
            ("video.mp4", Part::Media),
            ("hls.m3u8", Part::Hls),
            ("manifest.mpd", Part::Dash),
            ("a.m3u8", Part::Playlist(StreamName::Audio)),
            ("init-v.mp4", Part::Init(StreamName::Video)),
            ("v/12.m4s", Part::Segment(StreamName::Video, 12)),
        ] {
            assert_eq!(Part::parse(name), Some(part), "{name}");
            assert_eq!(part.to_string(), name);
        }
        for name in [
            "",
            "x.m3u8",
            "init-x.mp4",
            "v/0.m4s",
            "v/01.m4s",
            "v/+1.m4s",
            "v/.m4s",
            "v/4294967296.m4s",
            "v/1",
        ] {
            assert_eq!(Part::parse(name), None, "{name}");
        }
    }
}
