//! The DASH manifest (ISO/IEC 23009-1) of a recording. All addresses in it are relative.

use std::fmt::Write as _;

use crate::index::{Index, Stream};
use crate::names::{self, StreamName};
use crate::rates::{self, Rates};

/// Returns the manifest of a recording: one period, with an adaptation set for each stream.
#[must_use]
pub fn manifest(index: &Index) -> String {
    let streams = &index.head().streams;
    let milliseconds = |stream: usize| {
        let timescale = streams.get(stream).map_or(1, |stream| stream.timescale.max(1));
        u128::from(index.duration(stream)) * 1_000 / u128::from(timescale)
    };
    let duration = seconds((0..streams.len()).map(milliseconds).max().unwrap_or_default());
    let longest =
        seconds(index.segments(0).map(|segment| u128::from(segment.duration)).max().map_or(0, |ticks| {
            ticks * 1_000 / u128::from(streams.first().map_or(1, |stream| stream.timescale.max(1)))
        }));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" type=\"static\" \
         mediaPresentationDuration=\"{duration}\" maxSegmentDuration=\"{longest}\" minBufferTime=\"PT4S\">\n  \
         <Period id=\"0\" start=\"PT0S\" duration=\"{duration}\">\n"
    );
    for (number, stream) in streams.iter().enumerate() {
        if let Some(name) = StreamName::ALL.get(number) {
            adaptation_set(&mut text, index, *name, stream);
        }
    }
    text.push_str("  </Period>\n</MPD>\n");
    text
}

/// A duration as XML Schema writes it.
fn seconds(milliseconds: u128) -> String {
    format!("PT{}.{:03}S", milliseconds / 1_000, milliseconds % 1_000)
}

fn adaptation_set(text: &mut String, index: &Index, name: StreamName, stream: &Stream) {
    let content = match name {
        StreamName::Pictures => "video",
        StreamName::Sound => "audio",
    };
    let codecs = stream.codecs.join(",");
    let Rates { peak, .. } = Rates::of(index, name.number());
    let _ = write!(
        text,
        "    <AdaptationSet contentType=\"{content}\" mimeType=\"{content}/mp4\" segmentAlignment=\"true\" startWithSAP=\"1\">\n      \
         <Representation id=\"{content}\" codecs=\"{codecs}\" bandwidth=\"{peak}\""
    );
    if let (Some(width), Some(height)) = (stream.width, stream.height) {
        let _ = write!(text, " width=\"{width}\" height=\"{height}\"");
        if let Some(thousandths) = rates::frames_per_1000_seconds(index) {
            let _ = write!(text, " frameRate=\"{thousandths}/1000\"");
        }
    }
    let first = index.segments(name.number()).next().map_or(0, |segment| segment.start);
    let _ = write!(
        text,
        ">\n        <SegmentTemplate timescale=\"{}\" initialization=\"{}\" media=\"{}\" startNumber=\"1\"",
        stream.timescale,
        names::init(name),
        names::template(name),
    );
    if first > 0 && name == StreamName::Pictures {
        let _ = write!(text, " presentationTimeOffset=\"{first}\"");
    }
    text.push_str(">\n          <SegmentTimeline>\n");
    timeline(text, index, name);
    text.push_str("          </SegmentTimeline>\n        </SegmentTemplate>\n      </Representation>\n    </AdaptationSet>\n");
}

/// Writes the times of the segments. Those that follow each other and are equally long share an element.
fn timeline(text: &mut String, index: &Index, name: StreamName) {
    let mut end = None;
    let mut run: Option<(Option<u64>, u64, u64)> = None;
    for segment in index.segments(name.number()) {
        let begins = end != Some(segment.start);
        end = Some(segment.start.saturating_add(segment.duration));
        match &mut run {
            Some((_, duration, repeats)) if *duration == segment.duration && !begins => *repeats += 1,
            _ => {
                element(text, run.take());
                run = Some((begins.then_some(segment.start), segment.duration, 0));
            }
        }
    }
    element(text, run);
}

fn element(text: &mut String, run: Option<(Option<u64>, u64, u64)>) {
    let Some((start, duration, repeats)) = run else { return };
    text.push_str("            <S");
    if let Some(start) = start {
        let _ = write!(text, " t=\"{start}\"");
    }
    let _ = write!(text, " d=\"{duration}\"");
    if repeats > 0 {
        let _ = write!(text, " r=\"{repeats}\"");
    }
    text.push_str("/>\n");
}
