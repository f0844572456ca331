//! The pass over a recording that is made of fragments.
//!
//! Its segments are ranges of it as they are, if players take its fragments. Otherwise they get generated headers, as for a recording
//! whose samples are in the movie box, and a copy of the sound. In either case, a segment begins with a fragment.

use std::ops::Range;

use credlink_core::hash::{Digest, Hashing};

use super::Made;
use super::gathered::Gathered;
use crate::bmff::fragments::{Fragment, FragmentedTrack, TrackFragment};
use crate::bmff::header::BoxHeader;
use crate::bmff::tables::Sample;
use crate::bounds::{
    MAX_FRAGMENT_BYTES, MAX_FRAGMENTED_SAMPLES, MAX_SEGMENT_BYTES, MAX_SEGMENT_SAMPLES, MAX_SEGMENTS,
};
use crate::index::block::BlockWriter;
use crate::index::{Entry, Stream};
use crate::plan::cutter::is_apart;
use crate::plan::{Fragmented, SEGMENT_SECONDS};
use crate::unplayable::Unplayable;

/// The boxes of a recording, one after the other, and the segments that they make.
#[derive(Debug)]
pub(super) struct Fragments {
    /// The length of the recording.
    length: u64,
    begin: u64,
    at: u64,
    state: State,
    served: Served,
    /// All tracks: the pictures, then the sound if it is played, then the others.
    tracks: Vec<FragmentedTrack>,
    /// The number of tracks that are read.
    played: usize,
    /// The number of samples that may still come.
    left: u64,
    /// The header of the box that is read, and all of it if it is a `moof` box.
    read: Vec<u8>,
    entries: Vec<Entry>,
    open: Option<Open>,
    /// The hash of all bytes since the movie box or the last whole fragment ended, and the place where that was.
    since: (Hashing, u64),
    front: Front,
    samples: u64,
}

/// The way in which players get the fragments.
#[derive(Debug)]
enum Served {
    /// It is decided by the first fragment.
    Undecided(Box<Fragmented>),
    /// As they are.
    Unchanged { stream: Stream, shift: i64 },
    /// As samples behind generated headers.
    Samples(Box<Gathered>),
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
    /// The beginning of its block among the blocks, if its header is generated.
    block: usize,
    writer: Option<BlockWriter>,
    /// The end of the pictures of fragments whose media is missing.
    pending: Option<Pending>,
    /// Its state after the last fragment that is whole.
    whole: Option<Whole>,
    samples: u64,
}

/// The end of fragments whose media is missing.
#[derive(Clone, Copy, Debug)]
struct Pending {
    /// The time of decoding at their end.
    decoded: u64,
    samples: u64,
    /// The end of their pictures in the recording, if headers are generated.
    end: u64,
    /// The length of all blocks.
    blocks: usize,
}

/// A segment up to the end of its last fragment that is whole.
#[derive(Debug)]
struct Whole {
    hashing: Hashing,
    end: u64,
    /// The time of decoding at its end.
    decoded: u64,
    /// The length of all blocks.
    blocks: usize,
}

impl Fragments {
    /// Begins the pass over a recording of `length` bytes.
    pub(super) fn new(plan: Box<Fragmented>, length: u64) -> Self {
        Self {
            length,
            begin: plan.begin,
            at: 0,
            state: State::Header,
            tracks: [Some(&plan.video), plan.audio.as_ref()]
                .into_iter()
                .flatten()
                .map(|played| played.track)
                .chain(plan.others.iter().copied())
                .collect(),
            played: 1 + usize::from(plan.audio.is_some()),
            served: Served::Undecided(plan),
            left: MAX_FRAGMENTED_SAMPLES,
            read: Vec::new(),
            entries: Vec::new(),
            open: None,
            since: (Hashing::default(), 0),
            front: Front::default(),
            samples: 0,
        }
    }

    /// The track of the pictures.
    fn track(&self) -> u32 {
        self.tracks.first().map_or(0, |track| track.id)
    }

    pub(super) fn push(&mut self, mut bytes: &[u8], copy: &mut Vec<u8>) -> Result<(), Unplayable> {
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
                        self.begin_box(header, copy)?;
                    }
                }
                State::Moof(left) => {
                    self.read.extend_from_slice(now);
                    self.state = State::Moof(left - length);
                }
                State::Content(left, is_media) => {
                    self.pass(now, copy);
                    self.state = State::Content(left.map(|left| left - length), is_media);
                }
            }
            self.end_box(copy)?;
        }
        Ok(())
    }

    /// Hashes the last bytes that were read, and copies what is sound of them.
    fn pass(&mut self, bytes: &[u8], copy: &mut Vec<u8>) {
        match &mut self.open {
            Some(open) => open.hashing.add(bytes),
            None => self.front.hashing.add(bytes),
        }
        self.since.0.add(bytes);
        if let Served::Samples(gathered) = &mut self.served {
            let at = self.at - bytes.len() as u64;
            gathered.hear(|sound| sound.push(at, bytes, copy));
        }
    }

    fn begin_box(&mut self, header: BoxHeader, copy: &mut Vec<u8>) -> Result<(), Unplayable> {
        let BoxHeader { kind, content, .. } = header;
        let is_media = kind.0 == *b"mdat";
        if (is_media || kind.0 == *b"moof") && self.at <= self.begin {
            return Err(Unplayable::Mixed);
        }
        if kind.0 != *b"moof" {
            let read = std::mem::take(&mut self.read);
            self.pass(&read, copy);
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
    fn end_box(&mut self, copy: &mut Vec<u8>) -> Result<(), Unplayable> {
        match self.state {
            State::Moof(0) => {
                self.state = State::Header;
                let moof = std::mem::take(&mut self.read);
                self.begin_fragment(&moof)?;
                self.pass(&moof, copy);
                Ok(())
            }
            State::Content(Some(0), is_media) => {
                self.state = State::Header;
                if is_media {
                    self.end_fragment();
                } else if self.at == self.begin {
                    self.front.movie = Some(self.front.hashing.clone().digest());
                    self.since = (Hashing::default(), self.at);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin_fragment(&mut self, moof: &[u8]) -> Result<(), Unplayable> {
        let fragment = Fragment::new(moof, self.at - moof.len() as u64)?;
        self.decide(&fragment)?;
        let before = self.tracks.first().map_or(0, |track| track.decoded);
        let (mut pictures, mut sounds) = (Vec::new(), Vec::new());
        let is_gathered = matches!(self.served, Served::Samples(_));
        let found = fragment.read(&mut self.tracks, self.played, &mut self.left, |track, sample| {
            if is_gathered {
                if track == 0 { pictures.push(*sample) } else { sounds.push(*sample) }
            }
            Ok(())
        })?;
        if let Served::Samples(gathered) = &mut self.served {
            gathered.hear(|sound| sounds.iter().try_for_each(|sample| sound.expect(sample)));
        }
        let Some(found) = found else { return Ok(()) };
        self.begin_pictures(moof.len() as u64, before, found, &pictures)
    }

    /// Decides with the first fragment how players get all of them. Later ones have to be of the same kind.
    fn decide(&mut self, fragment: &Fragment<'_>) -> Result<(), Unplayable> {
        let is_self_contained = fragment.is_self_contained()?;
        let plan = match &mut self.served {
            Served::Undecided(plan) => plan,
            Served::Unchanged { .. } if !is_self_contained => return Err(Unplayable::AbsoluteOffsets),
            Served::Unchanged { .. } | Served::Samples(_) => return Ok(()),
        };
        if !is_self_contained {
            plan.unchanged = None;
        }
        self.served = match &plan.unchanged {
            // Players that get the edit list apply no delay.
            Some(stream) => Served::Unchanged { stream: stream.clone(), shift: -plan.video.times.first },
            None => match Gathered::new(plan, fragment, &self.tracks, self.length)? {
                Some(gathered) => Served::Samples(Box::new(gathered)),
                // Without pictures, nobody knows when they are shown. What is heard before the first ones is left out.
                None => return Ok(()),
            },
        };
        Ok(())
    }

    fn begin_pictures(
        &mut self,
        moof: u64,
        before: u64,
        found: TrackFragment,
        pictures: &[Sample],
    ) -> Result<(), Unplayable> {
        let (defaults, track) = (self.tracks.first().map(|track| track.defaults), self.track());
        if defaults.is_some_and(|defaults| found.first.entry != defaults.entry) {
            return Err(Unplayable::SeveralFormats(track));
        }
        let second = u64::from(self.stream().timescale);
        // Times may overlap a little where they were rounded.
        if found.decode_time.saturating_add(second / 2) < before {
            return Err(Unplayable::Scattered(track));
        }
        let wanted = SEGMENT_SECONDS * second;
        // With generated headers, each picture begins where the one before ends.
        let is_apart = matches!(self.served, Served::Samples(_))
            && is_apart(found.decode_time, before, self.stream().timescale);
        let is_first = found.first.is_sync
            && self.open.as_ref().is_none_or(|open| {
                let is_long = found.decode_time.saturating_sub(open.decode_time) >= wanted;
                // The media of several fragments may follow all of them.
                open.pending.is_none() && (is_apart || is_long)
            });
        if is_first {
            self.begin_segment(moof, &found)?;
        }
        self.front.has_fragments = true;
        let Some(open) = &mut self.open else { return Ok(()) };
        open.samples += found.samples;
        let (mut end, mut blocks) = (0, 0);
        if let (Served::Samples(gathered), Some(writer)) = (&mut self.served, &mut open.writer) {
            let is_behind = open.whole.is_some() || open.pending.is_some();
            if is_behind && let Some((old, new)) = gathered.join(track, found.decode_time, writer)? {
                let whole = open.whole.as_mut().map(|whole| (&mut whole.blocks, &mut whole.decoded));
                let pending =
                    open.pending.as_mut().map(|pending| (&mut pending.blocks, &mut pending.decoded));
                for (blocks, decoded) in [whole, pending].into_iter().flatten() {
                    if *blocks == old {
                        (*blocks, *decoded) = (new, found.decode_time);
                    }
                }
            }
            gathered.add(track, self.at, pictures, writer)?;
            (end, blocks) = (gathered.end, gathered.blocks.len());
        }
        let samples = open.pending.map_or(0, |pending| pending.samples) + found.samples;
        let decoded = found.decode_time.saturating_add(found.duration);
        open.pending = Some(Pending { decoded, samples, end, blocks });
        Ok(())
    }

    /// The stream of the pictures, as far as it is known.
    fn stream(&self) -> &Stream {
        match &self.served {
            Served::Undecided(plan) => &plan.video.stream,
            Served::Unchanged { stream, .. } => stream,
            Served::Samples(gathered) => &gathered.stream,
        }
    }

    /// Begins a segment with a fragment, and with what is before it since the last one ended.
    fn begin_segment(&mut self, moof: u64, found: &TrackFragment) -> Result<(), Unplayable> {
        self.close()?;
        let (mut hashing, mut first) = self.since.clone();
        if self.front.digest.is_none() {
            self.front.digest = self.front.movie.filter(|_| !self.front.has_fragments);
            if self.front.digest.is_none() {
                // Players that are given the fragments before the first key frame cannot decode them.
                self.front.digest = Some(std::mem::take(&mut self.front.hashing).digest());
                (hashing, first) = (Hashing::default(), self.at - moof);
            }
        }
        let time = i64::try_from(found.decode_time).unwrap_or(i64::MAX);
        let time = time.saturating_add(found.first.composition_offset.into());
        let (mut block, mut writer) = (0, None);
        let shift = match &mut self.served {
            Served::Samples(gathered) => {
                let own = gathered.shift.own;
                block = gathered.blocks.len();
                let decode_time = found.decode_time.saturating_add(own);
                writer = Some(BlockWriter::begin(&mut gathered.blocks, decode_time, first));
                i64::try_from(own).unwrap_or(i64::MAX)
            }
            Served::Unchanged { shift, .. } => *shift,
            Served::Undecided(_) => 0,
        };
        self.open = Some(Open {
            first,
            decode_time: found.decode_time,
            start: u64::try_from(time.saturating_add(shift)).unwrap_or(0),
            key_frame: Some(found.first.offset..found.first.offset.saturating_add(found.first.size.into())),
            hashing,
            block,
            writer,
            pending: None,
            whole: None,
            samples: 0,
        });
        Ok(())
    }

    fn end_fragment(&mut self) {
        let Some(open) = &mut self.open else { return };
        // The media of a fragment may be in several boxes.
        if open.pending.is_some_and(|pending| pending.end > self.at) {
            return;
        }
        let (before, blocks) = match &open.whole {
            Some(whole) => (whole.decoded, whole.blocks),
            None => (open.decode_time, open.block),
        };
        let nothing = Pending { decoded: before, samples: 0, end: 0, blocks };
        let Pending { decoded, samples, blocks, .. } = open.pending.take().unwrap_or(nothing);
        self.samples = self.samples.saturating_add(samples);
        let (hashing, decoded) = (open.hashing.clone(), decoded.max(before));
        open.whole = Some(Whole { hashing, end: self.at, decoded, blocks });
        self.since = (Hashing::default(), self.at);
    }

    fn close(&mut self) -> Result<(), Unplayable> {
        let track = self.track();
        let Some(Open { first, decode_time, start, key_frame, block, whole, samples, .. }) = self.open.take()
        else {
            return Ok(());
        };
        let Some(Whole { hashing, end, decoded, blocks }) = whole else {
            if let Served::Samples(gathered) = &mut self.served {
                gathered.blocks.truncate(block);
            }
            return Ok(());
        };
        let length = end - first;
        if length > MAX_SEGMENT_BYTES {
            return Err(Unplayable::LongSegment { track, length, allowed: MAX_SEGMENT_BYTES });
        }
        if samples > MAX_SEGMENT_SAMPLES {
            return Err(Unplayable::TooMany { what: "samples in a segment", allowed: MAX_SEGMENT_SAMPLES });
        }
        if self.entries.len() as u64 >= MAX_SEGMENTS {
            return Err(Unplayable::TooMany { what: "segments", allowed: MAX_SEGMENTS });
        }
        if let Served::Samples(gathered) = &mut self.served {
            gathered.blocks.truncate(blocks);
        }
        let (duration, range, sha256) = (decoded.saturating_sub(decode_time), first..end, hashing.digest());
        let block = block as u64..blocks as u64;
        self.entries.push(Entry { start, duration, range, key_frame, sha256, block });
        Ok(())
    }

    pub(super) fn finish(mut self, copy: &mut Vec<u8>) -> Result<Made, Unplayable> {
        let length = self.length;
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
            _ => return Err(Unplayable::NoKeyFrame(self.track())),
        };
        let number = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let of_media = |stream: Stream| Stream {
            samples: self.samples,
            source_length: length,
            segments: number,
            ..stream
        };
        let tail = self.since.0.digest();
        let Self { served, mut entries, .. } = self;
        match served {
            Served::Undecided(_) => Err(Unplayable::Incomplete),
            Served::Unchanged { stream, .. } => Ok(Made {
                video: of_media(stream),
                audio: None,
                entries,
                blocks: Vec::new(),
                front,
                tail,
                is_unchanged: true,
                left_out: None,
            }),
            Served::Samples(gathered) => {
                let Gathered { stream, sound, mut blocks, .. } = *gathered;
                let sound = sound.map(|sound| sound?.finish(&mut entries, &mut blocks, copy));
                let (audio, left_out) = match sound {
                    Some(Ok(audio)) => (Some(audio), None),
                    Some(Err(reason)) => (None, Some(reason)),
                    None => (None, None),
                };
                let video = of_media(stream);
                Ok(Made { video, audio, entries, blocks, front, tail, is_unchanged: false, left_out })
            }
        }
    }
}
