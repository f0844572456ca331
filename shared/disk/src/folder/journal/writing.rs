//! Writing groups of changes to segments, and settling full segments.

use std::io;
use std::sync::{Arc, Condvar, OnceLock};

use super::segment::{BLOCK_BYTES, Change, MAX_LINE_BYTES, Predecessor, SegmentLine, next_block};
use super::{FILES, Fault, Shared, wait};
use crate::folder::settle::Unsettled;
use crate::private::{self, sync_directory};
use crate::reserve::is_full;
use crate::tracked::{self, TrackedFile};

/// The maximum number of changes in a group.
const MAX_CHANGES: usize = 256;
/// The number of bytes of a group after which no change is added. More would not be faster, and all of them wait.
const MAX_BYTES: u64 = 16 * 1_024 * 1_024;
/// The first block of a file that holds no segment.
const EMPTY: [u8; 4_096] = [0; 4_096];
/// The length up to which parts are collected before they are written, in bytes.
const BUFFER_BYTES: usize = 262_144;

/// A group of changes, as its callers see it.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// The slot of the segment that holds the group, or the failure.
    pub(super) outcome: OnceLock<Result<usize, Fault>>,
    /// Signals the outcome to all callers, or to one of them that it is to write the group.
    pub(super) turn: Condvar,
}

/// The group that gathers.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    pub(super) changes: Vec<Change>,
    bytes: u64,
    line_bytes: usize,
    pub(super) group: Arc<Group>,
}

impl Gathering {
    pub(super) fn has_room_for(&self, changes: &[Change]) -> bool {
        let bytes: u64 = changes.iter().map(Change::length).sum();
        let line_bytes: usize = changes.iter().map(line_bytes).sum();
        self.changes.is_empty()
            || self.changes.len() + changes.len() <= MAX_CHANGES
                && self.bytes.saturating_add(bytes) <= MAX_BYTES
                && self.line_bytes + line_bytes <= MAX_LINE_BYTES
    }

    pub(super) fn add(&mut self, changes: Vec<Change>) -> Arc<Group> {
        self.bytes += changes.iter().map(Change::length).sum::<u64>();
        self.line_bytes += changes.iter().map(line_bytes).sum::<usize>();
        self.changes.extend(changes);
        Arc::clone(&self.group)
    }
}

/// Returns an upper bound of what a change adds to the line of its group, and the lines' share of it, in bytes. Keys need
/// no escapes in JSON.
fn line_bytes(change: &Change) -> usize {
    change.key().len() + 256
}

/// The state of one of the two segments.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// The segment in this slot, unless it is empty.
    open: Option<Open>,
    /// The number of its changes that are not made in their files yet.
    pub(super) in_flight: usize,
    /// The files and names that its changes have made.
    pub(super) unsettled: Unsettled,
}

#[derive(Debug, Clone)]
struct Open {
    line: SegmentLine,
    file: Arc<TrackedFile>,
    /// The end of the last group that was synced.
    end: u64,
}

impl Open {
    /// Ends the segment with the name of `next`, once that one is on the disk. From then on it is noticed if the file of
    /// `next` is lost. If there is no room for the name, it is not noticed.
    fn end_with(&self, next: &Self) -> io::Result<()> {
        next.file.sync()?;
        let at = next_block(self.end);
        match self.file.write_at(at, &self.line.continued(at, next.line.segment)?) {
            Err(error) if is_full(&error) => Ok(()),
            written => written.and_then(|()| self.file.sync()),
        }
    }
}

impl Slot {
    /// Returns the position up to which the segment is known to be synced.
    pub(super) fn known_end(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.end)
    }
}

/// A failure to write a group.
pub(super) struct Failed {
    pub(super) fault: Fault,
    /// `true` if it is unknown what the disk holds.
    pub(super) is_unknown: bool,
}

impl Failed {
    /// Returns a failure after which the disk holds what it held before.
    pub(super) const fn known(fault: Fault) -> Self {
        Self { fault, is_unknown: false }
    }

    fn unknown(error: &io::Error) -> Self {
        Self { fault: Fault::of(error), is_unknown: true }
    }

    /// Returns the failure of a step after which the group cannot be whole on the disk. Only a full disk is expected
    /// there, and mended by making room.
    fn early(error: &io::Error) -> Self {
        if is_full(error) { Self::known(Fault::Unjournaled) } else { Self::unknown(error) }
    }
}

impl Shared {
    /// Writes a group and syncs it. Returns the slot of its segment. Only one caller does so at a time.
    pub(super) fn write_group(
        &self,
        changes: &[Change],
        start_settling: impl FnOnce() -> io::Result<()>,
    ) -> Result<usize, Failed> {
        let length: u64 = changes.iter().map(|change| change.length() + line_bytes(change) as u64).sum();
        let (slot, Open { line, file, end }) = self.room_for(length, start_settling)?;
        let at = next_block(end.max(BLOCK_BYTES));
        let capacity = usize::try_from(length).map_or(BUFFER_BYTES, |length| length.min(BUFFER_BYTES));
        let mut writer = Writer { file: &file, at, buffer: Vec::with_capacity(capacity) };
        let start = line.group(at, changes).map_err(|error| Failed::early(&error))?;
        let write = |writer: &mut Writer<'_>| {
            writer.write(&start)?;
            for change in changes {
                if let Change::Put { header, body, .. } = change {
                    writer.write(header)?;
                    writer.write(body)?;
                }
            }
            writer.flush()
        };
        write(&mut writer).map_err(|error| Failed::early(&error))?;
        let end = writer.at;
        file.sync().map_err(|error| Failed::unknown(&error))?;
        if let Some(open) = &mut self.state().slots[slot].open {
            open.end = end;
        }
        Ok(slot)
    }

    /// Returns a segment with room for so many bytes: the current one, or the other one once that is empty.
    fn room_for(
        &self,
        length: u64,
        start_settling: impl FnOnce() -> io::Result<()>,
    ) -> Result<(usize, Open), Failed> {
        let mut state = self.state();
        let Some(current) = state.current else {
            let number = state.number + 1;
            drop(state);
            return self.begin(0, SegmentLine { segment: number, salt: salt()?, after: None });
        };
        if let Some(open) = &state.slots[current].open
            && (next_block(open.end) + length <= self.segment_bytes || open.end <= BLOCK_BYTES)
        {
            return Ok((current, open.clone()));
        }
        let other = 1 - current;
        while state.slots[other].open.is_some() {
            if let Some(broken) = &state.broken {
                return Err(Failed::known(broken.fault.clone()));
            }
            // Whoever is to make a change of the other segment may be waiting here to take it back.
            if state.slots[other].in_flight > 0
                && let Some(open) = &state.slots[current].open
            {
                return Ok((current, open.clone()));
            }
            state = wait(&self.settled, state);
        }
        let full = state.slots[current].open.clone();
        let after = full.as_ref().map(|open| Predecessor { segment: open.line.segment, end: open.end });
        let number = state.number + 1;
        drop(state);
        start_settling().map_err(|error| Failed::known(Fault::of(&error)))?;
        let begun = self.begin(other, SegmentLine { segment: number, salt: salt()?, after })?;
        if let Some(full) = full {
            full.end_with(&begun.1).map_err(|error| Failed::unknown(&error))?;
        }
        // The other segment is full as of now, and is settled.
        self.settled.notify_all();
        Ok(begun)
    }

    /// Begins a segment in a slot that is empty.
    fn begin(&self, slot: usize, line: SegmentLine) -> Result<(usize, Open), Failed> {
        let path = self.folder.join(FILES[slot]);
        let open = || {
            if path.exists() {
                // An attempt that failed may have left a name that is not on the disk.
                sync_directory(&self.folder)?;
            } else {
                // The name never leads to a first block that was not synced.
                self.make_folder()?;
                private::write(&path, &EMPTY)?;
            }
            let file = TrackedFile::open(&private::options(), &path)?;
            // The block is synced with the first group.
            file.write_at(0, &line.block()?)?;
            Ok(file)
        };
        let file = open().map_err(|error: io::Error| {
            if is_full(&error) {
                // Nothing refers to them, so it does not matter if they stay.
                let _ = tracked::remove(&path.with_extension("new"));
                let _ = tracked::remove(&path);
            }
            Failed::early(&error)
        })?;
        let open = Open { line, file: Arc::new(file), end: BLOCK_BYTES };
        let mut state = self.state();
        state.number = open.line.segment;
        state.slots[slot].open = Some(open.clone());
        state.current = Some(slot);
        Ok((slot, open))
    }

    /// Settles segments that are full, until the journal is closed.
    pub(super) fn settle_full_segments(&self) {
        let mut state = self.state();
        loop {
            let full = (0..FILES.len()).find(|slot| {
                let segment = &state.slots[*slot];
                state.current.is_some_and(|current| current != *slot)
                    && segment.open.is_some()
                    && segment.in_flight == 0
            });
            let Some(slot) = full.filter(|_| state.broken.is_none() && !state.is_settling) else {
                if state.is_closing {
                    return;
                }
                state = wait(&self.settled, state);
                continue;
            };
            state.is_settling = true;
            let segment = &mut state.slots[slot];
            let unsettled = std::mem::take(&mut segment.unsettled);
            let file = segment.open.as_ref().map(|open| Arc::clone(&open.file));
            drop(state);
            // With an empty first block, the segment holds nothing. Its file is used again.
            let settled = self.settle.settle(&unsettled).and_then(|()| {
                let Some(file) = file else { return Ok(()) };
                file.write_at(0, &EMPTY)?;
                file.sync()
            });
            state = self.state();
            state.is_settling = false;
            match settled {
                Ok(()) => state.slots[slot] = Slot::default(),
                Err(error) => state.break_by(Fault::of(&error)),
            }
            self.settled.notify_all();
        }
    }
}

/// Returns 32 random hexadecimal digits, which nobody can foresee.
fn salt() -> Result<String, Failed> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failed::known(Fault::Failed(io::ErrorKind::Other, error.to_string())))?;
    Ok(format!("{:032x}", u128::from_le_bytes(bytes)))
}

/// Collects short parts, so that each write is long.
struct Writer<'a> {
    file: &'a TrackedFile,
    at: u64,
    buffer: Vec<u8>,
}

impl Writer<'_> {
    fn write(&mut self, part: &[u8]) -> io::Result<()> {
        if self.buffer.len() + part.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if part.len() > BUFFER_BYTES {
            return self.put(part);
        }
        self.buffer.extend_from_slice(part);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        self.put(&buffer)?;
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(self.at, bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}
