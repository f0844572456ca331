//! A movie fragment: the times of the samples of one track in it (ISO/IEC 14496-12, section 8.8).

use super::FourCc;
use super::movie::Defaults;
use super::reader::Reader;
use crate::bounds;
use crate::unplayable::Unplayable;

/// The flag of a sample that cannot be decoded by itself (`sample_is_non_sync_sample`).
const IS_NO_SYNC: u32 = 0x0001_0000;

/// The samples of a track in a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TrackFragment {
    /// The time of decoding of the first one, in units of the track, if the fragment has it.
    pub decode: Option<u64>,
    /// The duration of all of them.
    pub duration: u64,
    /// The time from decoding to presentation of the first one.
    pub shift: i32,
    /// `true` if decoding can begin at the first one.
    pub is_sync: bool,
    /// The number of samples.
    pub samples: u64,
}

/// Reads what a `moof` box, whose content this is, says of a track. Returns `None` if it has no samples of it.
pub(crate) fn parse(
    content: &[u8],
    track: u32,
    defaults: Defaults,
) -> Result<Option<TrackFragment>, Unplayable> {
    let mut found: Option<TrackFragment> = None;
    for each in Reader::new(FourCc(*b"moof"), content).boxes() {
        let (kind, of_track) = each?;
        if kind.0 != *b"traf" {
            continue;
        }
        let mut header = of_track.boxes().required(b"tfhd")?;
        let (_, flags) = header.version()?;
        if header.u32()? != track {
            continue;
        }
        let defaults = overridden(header, flags, defaults)?;
        let decode = match of_track.boxes().first(b"tfdt")? {
            Some(mut time) => {
                let is_long = time.version()?.0 == 1;
                Some(time.u64_if(is_long)?).filter(|time| *time < 1 << 62)
            }
            None => None,
        };
        for each in of_track.boxes() {
            let (kind, run) = each?;
            if kind.0 == *b"trun" {
                let run = self::run(run, defaults)?;
                found = Some(match found {
                    None => TrackFragment { decode, ..run },
                    Some(found) => TrackFragment {
                        duration: found.duration.saturating_add(run.duration),
                        samples: found.samples.saturating_add(run.samples),
                        ..found
                    },
                });
            }
        }
    }
    Ok(found.filter(|found| found.samples > 0))
}

fn overridden(mut header: Reader<'_>, flags: u32, defaults: Defaults) -> Result<Defaults, Unplayable> {
    let mut defaults = defaults;
    if flags & 0x1 != 0 {
        header.u64()?;
    }
    if flags & 0x2 != 0 {
        header.u32()?;
    }
    if flags & 0x8 != 0 {
        defaults.duration = header.u32()?;
    }
    if flags & 0x10 != 0 {
        header.u32()?;
    }
    if flags & 0x20 != 0 {
        defaults.flags = header.u32()?;
    }
    Ok(defaults)
}

fn run(mut run: Reader<'_>, defaults: Defaults) -> Result<TrackFragment, Unplayable> {
    let (_, flags) = run.version()?;
    let count = run.u32()?;
    if u64::from(count) > bounds::SAMPLES {
        return Err(Unplayable::TooMany { what: "samples in a fragment", allowed: bounds::SAMPLES });
    }
    if flags & 0x1 != 0 {
        run.u32()?;
    }
    let mut first_flags = if flags & 0x4 != 0 { Some(run.u32()?) } else { None };
    let has = |flag| flags & flag != 0;
    let words = [0x100, 0x200, 0x400, 0x800].into_iter().filter(|flag| has(*flag)).count();
    let mut samples = run.table(count, 4 * words)?;
    let mut fragment =
        TrackFragment { decode: None, duration: 0, shift: 0, is_sync: false, samples: count.into() };
    if words == 0 {
        fragment.duration = u64::from(count).saturating_mul(defaults.duration.into());
        fragment.is_sync = first_flags.unwrap_or(defaults.flags) & IS_NO_SYNC == 0;
        return Ok(fragment);
    }
    for number in 0..count {
        let duration = if has(0x100) { samples.u32()? } else { defaults.duration };
        if has(0x200) {
            samples.u32()?;
        }
        let own = if has(0x400) { samples.u32()? } else { defaults.flags };
        let shift = if has(0x800) { samples.i32()? } else { 0 };
        let flags = first_flags.take().unwrap_or(own);
        if number == 0 {
            fragment.is_sync = flags & IS_NO_SYNC == 0;
            fragment.shift = shift;
        }
        fragment.duration = fragment.duration.saturating_add(duration.into());
    }
    Ok(fragment)
}
