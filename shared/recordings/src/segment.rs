//! The parts of a stream that are generated: its initialization segment, and the header of each segment, behind which the bytes
//! of the recording follow as they are.
//!
//! A header is a `styp` box, a `moof` box and the header of an `mdat` box, whose content is the segment's range of the recording,
//! with whatever lies between the samples. A media data box may have bytes that no sample refers to, but CMAF wants none, so that
//! no brand of CMAF is claimed.

use crate::bmff::writer::Writer;
use crate::index::block::{BlockError, BlockReader};
use crate::index::{Head, IndexError, Init, Segment, Source, TrackHead};
use crate::names::StreamName;

/// The flags of a sample at which decoding can begin: it depends on no other.
const SYNC: u32 = 0x0200_0000;
/// The flags of any other sample: it depends on others, and is no sync sample.
const NON_SYNC: u32 = 0x0101_0000;
/// The brands of a media segment: of the base format, and of DASH.
const SEGMENT_BRANDS: &[u8] = b"iso6msdh";
/// The brands of an initialization segment.
const INIT_BRANDS: &[u8] = b"iso6dash";
/// The length of the header of a `moof` box, with the boxes of a track in it but for its runs.
const MOOF: u64 = 68;
/// The length of a `trun` box without samples.
const RUN: u64 = 20;
/// The length of a sample in a `trun` box.
const SAMPLE: u64 = 16;
/// The length of the header of an `mdat` box.
const MDAT: u64 = 8;
/// The length of a `styp` box.
const STYP: u64 = 24;

impl Segment {
    /// Returns what the segment begins with, before its bytes of the source: nothing if they have a header already. `block` is
    /// its block of the index.
    ///
    /// # Errors
    /// Fails if the index is damaged.
    pub fn header(&self, head: &Head, block: &[u8]) -> Result<Vec<u8>, IndexError> {
        match head.stream(self.stream).map(|stream| (stream.source, &stream.init)) {
            Some((Source::Media, Init::Generated(track))) => {
                let block = BlockReader::new(block)?;
                let data = Data::Range { start: self.range.start, length: self.range.end - self.range.start };
                Ok(header(track.id, self.number, &block, data)?)
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// Returns the initialization segment of a stream if it is generated, and otherwise `None`: it is a range of the source.
#[must_use]
pub(crate) fn generated_init(head: &Head, stream: StreamName) -> Option<Vec<u8>> {
    let stream = head.stream(stream)?;
    match &stream.init {
        Init::Generated(track) => Some(init(track, stream.timescale)),
        Init::Range(_) => None,
    }
}

/// The content of the `mdat` box behind a header.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Data {
    /// A range of the recording, with what is between the samples.
    Range {
        /// The place of its first byte.
        start: u64,
        /// The number of bytes.
        length: u64,
    },
    /// The samples alone, one behind the other.
    Samples,
}

/// Samples that follow each other without a gap.
struct Run<'a> {
    /// The place of the first one in the `mdat` box.
    offset: u64,
    samples: u32,
    /// The samples from the first one on.
    block: BlockReader<'a>,
}

fn runs<'a>(block: &BlockReader<'a>, data: Data) -> Result<(Vec<Run<'a>>, u64), BlockError> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    let (mut rest, mut end) = (block.clone(), 0_u64);
    loop {
        let first = rest.clone();
        let Some(sample) = rest.next() else { break };
        let sample = sample?;
        let offset = match data {
            Data::Range { start, .. } => sample.offset.checked_sub(start).ok_or(BlockError)?,
            Data::Samples => end,
        };
        match runs.last_mut() {
            Some(run) if offset == end => run.samples = run.samples.checked_add(1).ok_or(BlockError)?,
            _ => runs.push(Run { offset, samples: 1, block: first }),
        }
        end = offset.checked_add(sample.size.into()).ok_or(BlockError)?;
    }
    let length = match data {
        Data::Range { length, .. } if end > length => return Err(BlockError),
        Data::Range { length, .. } => length,
        Data::Samples => end,
    };
    Ok((runs, length))
}

fn fragment_length(runs: &[Run<'_>]) -> u64 {
    runs.iter().fold(MOOF, |sum, run| sum + RUN + SAMPLE * u64::from(run.samples))
}

/// Returns the length of the header that [`header`] returns.
pub(crate) fn header_length(block: &BlockReader<'_>, data: Data) -> Result<u64, BlockError> {
    Ok(STYP + fragment_length(&runs(block, data)?.0) + MDAT)
}

/// Returns the header of a segment with the samples of a block.
pub(crate) fn header(
    track: u32,
    number: u32,
    block: &BlockReader<'_>,
    data: Data,
) -> Result<Vec<u8>, BlockError> {
    let (runs, length) = runs(block, data)?;
    let fragment = fragment_length(&runs);
    let capacity = usize::try_from(STYP + fragment + MDAT).map_err(|_| BlockError)?;
    let mut header = Writer::with_capacity(capacity);
    header.boxed(b"styp", |styp| {
        styp.bytes(b"iso6").u32(0).bytes(SEGMENT_BRANDS);
    });
    let mut written = Ok(());
    header.boxed(b"moof", |moof| {
        moof.full(b"mfhd", 0, 0, |mfhd| {
            mfhd.u32(number);
        });
        moof.boxed(b"traf", |traf| {
            // The offsets count from the beginning of the `moof` box.
            traf.full(b"tfhd", 0, 0x02_0000, |tfhd| {
                tfhd.u32(track);
            });
            traf.full(b"tfdt", 1, 0, |tfdt| {
                tfdt.u64(block.decode_time());
            });
            written = runs.into_iter().try_for_each(|run| trun(traf, run, fragment + MDAT));
        });
    });
    written?;
    let size = u32::try_from(length + MDAT).map_err(|_| BlockError)?;
    header.u32(size).bytes(b"mdat");
    Ok(header.finish())
}

/// Writes the box of a run. `distance` is the way from the beginning of the fragment to the content of the `mdat` box.
fn trun(traf: &mut Writer, run: Run<'_>, distance: u64) -> Result<(), BlockError> {
    let offset = run.offset.checked_add(distance).and_then(|offset| i32::try_from(offset).ok());
    let offset = offset.ok_or(BlockError)?;
    let mut written = Ok(());
    // With the data offset, and for each sample its duration, size, flags and composition offset, which has a sign in version 1.
    traf.full(b"trun", 1, 0x0f01, |trun| {
        trun.u32(run.samples).i32(offset);
        for sample in run.block.take(run.samples as usize) {
            match sample {
                Ok(sample) => {
                    let flags = if sample.is_sync { SYNC } else { NON_SYNC };
                    trun.u32(sample.duration).u32(sample.size).u32(flags).i32(sample.composition_offset);
                }
                Err(error) => written = Err(error),
            }
        }
    });
    written
}

/// Returns the initialization segment of a track.
fn init(track: &TrackHead, timescale: u32) -> Vec<u8> {
    let mut init = Writer::default();
    init.boxed(b"ftyp", |ftyp| {
        ftyp.bytes(b"iso6").u32(0).bytes(INIT_BRANDS);
    });
    init.boxed(b"moov", |moov| {
        moov.full(b"mvhd", 0, 0, |mvhd| {
            // No times, no duration, at rate 1 and full volume, and with the identity as its matrix.
            mvhd.zeros(8).u32(timescale).u32(0).u32(0x0001_0000).u16(0x0100).zeros(10);
            for unit in [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000] {
                mvhd.u32(unit);
            }
            mvhd.zeros(24).u32(track.id.saturating_add(1));
        });
        moov.boxed(b"trak", |trak| {
            trak.full(b"tkhd", 0, 3, |tkhd| {
                tkhd.zeros(8).u32(track.id).zeros(16);
                tkhd.u16(0)
                    .u16(u16::from(!track.is_video))
                    .u16(if track.is_video { 0 } else { 0x0100 })
                    .u16(0);
                tkhd.bytes(&track.geometry);
            });
            trak.boxed(b"mdia", |mdia| media(mdia, track, timescale));
        });
        moov.boxed(b"mvex", |mvex| {
            mvex.full(b"trex", 0, 0, |trex| {
                trex.u32(track.id).u32(1).zeros(12);
            });
        });
    });
    init.finish()
}

fn media(mdia: &mut Writer, track: &TrackHead, timescale: u32) {
    mdia.full(b"mdhd", 0, 0, |mdhd| {
        mdhd.zeros(8).u32(timescale).u32(0).u16(track.language).u16(0);
    });
    mdia.full(b"hdlr", 0, 0, |hdlr| {
        let (kind, name) = if track.is_video { (b"vide", b"video\0") } else { (b"soun", b"sound\0") };
        hdlr.u32(0).bytes(kind).zeros(12).bytes(name);
    });
    mdia.boxed(b"minf", |minf| {
        if track.is_video {
            minf.full(b"vmhd", 0, 1, |vmhd| {
                vmhd.zeros(8);
            });
        } else {
            minf.full(b"smhd", 0, 0, |smhd| {
                smhd.zeros(4);
            });
        }
        minf.boxed(b"dinf", |dinf| {
            dinf.full(b"dref", 0, 0, |dref| {
                // The media is in the same file.
                dref.u32(1).full(b"url ", 0, 1, |_| ());
            });
        });
        minf.boxed(b"stbl", |stbl| {
            stbl.full(b"stsd", 0, 0, |stsd| {
                stsd.u32(1).bytes(&track.entry);
            });
            for table in [b"stts", b"stsc", b"stco"] {
                stbl.full(table, 0, 0, |table| {
                    table.u32(0);
                });
            }
            stbl.full(b"stsz", 0, 0, |stsz| {
                stsz.u32(0).u32(0);
            });
        });
    });
}
