//! The names of the parts of a recording that players get, relative to its address.

use std::fmt;

/// A stream of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamName {
    /// The pictures, and in a recording of fragments also the sound.
    Pictures,
    /// The sound.
    Sound,
}

impl StreamName {
    /// All of them, in the order of an index.
    pub const ALL: [Self; 2] = [Self::Pictures, Self::Sound];

    /// Returns its place in an index.
    #[must_use]
    pub const fn number(self) -> usize {
        match self {
            Self::Pictures => 0,
            Self::Sound => 1,
        }
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pictures => "v",
            Self::Sound => "a",
        })
    }
}

/// A part of a recording that players get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
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

impl Part {
    /// Reads a name. Returns `None` for any other text.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let stream = |text: &str| StreamName::ALL.into_iter().find(|stream| stream.to_string() == text);
        match name {
            "hls.m3u8" => return Some(Self::Hls),
            "manifest.mpd" => return Some(Self::Dash),
            _ => {}
        }
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

pub(crate) fn playlist(stream: StreamName) -> String {
    format!("{stream}.m3u8")
}

pub(crate) fn init(stream: StreamName) -> String {
    format!("init-{stream}.mp4")
}

pub(crate) fn segment(stream: StreamName, number: u32) -> String {
    format!("{stream}/{number}.m4s")
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
            ("hls.m3u8", Part::Hls),
            ("manifest.mpd", Part::Dash),
            ("a.m3u8", Part::Playlist(StreamName::Sound)),
            ("init-v.mp4", Part::Init(StreamName::Pictures)),
            ("v/12.m4s", Part::Segment(StreamName::Pictures, 12)),
        ] {
            assert_eq!(Part::parse(name), Some(part), "{name}");
        }
        for stream in StreamName::ALL {
            assert_eq!(Part::parse(&playlist(stream)), Some(Part::Playlist(stream)));
            assert_eq!(Part::parse(&init(stream)), Some(Part::Init(stream)));
            assert_eq!(Part::parse(&segment(stream, 7)), Some(Part::Segment(stream, 7)));
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
