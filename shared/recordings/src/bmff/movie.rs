//! The movie box: its tracks, their formats, and what is said of their samples (ISO/IEC 14496-12, sections 8.2 to 8.5).

use std::num::NonZeroU32;

use super::FourCc;
use super::reader::Reader;
use super::tables::Tables;
use crate::bounds;
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
    /// The sample entries.
    pub formats: Vec<Format<'a>>,
    pub edits: Edits,
    pub tables: Tables<'a>,
    pub defaults: Defaults,
}

/// A sample entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format<'a> {
    pub kind: FourCc,
    /// The content, without size and type.
    pub content: &'a [u8],
}

/// The shift that an edit list makes, which may begin with emptiness and then play the whole track from some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edits {
    /// The time before the track begins, in units of the movie.
    pub delay: u64,
    /// The time of the track that is shown first, in units of the track.
    pub media_time: u64,
}

/// The duration and the flags of the samples of a fragment, unless it says otherwise (`trex`).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Defaults {
    pub duration: u32,
    pub flags: u32,
}

impl<'a> Movie<'a> {
    /// Reads a movie box, with its header.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Unplayable> {
        let movie = Reader::new(FourCc(*b"moov"), bytes).boxes().required(b"moov")?;
        let timescale = timescale(movie.boxes().required(b"mvhd")?)?.0;
        let extends = movie.boxes().first(b"mvex")?;
        let mut tracks = Vec::new();
        let mut number = 0;
        for found in movie.boxes() {
            let (kind, content) = found?;
            if kind.0 != *b"trak" {
                continue;
            }
            number += 1;
            if number > bounds::TRACKS {
                return Err(Unplayable::TooMany { what: "tracks", allowed: bounds::TRACKS });
            }
            tracks.extend(Track::parse(content)?);
        }
        if let Some(extends) = extends {
            for found in extends.boxes() {
                let (kind, content) = found?;
                if kind.0 == *b"trex" {
                    extend(&mut tracks, content)?;
                }
            }
        }
        Ok(Self { timescale, is_fragmented: extends.is_some(), tracks })
    }

    /// Returns the video track that is played: the first that is enabled, or the first.
    pub(crate) fn video(&self) -> Option<&Track<'a>> {
        self.first(VIDEO)
    }

    /// Returns the audio track that is played.
    pub(crate) fn audio(&self) -> Option<&Track<'a>> {
        self.first(AUDIO)
    }

    fn first(&self, handler: FourCc) -> Option<&Track<'a>> {
        let mut of_handler = self.tracks.iter().filter(|track| track.handler == handler);
        let enabled = of_handler.clone().find(|track| track.is_enabled);
        enabled.or_else(|| of_handler.next())
    }
}

/// Reads the timescale of a movie header or a media header, and returns it with the rest of the box behind the duration.
fn timescale(mut header: Reader<'_>) -> Result<(NonZeroU32, Reader<'_>), Unplayable> {
    let is_long = header.version()?.0 == 1;
    header.take(if is_long { 16 } else { 8 })?;
    let timescale =
        NonZeroU32::new(header.u32()?).ok_or_else(|| header.malformed("a second has no units in it"))?;
    header.take(if is_long { 8 } else { 4 })?;
    Ok((timescale, header))
}

fn extend(tracks: &mut [Track<'_>], mut content: Reader<'_>) -> Result<(), Unplayable> {
    content.version()?;
    let id = content.u32()?;
    content.u32()?;
    let duration = content.u32()?;
    content.u32()?;
    let flags = content.u32()?;
    if let Some(track) = tracks.iter_mut().find(|track| track.id == id) {
        track.defaults = Defaults { duration, flags };
    }
    Ok(())
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
        let geometry =
            *header.take(GEOMETRY)?.first_chunk().ok_or_else(|| header.malformed("it ends too early"))?;
        let (timescale, mut rest) = timescale(media.boxes().required(b"mdhd")?)?;
        let samples = media.boxes().required(b"minf")?.boxes().required(b"stbl")?;
        let edits = match track.boxes().first(b"edts")? {
            Some(edits) => match edits.boxes().first(b"elst")? {
                Some(list) => Edits::parse(list, id)?,
                None => Edits::default(),
            },
            None => Edits::default(),
        };
        Ok(Some(Self {
            id,
            is_enabled: flags & 1 != 0,
            handler,
            timescale,
            language: rest.u16()?,
            geometry,
            formats: formats(samples.boxes().required(b"stsd")?)?,
            edits,
            tables: Tables::parse(samples)?,
            defaults: Defaults::default(),
        }))
    }
}

fn formats(mut list: Reader<'_>) -> Result<Vec<Format<'_>>, Unplayable> {
    list.version()?;
    let count = list.u32()?;
    if u64::from(count) > bounds::FORMATS {
        return Err(Unplayable::TooMany { what: "sample entries", allowed: bounds::FORMATS });
    }
    let mut formats = Vec::new();
    for found in list.boxes() {
        let (kind, content) = found?;
        let length = content.rest().len() as u64;
        if length > bounds::FORMAT {
            return Err(Unplayable::TooLong { kind, length, allowed: bounds::FORMAT });
        }
        formats.push(Format { kind, content: content.rest() });
        if formats.len() as u64 > bounds::FORMATS {
            return Err(Unplayable::TooMany { what: "sample entries", allowed: bounds::FORMATS });
        }
    }
    Ok(formats)
}

impl Edits {
    fn parse(mut list: Reader<'_>, track: u32) -> Result<Self, Unplayable> {
        let is_long = list.version()?.0 == 1;
        let count = list.u32()?;
        let mut entries = list.table(count, if is_long { 20 } else { 12 })?;
        let mut edits = Self::default();
        let mut is_over = false;
        for _ in 0..count {
            let duration = entries.u64_if(is_long)?;
            let media_time = if is_long {
                i64::from_be_bytes(entries.u64()?.to_be_bytes())
            } else {
                i64::from(entries.i32()?)
            };
            let rate = entries.u32()?;
            let unsupported = Unplayable::EditList(track);
            if is_over {
                return Err(unsupported);
            }
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
