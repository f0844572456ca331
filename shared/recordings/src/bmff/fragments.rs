//! A movie fragment: the times and the place of the samples of one track in it (ISO/IEC 14496-12, section 8.8).

use super::FourCc;
use super::movie::Defaults;
use super::reader::Reader;
use crate::bounds::MAX_SEGMENT_SAMPLES;
use crate::unplayable::Unplayable;

/// The flag of a sample that cannot be decoded by itself (`sample_is_non_sync_sample`).
const IS_NON_SYNC: u32 = 0x0001_0000;

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

/// The samples of a track in a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TrackFragment {
    /// The time of decoding of the first one, in units of the track.
    pub decode_time: u64,
    /// The duration of all of them.
    pub duration: u64,
    /// The time from decoding to presentation of the first one.
    pub composition_offset: i32,
    /// `true` if decoding can begin at the first one.
    pub is_sync: bool,
    /// The place of the first one, from the beginning of the fragment, if it is known.
    pub offset: Option<u32>,
    /// Its length in bytes.
    pub size: u32,
    /// The number of samples.
    pub samples: u64,
    /// The number of their sample entry, from 1.
    pub entry: u32,
}

/// Reads what a `moof` box, whose content this is, says of a track. Returns `None` if it has no samples of it.
pub(crate) fn parse(
    content: &[u8],
    track: u32,
    defaults: Defaults,
) -> Result<Option<TrackFragment>, Unplayable> {
    let mut found: Option<TrackFragment> = None;
    let fragments = Reader::new(FourCc(*b"moof"), content).boxes();
    for (number, each) in
        fragments.filter(|each| !matches!(each, Ok((FourCc(kind), _)) if kind != b"traf")).enumerate()
    {
        let (_, of_track) = each?;
        let mut header = of_track.boxes().required(b"tfhd")?;
        let (_, flags) = header.version()?;
        let id = header.u32()?;
        if flags & header_flags::BASE_DATA_OFFSET != 0 {
            return Err(Unplayable::AbsoluteOffsets);
        }
        if id != track {
            continue;
        }
        let defaults = overridden(header, flags, defaults)?;
        if found.is_some_and(|found| found.entry != defaults.entry) {
            return Err(Unplayable::SeveralFormats(track));
        }
        let decode_time = match of_track.boxes().first(b"tfdt")? {
            Some(mut time) => {
                let is_long = time.version()?.0 == 1;
                let time = Some(time.u64_if(is_long)?).filter(|time| *time < 1 << 62);
                time.ok_or(Unplayable::malformed(FourCc(*b"tfdt"), "its time overflows"))?
            }
            None => {
                return Err(Unplayable::malformed(FourCc(*b"traf"), "it has no `tfdt`, which players need"));
            }
        };
        for each in of_track.boxes() {
            let (kind, run) = each?;
            if kind.0 != *b"trun" {
                continue;
            }
            let run = self::run(run, defaults)?;
            let samples = found.map_or(0, |found| found.samples) + run.samples;
            if samples > MAX_SEGMENT_SAMPLES {
                return Err(Unplayable::TooMany {
                    what: "samples in a fragment",
                    allowed: MAX_SEGMENT_SAMPLES,
                });
            }
            found = Some(match found.filter(|found| found.samples > 0) {
                // Without the flag, only the first track's offsets count from the beginning of the fragment.
                None => TrackFragment {
                    decode_time,
                    offset: run
                        .offset
                        .filter(|_| number == 0 || flags & header_flags::DEFAULT_BASE_IS_MOOF != 0),
                    ..run
                },
                Some(found) => {
                    TrackFragment { duration: found.duration.saturating_add(run.duration), samples, ..found }
                }
            });
        }
    }
    Ok(found.filter(|found| found.samples > 0))
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

fn run(mut run: Reader<'_>, defaults: Defaults) -> Result<TrackFragment, Unplayable> {
    let (_, flags) = run.version()?;
    let has = |flag| flags & flag != 0;
    let count = run.u32()?;
    let offset = if has(run_flags::DATA_OFFSET) { Some(run.u32()?) } else { None };
    if offset.is_some_and(|offset| offset.cast_signed() < 0) {
        return Err(run.malformed("its media is before its fragment"));
    }
    let mut first_flags = if has(run_flags::FIRST_FLAGS) { Some(run.u32()?) } else { None };
    let members =
        [run_flags::DURATION, run_flags::SIZE, run_flags::FLAGS, run_flags::COMPOSITION_OFFSET].map(has);
    let mut samples = run.table(count, 4 * members.iter().filter(|has| **has).count())?;
    let mut fragment = TrackFragment {
        decode_time: 0,
        duration: 0,
        composition_offset: 0,
        is_sync: false,
        offset,
        size: 0,
        samples: count.into(),
        entry: defaults.entry,
    };
    if samples.rest().is_empty() {
        // All samples are alike, but for the flags of the first one.
        fragment.duration = u64::from(count).saturating_mul(defaults.duration.into());
        fragment.size = defaults.size;
        fragment.is_sync = first_flags.unwrap_or(defaults.flags) & IS_NON_SYNC == 0;
        return Ok(fragment);
    }
    for number in 0..count {
        let mut next = |index: usize, default: u32| {
            if members.get(index) == Some(&true) { samples.u32() } else { Ok(default) }
        };
        let (duration, size) = (next(0, defaults.duration)?, next(1, defaults.size)?);
        let (own_flags, offset) = (next(2, defaults.flags)?, next(3, 0)?.cast_signed());
        let flags = first_flags.take().unwrap_or(own_flags);
        if number == 0 {
            fragment.is_sync = flags & IS_NON_SYNC == 0;
            fragment.composition_offset = offset;
            fragment.size = size;
        }
        fragment.duration = fragment.duration.saturating_add(duration.into());
    }
    Ok(fragment)
}
