//! The plan of a recording: which segments its streams have, decided from the movie box alone.

mod cutter;

use std::ops::Range;

use crate::bmff::FourCc;
use crate::bmff::movie::{AUDIO, Defaults, GEOMETRY, Movie, SampleEntry, Track, VIDEO};
use crate::bmff::tables::{Sample, Tables};
use crate::bmff::writer::Writer;
use crate::bounds::{MAX_AUDIO_SEGMENT_BYTES, MAX_BYTES_BEFORE_MOVIE, MAX_SEGMENT_BYTES};
use crate::codec;
use crate::index::{Init, LeftOut, Source, Stream, TrackHead};
use crate::unplayable::Unplayable;
use cutter::Cutter;

/// The seconds after which a segment ends, with pictures at the next key frame.
pub(crate) const SEGMENT_SECONDS: u64 = 4;
/// The samples after which a segment of sound ends in any case.
const AUDIO_SEGMENT_SAMPLES: u64 = 4_096;

/// A plan of a recording.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The length of the recording in bytes.
    pub(crate) length: u64,
    pub(crate) kind: Kind,
    pub(crate) left_out: Vec<LeftOut>,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// All samples are in the movie box.
    Progressive {
        /// The pictures.
        video: Box<Planned>,
        /// The sound, if it is played.
        audio: Option<Box<Planned>>,
    },
    /// Samples are in fragments, which are read when they come.
    Fragmented(Fragmented),
}

/// A stream whose segments are known.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub stream: Stream,
    pub segments: Vec<PlannedSegment>,
    /// The blocks of all segments.
    pub blocks: Vec<u8>,
}

/// A stream whose segments follow from the fragments.
#[derive(Clone, Debug)]
pub(crate) struct Fragmented {
    pub stream: Stream,
    /// The end of the movie box, before which there are no fragments.
    pub begin: u64,
    /// The video track.
    pub track: u32,
    pub defaults: Defaults,
    /// The time that its edit list adds.
    pub shift: i64,
}

/// A segment before its bytes were read.
#[derive(Clone, Debug)]
pub(crate) struct PlannedSegment {
    pub start: u64,
    pub duration: u64,
    /// Its bytes in the recording, from the end of the segment before.
    pub range: Range<u64>,
    pub key_frame: Option<Range<u64>>,
    /// Its block, among the blocks.
    pub block: Range<usize>,
}

impl Plan {
    /// Makes the plan of a recording of `length` bytes from its movie box, with the header, which lies at `at`.
    ///
    /// # Errors
    /// Fails with the reason why it cannot be played.
    pub fn of(movie: &[u8], at: Range<u64>, length: u64) -> Result<Self, Unplayable> {
        let movie = Movie::parse(movie)?;
        if movie.is_fragmented { fragmented(&movie, &at, length) } else { progressive(&movie, length) }
    }
}

/// Returns the first track of a kind that `take` takes, with what it made of it, and why the others are left out.
fn choose<'a, 'm, T>(
    movie: &'m Movie<'a>,
    kind: FourCc,
    left_out: &mut Vec<LeftOut>,
    mut take: impl FnMut(&'m Track<'a>) -> Result<T, Unplayable>,
) -> Result<Option<T>, Unplayable> {
    let mut chosen = None;
    let mut first_reason = None;
    for track in movie.of_kind(kind) {
        let reason = match chosen {
            Some(_) => Unplayable::OtherTrack(track.id),
            None => match take(track) {
                Ok(taken) => {
                    chosen = Some(taken);
                    continue;
                }
                Err(reason) => reason,
            },
        };
        left_out.push(LeftOut {
            track: track.id,
            reason: reason.name().to_owned(),
            codec: track.entries.first().map_or_else(String::new, |entry| entry.kind.to_string()),
        });
        first_reason = first_reason.or(Some(reason));
    }
    match (chosen, first_reason) {
        (Some(chosen), _) => Ok(Some(chosen)),
        (None, Some(reason)) => Err(reason),
        (None, None) => Ok(None),
    }
}

fn fragmented(movie: &Movie<'_>, at: &Range<u64>, length: u64) -> Result<Plan, Unplayable> {
    if movie.tracks.iter().any(|track| track.tables().is_ok_and(|tables| tables.count() > 0)) {
        return Err(Unplayable::Mixed);
    }
    if at.start > MAX_BYTES_BEFORE_MOVIE {
        return Err(Unplayable::malformed(FourCc(*b"moov"), "more is before it than players can be given"));
    }
    let named = |track: &Track<'_>| {
        let entry = track.entry(track.defaults.entry)?;
        if track.handler == VIDEO {
            return codec::video(track.id, entry);
        }
        // The entry cannot be written anew here.
        if codec::is_of_quick_time(entry) {
            return Err(Unplayable::Codec { track: track.id, codec: entry.kind });
        }
        codec::audio(track.id, entry)
    };
    let video = movie.of_kind(VIDEO).next().ok_or(Unplayable::NoVideo)?;
    let mut codecs = vec![named(video)?];
    for track in movie.tracks.iter().filter(|track| track.id != video.id) {
        // Its samples are among those of the pictures, and players would have to read them.
        codecs.push(named(track)?);
    }
    // Players that get the edit list apply no delay.
    let shift = i64::try_from(video.edits.media_time).map_err(|_| Unplayable::EditList(video.id))?;
    let shift = -shift;
    let stream = Stream {
        init: Init::Range(0..at.end),
        codecs,
        ..stream(video, video.entry(video.defaults.entry)?, Source::Media, length)?
    };
    let (track, defaults) = (video.id, video.defaults);
    let kind = Kind::Fragmented(Fragmented { stream, begin: at.end, track, defaults, shift });
    Ok(Plan { length, kind, left_out: Vec::new() })
}

fn progressive(movie: &Movie<'_>, length: u64) -> Result<Plan, Unplayable> {
    let mut left_out = Vec::new();
    let video = choose(movie, VIDEO, &mut left_out, |track| {
        let tables = track.tables()?;
        let entry = used_entry(track, &tables)?;
        let codec = codec::video(track.id, entry)?;
        let shift = Shift::of(movie, track, &tables)?;
        let (segments, blocks, samples) = pictures(track, &tables, shift, length)?;
        let stream = Stream { codecs: vec![codec], samples, ..stream(track, entry, Source::Media, length)? };
        Ok((Box::new(Planned { stream, segments, blocks }), shift))
    })?;
    let (video, shift) = video.ok_or(Unplayable::NoVideo)?;
    let audio = choose(movie, AUDIO, &mut left_out, |track| {
        let tables = track.tables()?;
        let entry = used_entry(track, &tables)?;
        let codec = codec::audio(track.id, entry)?;
        let (segments, blocks, samples) = sound(track, &tables, shift.of_sound(movie, track)?, length)?;
        let stream = Stream { codecs: vec![codec], samples, ..stream(track, entry, Source::Audio, 0)? };
        Ok(Box::new(Planned { stream, segments, blocks }))
    });
    // Pictures without sound are worth more than nothing, but not those that were cut off.
    let audio = match audio {
        Err(Unplayable::Incomplete) => return Err(Unplayable::Incomplete),
        other => other.ok().flatten(),
    };
    Ok(Plan { length, kind: Kind::Progressive { video, audio }, left_out })
}

/// Returns the sample entry of the first sample of a track.
fn used_entry<'a, 'm>(track: &'m Track<'a>, tables: &Tables<'_>) -> Result<&'m SampleEntry<'a>, Unplayable> {
    let first = tables.samples().next().ok_or(Unplayable::Empty(track.id))??;
    track.entry(first.entry)
}

/// Returns a stream of a track, with what is known before its segments are.
fn stream(
    track: &Track<'_>,
    entry: &SampleEntry<'_>,
    source: Source,
    source_length: u64,
) -> Result<Stream, Unplayable> {
    let is_video = track.handler == VIDEO;
    let content = codec::as_version_0(entry)?;
    let mut written = Writer::default();
    written.boxed(&entry.kind.0, |written| {
        written.bytes(&content);
    });
    let dimensions = if is_video { dimensions(track).or_else(|| codec::dimensions(entry)) } else { None };
    Ok(Stream {
        source,
        source_length,
        init: Init::Generated(TrackHead {
            id: track.id,
            is_video,
            language: track.language,
            geometry: track.geometry.to_vec(),
            entry: written.finish(),
        }),
        timescale: track.timescale.get(),
        codecs: Vec::new(),
        width: dimensions.map(|(width, _)| width),
        height: dimensions.map(|(_, height)| height),
        samples: 0,
        segments: 0,
        start: 0,
        end: 0,
        longest: 0,
        peak: 0,
        average: 0,
    })
}

/// Returns the width and the height of a track header, whose 16.16 fixed-point numbers are at its end, if it has them.
fn dimensions(track: &Track<'_>) -> Option<(u32, u32)> {
    let number =
        |at: usize| track.geometry.get(at..at + 2)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
    let (width, height) = (number(GEOMETRY - 8)?, number(GEOMETRY - 4)?);
    (width > 0 && height > 0).then_some((width.into(), height.into()))
}

/// Returns the time that an edit list adds to those of a track, in its units.
fn shift(movie: &Movie<'_>, track: &Track<'_>) -> Result<i64, Unplayable> {
    let scaled = u128::from(track.edits.delay) * u128::from(track.timescale.get());
    let delay = i64::try_from(scaled / u128::from(movie.timescale.get()));
    let shift = delay.ok().zip(i64::try_from(track.edits.media_time).ok());
    shift.and_then(|(delay, first)| delay.checked_sub(first)).ok_or(Unplayable::EditList(track.id))
}

/// The times that are added to those of the tracks.
///
/// An edit list of pictures usually begins with the first picture that is shown, some time after the first that is decoded. Segments
/// have no edit lists, and composition offsets with a sign are read differently by different players. So the pictures keep their
/// times, and the sound gets later by as much. An edit list that begins in the middle of a group of pictures, as one of a file does
/// that was cut without being encoded anew, is treated alike: everything is shown.
#[derive(Clone, Copy, Debug)]
struct Shift {
    /// The time that is added to the times of decoding of the pictures, in their units.
    own: u64,
    /// The time by which the edit list would have shown them earlier.
    earlier: u64,
    /// The time from which on sound is heard, because pictures are shown.
    from: u64,
    timescale: u32,
}

impl Shift {
    fn of(movie: &Movie<'_>, track: &Track<'_>, tables: &Tables<'_>) -> Result<Self, Unplayable> {
        let by_list = shift(movie, track)?;
        // The first picture is among those up to the second key frame. Composition offsets with a sign can put it before 0.
        let (mut first, mut keys) = (i64::MAX, 0);
        for sample in tables.samples() {
            let sample = sample?;
            keys += u32::from(sample.is_sync);
            if keys > 1 {
                break;
            }
            let decode_time = i64::try_from(sample.decode_time).unwrap_or(i64::MAX);
            first = first.min(decode_time.saturating_add(sample.composition_offset.into()));
        }
        let before = first.min(0).unsigned_abs();
        let earlier = by_list.min(0).unsigned_abs().saturating_add(before);
        Ok(Self {
            own: u64::try_from(by_list).unwrap_or(0).saturating_add(before),
            earlier,
            from: u64::try_from(first).unwrap_or(0).min(earlier),
            timescale: track.timescale.get(),
        })
    }

    /// Returns the time that is added to those of sound that belongs to these pictures, and the time from which on it is heard, in
    /// its units.
    fn of_sound(self, movie: &Movie<'_>, track: &Track<'_>) -> Result<(i64, i64), Unplayable> {
        let scaled = |time: u64| {
            let scaled = u128::from(time) * u128::from(track.timescale.get()) / u128::from(self.timescale);
            i64::try_from(scaled).map_err(|_| Unplayable::EditList(track.id))
        };
        let added = shift(movie, track)?.checked_add(scaled(self.earlier)?);
        Ok((added.ok_or(Unplayable::EditList(track.id))?, scaled(self.from)?))
    }
}

/// Returns the segments of pictures, from the first key frame on, their blocks, and the number of pictures.
fn pictures(
    video: &Track<'_>,
    tables: &Tables<'_>,
    shift: Shift,
    length: u64,
) -> Result<(Vec<PlannedSegment>, Vec<u8>, u64), Unplayable> {
    let wanted = SEGMENT_SECONDS * u64::from(video.timescale.get());
    let mut cutter = Cutter::new(video.id, length, MAX_SEGMENT_BYTES);
    let mut samples = 0;
    for sample in tables.samples() {
        let sample = sample?;
        let sample = Sample { decode_time: sample.decode_time.saturating_add(shift.own), ..sample };
        let is_first = match &cutter.open {
            None if !sample.is_sync => continue,
            None => true,
            Some(open) => sample.is_sync && sample.decode_time.saturating_sub(open.decode_time) >= wanted,
        };
        cutter.add(&sample, is_first)?;
        samples += 1;
    }
    if samples == 0 {
        return Err(Unplayable::NoKeyFrame(video.id));
    }
    let (segments, blocks) = cutter.finish()?;
    Ok((segments, blocks, samples))
}

/// Returns the segments of sound, their blocks, and the number of its samples.
fn sound(
    audio: &Track<'_>,
    tables: &Tables<'_>,
    (shift, from): (i64, i64),
    length: u64,
) -> Result<(Vec<PlannedSegment>, Vec<u8>, u64), Unplayable> {
    let wanted = SEGMENT_SECONDS * u64::from(audio.timescale.get());
    // What lies between the samples is not copied.
    let mut cutter = Cutter::new(audio.id, length, u64::MAX);
    let mut samples = 0;
    for sample in tables.samples() {
        let sample = sample?;
        let decode_time = i64::try_from(sample.decode_time).unwrap_or(i64::MAX).saturating_add(shift);
        // Nothing is heard of a sample without bytes.
        let sample = audible(&sample, decode_time, from).filter(|sample| sample.size > 0);
        let Some(sample) = sample else { continue };
        let is_first = cutter.open.as_ref().is_none_or(|open| {
            sample.decode_time.saturating_sub(open.decode_time) >= wanted
                || open.samples >= AUDIO_SEGMENT_SAMPLES
        });
        cutter.add(&sample, is_first)?;
        if let Some(open) = cutter.open.as_ref().filter(|open| open.bytes > MAX_AUDIO_SEGMENT_BYTES) {
            let (track, length) = (audio.id, open.bytes);
            return Err(Unplayable::LongSegment { track, length, allowed: MAX_AUDIO_SEGMENT_BYTES });
        }
        samples += 1;
    }
    let (segments, blocks) = cutter.finish()?;
    Ok((segments, blocks, samples))
}

/// Returns a sample of sound at this time, or `None` if it ends before any is heard, as the first ones of an encoder do.
fn audible(sample: &Sample, decode_time: i64, from: i64) -> Option<Sample> {
    let early = u32::try_from(from.saturating_sub(decode_time).max(0)).unwrap_or(u32::MAX);
    let duration = sample.duration.checked_sub(early).filter(|duration| *duration > 0 || early == 0)?;
    let decode_time = u64::try_from(decode_time.max(from)).unwrap_or(0);
    Some(Sample { decode_time, duration, composition_offset: 0, is_sync: true, ..*sample })
}
