//! The journal of a folder: changes of objects, made durable together before they are made in the objects' own files.
//!
//! A change is written here, in a group with all others that wait, and the group is synced once. Then each change is
//! made in the object's file, without a sync, and answered. When a segment of the journal is full, all files that it
//! names are synced at once, behind the next segment, and its room is used again. After a crash, the changes in the
//! journal are made in the files once more ([`Journal::replay`]).
//!
//! * **A group never waits for others to join.** While one is written, the next one gathers, and one of the callers that
//!   wait writes it: no thread stands between a single caller and the disk.
//! * **No file is replaced before the journal holds its successor**: a rename may reach the disk before the content does.
//! * **What failed to be synced is never taken for synced.** After a failure, nothing is written until every change in
//!   the journal has been written to new files, and those are synced.
//! * **Two segments** bound the room on the disk and the time of a replay. If both are full, writers wait.
//!
//! The format is described in `segment`.

mod segment;
#[cfg(test)]
mod tests;
mod writing;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::layout::ObjectPath;
use super::settle::Settle;
use crate::private::{make_one, sync_directory};
use crate::tracked;

pub(super) use segment::Change;
use segment::{Found, Segment, SegmentError};
use writing::{Failed, Gathering, Slot};

/// The folder of the journal.
pub(super) const JOURNAL: &str = "journal";
/// The files of the two segments.
const FILES: [&str; 2] = ["credlink-0.journal", "credlink-1.journal"];
/// The length of a segment, in bytes, unless a single change is longer. At 2,000 stores of 66 KB per second, one is full
/// after half a second. A replay writes at most two.
pub(super) const SEGMENT_BYTES: u64 = 64 * 1_024 * 1_024;
/// The shortest interval between two attempts to mend the journal.
const AGAIN: Duration = Duration::from_secs(1);

/// The journal of one folder.
#[derive(Debug)]
pub(super) struct Journal {
    shared: Arc<Shared>,
    /// The thread that settles full segments, once there was one.
    settling: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    settle: Settle,
    segment_bytes: u64,
    state: Mutex<State>,
    /// Signals room in the group that gathers, or in a segment.
    room: Condvar,
    /// Signals a segment that may be settled, or was.
    settled: Condvar,
    /// Held for reading from the write of a change to the journal until the change is made in its file.
    passage: RwLock<()>,
}

#[derive(Debug, Default)]
struct State {
    gathering: Gathering,
    /// `true` while a group is written.
    is_writing: bool,
    slots: [Slot; 2],
    /// The segment that is written, if any.
    current: Option<usize>,
    /// The number of the last segment.
    number: u64,
    /// `true` while the files of a segment are synced.
    is_settling: bool,
    is_closing: bool,
    broken: Option<Broken>,
}

/// A failure after which it is unknown what the disk holds.
#[derive(Debug)]
struct Broken {
    fault: Fault,
    tried: Option<Instant>,
}

/// An error that several callers are told.
#[derive(Clone, Debug)]
struct Fault(io::ErrorKind, String);

impl From<&io::Error> for Fault {
    fn from(error: &io::Error) -> Self {
        Self(error.kind(), error.to_string())
    }
}

impl From<&Fault> for io::Error {
    fn from(fault: &Fault) -> Self {
        Self::new(fault.0, fault.1.clone())
    }
}

/// Changes that the journal holds, and that are about to be made in their files.
#[derive(Debug)]
pub(super) struct Journaled<'a> {
    shared: &'a Shared,
    slot: usize,
    /// The number of changes.
    changes: usize,
    is_made: bool,
    _passing: RwLockReadGuard<'a, ()>,
}

impl Journaled<'_> {
    /// Notes that the changes are made in their files.
    pub(super) fn made(mut self) {
        self.is_made = true;
    }
}

impl Drop for Journaled<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let slot = &mut state.slots[self.slot];
        slot.in_flight -= self.changes;
        let is_last = slot.in_flight == 0 && state.current != Some(self.slot);
        if !self.is_made {
            let message = "a change is in the journal and could not be made in its file".to_owned();
            state.break_by(Fault(io::ErrorKind::Other, message));
            self.shared.room.notify_all();
        }
        if is_last || !self.is_made {
            self.shared.settled.notify_all();
        }
    }
}

impl State {
    fn break_by(&mut self, fault: Fault) {
        if self.broken.is_none() {
            tracing::error!(
                reason = fault.1,
                "the journal of the folder failed; nothing is written until it is mended"
            );
        }
        // The first failure names the cause.
        self.broken.get_or_insert(Broken { fault, tried: None });
    }
}

fn wait<'a>(signal: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    signal.wait(state).unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no change is on its way through the journal, and keeps others out.
    fn alone(&self) -> (RwLockWriteGuard<'_, ()>, MutexGuard<'_, State>) {
        let alone = self.passage.write().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        while state.is_settling {
            state = wait(&self.settled, state);
        }
        (alone, state)
    }

    fn paths(&self) -> [PathBuf; 2] {
        FILES.map(|file| self.folder.join(file))
    }

    /// Removes the segments, whose changes are all in their files. `newest` is the slot of the newest one, if any. It is
    /// removed last: an older segment alone would be replayed over newer files.
    fn forget(&self, state: &mut State, newest: Option<usize>) -> io::Result<()> {
        let mut paths = self.paths();
        if newest == Some(0) {
            paths.reverse();
        }
        let [first, last] = paths;
        let half_made = [first.with_extension("new"), last.with_extension("new")];
        for path in half_made.into_iter().chain([first, last]) {
            match tracked::remove(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => {
                    removed?;
                    sync_directory(&self.folder)?;
                }
            }
        }
        state.slots = Default::default();
        state.current = None;
        Ok(())
    }
}

impl Journal {
    /// Returns the journal of the folder at `path`, with segments of this length. Nothing is made there before a change
    /// is written.
    pub(super) fn of(path: &Path, settle: Settle, segment_bytes: u64) -> Self {
        let shared = Shared {
            folder: path.join(JOURNAL),
            settle,
            segment_bytes,
            state: Mutex::default(),
            room: Condvar::new(),
            settled: Condvar::new(),
            passage: RwLock::default(),
        };
        Self { shared: Arc::new(shared), settling: Mutex::default() }
    }

    /// Makes `changes` durable, all or none. The caller holds the locks of the objects, and makes the changes in their
    /// files next, in their order. They are few: one group has to hold them.
    ///
    /// # Errors
    /// If the disk is full ([`is_full`](crate::reserve::is_full)), nothing was written. After any other error the change
    /// may come into effect when the journal is mended or replayed.
    pub(super) fn commit(&self, changes: Vec<Change>) -> io::Result<Journaled<'_>> {
        let shared = &*self.shared;
        let passing = shared.passage.read().unwrap_or_else(PoisonError::into_inner);
        let mut state = shared.state();
        while state.broken.is_none() && !state.gathering.has_room_for(&changes) {
            state = wait(&shared.room, state);
        }
        if let Some(broken) = &state.broken {
            return Err((&broken.fault).into());
        }
        let number = changes.len();
        let group = state.gathering.add(changes);
        loop {
            match group.outcome.get() {
                Some(Ok(slot)) => {
                    let slot = *slot;
                    let is_made = false;
                    return Ok(Journaled { shared, slot, changes: number, is_made, _passing: passing });
                }
                Some(Err(fault)) => return Err(fault.into()),
                None if state.is_writing => state = wait(&group.turn, state),
                None => state = self.write(state),
            }
        }
    }

    /// Writes the group that has gathered.
    fn write<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.is_writing = true;
        let Gathering { changes, group, .. } = std::mem::take(&mut state.gathering);
        let broken = state.broken.as_ref().map(|broken| broken.fault.clone());
        drop(state);
        self.shared.room.notify_all();
        let written = match broken {
            // What a segment holds behind a group that failed is unknown.
            Some(fault) => Err(Failed { error: (&fault).into(), is_unknown: false }),
            None => self.shared.write_group(&changes, || self.start_settling()),
        };
        let mut state = self.shared.state();
        state.is_writing = false;
        let outcome = match written {
            Ok(slot) => {
                let segment = &mut state.slots[slot];
                segment.in_flight += changes.len();
                segment.places.extend(changes.iter().map(|change| ObjectPath::of(change.key())));
                Ok(slot)
            }
            Err(failed) => {
                if failed.is_unknown {
                    state.break_by((&failed.error).into());
                    self.shared.room.notify_all();
                }
                Err((&failed.error).into())
            }
        };
        // Nobody else sets it: only one caller writes at a time.
        let _ = group.outcome.set(outcome);
        group.turn.notify_all();
        // One of those who gathered meanwhile writes the next group.
        state.gathering.group.turn.notify_one();
        state
    }

    /// Starts the thread that settles full segments, if it does not run.
    fn start_settling(&self) -> io::Result<()> {
        let mut thread = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let shared = Arc::clone(&self.shared);
            let settle = move || shared.settle_full_segments();
            *thread = Some(std::thread::Builder::new().name("folder-journal".into()).spawn(settle)?);
        }
        Ok(())
    }

    /// Empties the journal and removes its files, so that their room can be used. Returns `true` if it had any.
    ///
    /// # Errors
    /// Returns an error if the objects' files cannot be synced.
    pub(super) fn empty(&self) -> io::Result<bool> {
        let (_alone, mut state) = self.shared.alone();
        if let Some(broken) = &state.broken {
            return Err((&broken.fault).into());
        }
        let places: HashSet<_> =
            state.slots.iter_mut().flat_map(|slot| std::mem::take(&mut slot.places)).collect();
        if state.current.is_none() {
            return Ok(false);
        }
        let newest = state.current;
        let emptied =
            self.shared.settle.settle(&places).and_then(|()| self.shared.forget(&mut state, newest));
        if let Err(error) = emptied {
            state.break_by((&error).into());
            return Err(error);
        }
        Ok(true)
    }

    /// Makes every change in the journal in its file again, by calling `make` with the object's key and its file's
    /// content (or `None` if it was removed), and empties the journal. The files are written anew whatever they hold: if
    /// a sync has failed, their content may be in memory only.
    ///
    /// # Errors
    /// Returns an error if the journal is damaged, or if the file system refuses. The journal is then as it was.
    pub(super) fn replay(&self, make: impl Fn(&str, Option<&[u8]>) -> io::Result<()>) -> io::Result<()> {
        let (_alone, mut state) = self.shared.alone();
        self.shared.replay(&mut state, make)
    }

    /// Mends a journal that has failed by a replay, at most once per second.
    ///
    /// # Errors
    /// Returns the failure if it cannot be mended.
    pub(super) fn mend(&self, make: impl Fn(&str, Option<&[u8]>) -> io::Result<()>) -> io::Result<()> {
        if self.shared.state().broken.is_none() {
            return Ok(());
        }
        let (_alone, mut state) = self.shared.alone();
        let Some(broken) = &mut state.broken else { return Ok(()) };
        if broken.tried.is_some_and(|tried| tried.elapsed() < AGAIN) {
            return Err((&broken.fault).into());
        }
        broken.tried = Some(Instant::now());
        self.shared.replay(&mut state, make)?;
        tracing::warn!("the journal of the folder is mended");
        state.broken = None;
        Ok(())
    }

    /// Returns `true` if every change in the journal is made in its file, as `is_made` finds.
    ///
    /// # Errors
    /// Returns an error if the journal is damaged, or if the file system refuses.
    pub(super) fn is_made(
        &self,
        is_made: impl Fn(&str, Option<&[u8]>) -> io::Result<bool>,
    ) -> io::Result<bool> {
        let Latest { mut segments, changes, .. } = self.shared.latest([None, None])?;
        for (key, (segment, found)) in changes {
            let content = content(&mut segments, segment, &found)?;
            if !is_made(&key, content.as_deref())? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Err(error) = self.empty() {
            tracing::warn!(%error, "the journal of the folder stays, and is replayed when the folder is opened");
        }
        self.shared.state().is_closing = true;
        self.shared.settled.notify_all();
        let thread = self.settling.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// The last change of each object in the journal, with the segment that holds it.
struct Latest {
    segments: Vec<Segment>,
    changes: BTreeMap<String, (usize, Found)>,
    /// The slot of the newest segment, if there is one.
    newest: Option<usize>,
}

fn content(segments: &mut [Segment], segment: usize, found: &Found) -> io::Result<Option<Vec<u8>>> {
    match (found, segments.get_mut(segment)) {
        (Found::Put(at, length), Some(segment)) => segment.content(*at, *length).map(Some),
        (Found::Put(..) | Found::Delete, _) => Ok(None),
    }
}

impl Shared {
    /// Reads the segments, in the order of their numbers. `ends` are the positions up to which they are known to be
    /// synced.
    fn latest(&self, ends: [Option<u64>; 2]) -> io::Result<Latest> {
        let damaged = |path: &Path, why: &str| {
            let what = format!(
                "the journal {} is damaged: {why}. Changes that were acknowledged may be in it alone. Restore it, or, if it is \
                 lost, move it away and run `credlink fsck`",
                path.display()
            );
            io::Error::new(io::ErrorKind::InvalidData, what)
        };
        let mut found = Vec::new();
        for (slot, (path, end)) in self.paths().into_iter().zip(ends).enumerate() {
            match Segment::open(&path) {
                Ok(segment) => found.extend(segment.map(|segment| (slot, path, end, segment))),
                Err(SegmentError::Io(error)) => return Err(error),
                Err(SegmentError::Damaged(why)) => return Err(damaged(&path, &why)),
            }
        }
        found.sort_by_key(|(_, _, _, segment)| segment.line.segment);
        let after = found.last().and_then(|(_, _, _, last)| last.line.after);
        let newest = found.last().map(|(slot, ..)| *slot);
        let mut changes = BTreeMap::new();
        let mut segments = Vec::new();
        for (number, (_, path, known, mut segment)) in found.into_iter().enumerate() {
            let read = segment.read(|key, found| {
                changes.insert(key, (number, found));
            });
            let end = match read {
                Ok(end) => end,
                Err(SegmentError::Io(error)) => return Err(error),
                Err(SegmentError::Damaged(why)) => return Err(damaged(&path, &why)),
            };
            let told = after.filter(|after| after.segment == segment.line.segment).map(|after| after.end);
            if told.max(known).is_some_and(|expected| end < expected) {
                return Err(damaged(&path, &format!("it can be read up to byte {end} only")));
            }
            segments.push(segment);
        }
        Ok(Latest { segments, changes, newest })
    }

    fn replay(
        &self,
        state: &mut State,
        make: impl Fn(&str, Option<&[u8]>) -> io::Result<()>,
    ) -> io::Result<()> {
        let ends = [0, 1].map(|slot| state.slots[slot].known_end());
        let Latest { mut segments, changes, newest } = self.latest(ends)?;
        let number = segments.last().map_or(0, |segment| segment.line.segment);
        let mut places = HashSet::new();
        for (key, (segment, found)) in changes {
            make(&key, content(&mut segments, segment, &found)?.as_deref())?;
            places.insert(ObjectPath::of(&key));
        }
        drop(segments);
        self.settle.settle(&places)?;
        state.number = state.number.max(number);
        self.forget(state, newest)
    }

    /// Makes the journal's folder, if there is none.
    fn make_folder(&self) -> io::Result<()> {
        make_one(&self.folder)?;
        self.folder.parent().map_or(Ok(()), sync_directory)
    }
}
