//! The plan of a recording: which segments its streams have, decided from the movie box alone.

use std::ops::Range;

use crate::bmff::FourCc;
use crate::bmff::movie::{Defaults, Format, GEOMETRY, Movie, Track};
use crate::bmff::tables::Sample;
use crate::bmff::writer::Writer;
use crate::bounds;
use crate::codec;
use crate::index::block::BlockWriter;
use crate::index::{Head, Init, LeftOut, Source, Stream, TrackHead};
use crate::unplayable::Unplayable;

/// The seconds after which a segment ends at the next key frame.
pub(crate) const SEGMENT_SECONDS: u64 = 4;

/// A plan of a recording.
#[derive(Clone, Debug)]
pub struct Plan(pub(crate) Kind);

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// All samples are in the movie box.
    Progressive(Progressive),
    /// Samples are in fragments, which are read when they come.
    Fragmented(Fragmented),
}

/// A plan whose segments are known.
#[derive(Clone, Debug)]
pub(crate) struct Progressive {
    pub head: Head,
    pub pictures: Vec<Planned>,
    pub sound: Vec<Planned>,
}

/// A plan whose segments follow from the fragments.
#[derive(Clone, Debug)]
pub(crate) struct Fragmented {
    pub head: Head,
    /// The video track.
    pub track: u32,
    pub defaults: Defaults,
    /// The shift of its times of presentation by its edit list.
    pub shift: i64,
}

/// A segment before its bytes were read.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub start: u64,
    pub duration: u64,
    /// Its bytes in the recording, with what lies between the samples.
    pub range: Range<u64>,
    pub block: Vec<u8>,
}

impl Plan {
    /// Makes the plan of a recording of `length` bytes from its movie box, with the header, which lies at `at`.
    ///
    /// # Errors
    /// Fails with the reason why it cannot be played.
    pub fn of(movie: &[u8], at: Range<u64>, length: u64) -> Result<Self, Unplayable> {
        let movie = Movie::parse(movie)?;
        let video = movie.video().ok_or(Unplayable::NoVideo)?;
        if movie.is_fragmented {
            fragmented(&movie, video, at, length)
        } else {
            progressive(&movie, video, length)
        }
    }
}

fn fragmented(movie: &Movie<'_>, video: &Track<'_>, at: Range<u64>, length: u64) -> Result<Plan, Unplayable> {
    if movie.tracks.iter().any(|track| track.tables.count() > 0) {
        return Err(Unplayable::Mixed);
    }
    let mut codecs = vec![codec::video(video.id, only(video, 1)?)?];
    for track in &movie.tracks {
        if track.id != video.id {
            // Its samples are among those of the pictures, and players would have to read them.
            let format = only(track, 1)?;
            let is_video = track.handler == video.handler;
            let of_track = if is_video { codec::video } else { codec::audio };
            codecs.push(of_track(track.id, format)?);
        }
    }
    let stream = Stream {
        source: Source::Media,
        init: Init::Range(0..at.end),
        timescale: video.timescale.get(),
        codecs,
        width: Some(dimension(video, GEOMETRY - 8)),
        height: Some(dimension(video, GEOMETRY - 4)),
        samples: 0,
        segments: 0,
    };
    Ok(Plan(Kind::Fragmented(Fragmented {
        head: Head { length, streams: vec![stream], left_out: Vec::new() },
        track: video.id,
        defaults: video.defaults,
        shift: shift(movie, video)?,
    })))
}

fn progressive(movie: &Movie<'_>, video: &Track<'_>, length: u64) -> Result<Plan, Unplayable> {
    let format = used_format(video)?;
    let codec = codec::video(video.id, format)?;
    let pictures = pictures(movie, video, length)?;
    let mut streams = vec![Stream {
        source: Source::Media,
        init: Init::Generated(track_head(video, format, true)),
        timescale: video.timescale.get(),
        codecs: vec![codec],
        width: Some(dimension(video, GEOMETRY - 8)),
        height: Some(dimension(video, GEOMETRY - 4)),
        samples: video.tables.count().into(),
        segments: count(&pictures),
    }];
    let (mut sound, mut left_out) = (Vec::new(), Vec::new());
    if let Some(audio) = movie.audio().filter(|audio| audio.tables.count() > 0) {
        match with_sound(movie, audio, video, &pictures, length) {
            Ok((stream, segments)) if !segments.is_empty() => {
                streams.push(stream);
                sound = segments;
            }
            Ok(_) => {}
            Err(reason @ (Unplayable::Incomplete | Unplayable::TooMany { .. })) => return Err(reason),
            // Pictures without sound are worth more than nothing.
            Err(reason) => left_out.push(LeftOut { track: audio.id, reason: reason.to_string() }),
        }
    }
    Ok(Plan(Kind::Progressive(Progressive { head: Head { length, streams, left_out }, pictures, sound })))
}

fn count(segments: &[Planned]) -> u32 {
    u32::try_from(segments.len()).unwrap_or(u32::MAX)
}

fn dimension(track: &Track<'_>, at: usize) -> u32 {
    // 16.16 fixed-point numbers.
    let whole = track.geometry.get(at..at + 2).and_then(|bytes| bytes.first_chunk());
    whole.map_or(0, |bytes| u16::from_be_bytes(*bytes).into())
}

fn only<'a, 'b>(track: &'b Track<'a>, number: u32) -> Result<&'b Format<'a>, Unplayable> {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let format = index.and_then(|index| track.formats.get(index));
    format.ok_or(Unplayable::malformed(FourCc(*b"stsd"), "it lacks the entry that the samples name"))
}

/// Returns the one sample entry that all samples of a track have.
fn used_format<'a, 'b>(track: &'b Track<'a>) -> Result<&'b Format<'a>, Unplayable> {
    let first = track.tables.samples().next().ok_or(Unplayable::Empty)??;
    only(track, first.format)
}

fn track_head(track: &Track<'_>, format: &Format<'_>, is_video: bool) -> TrackHead {
    let mut entry = Writer::default();
    entry.boxed(&format.kind.0, |entry| {
        entry.bytes(format.content);
    });
    TrackHead {
        id: track.id,
        is_video,
        language: track.language,
        geometry: track.geometry.to_vec(),
        format: entry.finish(),
    }
}

/// Returns what an edit list adds to the times of a track, in its units.
fn shift(movie: &Movie<'_>, track: &Track<'_>) -> Result<i64, Unplayable> {
    let scaled = u128::from(track.edits.delay) * u128::from(track.timescale.get());
    let delay = i64::try_from(scaled / u128::from(movie.timescale.get()));
    let shift = delay.ok().zip(i64::try_from(track.edits.media_time).ok());
    shift.and_then(|(delay, first)| delay.checked_sub(first)).ok_or(Unplayable::EditList(track.id))
}

/// Segments that are made of samples, one after the other.
struct Cutter {
    length: u64,
    segments: Vec<Planned>,
    open: Option<Open>,
    /// The end of the last sample, in the file and in time.
    end: u64,
    decoded: u64,
    format: u32,
}

struct Open {
    decode: u64,
    start: u64,
    first: u64,
    block: BlockWriter,
}

impl Cutter {
    const fn new(length: u64) -> Self {
        Self { length, segments: Vec::new(), open: None, end: 0, decoded: 0, format: 0 }
    }

    /// Adds a sample, and begins a segment with it if `is_first`.
    fn add(&mut self, sample: &Sample, is_first: bool) -> Result<(), Unplayable> {
        if sample.offset < self.end {
            return Err(Unplayable::Scattered);
        }
        if self.format != 0 && sample.format != self.format {
            return Err(Unplayable::SeveralFormats);
        }
        self.format = sample.format;
        let end = sample.offset.saturating_add(sample.size.into());
        if end > self.length {
            return Err(Unplayable::Incomplete);
        }
        if is_first || self.open.is_none() {
            self.close()?;
            let presented =
                i64::try_from(sample.decode).unwrap_or(i64::MAX).saturating_add(sample.shift.into());
            self.open = Some(Open {
                decode: sample.decode,
                start: u64::try_from(presented).unwrap_or(0),
                first: sample.offset,
                block: BlockWriter::new(sample.decode, sample.offset),
            });
        }
        if let Some(open) = &mut self.open {
            open.block.add(sample);
        }
        self.end = end;
        self.decoded = sample.decode.saturating_add(sample.duration.into());
        Ok(())
    }

    fn close(&mut self) -> Result<(), Unplayable> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let length = self.end - open.first;
        if length > bounds::SEGMENT {
            return Err(Unplayable::LongSegment { length, allowed: bounds::SEGMENT });
        }
        if self.segments.len() as u64 >= bounds::SEGMENTS {
            return Err(Unplayable::TooMany { what: "segments", allowed: bounds::SEGMENTS });
        }
        self.segments.push(Planned {
            start: open.start,
            duration: self.decoded.saturating_sub(open.decode),
            range: open.first..self.end,
            block: open.block.finish(),
        });
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Planned>, Unplayable> {
        self.close()?;
        Ok(self.segments)
    }
}

fn pictures(movie: &Movie<'_>, video: &Track<'_>, length: u64) -> Result<Vec<Planned>, Unplayable> {
    let shift = shift(movie, video)?;
    let wanted = SEGMENT_SECONDS.saturating_mul(video.timescale.get().into());
    let mut cutter = Cutter::new(length);
    let mut begun = 0;
    for sample in video.tables.samples() {
        let sample = sample?;
        let shifted = i64::from(sample.shift).checked_add(shift).and_then(|shift| i32::try_from(shift).ok());
        let sample = Sample { shift: shifted.ok_or(Unplayable::EditList(video.id))?, ..sample };
        let is_first = sample.is_sync && sample.decode.saturating_sub(begun) >= wanted;
        if is_first {
            begun = sample.decode;
        }
        cutter.add(&sample, is_first)?;
    }
    let segments = cutter.finish()?;
    if segments.is_empty() { Err(Unplayable::Empty) } else { Ok(segments) }
}

/// Returns the stream of sound, cut where the pictures are.
fn with_sound(
    movie: &Movie<'_>,
    audio: &Track<'_>,
    video: &Track<'_>,
    pictures: &[Planned],
    length: u64,
) -> Result<(Stream, Vec<Planned>), Unplayable> {
    let format = used_format(audio)?;
    let codec = codec::audio(audio.id, format)?;
    let shift = shift(movie, audio)?;
    let mut cutter = Cutter::new(length);
    let mut cuts = pictures.iter().skip(1).map(|segment| segment.start).peekable();
    let mut samples = 0;
    for sample in audio.tables.samples() {
        let sample = sample?;
        let decode = i64::try_from(sample.decode).unwrap_or(i64::MAX).saturating_add(shift);
        let Some(sample) = audible(&sample, decode) else { continue };
        let mut is_first = false;
        let (own, theirs) = (u128::from(audio.timescale.get()), u128::from(video.timescale.get()));
        while let Some(_cut) =
            cuts.next_if(|cut| u128::from(*cut) * own <= u128::from(sample.decode) * theirs)
        {
            is_first = true;
        }
        cutter.add(&sample, is_first)?;
        samples += 1;
    }
    let segments = cutter.finish()?;
    let stream = Stream {
        source: Source::Audio,
        init: Init::Generated(track_head(audio, format, false)),
        timescale: audio.timescale.get(),
        codecs: vec![codec],
        width: None,
        height: None,
        samples,
        segments: count(&segments),
    };
    Ok((stream, segments))
}

/// Returns a sample of sound at the time that the edit list gives it, or `None` if it ends before the track begins, as the first
/// ones of an encoder do.
fn audible(sample: &Sample, decode: i64) -> Option<Sample> {
    let early = u32::try_from(decode.min(0).unsigned_abs()).unwrap_or(u32::MAX);
    let duration = sample.duration.checked_sub(early).filter(|duration| *duration > 0 || early == 0)?;
    Some(Sample { decode: u64::try_from(decode).unwrap_or(0), duration, shift: 0, is_sync: true, ..*sample })
}
