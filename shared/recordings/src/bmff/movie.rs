//! The movie box: its tracks, their sample entries, and what it says of their samples (ISO/IEC 14496-12, sections 8.2 to 8.8).

use std::num::NonZeroU32;

use super::FourCc;
use super::reader::Reader;
use super::tables::Tables;
use crate::bounds::{MAX_SAMPLE_ENTRIES, MAX_SAMPLE_ENTRY_BYTES, MAX_TRACKS};
use crate::unplayable::Unplayable;

/// The handler of a video track.
pub(crate) const VIDEO: FourCc = FourCc(*b"vide");
/// The handler of an audio track.
pub(crate) const AUDIO: FourCc = FourCc(*b"soun");

/// The length of the matrix, the width and the height in a track header.
pub(crate) const GEOMETRY: usize = 44;

/// A movie.
#[derive(Clone, Debug)]
pub(crate) struct Movie<'a> {
    /// The units of a second in which edits are empty.
    pub timescale: NonZeroU32,
    /// `true` if samples are in fragments (`mvex`).
    pub is_fragmented: bool,
    /// The tracks of pictures and sound, in the order of the file.
    pub tracks: Vec<Track<'a>>,
    /// The defaults of the samples of all tracks in fragments, by the IDs of the tracks.
    pub defaults: Vec<(u32, Defaults)>,
}

/// A track of pictures or sound.
#[derive(Clone, Debug)]
pub(crate) struct Track<'a> {
    pub id: u32,
    pub is_enabled: bool,
    pub handler: FourCc,
    /// The units of a second in which its samples are timed.
    pub timescale: NonZeroU32,
    /// The language, packed (section 8.4.2.3).
    pub language: u16,
    /// The matrix, the width and the height, as the track header has them.
    pub geometry: [u8; GEOMETRY],
    pub entries: Vec<SampleEntry<'a>>,
    pub edits: Edits,
    samples: Reader<'a>,
    pub defaults: Defaults,
}

/// A sample entry (section 8.5.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct SampleEntry<'a> {
    pub kind: FourCc,
    /// The content, without size and type.
    pub content: &'a [u8],
}

/// An edit list (section 8.6.6) that may begin with emptiness and then plays the track from some time to its end. If it ends
/// earlier than the track, the end is shown all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edits {
    /// The time before the track begins, in units of the movie.
    pub delay: u64,
    /// The time of the track that is shown first, in units of the track.
    pub media_time: u64,
}

/// The sample entry, the duration, the size and the flags of the samples of a fragment, unless it says otherwise (`trex`,
/// section 8.8.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub entry: u32,
    pub duration: u32,
    pub size: u32,
    pub flags: u32,
}

impl<'a> Movie<'a> {
    /// Reads a movie box, with its header.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Unplayable> {
        let movie = Reader::new(FourCc(*b"moov"), bytes).boxes().required(b"moov")?;
        let timescale = timescale(movie.boxes().required(b"mvhd")?)?.0;
        let extends = movie.boxes().first(b"mvex")?;
        let mut tracks: Vec<Track<'_>> = Vec::new();
        let mut number = 0;
        for found in movie.boxes() {
            let (kind, content) = found?;
            if kind.0 != *b"trak" {
                continue;
            }
            number += 1;
            if number > MAX_TRACKS {
                return Err(Unplayable::TooMany { what: "tracks", allowed: MAX_TRACKS });
            }
            if let Some(track) = Track::parse(content)? {
                if tracks.iter().any(|other| other.id == track.id) {
                    return Err(Unplayable::malformed(FourCc(*b"tkhd"), "two tracks have the same ID"));
                }
                tracks.push(track);
            }
        }
        let mut defaults = Vec::new();
        for found in extends.into_iter().flat_map(Reader::boxes) {
            let (kind, content) = found?;
            if kind.0 == *b"trex" && defaults.len() as u64 <= MAX_TRACKS {
                defaults.push(trex(content)?);
            }
        }
        for track in &mut tracks {
            let own = defaults.iter().find(|(id, _)| *id == track.id);
            track.defaults = own.map_or_else(Defaults::default, |(_, defaults)| *defaults);
        }
        Ok(Self { timescale, is_fragmented: extends.is_some(), tracks, defaults })
    }

    /// Returns the tracks of a kind, those that are enabled first.
    pub(crate) fn of_kind(&self, handler: FourCc) -> impl Iterator<Item = &Track<'a>> {
        let of_kind = move |is_enabled| {
            let is_it = move |track: &&Track<'a>| track.handler == handler && track.is_enabled == is_enabled;
            self.tracks.iter().filter(is_it)
        };
        of_kind(true).chain(of_kind(false))
    }
}

/// Reads the timescale of a movie header or a media header, and returns it with the rest of the box behind the duration.
fn timescale(mut header: Reader<'_>) -> Result<(NonZeroU32, Reader<'_>), Unplayable> {
    let is_long = header.version()?.0 == 1;
    header.take(if is_long { 16 } else { 8 })?;
    let timescale =
        NonZeroU32::new(header.u32()?).ok_or_else(|| header.malformed("its timescale is zero"))?;
    header.take(if is_long { 8 } else { 4 })?;
    Ok((timescale, header))
}

fn trex(mut content: Reader<'_>) -> Result<(u32, Defaults), Unplayable> {
    content.version()?;
    let id = content.u32()?;
    let defaults = Defaults {
        entry: content.u32()?,
        duration: content.u32()?,
        size: content.u32()?,
        flags: content.u32()?,
    };
    Ok((id, defaults))
}

impl<'a> Track<'a> {
    /// Reads a track. Returns `None` if it has neither pictures nor sound.
    fn parse(track: Reader<'a>) -> Result<Option<Self>, Unplayable> {
        let media = track.boxes().required(b"mdia")?;
        let mut handler = media.boxes().required(b"hdlr")?;
        handler.take(8)?;
        let handler = handler.four_cc()?;
        if handler != VIDEO && handler != AUDIO {
            return Ok(None);
        }
        let mut header = track.boxes().required(b"tkhd")?;
        let (version, flags) = header.version()?;
        header.take(if version == 1 { 16 } else { 8 })?;
        let id = header.u32()?;
        header.take(if version == 1 { 12 } else { 8 })?;
        header.take(16)?;
        let geometry = header.take(GEOMETRY)?.first_chunk();
        let geometry = *geometry.ok_or_else(|| header.malformed("it ends too early"))?;
        let (timescale, mut rest) = timescale(media.boxes().required(b"mdhd")?)?;
        let samples = media.boxes().required(b"minf")?.boxes().required(b"stbl")?;
        let edits = match track.boxes().first(b"edts")? {
            Some(edits) => edits.boxes().first(b"elst")?,
            None => None,
        };
        Ok(Some(Self {
            id,
            is_enabled: flags & 1 != 0,
            handler,
            timescale,
            language: rest.u16()?,
            geometry,
            entries: sample_entries(samples.boxes().required(b"stsd")?)?,
            edits: edits.map_or(Ok(Edits::default()), |list| Edits::parse(list, id))?,
            samples,
            defaults: Defaults::default(),
        }))
    }

    /// Reads the tables of its samples. Those of a track that is not played may be damaged.
    pub(crate) fn tables(&self) -> Result<Tables<'a>, Unplayable> {
        Tables::parse(self.samples)
    }

    /// Returns the sample entry with this number, from 1.
    pub(crate) fn entry(&self, number: u32) -> Result<&SampleEntry<'a>, Unplayable> {
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let entry = index.and_then(|index| self.entries.get(index));
        entry.ok_or(Unplayable::malformed(FourCc(*b"stsd"), "it lacks the entry that the samples name"))
    }
}

fn sample_entries(mut list: Reader<'_>) -> Result<Vec<SampleEntry<'_>>, Unplayable> {
    list.version()?;
    // The number of entries, which those that are there tell better.
    list.u32()?;
    let mut entries = Vec::new();
    for found in list.boxes() {
        let (kind, content) = found?;
        let length = content.rest().len() as u64;
        if length > MAX_SAMPLE_ENTRY_BYTES {
            return Err(Unplayable::TooLong { kind, length, allowed: MAX_SAMPLE_ENTRY_BYTES });
        }
        entries.push(SampleEntry { kind, content: content.rest() });
        if entries.len() as u64 > MAX_SAMPLE_ENTRIES {
            return Err(Unplayable::TooMany { what: "sample entries", allowed: MAX_SAMPLE_ENTRIES });
        }
    }
    Ok(entries)
}

impl Edits {
    fn parse(mut list: Reader<'_>, track: u32) -> Result<Self, Unplayable> {
        let is_long = list.version()?.0 == 1;
        let count = list.u32()?;
        let mut entries = list.table(count, if is_long { 20 } else { 12 })?;
        let mut edits = Self::default();
        let mut is_over = false;
        for _ in 0..count {
            let unsupported = Unplayable::EditList(track);
            if is_over {
                return Err(unsupported);
            }
            let duration = entries.u64_if(is_long)?;
            let media_time =
                if is_long { entries.u64()?.cast_signed() } else { i64::from(entries.u32()?.cast_signed()) };
            let rate = entries.u32()?;
            if media_time == -1 {
                edits.delay = edits.delay.checked_add(duration).ok_or(unsupported)?;
                continue;
            }
            if rate != 0x0001_0000 {
                return Err(unsupported);
            }
            edits.media_time = u64::try_from(media_time).map_err(|_| unsupported)?;
            is_over = true;
        }
        Ok(edits)
    }
}
