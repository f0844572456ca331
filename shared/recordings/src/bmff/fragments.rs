//! A movie fragment: the times and the places of the samples in it (ISO/IEC 14496-12, section 8.8).

use super::FourCc;
use super::movie::Defaults;
use super::reader::Reader;
use super::tables::Sample;
use crate::bounds::{MAX_FRAGMENTED_SAMPLES, MAX_SEGMENT_SAMPLES};
use crate::unplayable::Unplayable;

/// The flag of a sample that cannot be decoded by itself (`sample_is_non_sync_sample`).
const IS_NON_SYNC: u32 = 0x0001_0000;

/// The detail of an offset that leads out of the file or to what comes before the fragment.
const BEFORE: &str = "its media is before its fragment";

/// The flags of a `tfhd` box.
mod header_flags {
    pub(super) const BASE_DATA_OFFSET: u32 = 0x1;
    pub(super) const SAMPLE_ENTRY: u32 = 0x2;
    pub(super) const DURATION: u32 = 0x8;
    pub(super) const SIZE: u32 = 0x10;
    pub(super) const FLAGS: u32 = 0x20;
    pub(super) const DEFAULT_BASE_IS_MOOF: u32 = 0x2_0000;
}

/// The flags of a `trun` box.
mod run_flags {
    pub(super) const DATA_OFFSET: u32 = 0x1;
    pub(super) const FIRST_FLAGS: u32 = 0x4;
    pub(super) const DURATION: u32 = 0x100;
    pub(super) const SIZE: u32 = 0x200;
    pub(super) const FLAGS: u32 = 0x400;
    pub(super) const COMPOSITION_OFFSET: u32 = 0x800;
}

/// A track whose samples are in fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FragmentedTrack {
    pub id: u32,
    /// The members of its samples, unless a fragment says otherwise.
    pub defaults: Defaults,
    /// The time of decoding at which the last fragment ends: that of the next one, unless it says otherwise.
    pub decoded: u64,
}

/// The samples of one track in a fragment, as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TrackFragment {
    /// The time of decoding of the first one, in units of the track.
    pub decode_time: u64,
    /// The duration of all of them.
    pub duration: u64,
    /// The number of samples.
    pub samples: u64,
    /// The first one.
    pub first: Sample,
}

/// A fragment: a `moof` box.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment<'a> {
    content: Reader<'a>,
    /// The place of the box in the file.
    place: u64,
}

/// A `traf` box: samples of a track.
struct Part<'a> {
    track: u32,
    flags: u32,
    /// The place from which offsets count, if the box has it.
    base: Option<u64>,
    /// The rest of the `tfhd` box.
    header: Reader<'a>,
    content: Reader<'a>,
}

/// A `trun` box: samples that follow each other in the file.
struct Run<'a> {
    /// The number of samples that were not read yet.
    left: u32,
    offset: Option<i32>,
    /// The flags of the first sample.
    first_flags: Option<u32>,
    /// The members that the box has for each sample: duration, size, flags and composition offset.
    has: [bool; 4],
    samples: Reader<'a>,
    defaults: Defaults,
}

impl<'a> Fragment<'a> {
    /// Begins to read a `moof` box, with its header, that lies at `place` in the file.
    pub(crate) fn new(bytes: &'a [u8], place: u64) -> Result<Self, Unplayable> {
        let content = Reader::new(FourCc(*b"moof"), bytes).boxes().required(b"moof")?;
        Ok(Self { content, place })
    }

    fn parts(&self) -> impl Iterator<Item = Result<Part<'a>, Unplayable>> + use<'a> {
        let boxes = self.content.boxes();
        boxes.filter(|each| !matches!(each, Ok((FourCc(kind), _)) if kind != b"traf")).map(|each| {
            let (_, content) = each?;
            let mut header = content.boxes().required(b"tfhd")?;
            let (_, flags) = header.version()?;
            let track = header.u32()?;
            let has_base = flags & header_flags::BASE_DATA_OFFSET != 0;
            let base = if has_base { Some(header.u64()?) } else { None };
            Ok(Part { track, flags, base, header, content })
        })
    }

    /// Returns `true` if players take the fragment as it is: it says the times of its samples, and not their places in the file.
    pub(crate) fn is_self_contained(&self) -> Result<bool, Unplayable> {
        for part in self.parts() {
            let part = part?;
            if part.base.is_some() || part.decode_time()?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads the samples of the first tracks, `read` in number, and hands each of them to `each`, with the number of its track.
    /// Returns those of the first track as a whole, if it has any. `left` is the number of samples that may still come.
    ///
    /// # Errors
    /// Fails with the errors of `each`, and if the fragment is damaged or has too many samples.
    pub(crate) fn read(
        &self,
        tracks: &mut [FragmentedTrack],
        read: usize,
        left: &mut u64,
        mut each: impl FnMut(usize, &Sample) -> Result<(), Unplayable>,
    ) -> Result<Option<TrackFragment>, Unplayable> {
        let mut whole: Option<TrackFragment> = None;
        let (mut end, mut count) = (self.place, 0);
        for part in self.parts() {
            let part = part?;
            let number = tracks.iter().position(|track| track.id == part.track);
            let mut other = FragmentedTrack { id: part.track, defaults: Defaults::default(), decoded: 0 };
            let track = number.and_then(|number| tracks.get_mut(number)).unwrap_or(&mut other);
            let defaults = overridden(part.header, part.flags, track.defaults)?;
            track.decoded = part.decode_time()?.unwrap_or(track.decoded);
            // Unless they say otherwise, the samples of a track follow those of the track before (section 8.8.7).
            let is_of_fragment = part.flags & header_flags::DEFAULT_BASE_IS_MOOF != 0;
            let base = part.base.unwrap_or(if is_of_fragment { self.place } else { end });
            end = base;
            for found in part.content.boxes() {
                let (kind, run) = found?;
                if kind.0 != *b"trun" {
                    continue;
                }
                let run = Run::parse(run, defaults)?;
                if let Some(offset) = run.offset {
                    let place = base.checked_add_signed(offset.into());
                    end = place.ok_or(Unplayable::malformed(FourCc(*b"trun"), BEFORE))?;
                }
                let Some(number) = number.filter(|number| *number < read) else {
                    end = end.saturating_add(run.bytes()?);
                    continue;
                };
                let (allowed, more) = (MAX_SEGMENT_SAMPLES, u64::from(run.left));
                count += more;
                if count > allowed {
                    return Err(Unplayable::TooMany { what: "samples in a fragment", allowed });
                }
                let allowed = MAX_FRAGMENTED_SAMPLES;
                *left = left
                    .checked_sub(more)
                    .ok_or(Unplayable::TooMany { what: "samples in fragments", allowed })?;
                for sample in run {
                    let sample = Sample { offset: end, decode_time: track.decoded, ..sample? };
                    end = end.saturating_add(sample.size.into());
                    track.decoded = track.decoded.saturating_add(sample.duration.into());
                    each(number, &sample)?;
                    if number == 0 {
                        let decode_time = sample.decode_time;
                        let empty = TrackFragment { decode_time, duration: 0, samples: 0, first: sample };
                        let whole = whole.get_or_insert(empty);
                        if whole.first.entry != sample.entry {
                            return Err(Unplayable::SeveralFormats(part.track));
                        }
                        whole.duration = whole.duration.saturating_add(sample.duration.into());
                        whole.samples += 1;
                    }
                }
            }
        }
        if whole.is_some_and(|whole| whole.first.offset < self.place) {
            return Err(Unplayable::malformed(FourCc(*b"trun"), BEFORE));
        }
        Ok(whole)
    }
}

impl Part<'_> {
    /// Returns the time of decoding of its first sample, if it says so.
    fn decode_time(&self) -> Result<Option<u64>, Unplayable> {
        let Some(mut time) = self.content.boxes().first(b"tfdt")? else { return Ok(None) };
        let is_long = time.version()?.0 == 1;
        let time = Some(time.u64_if(is_long)?).filter(|time| *time < 1 << 62);
        time.ok_or(Unplayable::malformed(FourCc(*b"tfdt"), "its time overflows")).map(Some)
    }
}

fn overridden(mut header: Reader<'_>, flags: u32, mut defaults: Defaults) -> Result<Defaults, Unplayable> {
    for (flag, member) in [
        (header_flags::SAMPLE_ENTRY, &mut defaults.entry),
        (header_flags::DURATION, &mut defaults.duration),
        (header_flags::SIZE, &mut defaults.size),
        (header_flags::FLAGS, &mut defaults.flags),
    ] {
        if flags & flag != 0 {
            *member = header.u32()?;
        }
    }
    Ok(defaults)
}

impl<'a> Run<'a> {
    fn parse(mut run: Reader<'a>, defaults: Defaults) -> Result<Self, Unplayable> {
        let (_, flags) = run.version()?;
        let has = |flag| flags & flag != 0;
        let left = run.u32()?;
        let offset = if has(run_flags::DATA_OFFSET) { Some(run.u32()?.cast_signed()) } else { None };
        let first_flags = if has(run_flags::FIRST_FLAGS) { Some(run.u32()?) } else { None };
        let has =
            [run_flags::DURATION, run_flags::SIZE, run_flags::FLAGS, run_flags::COMPOSITION_OFFSET].map(has);
        let samples = run.table(left, 4 * has.iter().filter(|has| **has).count())?;
        Ok(Self { left, offset, first_flags, has, samples, defaults })
    }

    /// Returns the number of bytes of all samples.
    fn bytes(self) -> Result<u64, Unplayable> {
        if self.samples.rest().is_empty() {
            return Ok(u64::from(self.left).saturating_mul(self.defaults.size.into()));
        }
        let mut bytes = 0_u64;
        for sample in self {
            bytes = bytes.saturating_add(sample?.size.into());
        }
        Ok(bytes)
    }

    /// Reads the next sample, without its place and its time of decoding.
    fn sample(&mut self) -> Result<Sample, Unplayable> {
        let [has_duration, has_size, has_flags, has_offset] = self.has;
        let mut next = |has: bool, default: u32| if has { self.samples.u32() } else { Ok(default) };
        let Defaults { entry, duration, size, flags } = self.defaults;
        let (duration, size) = (next(has_duration, duration)?, next(has_size, size)?);
        let (flags, composition_offset) = (next(has_flags, flags)?, next(has_offset, 0)?.cast_signed());
        let flags = self.first_flags.take().unwrap_or(flags);
        let is_sync = flags & IS_NON_SYNC == 0;
        Ok(Sample { decode_time: 0, duration, composition_offset, offset: 0, size, is_sync, entry })
    }
}

impl Iterator for Run<'_> {
    type Item = Result<Sample, Unplayable>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some(self.sample())
    }
}
