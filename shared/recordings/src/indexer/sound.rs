//! The copy of the sound of a recording that is made of fragments, which say what samples follow them.

use std::collections::VecDeque;

use super::copy::{Copy, left_out, within};
use crate::bmff::tables::Sample;
use crate::bounds::{MAX_AUDIO_SEGMENT_BYTES, MAX_SEGMENT_SAMPLES};
use crate::index::{Entry, LeftOut, Stream};
use crate::plan::cutter::Cutter;
use crate::plan::{Audible, FragmentedStream};
use crate::unplayable::Unplayable;

/// The sound of fragments.
#[derive(Debug)]
pub(super) struct Sound {
    stream: Stream,
    track: u32,
    audible: Audible,
    cutter: Cutter,
    /// The samples whose bytes did not pass yet.
    waiting: VecDeque<Sample>,
    /// The bytes of the samples of the segment that is open, and behind them those of the next sample that have passed.
    copied: Vec<u8>,
    /// The number of bytes of the next sample that have passed.
    begun: u64,
    copy: Copy,
    samples: u64,
    /// The sample entry of the initialization segment.
    entry: u32,
}

impl Sound {
    /// Begins the copy of the sound that is heard with the pictures of a recording of `length` bytes.
    pub(super) fn new(planned: FragmentedStream, audible: Audible, length: u64) -> Self {
        let FragmentedStream { stream, track, .. } = planned;
        Self {
            track: track.id,
            entry: track.defaults.entry,
            audible,
            cutter: Cutter::new(track.id, stream.timescale, length, u64::MAX),
            waiting: VecDeque::new(),
            copied: Vec::new(),
            begun: 0,
            copy: Copy::new(&stream),
            samples: 0,
            stream,
        }
    }

    /// Adds a sample whose bytes are still to come.
    pub(super) fn expect(&mut self, sample: &Sample) -> Result<(), Unplayable> {
        let track = self.track;
        if sample.entry != self.entry {
            return Err(Unplayable::SeveralFormats(track));
        }
        let (length, allowed) = (u64::from(sample.size), MAX_AUDIO_SEGMENT_BYTES);
        if length > allowed {
            return Err(Unplayable::LongSegment { track, length, allowed });
        }
        if self.waiting.len() as u64 >= MAX_SEGMENT_SAMPLES {
            let allowed = MAX_SEGMENT_SAMPLES;
            return Err(Unplayable::TooMany { what: "samples of sound whose bytes are missing", allowed });
        }
        self.waiting.extend(self.audible.of(sample));
        Ok(())
    }

    /// Takes the bytes of the samples from the next bytes of the recording, which lie at `at`.
    pub(super) fn push(&mut self, at: u64, bytes: &[u8], copy: &mut Vec<u8>) -> Result<(), Unplayable> {
        let end = at + bytes.len() as u64;
        // What was read before this place is past, in these bytes too.
        let mut place = at;
        while let Some(sample) = self.waiting.front() {
            if sample.offset.saturating_add(self.begun) < place {
                return Err(Unplayable::Scattered(self.track));
            }
            let stop = sample.offset.saturating_add(sample.size.into());
            let taken = within(at, bytes, sample.offset, stop);
            self.copied.extend_from_slice(taken);
            self.begun += taken.len() as u64;
            if stop > end {
                break;
            }
            let sample = *sample;
            self.waiting.pop_front();
            self.begun = 0;
            place = stop;
            self.cut(&sample, copy)?;
        }
        Ok(())
    }

    fn cut(&mut self, sample: &Sample, copy: &mut Vec<u8>) -> Result<(), Unplayable> {
        let is_first = self.cutter.add_sound(sample)?;
        self.samples += 1;
        let before = self.copied.len().saturating_sub(sample.size as usize);
        if is_first && before > 0 {
            let own = self.copied.split_off(before);
            let samples = std::mem::replace(&mut self.copied, own);
            self.end_segment(&samples, copy)?;
        }
        Ok(())
    }

    fn end_segment(&mut self, samples: &[u8], copy: &mut Vec<u8>) -> Result<(), Unplayable> {
        let Some((segment, block)) = self.cutter.last() else { return Ok(()) };
        self.copy.add(segment, block, samples, copy)
    }

    pub(super) const fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Ends the copy, of which the last bytes are added to `copy`. A sample that did not come to its end is left out. Fails with
    /// the track if there is no sound, and then adds nothing else.
    pub(super) fn finish(
        mut self,
        entries: &mut Vec<Entry>,
        blocks: &mut Vec<u8>,
        copy: &mut Vec<u8>,
    ) -> Result<Stream, LeftOut> {
        let stream = self.stream.clone();
        let left_out = |reason| left_out(&stream, &reason);
        if self.samples == 0 {
            return Err(left_out(Unplayable::Empty(self.track)));
        }
        let whole = self.copied.len().saturating_sub(usize::try_from(self.begun).unwrap_or(usize::MAX));
        let mut samples = std::mem::take(&mut self.copied);
        samples.truncate(whole);
        self.cutter.close().map_err(left_out)?;
        self.end_segment(&samples, copy).map_err(left_out)?;
        let (_, own) = self.cutter.finish().map_err(left_out)?;
        let stream = Stream { samples: self.samples, ..self.stream };
        Ok(self.copy.finish(stream, &own, entries, blocks))
    }
}
