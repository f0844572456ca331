//! The pass over a recording whose samples are in the movie box.

use credlink_core::hash::{Digest, Hashing};

use super::Made;
use super::copy::{Copy, count, damaged, within};
use crate::index::Entry;
use crate::index::block::BlockReader;
use crate::plan::{Planned, PlannedSegment};
use crate::unplayable::Unplayable;

/// The hashes of the segments of pictures, and the copy of the sound.
#[derive(Debug)]
pub(super) struct Samples {
    video: Video,
    audio: Option<Audio>,
}

#[derive(Debug)]
struct Video {
    planned: Planned,
    /// The digests of the bytes before the first segment and of each segment.
    digests: Vec<Digest>,
    hashing: Hashing,
}

#[derive(Debug)]
struct Audio {
    planned: Planned,
    done: Copy,
    /// The bytes of the samples of the segment that is copied.
    copied: Vec<u8>,
    /// The places of the samples of that segment which are not copied yet, the last one first.
    missing: Option<Vec<(u64, u64)>>,
}

impl Samples {
    pub(super) fn new(video: Planned, audio: Option<Planned>) -> Self {
        let audio = audio.map(|planned| {
            let done = Copy::new(&planned.stream);
            Audio { planned, done, copied: Vec::new(), missing: None }
        });
        Self { video: Video { planned: video, digests: Vec::new(), hashing: Hashing::default() }, audio }
    }

    pub(super) fn push(&mut self, at: u64, bytes: &[u8], copy: &mut Vec<u8>) -> Result<(), Unplayable> {
        self.video.push(at, bytes);
        self.audio.as_mut().map_or(Ok(()), |audio| audio.push(at, bytes, copy))
    }

    pub(super) fn finish(self) -> Result<Made, Unplayable> {
        let Video { planned, digests, hashing } = self.video;
        let Planned { mut stream, segments, mut blocks } = planned;
        let mut digests = digests.into_iter();
        let front = digests.next().ok_or(Unplayable::Incomplete)?;
        if digests.len() < segments.len() {
            return Err(Unplayable::Incomplete);
        }
        stream.segments = count(segments.len());
        let entry = |(segment, sha256): (PlannedSegment, Digest)| {
            let PlannedSegment { start, duration, range, key_frame, block } = segment;
            Entry { start, duration, range, key_frame, sha256, block: block.start as u64..block.end as u64 }
        };
        let mut entries: Vec<Entry> = segments.into_iter().zip(digests).map(entry).collect();
        let audio = match self.audio {
            Some(Audio { planned: Planned { stream, segments, blocks: own }, done, .. }) => {
                if done.done.len() < segments.len() {
                    return Err(Unplayable::Incomplete);
                }
                Some(done.finish(stream, &own, &mut entries, &mut blocks))
            }
            None => None,
        };
        Ok(Made {
            video: stream,
            audio,
            entries,
            blocks,
            front,
            tail: hashing.digest(),
            is_unchanged: false,
            left_out: None,
        })
    }
}

impl Video {
    fn push(&mut self, at: u64, bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        let first = self.planned.segments.first().map_or(0, |segment| segment.range.start);
        loop {
            let range = match self.digests.len().checked_sub(1) {
                None => 0..first,
                Some(number) => match self.planned.segments.get(number) {
                    Some(segment) => segment.range.clone(),
                    // All that is left is the tail.
                    None => self.planned.segments.last().map_or(0, |segment| segment.range.end)..u64::MAX,
                },
            };
            self.hashing.add(within(at, bytes, range.start, range.end));
            if range.end > end {
                break;
            }
            self.digests.push(std::mem::take(&mut self.hashing).digest());
        }
    }
}

impl Audio {
    fn push(&mut self, at: u64, bytes: &[u8], copy: &mut Vec<u8>) -> Result<(), Unplayable> {
        let end = at + bytes.len() as u64;
        while let Some(segment) = self.planned.segments.get(self.done.done.len()) {
            let missing = match &mut self.missing {
                Some(missing) => missing,
                None => self.missing.insert(places(block(&self.planned, segment)?)?),
            };
            while let Some((start, stop)) = missing.last() {
                self.copied.extend_from_slice(within(at, bytes, *start, *stop));
                if *stop > end {
                    return Ok(());
                }
                missing.pop();
            }
            self.end_segment(copy)?;
        }
        Ok(())
    }

    fn end_segment(&mut self, copy: &mut Vec<u8>) -> Result<(), Unplayable> {
        let Some(segment) = self.planned.segments.get(self.done.done.len()) else { return Ok(()) };
        let block = self.planned.blocks.get(segment.block.clone()).unwrap_or_default();
        self.done.add(segment, block, &self.copied, copy)?;
        self.copied.clear();
        self.missing = None;
        Ok(())
    }
}

fn block<'a>(planned: &'a Planned, segment: &PlannedSegment) -> Result<BlockReader<'a>, Unplayable> {
    BlockReader::new(planned.blocks.get(segment.block.clone()).unwrap_or_default()).map_err(damaged)
}

/// Returns the places of the samples of a block in the recording, the last one first.
fn places(block: BlockReader<'_>) -> Result<Vec<(u64, u64)>, Unplayable> {
    let place = |sample: Result<crate::index::block::BlockSample, _>| {
        let sample = sample.map_err(damaged)?;
        Ok((sample.offset, sample.offset.saturating_add(sample.size.into())))
    };
    let mut places = block.map(place).collect::<Result<Vec<_>, _>>()?;
    places.reverse();
    Ok(places)
}
