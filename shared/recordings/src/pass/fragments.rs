//! The pass over a recording that is made of fragments: its segments are ranges of it as they are.

use credlink_core::hash::Hashing;

use super::Parts;
use crate::bmff::FourCc;
use crate::bmff::fragments::{TrackFragment, parse};
use crate::bounds;
use crate::index::Segment;
use crate::plan::{Fragmented, SEGMENT_SECONDS};
use crate::unplayable::Unplayable;

/// The boxes of a recording, one after the other, and the segments that they make.
#[derive(Debug)]
pub(super) struct Fragments {
    plan: Fragmented,
    at: u64,
    state: State,
    /// The beginning of the box that is read: its header, and for a `moof` box all of it.
    read: Vec<u8>,
    segments: Vec<Segment>,
    open: Option<Open>,
    samples: u64,
    /// The time of decoding at which the next fragment begins, unless it says so.
    decoded: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the header of a box.
    Header,
    /// In a `moof` box, of which so many bytes are missing.
    Moof(u64),
    /// In another box, of which so many bytes are missing. It may have the media of a fragment.
    Content(u64, bool),
}

/// A segment to which fragments are added.
#[derive(Debug)]
struct Open {
    first: u64,
    decode: u64,
    start: u64,
    hashing: Hashing,
    /// The fragment whose media is missing.
    pending: Option<(u64, TrackFragment)>,
    /// Its state after the last fragment that is whole: its hash, its end, and the time of decoding at its end.
    whole: Option<(Hashing, u64, u64)>,
}

impl Fragments {
    pub(super) fn new(plan: Fragmented) -> Self {
        Self {
            plan,
            at: 0,
            state: State::Header,
            read: Vec::new(),
            segments: Vec::new(),
            open: None,
            samples: 0,
            decoded: 0,
        }
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), Unplayable> {
        while !bytes.is_empty() {
            let wanted = match self.state {
                State::Header => self.header_length() - self.read.len() as u64,
                State::Moof(left) | State::Content(left, _) => left,
            };
            let length = usize::try_from(wanted).unwrap_or(usize::MAX).min(bytes.len());
            let (now, later) = bytes.split_at(length);
            bytes = later;
            self.at += length as u64;
            match self.state {
                State::Header => {
                    self.read.extend_from_slice(now);
                    if self.read.len() as u64 == self.header_length() {
                        self.begin_box()?;
                    }
                }
                State::Moof(left) => {
                    self.read.extend_from_slice(now);
                    self.state = State::Moof(left - length as u64);
                }
                State::Content(left, is_media) => {
                    if let Some(open) = &mut self.open {
                        open.hashing.add(now);
                    }
                    self.state = State::Content(left - length as u64, is_media);
                }
            }
            self.end_box()?;
        }
        Ok(())
    }

    /// Returns the length of the header of the box that is read, as far as it is known.
    fn header_length(&self) -> u64 {
        if self.read.get(..4) == Some(&[0, 0, 0, 1]) { 16 } else { 8 }
    }

    fn begin_box(&mut self) -> Result<(), Unplayable> {
        let Some([s0, s1, s2, s3, kind @ ..]) = self.read.first_chunk::<8>() else { return Ok(()) };
        let kind = FourCc(*kind);
        let header = self.read.len() as u64;
        let content = match u32::from_be_bytes([*s0, *s1, *s2, *s3]) {
            0 => Some(self.plan.head.length.saturating_sub(self.at)),
            1 => {
                let size = self.read.get(8..).and_then(|bytes| bytes.first_chunk());
                size.and_then(|size| u64::from_be_bytes(*size).checked_sub(header))
            }
            size => u64::from(size).checked_sub(header),
        };
        let content = content.ok_or(Unplayable::malformed(kind, "its length is impossible"))?;
        if kind.0 == *b"moof" {
            if content > bounds::FRAGMENT {
                return Err(Unplayable::TooLong { kind, length: content, allowed: bounds::FRAGMENT });
            }
            self.state = State::Moof(content);
        } else {
            if let Some(open) = &mut self.open {
                open.hashing.add(&self.read);
            }
            self.read.clear();
            self.state = State::Content(content, kind.0 == *b"mdat");
        }
        Ok(())
    }

    /// Ends the box that is read if nothing of it is missing.
    fn end_box(&mut self) -> Result<(), Unplayable> {
        match self.state {
            State::Moof(0) => {
                let moof = std::mem::take(&mut self.read);
                self.state = State::Header;
                self.begin_fragment(&moof)
            }
            State::Content(0, is_media) => {
                self.state = State::Header;
                if is_media {
                    self.end_fragment();
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin_fragment(&mut self, moof: &[u8]) -> Result<(), Unplayable> {
        let header = if moof.starts_with(&[0, 0, 0, 1]) { 16 } else { 8 };
        let content = moof.get(header..).unwrap_or_default();
        let found = parse(content, self.plan.track, self.plan.defaults)?;
        if let Some(fragment) = found {
            let decode = fragment.decode.unwrap_or(self.decoded);
            let timescale = self.plan.head.streams.first().map_or(1, |stream| stream.timescale);
            let wanted = SEGMENT_SECONDS.saturating_mul(timescale.into());
            let is_first = match &self.open {
                None => fragment.is_sync,
                Some(open) => fragment.is_sync && decode.saturating_sub(open.decode) >= wanted,
            };
            if is_first {
                self.close()?;
                let presented =
                    i64::try_from(decode).unwrap_or(i64::MAX).saturating_add(fragment.shift.into());
                self.open = Some(Open {
                    first: self.at - moof.len() as u64,
                    decode,
                    start: u64::try_from(presented.saturating_add(self.plan.shift)).unwrap_or(0),
                    hashing: Hashing::default(),
                    pending: None,
                    whole: None,
                });
            }
            if let Some(open) = &mut self.open {
                open.pending = Some((decode, fragment));
            }
            self.decoded = decode.saturating_add(fragment.duration);
        }
        if let Some(open) = &mut self.open {
            open.hashing.add(moof);
        }
        Ok(())
    }

    fn end_fragment(&mut self) {
        let Some(open) = &mut self.open else { return };
        let before = open.whole.as_ref().map_or(open.decode, |(.., decoded)| *decoded);
        let decoded = match open.pending.take() {
            Some((decode, fragment)) => {
                self.samples = self.samples.saturating_add(fragment.samples);
                decode.saturating_add(fragment.duration)
            }
            None => before,
        };
        open.whole = Some((open.hashing.clone(), self.at, decoded.max(before)));
    }

    fn close(&mut self) -> Result<(), Unplayable> {
        let Some(Open { first, decode, start, whole: Some((hashing, end, decoded)), .. }) = self.open.take()
        else {
            return Ok(());
        };
        if end - first > bounds::SEGMENT {
            return Err(Unplayable::LongSegment { length: end - first, allowed: bounds::SEGMENT });
        }
        if self.segments.len() as u64 >= bounds::SEGMENTS {
            return Err(Unplayable::TooMany { what: "segments", allowed: bounds::SEGMENTS });
        }
        let (duration, range) = (decoded.saturating_sub(decode), first..end);
        self.segments.push(Segment { start, duration, range, sha256: hashing.digest(), block: 0..0 });
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Parts, Unplayable> {
        self.close()?;
        if self.segments.is_empty() {
            return Err(Unplayable::Empty);
        }
        let mut head = self.plan.head;
        if let Some(stream) = head.streams.first_mut() {
            stream.samples = self.samples;
            stream.segments = u32::try_from(self.segments.len()).unwrap_or(u32::MAX);
        }
        Ok(Parts { head, segments: self.segments, blocks: Vec::new() })
    }
}
