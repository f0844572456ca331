//! The journal of a folder: changes of objects, made durable together before they are made in the objects' own files.
//!
//! A change is written here, in a group with all others that wait, and the group is synced once. Then each change is
//! made in the object's file, without a sync, and answered. When a segment of the journal is full, all files that it
//! names are synced at once, behind the next segment, and its room is used again. After a crash, the changes in the
//! journal are made in the files once more ([`Journal::replay`]).
//!
//! * **It is kept where one sync makes all files durable** ([`Settle::is_possible`]). Elsewhere each change is made durable
//!   in its own file.
//! * **A group never waits for others to join.** While one is written, the next one gathers, and one of the callers that
//!   wait writes it: no thread stands between a single caller and the disk.
//! * **No file is replaced before the disk holds its successor in the journal**: a rename may reach the disk before the
//!   content does. A replay therefore begins by writing the journal once more: a process that was killed may have left a
//!   part of it in memory only.
//! * **What failed to be synced is never taken for synced.** After a failure, nothing is written until every change that
//!   the journal is known to hold has been written to new files, and those are synced.
//! * **A change that cannot be made in its file is taken back** by another one, and only its caller is refused.
//! * **Two segments** bound the room on the disk and the time of a replay. If both are full, writers wait.
//!
//! The format is described in `segment`.

mod replay;
mod segment;
#[cfg(test)]
mod tests;
mod writing;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::Instant;

use super::settle::{Settle, Unsettled};
use crate::private::{make_one, sync_directory};
use crate::tracked;

pub(super) use segment::Change;
use writing::{Failed, Gathering, Slot};

/// The folder of the journal.
pub(super) const JOURNAL: &str = "journal";
/// The files of the two segments.
const FILES: [&str; 2] = ["credlink-0.journal", "credlink-1.journal"];
/// The length of a segment, in bytes, unless a single change is longer. At 2,000 stores of 66 KB per second, one is full
/// after half a second. A replay writes at most two.
pub(super) const SEGMENT_BYTES: u64 = 64 * 1_024 * 1_024;

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
    /// Held by the change that waits for room in the group that gathers, so that no smaller one overtakes it.
    next: Mutex<()>,
    /// Signals room in the group that gathers, or in a segment.
    room: Condvar,
    /// Signals a segment that may be settled, or was.
    settled: Condvar,
    /// Held for reading from the decision to make a change, or to make none, until the change is made in its file.
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
    /// `true` once what the last process left in the journal is made.
    is_replayed: bool,
    /// `true` while the files of a segment are synced, or the journal is emptied or replayed.
    is_settling: bool,
    is_closing: bool,
    broken: Option<Broken>,
}

/// A failure after which it is unknown what the disk holds.
#[derive(Debug)]
struct Broken {
    fault: Fault,
    is_mending: bool,
    /// The end of the last attempt to mend the journal.
    tried: Option<Instant>,
}

/// The reasons why a change is not in the journal. Several callers may be told the same one.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Fault {
    /// There is no room for a journal, or none is kept on this file system. Nothing of the change will come into effect.
    #[error("there is no room for the journal")]
    Unjournaled,
    /// Writing failed, now or before. The change may come into effect when the journal is replayed.
    #[error("{1}")]
    Failed(io::ErrorKind, String),
}

impl Fault {
    fn of(error: &io::Error) -> Self {
        Self::Failed(error.kind(), error.to_string())
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault {
            Fault::Unjournaled => io::ErrorKind::StorageFull,
            Fault::Failed(kind, _) => kind,
        };
        Self::new(kind, fault.to_string())
    }
}

/// The right to decide about objects, and to change them: nothing is mended meanwhile. The caller holds the locks of the
/// objects.
#[derive(Debug)]
pub(super) struct Passage<'a> {
    journal: &'a Journal,
    _passing: RwLockReadGuard<'a, ()>,
}

/// Changes that the journal holds, and that are about to be made in their files.
#[derive(Debug)]
pub(super) struct Journaled<'a> {
    passage: &'a Passage<'a>,
    slot: usize,
    /// The number of changes.
    changes: usize,
    /// The files and names that the changes have made, once they are.
    made: Option<Unsettled>,
}

impl Passage<'_> {
    /// Makes `changes` durable, all or none. The caller makes them in their files next, in their order. They are few: one
    /// group has to hold them.
    ///
    /// # Errors
    /// Returns the reason why they are not in the journal.
    pub(super) fn commit(&self, changes: Vec<Change>) -> Result<Journaled<'_>, Fault> {
        let shared = &*self.journal.shared;
        if !shared.settle.is_possible() {
            return Err(Fault::Unjournaled);
        }
        let next = shared.next.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = shared.state();
        while state.broken.is_none() && !state.gathering.has_room_for(&changes) {
            state = wait(&shared.room, state);
        }
        drop(next);
        if let Some(broken) = &state.broken {
            return Err(broken.fault.clone());
        }
        let number = changes.len();
        let group = state.gathering.add(changes);
        loop {
            match group.outcome.get() {
                Some(Ok(slot)) => {
                    let slot = *slot;
                    return Ok(Journaled { passage: self, slot, changes: number, made: None });
                }
                Some(Err(fault)) => return Err(fault.clone()),
                None if state.is_writing => state = wait(&group.turn, state),
                None => state = self.journal.write(state),
            }
        }
    }
}

impl Journaled<'_> {
    /// Notes that the changes are made, and what they have made in the files.
    pub(super) fn made(mut self, made: Unsettled) {
        self.made = Some(made);
    }

    /// Takes back the changes of `keys`, which cannot be made in their files. The others are made.
    ///
    /// # Errors
    /// Returns an error if the journal fails. It is then mended, by which those changes may be made.
    pub(super) fn made_without<'k>(
        self,
        made: Unsettled,
        keys: impl Iterator<Item = &'k str>,
    ) -> Result<(), Fault> {
        let changes = keys.map(|key| Change::Undo { key: key.to_owned() }).collect();
        self.passage.commit(changes)?.made(Unsettled::default());
        self.made(made);
        Ok(())
    }
}

impl Drop for Journaled<'_> {
    fn drop(&mut self) {
        let shared = &self.passage.journal.shared;
        let mut state = shared.state();
        let is_current = state.current == Some(self.slot);
        let slot = &mut state.slots[self.slot];
        slot.in_flight -= self.changes;
        let is_last = slot.in_flight == 0 && !is_current;
        let is_made = self.made.is_some();
        if let Some(made) = self.made.take() {
            slot.unsettled.add_all(made);
        } else {
            let message = "a change is in the journal and could not be made in its file".to_owned();
            state.break_by(Fault::Failed(io::ErrorKind::Other, message));
            shared.room.notify_all();
        }
        if is_last || !is_made {
            shared.settled.notify_all();
        }
    }
}

impl State {
    fn break_by(&mut self, fault: Fault) {
        if self.broken.is_none() {
            tracing::error!(reason = %fault, "the journal of the folder failed; nothing is written until it is mended");
        }
        // The first failure names the cause.
        self.broken.get_or_insert(Broken { fault, is_mending: false, tried: None });
    }
}

fn wait<'a>(signal: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    signal.wait(state).unwrap_or_else(PoisonError::into_inner)
}

/// Names the file of the journal that an error is about.
fn named(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no change is on its way through the journal and nothing is settled, and keeps others out.
    fn alone(&self) -> Alone<'_> {
        let passage = self.passage.write().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        while state.is_settling {
            state = wait(&self.settled, state);
        }
        state.is_settling = true;
        Alone { shared: self, _passage: passage }
    }

    fn paths(&self) -> [PathBuf; 2] {
        FILES.map(|file| self.folder.join(file))
    }

    /// Makes the journal's folder, if there is none.
    fn make_folder(&self) -> io::Result<()> {
        make_one(&self.folder)?;
        self.folder.parent().map_or(Ok(()), sync_directory)
    }

    /// Removes the segments, whose changes are all in their files. `newest` is the slot of the newest one, if any. It is
    /// removed last: an older segment alone would be replayed over newer files.
    fn forget(&self, newest: Option<usize>) -> io::Result<()> {
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
                    removed.map_err(named(&path))?;
                    sync_directory(&self.folder)?;
                }
            }
        }
        let mut state = self.state();
        state.slots = Default::default();
        state.current = None;
        Ok(())
    }
}

/// The journal while nobody else changes anything. Its state is not locked, so whoever asks is answered meanwhile.
struct Alone<'a> {
    shared: &'a Shared,
    _passage: RwLockWriteGuard<'a, ()>,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.shared.state().is_settling = false;
        self.shared.settled.notify_all();
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
            next: Mutex::default(),
            room: Condvar::new(),
            settled: Condvar::new(),
            passage: RwLock::default(),
        };
        Self { shared: Arc::new(shared), settling: Mutex::default() }
    }

    /// Returns the way to the disk for the objects' files.
    pub(super) fn settle(&self) -> &Settle {
        &self.shared.settle
    }

    /// Waits while the journal is emptied. What the caller then finds in the files holds until it leaves.
    ///
    /// # Errors
    /// Returns the failure if the journal has to be mended: files may be about to change.
    pub(super) fn enter(&self) -> Result<Passage<'_>, Fault> {
        let usable =
            || self.shared.state().broken.as_ref().map_or(Ok(()), |broken| Err(broken.fault.clone()));
        // Nobody waits for a mend.
        usable()?;
        let passing = self.shared.passage.read().unwrap_or_else(PoisonError::into_inner);
        usable()?;
        Ok(Passage { journal: self, _passing: passing })
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
            Some(fault) => Err(Failed::known(fault)),
            None => self.shared.write_group(&changes, || self.start_settling()),
        };
        let mut state = self.shared.state();
        state.is_writing = false;
        let outcome = match written {
            Ok(slot) => {
                state.slots[slot].in_flight += changes.len();
                Ok(slot)
            }
            Err(failed) => {
                if failed.is_unknown {
                    state.break_by(failed.fault.clone());
                    self.shared.room.notify_all();
                }
                Err(failed.fault)
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
        let holds_something = || {
            let state = self.shared.state();
            match &state.broken {
                Some(broken) => Err(io::Error::from(broken.fault.clone())),
                None => Ok(state.current.is_some()),
            }
        };
        if !holds_something()? {
            return Ok(false);
        }
        let _alone = self.shared.alone();
        if !holds_something()? {
            return Ok(false);
        }
        let mut unsettled = Unsettled::default();
        let newest = {
            let mut state = self.shared.state();
            for slot in &mut state.slots {
                unsettled.add_all(std::mem::take(&mut slot.unsettled));
            }
            state.current
        };
        let emptied = self.shared.settle.settle(&unsettled).and_then(|()| self.shared.forget(newest));
        emptied.inspect_err(|error| self.shared.state().break_by(Fault::of(error)))?;
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
