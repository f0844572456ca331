//! The bodies of the answers that players get, by the names of parts.

use std::ops::Range;

use credlink_core::time::Timestamp;

use crate::index::{Index, IndexError, Init, Source};
use crate::names::{Part, StreamName};
use crate::segment::generated_init;
use crate::{dash, hls};

/// The media type of segments, of initialization segments and of the recording itself, whether they have pictures or sound.
pub const MP4_TYPE: &str = "video/mp4";
/// The media type of segments that have only sound.
pub const MP4_AUDIO_TYPE: &str = "audio/mp4";

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The media type of all of it.
    pub media_type: &'static str,
    /// The bytes that are generated, which come first.
    pub generated: Vec<u8>,
    /// The bytes that follow as they are: the object that has them, and their place in it.
    pub stored: Option<(Source, Range<u64>)>,
}

impl Index {
    /// Returns what players get for a part. `started` is the time at which the first picture was taken.
    ///
    /// # Errors
    /// Fails if the index is damaged.
    pub fn view(&self, part: Part, started: Option<Timestamp>) -> Result<Option<View>, IndexError> {
        let head = self.head();
        let text = |media_type, text: String| View { media_type, generated: text.into_bytes(), stored: None };
        let view = match part {
            Part::Media => {
                let stored = Some((Source::Media, 0..head.length));
                Some(View { media_type: MP4_TYPE, generated: Vec::new(), stored })
            }
            Part::Hls => Some(text(hls::MEDIA_TYPE, hls::multivariant(head))),
            Part::Dash => Some(text(dash::MEDIA_TYPE, dash::manifest(head, |name| self.segments(name)))),
            Part::Playlist(name) => head
                .stream(name)
                .map(|_| text(hls::MEDIA_TYPE, hls::media(head, name, self.segments(name), started))),
            Part::Init(name) => head.stream(name).map(|stream| View {
                media_type: media_type(name),
                generated: generated_init(head, name).unwrap_or_default(),
                stored: match &stream.init {
                    Init::Range(range) => Some((stream.source, range.clone())),
                    Init::Generated(_) => None,
                },
            }),
            Part::Segment(name, number) => match (head.stream(name), self.segment(name, number)) {
                (Some(stream), Some(segment)) => Some(View {
                    media_type: media_type(name),
                    generated: segment.header(head, self.part(&segment.block))?,
                    stored: Some((stream.source, segment.range)),
                }),
                _ => None,
            },
        };
        Ok(view)
    }
}

const fn media_type(stream: StreamName) -> &'static str {
    match stream {
        StreamName::Video => MP4_TYPE,
        StreamName::Audio => MP4_AUDIO_TYPE,
    }
}
