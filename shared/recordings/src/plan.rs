//! The plan of a recording: which segments its streams have, decided from the movie box alone.

pub(crate) mod cutter;

use std::ops::Range;

use crate::bmff::FourCc;
use crate::bmff::fragments::FragmentedTrack;
use crate::bmff::movie::{AUDIO, GEOMETRY, Movie, SampleEntry, Track, VIDEO};
use crate::bmff::tables::{Sample, Tables};
use crate::bmff::writer::Writer;
use crate::bounds::{MAX_BYTES_BEFORE_MOVIE, MAX_SEGMENT_BYTES};
use crate::codec;
use crate::index::{Init, LeftOut, Source, Stream, TrackHead};
use crate::unplayable::Unplayable;
use cutter::Cutter;

/// The seconds after which a segment ends, with pictures at the next key frame.
pub(crate) const SEGMENT_SECONDS: u64 = 4;
/// A plan of a recording.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The length of the recording in bytes.
    pub(crate) length: u64,
    pub(crate) kind: Kind,
    /// The tracks that are not played, unless players get fragments as they are, with all tracks.
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
    Fragmented(Box<Fragmented>),
}

/// A stream whose segments are known.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub stream: Stream,
    pub segments: Vec<PlannedSegment>,
    /// The blocks of all segments.
    pub blocks: Vec<u8>,
}

/// Streams whose segments follow from the fragments.
#[derive(Clone, Debug)]
pub(crate) struct Fragmented {
    /// The end of the movie box, before which there are no fragments.
    pub begin: u64,
    /// The stream of fragments as they are, with all tracks, if players take all of these.
    pub unchanged: Option<Stream>,
    /// The streams for which headers are generated: the pictures, and the sound, if it is played.
    pub video: FragmentedStream,
    pub audio: Option<FragmentedStream>,
    /// The other tracks, whose samples may be before those in a fragment.
    pub others: Vec<FragmentedTrack>,
}

/// A stream of one track whose samples are in fragments.
#[derive(Clone, Debug)]
pub(crate) struct FragmentedStream {
    pub stream: Stream,
    pub track: FragmentedTrack,
    pub times: Times,
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
    let mut left_out = Vec::new();
    let of_track = |track: &Track<'_>, codec: String, source, length| {
        let entry = track.entry(track.defaults.entry)?;
        Ok(FragmentedStream {
            stream: Stream { codecs: vec![codec], ..stream(track, entry, source, length)? },
            track: FragmentedTrack { id: track.id, defaults: track.defaults, decoded: 0 },
            times: Times::of(movie, track)?,
        })
    };
    let video = choose(movie, VIDEO, &mut left_out, |track| {
        let codec = codec::video(track.id, track.entry(track.defaults.entry)?)?;
        Ok((of_track(track, codec, Source::Media, length)?, track))
    })?;
    let (video, track) = video.ok_or(Unplayable::NoVideo)?;
    let audio = choose(movie, AUDIO, &mut left_out, |track| {
        let codec = codec::audio(track.id, track.entry(track.defaults.entry)?)?;
        of_track(track, codec, Source::Audio, 0)
    });
    let unchanged = unchanged(movie, track, &video.stream, at.end).ok();
    let audio = audio.ok().flatten();
    let read = [Some(video.track.id), audio.as_ref().map(|audio| audio.track.id)];
    let others = movie.defaults.iter().filter(|(id, _)| !read.contains(&Some(*id)));
    let others = others.map(|(id, defaults)| FragmentedTrack { id: *id, defaults: *defaults, decoded: 0 });
    let kind = Fragmented { begin: at.end, unchanged, others: others.collect(), video, audio };
    Ok(Plan { length, kind: Kind::Fragmented(Box::new(kind)), left_out })
}

/// Returns the stream of fragments as they are, which have the samples of all tracks, after a movie box that ends at `end`.
fn unchanged(movie: &Movie<'_>, video: &Track<'_>, stream: &Stream, end: u64) -> Result<Stream, Unplayable> {
    let mut codecs = stream.codecs.clone();
    for track in movie.tracks.iter().filter(|track| track.id != video.id) {
        let entry = track.entry(track.defaults.entry)?;
        codecs.push(match track.handler {
            VIDEO => codec::video(track.id, entry)?,
            // The entry cannot be written anew here.
            _ if codec::is_of_quick_time(entry) => {
                return Err(Unplayable::Codec { track: track.id, codec: entry.kind });
            }
            _ => codec::audio(track.id, entry)?,
        });
    }
    Ok(Stream { init: Init::Range(0..end), codecs, ..stream.clone() })
}

fn progressive(movie: &Movie<'_>, length: u64) -> Result<Plan, Unplayable> {
    let mut left_out = Vec::new();
    let video = choose(movie, VIDEO, &mut left_out, |track| {
        let tables = track.tables()?;
        let entry = used_entry(track, &tables)?;
        let codec = codec::video(track.id, entry)?;
        let shift = Shift::of(Times::of(movie, track)?, tables.samples())?;
        let (segments, blocks, samples) = pictures(track, &tables, shift, length)?;
        let stream = Stream { codecs: vec![codec], samples, ..stream(track, entry, Source::Media, length)? };
        Ok((Box::new(Planned { stream, segments, blocks }), shift))
    })?;
    let (video, shift) = video.ok_or(Unplayable::NoVideo)?;
    let audio = choose(movie, AUDIO, &mut left_out, |track| {
        let tables = track.tables()?;
        let entry = used_entry(track, &tables)?;
        let codec = codec::audio(track.id, entry)?;
        let (segments, blocks, samples) =
            sound(track, &tables, shift.of_sound(Times::of(movie, track)?)?, length)?;
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

/// The times of a track, before it is known which of its samples is shown first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    track: u32,
    /// The time of the track that its edit list shows first, in its units.
    pub first: i64,
    /// The time that the list adds before that.
    delay: i64,
    timescale: u32,
}

impl Times {
    fn of(movie: &Movie<'_>, track: &Track<'_>) -> Result<Self, Unplayable> {
        let scaled = u128::from(track.edits.delay) * u128::from(track.timescale.get());
        let delay = i64::try_from(scaled / u128::from(movie.timescale.get()));
        let first = i64::try_from(track.edits.media_time);
        let (delay, first) = delay.ok().zip(first.ok()).ok_or(Unplayable::EditList(track.id))?;
        Ok(Self { track: track.id, first, delay, timescale: track.timescale.get() })
    }

    /// The time that the edit list adds to those of the track. Neither number is negative.
    const fn by_list(self) -> i64 {
        self.delay - self.first
    }
}

/// The times that are added to those of the tracks.
///
/// An edit list of pictures usually begins with the first picture that is shown, some time after the first that is decoded. Segments
/// have no edit lists, and composition offsets with a sign are read differently by different players. So the pictures keep their
/// times, and the sound gets later by as much. An edit list that begins in the middle of a group of pictures, as one of a file does
/// that was cut without being encoded anew, is treated alike: everything is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shift {
    /// The time that is added to the times of decoding of the pictures, in their units.
    pub own: u64,
    /// The time by which the edit list would have shown them earlier.
    earlier: u64,
    /// The time from which on sound is heard, because pictures are shown.
    from: u64,
    timescale: u32,
}

impl Shift {
    /// Returns the times for pictures that begin with these samples.
    pub(crate) fn of(
        times: Times,
        samples: impl Iterator<Item = Result<Sample, Unplayable>>,
    ) -> Result<Self, Unplayable> {
        // The first picture is among those up to the second key frame. Composition offsets with a sign can put it before 0.
        let (mut first, mut keys) = (i64::MAX, 0);
        for sample in samples {
            let sample = sample?;
            keys += u32::from(sample.is_sync);
            if keys > 1 {
                break;
            }
            let decode_time = i64::try_from(sample.decode_time).unwrap_or(i64::MAX);
            first = first.min(decode_time.saturating_add(sample.composition_offset.into()));
        }
        let before = first.min(0).unsigned_abs();
        let earlier = times.by_list().min(0).unsigned_abs().saturating_add(before);
        Ok(Self {
            own: u64::try_from(times.by_list()).unwrap_or(0).saturating_add(before),
            earlier,
            from: u64::try_from(first).unwrap_or(0).min(earlier),
            timescale: times.timescale,
        })
    }

    /// Returns the times of sound that belongs to these pictures.
    pub(crate) fn of_sound(self, times: Times) -> Result<Audible, Unplayable> {
        let error = || Unplayable::EditList(times.track);
        let scaled = |time: u64| {
            let scaled = u128::from(time) * u128::from(times.timescale) / u128::from(self.timescale);
            i64::try_from(scaled).map_err(|_| error())
        };
        let added = times.by_list().checked_add(scaled(self.earlier)?).ok_or_else(error)?;
        Ok(Audible { added, from: scaled(self.from)? })
    }
}

/// The sound that is heard with pictures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Audible {
    /// The time that is added to those of the sound, in its units.
    added: i64,
    /// The time from which on it is heard.
    from: i64,
}

impl Audible {
    /// Returns a sample at the time at which it is heard, or `None` if nothing is heard of it: it ends before, as the first ones
    /// of an encoder do, or has no bytes.
    pub(crate) fn of(self, sample: &Sample) -> Option<Sample> {
        let decode_time = i64::try_from(sample.decode_time).unwrap_or(i64::MAX).saturating_add(self.added);
        let early = u32::try_from(self.from.saturating_sub(decode_time).max(0)).unwrap_or(u32::MAX);
        let duration = sample.duration.checked_sub(early).filter(|duration| *duration > 0 || early == 0)?;
        let decode_time = u64::try_from(decode_time.max(self.from)).unwrap_or(0);
        let heard = Sample { decode_time, duration, composition_offset: 0, is_sync: true, ..*sample };
        (sample.size > 0).then_some(heard)
    }
}

/// Returns the segments of pictures, from the first key frame on, their blocks, and the number of pictures.
fn pictures(
    video: &Track<'_>,
    tables: &Tables<'_>,
    shift: Shift,
    length: u64,
) -> Result<(Vec<PlannedSegment>, Vec<u8>, u64), Unplayable> {
    let mut cutter = Cutter::new(video.id, video.timescale.get(), length, MAX_SEGMENT_BYTES);
    let mut samples = 0;
    for sample in tables.samples() {
        let sample = sample?;
        let sample = Sample { decode_time: sample.decode_time.saturating_add(shift.own), ..sample };
        if cutter.open.is_none() && !sample.is_sync {
            continue;
        }
        cutter.add(&sample, sample.is_sync && cutter.is_due(&sample))?;
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
    audible: Audible,
    length: u64,
) -> Result<(Vec<PlannedSegment>, Vec<u8>, u64), Unplayable> {
    // What lies between the samples is not copied.
    let mut cutter = Cutter::new(audio.id, audio.timescale.get(), length, u64::MAX);
    let mut samples = 0;
    for sample in tables.samples() {
        let Some(sample) = audible.of(&sample?) else { continue };
        cutter.add_sound(&sample)?;
        samples += 1;
    }
    let (segments, blocks) = cutter.finish()?;
    Ok((segments, blocks, samples))
}
