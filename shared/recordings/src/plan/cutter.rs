//! Segments that are cut from the samples of a track, which come one after the other.

use std::ops::Range;

use super::PlannedSegment;
use crate::bmff::tables::Sample;
use crate::bounds::{MAX_SEGMENT_SAMPLES, MAX_SEGMENTS};
use crate::index::block::BlockWriter;
use crate::unplayable::Unplayable;

/// Segments that are made of samples, one after the other.
pub(super) struct Cutter {
    track: u32,
    /// The length of the recording.
    length: u64,
    /// The most bytes of a segment, with what lies between its samples.
    longest: u64,
    segments: Vec<PlannedSegment>,
    blocks: Vec<u8>,
    pub(super) open: Option<Open>,
    /// The end of the last sample, in the file and in time.
    end: u64,
    decoded: u64,
    entry: u32,
}

pub(super) struct Open {
    pub(super) decode_time: u64,
    start: u64,
    first: u64,
    key_frame: Option<Range<u64>>,
    pub(super) samples: u64,
    /// The bytes of its samples.
    pub(super) bytes: u64,
    block: usize,
    writer: BlockWriter,
}

impl Cutter {
    pub(super) const fn new(track: u32, length: u64, longest: u64) -> Self {
        Self {
            track,
            length,
            longest,
            segments: Vec::new(),
            blocks: Vec::new(),
            open: None,
            end: 0,
            decoded: 0,
            entry: 0,
        }
    }

    /// Adds a sample, and begins a segment with it if `is_first`.
    pub(super) fn add(&mut self, sample: &Sample, is_first: bool) -> Result<(), Unplayable> {
        let is_begun = self.entry != 0;
        if is_begun && sample.offset < self.end {
            return Err(Unplayable::Scattered(self.track));
        }
        if is_begun && sample.entry != self.entry {
            return Err(Unplayable::SeveralFormats(self.track));
        }
        let end = sample.offset.checked_add(sample.size.into()).filter(|end| *end <= self.length);
        let end = end.ok_or(Unplayable::Incomplete)?;
        if is_first || self.open.is_none() {
            self.close()?;
            // What lies between two segments belongs to the later one, so that all bytes are in one.
            let first = if is_begun { self.end } else { sample.offset };
            let block = self.blocks.len();
            let time = i64::try_from(sample.decode_time).unwrap_or(i64::MAX);
            self.open = Some(Open {
                decode_time: sample.decode_time,
                start: u64::try_from(time.saturating_add(sample.composition_offset.into())).unwrap_or(0),
                first,
                key_frame: sample.is_sync.then_some(sample.offset..end),
                samples: 0,
                bytes: 0,
                block,
                writer: BlockWriter::begin(&mut self.blocks, sample.decode_time, first),
            });
        }
        if let Some(open) = &mut self.open {
            open.writer.add(&mut self.blocks, sample);
            open.samples += 1;
            open.bytes = open.bytes.saturating_add(sample.size.into());
            if open.samples > MAX_SEGMENT_SAMPLES {
                return Err(Unplayable::TooMany {
                    what: "samples in a segment",
                    allowed: MAX_SEGMENT_SAMPLES,
                });
            }
        }
        self.entry = sample.entry;
        self.end = end;
        self.decoded = sample.decode_time.saturating_add(sample.duration.into());
        Ok(())
    }

    fn close(&mut self) -> Result<(), Unplayable> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let length = self.end - open.first;
        if length > self.longest {
            return Err(Unplayable::LongSegment { track: self.track, length, allowed: self.longest });
        }
        if self.segments.len() as u64 >= MAX_SEGMENTS {
            return Err(Unplayable::TooMany { what: "segments", allowed: MAX_SEGMENTS });
        }
        self.segments.push(PlannedSegment {
            start: open.start,
            duration: self.decoded.saturating_sub(open.decode_time),
            range: open.first..self.end,
            key_frame: open.key_frame,
            block: open.block..self.blocks.len(),
        });
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(Vec<PlannedSegment>, Vec<u8>), Unplayable> {
        self.close()?;
        if self.segments.is_empty() {
            Err(Unplayable::Empty(self.track))
        } else {
            Ok((self.segments, self.blocks))
        }
    }
}
