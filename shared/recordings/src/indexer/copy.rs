//! The copy of the sound, whose segments are headers with the samples of the recording behind them.

use credlink_core::hash::Digest;

use crate::bmff::FourCc;
use crate::index::block::{BlockError, BlockReader};
use crate::index::{Entry, Init, LeftOut, Stream};
use crate::plan::PlannedSegment;
use crate::segment::{Data, header};
use crate::unplayable::Unplayable;

/// The segments of the copy that are done.
#[derive(Debug)]
pub(super) struct Copy {
    track: u32,
    pub(super) done: Vec<Entry>,
    /// The length of the copy.
    pub(super) length: u64,
}

impl Copy {
    /// Begins the copy of a stream with generated headers.
    pub(super) const fn new(stream: &Stream) -> Self {
        let track = match &stream.init {
            Init::Generated(track) => track.id,
            Init::Range(_) => 0,
        };
        Self { track, done: Vec::new(), length: 0 }
    }

    /// Adds a segment with these samples, one behind the other, to the end of `copy`.
    pub(super) fn add(
        &mut self,
        segment: &PlannedSegment,
        block: &[u8],
        samples: &[u8],
        copy: &mut Vec<u8>,
    ) -> Result<(), Unplayable> {
        let number = count(self.done.len() + 1);
        let header =
            BlockReader::new(block).and_then(|block| header(self.track, number, &block, Data::Samples));
        let bytes = [header.map_err(damaged)?.as_slice(), samples].concat();
        let range = self.length..self.length + bytes.len() as u64;
        self.length = range.end;
        self.done.push(Entry {
            start: segment.start,
            duration: segment.duration,
            range,
            key_frame: None,
            sha256: Digest::of(&bytes),
            block: segment.block.start as u64..segment.block.end as u64,
        });
        copy.extend_from_slice(&bytes);
        Ok(())
    }

    /// Ends the copy: adds its entries and their blocks behind those of the pictures, and returns its stream.
    pub(super) fn finish(
        self,
        stream: Stream,
        own: &[u8],
        entries: &mut Vec<Entry>,
        blocks: &mut Vec<u8>,
    ) -> Stream {
        let before = blocks.len() as u64;
        blocks.extend_from_slice(own);
        let segments = count(self.done.len());
        entries.extend(
            self.done
                .into_iter()
                .map(|entry| Entry { block: before + entry.block.start..before + entry.block.end, ..entry }),
        );
        Stream { segments, source_length: self.length, ..stream }
    }
}

pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Returns the part of `bytes`, which begin at `at` in the recording, that is within a range.
pub(super) fn within(at: u64, bytes: &[u8], start: u64, end: u64) -> &[u8] {
    let place =
        |offset: u64| usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
    bytes.get(place(start)..place(end)).unwrap_or_default()
}

pub(super) fn damaged(_: BlockError) -> Unplayable {
    Unplayable::malformed(FourCc(*b"stbl"), "its samples do not fit into segments")
}

/// Returns the track of a generated stream, which is not played for a reason.
pub(super) fn left_out(stream: &Stream, reason: &Unplayable) -> LeftOut {
    let (track, codec) = match &stream.init {
        Init::Generated(track) => (track.id, track.entry.get(4..8).unwrap_or_default()),
        Init::Range(_) => (0, [].as_slice()),
    };
    let codec = String::from_utf8_lossy(codec).into_owned();
    LeftOut { track, reason: reason.name().to_owned(), codec }
}
