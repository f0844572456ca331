//! Segments that are cut from the samples of a track, which come one after the other.

use std::ops::Range;

use super::{PlannedSegment, SEGMENT_SECONDS};
use crate::bmff::tables::Sample;
use crate::bounds::{MAX_AUDIO_SEGMENT_BYTES, MAX_SEGMENT_SAMPLES, MAX_SEGMENTS};
use crate::index::block::BlockWriter;
use crate::unplayable::Unplayable;

/// The samples after which a segment of sound ends in any case.
const AUDIO_SEGMENT_SAMPLES: u64 = 4_096;

/// Returns `true` if two times that should be the same differ by more than what comes of rounding, a twentieth of a second.
pub(crate) const fn is_apart(one: u64, other: u64, timescale: u32) -> bool {
    one.abs_diff(other) > timescale as u64 / 20
}

/// Segments that are made of samples, one after the other.
#[derive(Debug)]
pub(crate) struct Cutter {
    track: u32,
    /// The units of a second.
    timescale: u32,
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
    /// The sample entry of the samples, once there are any.
    entry: Option<u32>,
}

#[derive(Debug)]
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
    pub(crate) const fn new(track: u32, timescale: u32, length: u64, longest: u64) -> Self {
        Self {
            track,
            timescale,
            length,
            longest,
            segments: Vec::new(),
            blocks: Vec::new(),
            open: None,
            end: 0,
            decoded: 0,
            entry: None,
        }
    }

    /// Returns `true` if no segment is open, if the one that is open is long enough before this sample, or if there is a gap
    /// before the sample, or an overlap: within a segment, each sample begins where the one before ends.
    pub(super) fn is_due(&self, sample: &Sample) -> bool {
        let wanted = SEGMENT_SECONDS * u64::from(self.timescale);
        let is_apart = is_apart(sample.decode_time, self.decoded, self.timescale);
        let open = self.open.as_ref();
        open.is_none_or(|open| is_apart || sample.decode_time.saturating_sub(open.decode_time) >= wanted)
    }

    /// Adds a sample of sound. Returns `true` if it begins a segment.
    pub(crate) fn add_sound(&mut self, sample: &Sample) -> Result<bool, Unplayable> {
        let is_full = self.open.as_ref().is_some_and(|open| open.samples >= AUDIO_SEGMENT_SAMPLES);
        let is_first = is_full || self.is_due(sample);
        self.add(sample, is_first)?;
        if let Some(open) = self.open.as_ref().filter(|open| open.bytes > MAX_AUDIO_SEGMENT_BYTES) {
            let (track, length) = (self.track, open.bytes);
            return Err(Unplayable::LongSegment { track, length, allowed: MAX_AUDIO_SEGMENT_BYTES });
        }
        Ok(is_first)
    }

    /// Returns the last segment that is whole, and its block.
    pub(crate) fn last(&self) -> Option<(&PlannedSegment, &[u8])> {
        let segment = self.segments.last()?;
        Some((segment, self.blocks.get(segment.block.clone())?))
    }

    /// Adds a sample, and begins a segment with it if `is_first`.
    pub(super) fn add(&mut self, sample: &Sample, is_first: bool) -> Result<(), Unplayable> {
        let is_begun = self.entry.is_some();
        if is_begun && sample.offset < self.end {
            return Err(Unplayable::Scattered(self.track));
        }
        if self.entry.is_some_and(|entry| sample.entry != entry) {
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
        self.entry = Some(sample.entry);
        self.end = end;
        self.decoded = sample.decode_time.saturating_add(sample.duration.into());
        Ok(())
    }

    /// Ends the segment that is open.
    pub(crate) fn close(&mut self) -> Result<(), Unplayable> {
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

    pub(crate) fn finish(mut self) -> Result<(Vec<PlannedSegment>, Vec<u8>), Unplayable> {
        self.close()?;
        if self.segments.is_empty() {
            Err(Unplayable::Empty(self.track))
        } else {
            Ok((self.segments, self.blocks))
        }
    }
}
