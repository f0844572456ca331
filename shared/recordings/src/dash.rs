//! The DASH manifest (ISO/IEC 23009-1) of a recording. All addresses in it are relative.

use std::fmt::Write as _;

use crate::index::{Head, Segment, Stream};
use crate::names::{Part, StreamName, template};
use crate::rates;

/// The media type of a manifest.
pub const MEDIA_TYPE: &str = "application/dash+xml";

/// Returns the manifest of a recording: one period, with an adaptation set for each stream. `segments` returns those of a stream.
#[must_use]
pub fn manifest<S: Iterator<Item = Segment>>(head: &Head, segments: impl Fn(StreamName) -> S) -> String {
    // The period begins with the stream that begins first.
    let milliseconds =
        |ticks: u64, stream: &Stream| u128::from(ticks) * 1_000 / u128::from(stream.timescale.max(1));
    let streams = || head.streams().map(|(_, stream)| stream);
    let origin = streams().map(|stream| milliseconds(stream.start, stream)).min().unwrap_or_default();
    let end = streams().map(|stream| milliseconds(stream.end, stream) + 1).max().unwrap_or_default();
    let longest = streams().map(|stream| milliseconds(stream.longest, stream) + 1).max().unwrap_or_default();
    let (duration, longest) = (seconds(end.saturating_sub(origin)), seconds(longest));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" type=\"static\" \
         mediaPresentationDuration=\"{duration}\" maxSegmentDuration=\"{longest}\" minBufferTime=\"PT4S\">\n  \
         <Period id=\"0\" start=\"PT0S\" duration=\"{duration}\">\n"
    );
    for (name, stream) in head.streams() {
        let offset = origin * u128::from(stream.timescale) / 1_000;
        adaptation_set(&mut text, head, (name, stream), offset, segments(name));
    }
    text.push_str("  </Period>\n</MPD>\n");
    text
}

/// A duration as XML Schema writes it.
fn seconds(milliseconds: u128) -> String {
    format!("PT{}.{:03}S", milliseconds / 1_000, milliseconds % 1_000)
}

fn adaptation_set(
    text: &mut String,
    head: &Head,
    (name, stream): (StreamName, &Stream),
    offset: u128,
    segments: impl Iterator<Item = Segment>,
) {
    // Pictures may be followed by some that are shown before them (stream access point of type 2).
    let (content, access_point) = match name {
        StreamName::Video => ("video", 2),
        StreamName::Audio => ("audio", 1),
    };
    let codecs = stream.codecs.join(",");
    let _ = write!(
        text,
        "    <AdaptationSet contentType=\"{content}\" mimeType=\"{content}/mp4\" segmentAlignment=\"true\" \
         startWithSAP=\"{access_point}\">\n      <Representation id=\"{content}\" codecs=\"{codecs}\" bandwidth=\"{}\"",
        stream.peak
    );
    if let (Some(width), Some(height)) = (stream.width, stream.height) {
        let _ = write!(text, " width=\"{width}\" height=\"{height}\"");
        if let Some(rate) = rates::frames_per_1000_seconds(head) {
            let _ = write!(text, " frameRate=\"{rate}/1000\"");
        }
    }
    let _ = write!(
        text,
        ">\n        <SegmentTemplate timescale=\"{}\" presentationTimeOffset=\"{offset}\" initialization=\"{}\" media=\"{}\" \
         startNumber=\"1\">\n          <SegmentTimeline>\n",
        stream.timescale,
        Part::Init(name),
        template(name),
    );
    timeline(text, segments);
    text.push_str("          </SegmentTimeline>\n        </SegmentTemplate>\n      </Representation>\n    </AdaptationSet>\n");
}

/// Writes the times of the segments. Those that follow each other and are equally long share an element.
fn timeline(text: &mut String, segments: impl Iterator<Item = Segment>) {
    let mut end = None;
    let mut run: Option<(Option<u64>, u64, u64)> = None;
    for segment in segments {
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
