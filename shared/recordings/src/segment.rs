//! The parts of a stream that are generated: its initialization segment, and the header of each segment, behind which the bytes
//! of the recording follow as they are.
//!
//! A header is a `styp` box, a `moof` box and the header of an `mdat` box, whose content is the segment's range of the recording,
//! with whatever lies between the samples. Bytes that no sample refers to are allowed (ISO/IEC 14496-12, section 8.1.1), but not
//! in CMAF, so that no brand of it is claimed.

use crate::bmff::writer::Writer;
use crate::index::block::{BlockError, BlockReader, BlockSample};
use crate::index::{Index, IndexError, Init, Segment, Source, TrackHead};

/// The flags of a sample at which decoding can begin: it depends on no other.
const SYNC: u32 = 0x0200_0000;
/// The flags of any other sample: it depends on others, and is no sync sample.
const NO_SYNC: u32 = 0x0101_0000;
/// The length of the header of an `mdat` box.
const MDAT: usize = 8;
/// The brands of segments: of the base format, and of DASH.
const BRANDS: &[u8] = b"iso6dash";

/// Samples that follow each other without a gap, and their place in the segment.
struct Run {
    offset: u64,
    samples: Vec<BlockSample>,
}

impl Index {
    /// Returns what a segment of a stream begins with, before its bytes of the source: nothing if they have a header already.
    /// The number of the segment is counted from 1.
    ///
    /// # Errors
    /// Fails if the index is damaged.
    pub fn header(&self, stream: usize, number: u32, segment: &Segment) -> Result<Vec<u8>, IndexError> {
        match self.head().streams.get(stream).map(|stream| (stream.source, &stream.init)) {
            Some((Source::Media, Init::Generated(track))) => {
                let length = segment.range.end.saturating_sub(segment.range.start);
                Ok(header(track.id, number, self.block(segment), Some(length))?)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Returns the initialization segment of a stream if it is generated, and otherwise `None`: it is a range of the recording.
    #[must_use]
    pub fn generated_init(&self, stream: usize) -> Option<Vec<u8>> {
        let stream = self.head().streams.get(stream)?;
        match &stream.init {
            Init::Generated(track) => Some(init(track, stream.timescale)),
            Init::Range(_) => None,
        }
    }
}

/// Returns the header of a segment with these samples. Its bytes are `length` many, or without one those of the samples alone,
/// without what is between them.
pub(crate) fn header(
    track: u32,
    number: u32,
    mut block: BlockReader<'_>,
    length: Option<u64>,
) -> Result<Vec<u8>, BlockError> {
    let decode = block.decode()?;
    let mut runs: Vec<Run> = Vec::new();
    let mut end = 0_u64;
    for sample in block {
        let sample = sample?;
        let gap = if length.is_some() { sample.gap } else { 0 };
        let offset = end.checked_add(gap).ok_or(BlockError)?;
        end = offset.checked_add(sample.size.into()).ok_or(BlockError)?;
        match runs.last_mut() {
            Some(run) if gap == 0 => run.samples.push(sample),
            _ => runs.push(Run { offset, samples: vec![sample] }),
        }
    }
    let length = length.unwrap_or(end);
    let mut styp = Writer::default();
    styp.boxed(b"styp", |styp| {
        styp.bytes(b"iso6").u32(0).bytes(BRANDS);
    });
    // The length of the fragment is known once it was written, and its runs then say how far it is to their bytes.
    let distance = moof(track, number, decode, &runs, 0).len() + MDAT;
    let fragment = moof(track, number, decode, &runs, distance);
    styp.bytes(&fragment);
    let content = u32::try_from(length).ok().and_then(|length| length.checked_add(MDAT as u32));
    styp.u32(content.ok_or(BlockError)?).bytes(b"mdat");
    Ok(styp.finish())
}

fn moof(track: u32, number: u32, decode: u64, runs: &[Run], distance: usize) -> Vec<u8> {
    let mut moof = Writer::default();
    moof.boxed(b"moof", |moof| {
        moof.full(b"mfhd", 0, 0, |mfhd| {
            mfhd.u32(number);
        });
        moof.boxed(b"traf", |traf| {
            // The offsets count from the beginning of the `moof` box.
            traf.full(b"tfhd", 0, 0x02_0000, |tfhd| {
                tfhd.u32(track);
            });
            traf.full(b"tfdt", 1, 0, |tfdt| {
                tfdt.u64(decode);
            });
            for run in runs {
                traf.full(b"trun", 1, 0x0f01, |trun| {
                    let offset = i32::try_from(run.offset).ok().zip(i32::try_from(distance).ok());
                    let offset = offset.and_then(|(offset, distance)| offset.checked_add(distance));
                    trun.u32(u32::try_from(run.samples.len()).unwrap_or(u32::MAX))
                        .i32(offset.unwrap_or(i32::MAX));
                    for sample in &run.samples {
                        let flags = if sample.is_sync { SYNC } else { NO_SYNC };
                        trun.u32(sample.duration).u32(sample.size).u32(flags).i32(sample.shift);
                    }
                });
            }
        });
    });
    moof.finish()
}

/// Returns the initialization segment of a track.
fn init(track: &TrackHead, timescale: u32) -> Vec<u8> {
    let mut init = Writer::default();
    init.boxed(b"ftyp", |ftyp| {
        ftyp.bytes(b"iso6").u32(0).bytes(BRANDS);
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
                stsd.u32(1).bytes(&track.format);
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
