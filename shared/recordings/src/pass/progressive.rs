//! The pass over a recording whose samples are in the movie box.

use credlink_core::hash::{Digest, Hashing};

use super::Parts;
use crate::bmff::FourCc;
use crate::index::block::BlockReader;
use crate::index::{Head, Init, Segment};
use crate::plan::{Planned, Progressive};
use crate::segment::header;
use crate::unplayable::Unplayable;

/// The hashes of the pictures' segments, and the copy of the sound.
#[derive(Debug)]
pub(super) struct Samples {
    head: Head,
    pictures: Pictures,
    sound: Sound,
}

#[derive(Debug)]
struct Pictures {
    planned: Vec<Planned>,
    digests: Vec<Digest>,
    hashing: Hashing,
}

#[derive(Debug)]
struct Sound {
    track: u32,
    planned: Vec<Planned>,
    done: Vec<Segment>,
    /// The bytes of the samples of the segment that is copied.
    copied: Vec<u8>,
    /// The samples of that segment which are not copied yet, and where the next one begins.
    samples: Option<Cursor>,
    /// The length of what was copied before that segment.
    length: u64,
}

#[derive(Debug)]
struct Cursor {
    /// Places of samples in the recording, the last one first.
    ranges: Vec<(u64, u64)>,
}

impl Samples {
    pub(super) fn new(plan: Progressive) -> Self {
        let Progressive { head, pictures, sound } = plan;
        let track = head.streams.get(1).map_or(0, |stream| match &stream.init {
            Init::Generated(track) => track.id,
            Init::Range(_) => 0,
        });
        Self {
            head,
            pictures: Pictures { planned: pictures, digests: Vec::new(), hashing: Hashing::default() },
            sound: Sound {
                track,
                planned: sound,
                done: Vec::new(),
                copied: Vec::new(),
                samples: None,
                length: 0,
            },
        }
    }

    pub(super) fn push(&mut self, at: u64, bytes: &[u8], copy: &mut Vec<u8>) -> Result<(), Unplayable> {
        self.pictures.push(at, bytes);
        self.sound.push(at, bytes, copy)
    }

    pub(super) fn finish(self) -> Result<Parts, Unplayable> {
        let Self { head, pictures, sound } = self;
        if pictures.digests.len() < pictures.planned.len() || sound.done.len() < sound.planned.len() {
            return Err(Unplayable::Incomplete);
        }
        let mut blocks = Vec::new();
        let mut segments = Vec::new();
        for (planned, sha256) in pictures.planned.into_iter().zip(pictures.digests) {
            let begin = blocks.len() as u64;
            blocks.extend_from_slice(&planned.block);
            let Planned { start, duration, range, .. } = planned;
            segments.push(Segment { start, duration, range, sha256, block: begin..blocks.len() as u64 });
        }
        segments.extend(sound.done);
        Ok(Parts { head, segments, blocks })
    }
}

/// Returns the part of `bytes`, which begin at `at` in the recording, that is within a range.
fn within(at: u64, bytes: &[u8], start: u64, end: u64) -> &[u8] {
    let place =
        |offset: u64| usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
    bytes.get(place(start)..place(end)).unwrap_or_default()
}

impl Pictures {
    fn push(&mut self, at: u64, bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        while let Some(planned) = self.planned.get(self.digests.len()) {
            self.hashing.add(within(at, bytes, planned.range.start, planned.range.end));
            if planned.range.end > end {
                break;
            }
            self.digests.push(std::mem::take(&mut self.hashing).digest());
        }
    }
}

impl Sound {
    fn push(&mut self, at: u64, bytes: &[u8], copy: &mut Vec<u8>) -> Result<(), Unplayable> {
        let end = at + bytes.len() as u64;
        while let Some(planned) = self.planned.get(self.done.len()) {
            let cursor = match &mut self.samples {
                Some(cursor) => cursor,
                None => self.samples.insert(Cursor::new(planned)?),
            };
            while let Some((start, stop)) = cursor.ranges.last() {
                self.copied.extend_from_slice(within(at, bytes, *start, *stop));
                if *stop > end {
                    return Ok(());
                }
                cursor.ranges.pop();
            }
            self.end_segment(copy)?;
        }
        Ok(())
    }

    fn end_segment(&mut self, copy: &mut Vec<u8>) -> Result<(), Unplayable> {
        let Some(planned) = self.planned.get_mut(self.done.len()) else { return Ok(()) };
        let number = u32::try_from(self.done.len() + 1).unwrap_or(u32::MAX);
        let block = std::mem::take(&mut planned.block);
        let mut bytes =
            header(self.track, number, BlockReader::new(&block), None).map_err(|_| impossible())?;
        bytes.append(&mut self.copied);
        let range = self.length..self.length + bytes.len() as u64;
        self.length = range.end;
        let (start, duration) = (planned.start, planned.duration);
        self.done.push(Segment { start, duration, range, sha256: Digest::of(&bytes), block: 0..0 });
        self.samples = None;
        copy.append(&mut bytes);
        Ok(())
    }
}

fn impossible() -> Unplayable {
    Unplayable::malformed(FourCc(*b"stbl"), "the samples of its sound are longer than a segment may be")
}

impl Cursor {
    fn new(planned: &Planned) -> Result<Self, Unplayable> {
        let mut block = BlockReader::new(&planned.block);
        block.decode().map_err(|_| impossible())?;
        let mut end = planned.range.start;
        let mut ranges = Vec::new();
        for sample in block {
            let sample = sample.map_err(|_| impossible())?;
            let start = end.saturating_add(sample.gap);
            end = start.saturating_add(sample.size.into());
            ranges.push((start, end));
        }
        ranges.reverse();
        Ok(Self { ranges })
    }
}
