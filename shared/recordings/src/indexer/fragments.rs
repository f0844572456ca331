//! The pass over a recording that is made of fragments: its segments are ranges of it as they are.

use std::ops::Range;

use credlink_core::hash::{Digest, Hashing};

use super::Made;
use crate::bmff::fragments::{TrackFragment, parse};
use crate::bmff::header::BoxHeader;
use crate::bounds::{MAX_FRAGMENT_BYTES, MAX_SEGMENT_BYTES, MAX_SEGMENTS};
use crate::index::Entry;
use crate::plan::{Fragmented, SEGMENT_SECONDS};
use crate::unplayable::Unplayable;

/// The boxes of a recording, one after the other, and the segments that they make.
#[derive(Debug)]
pub(super) struct Fragments {
    plan: Fragmented,
    at: u64,
    state: State,
    /// The header of the box that is read, and all of it if it is a `moof` box.
    read: Vec<u8>,
    entries: Vec<Entry>,
    open: Option<Open>,
    /// The hash of all bytes since the movie box or the last whole fragment ended, and the place where that was.
    since: (Hashing, u64),
    front: Front,
    samples: u64,
    /// The time of decoding at which the last fragment ends.
    decoded: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the header of a box.
    Header,
    /// In a `moof` box, of which so many bytes are missing.
    Moof(u64),
    /// In another box, of which so many bytes are missing, or which goes on to the end. It may have the media of a fragment.
    Content(Option<u64>, bool),
}

/// The bytes before the first segment.
#[derive(Debug, Default)]
struct Front {
    /// The hash of all bytes until the first segment begins.
    hashing: Hashing,
    /// The hash up to the end of the movie box.
    movie: Option<Digest>,
    /// `true` if there are fragments before the first key frame.
    has_fragments: bool,
    digest: Option<Digest>,
}

/// A segment to which fragments are added.
#[derive(Debug)]
struct Open {
    first: u64,
    decode_time: u64,
    start: u64,
    key_frame: Option<Range<u64>>,
    hashing: Hashing,
    /// The end of the pictures of a fragment whose media is missing, and their number.
    pending: Option<(u64, u64)>,
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
            entries: Vec::new(),
            open: None,
            since: (Hashing::default(), 0),
            front: Front::default(),
            samples: 0,
            decoded: 0,
        }
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), Unplayable> {
        while !bytes.is_empty() {
            let wanted = match self.state {
                // One byte after the other, because its own length is in it.
                State::Header => 1,
                State::Moof(left) => left,
                State::Content(left, _) => left.unwrap_or(u64::MAX),
            };
            let (now, later) = bytes.split_at(usize::try_from(wanted).unwrap_or(usize::MAX).min(bytes.len()));
            bytes = later;
            let length = now.len() as u64;
            self.at += length;
            match self.state {
                State::Header => {
                    self.read.extend_from_slice(now);
                    if let Some(header) = BoxHeader::parse(&self.read)? {
                        self.begin_box(header)?;
                    }
                }
                State::Moof(left) => {
                    self.read.extend_from_slice(now);
                    self.state = State::Moof(left - length);
                }
                State::Content(left, is_media) => {
                    self.hash(now);
                    self.state = State::Content(left.map(|left| left - length), is_media);
                }
            }
            self.end_box()?;
        }
        Ok(())
    }

    fn hash(&mut self, bytes: &[u8]) {
        match &mut self.open {
            Some(open) => open.hashing.add(bytes),
            None => self.front.hashing.add(bytes),
        }
        self.since.0.add(bytes);
    }

    fn begin_box(&mut self, header: BoxHeader) -> Result<(), Unplayable> {
        let BoxHeader { kind, content, .. } = header;
        let is_media = kind.0 == *b"mdat";
        if (is_media || kind.0 == *b"moof") && self.at <= self.plan.begin {
            return Err(Unplayable::Mixed);
        }
        if kind.0 != *b"moof" {
            let read = std::mem::take(&mut self.read);
            self.hash(&read);
            self.state = State::Content(content, is_media);
            return Ok(());
        }
        let length = content.unwrap_or(u64::MAX);
        if length > MAX_FRAGMENT_BYTES {
            return Err(Unplayable::TooLong { kind, length, allowed: MAX_FRAGMENT_BYTES });
        }
        self.state = State::Moof(length);
        Ok(())
    }

    /// Ends the box that is read if nothing of it is missing.
    fn end_box(&mut self) -> Result<(), Unplayable> {
        match self.state {
            State::Moof(0) => {
                self.state = State::Header;
                let moof = std::mem::take(&mut self.read);
                self.begin_fragment(&moof)?;
                self.hash(&moof);
                Ok(())
            }
            State::Content(Some(0), is_media) => {
                self.state = State::Header;
                if is_media {
                    self.end_fragment();
                } else if self.at == self.plan.begin {
                    self.front.movie = Some(self.front.hashing.clone().digest());
                    self.since = (Hashing::default(), self.at);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin_fragment(&mut self, moof: &[u8]) -> Result<(), Unplayable> {
        let header = BoxHeader::parse(moof)?.map_or(0, |header| header.length);
        let content = moof.get(header..).unwrap_or_default();
        let Some(fragment) = parse(content, self.plan.track, self.plan.defaults)? else { return Ok(()) };
        if fragment.entry != self.plan.defaults.entry {
            return Err(Unplayable::SeveralFormats(self.plan.track));
        }
        let (decode_time, second) = (fragment.decode_time, u64::from(self.plan.stream.timescale));
        // Times may overlap a little where they were rounded.
        if decode_time.saturating_add(second / 2) < self.decoded {
            return Err(Unplayable::Scattered(self.plan.track));
        }
        let wanted = SEGMENT_SECONDS * second;
        let is_first = fragment.is_sync
            && self.open.as_ref().is_none_or(|open| {
                // The media of several fragments may follow all of them.
                open.pending.is_none() && decode_time.saturating_sub(open.decode_time) >= wanted
            });
        if is_first {
            self.begin_segment(moof.len() as u64, decode_time, &fragment)?;
        }
        self.front.has_fragments = true;
        let end = decode_time.saturating_add(fragment.duration);
        if let Some(open) = &mut self.open {
            let samples = open.pending.map_or(0, |(_, samples)| samples);
            open.pending = Some((end, samples + fragment.samples));
        }
        self.decoded = end;
        Ok(())
    }

    /// Begins a segment with a fragment, and with what is before it since the last one ended.
    fn begin_segment(
        &mut self,
        moof: u64,
        decode_time: u64,
        fragment: &TrackFragment,
    ) -> Result<(), Unplayable> {
        self.close()?;
        let (mut hashing, mut first) = self.since.clone();
        if self.front.digest.is_none() {
            self.front.digest = self.front.movie.filter(|_| !self.front.has_fragments);
            if self.front.digest.is_none() {
                // Fragments that cannot be decoded are before it.
                self.front.digest = Some(self.front.hashing.clone().digest());
                (hashing, first) = (Hashing::default(), self.at - moof);
            }
        }
        let time =
            i64::try_from(decode_time).unwrap_or(i64::MAX).saturating_add(fragment.composition_offset.into());
        let place = fragment.offset.map(|offset| self.at - moof + u64::from(offset));
        self.open = Some(Open {
            first,
            decode_time,
            start: u64::try_from(time.saturating_add(self.plan.shift)).unwrap_or(0),
            key_frame: place.map(|place| place..place.saturating_add(fragment.size.into())),
            hashing,
            pending: None,
            whole: None,
        });
        Ok(())
    }

    fn end_fragment(&mut self) {
        let Some(open) = &mut self.open else { return };
        let before = open.whole.as_ref().map_or(open.decode_time, |(.., decoded)| *decoded);
        let (decoded, samples) = open.pending.take().unwrap_or((before, 0));
        self.samples = self.samples.saturating_add(samples);
        open.whole = Some((open.hashing.clone(), self.at, decoded.max(before)));
        self.since = (Hashing::default(), self.at);
    }

    fn close(&mut self) -> Result<(), Unplayable> {
        let Some(Open { first, decode_time, start, key_frame, whole: Some((hashing, end, decoded)), .. }) =
            self.open.take()
        else {
            return Ok(());
        };
        let (track, length) = (self.plan.track, end - first);
        if length > MAX_SEGMENT_BYTES {
            return Err(Unplayable::LongSegment { track, length, allowed: MAX_SEGMENT_BYTES });
        }
        if self.entries.len() as u64 >= MAX_SEGMENTS {
            return Err(Unplayable::TooMany { what: "segments", allowed: MAX_SEGMENTS });
        }
        let (duration, range, sha256) = (decoded.saturating_sub(decode_time), first..end, hashing.digest());
        self.entries.push(Entry { start, duration, range, key_frame, sha256, block: 0..0 });
        Ok(())
    }

    pub(super) fn finish(mut self, length: u64) -> Result<Made, Unplayable> {
        // A box without a size ends with the recording.
        if matches!(self.state, State::Content(None, true)) {
            self.end_fragment();
        }
        // What was begun and did not come is a part of the tail.
        let read = std::mem::take(&mut self.read);
        self.since.0.add(&read);
        let is_begun = self.open.is_some();
        self.close()?;
        let front = match self.front.digest {
            Some(front) if !self.entries.is_empty() => front,
            _ if is_begun => return Err(Unplayable::Incomplete),
            _ => return Err(Unplayable::NoKeyFrame(self.plan.track)),
        };
        let mut video = self.plan.stream;
        (video.samples, video.source_length) = (self.samples, length);
        video.segments = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let tail = self.since.0.digest();
        Ok(Made { video, audio: None, entries: self.entries, blocks: Vec::new(), front, tail })
    }
}
