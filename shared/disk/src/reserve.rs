//! Room for a full disk: a file in a data folder whose bytes mean nothing, given up when a deletion or the index has
//! nowhere to write.
//!
//! Making room takes writes first: the tombstone of a deletion, its rows, the pages of the index that a commit copies.
//! Without a reserve, a full disk could not be emptied through the API.
//!
//! * **Held**, until a tombstone or a commit meets a full disk. Then the file is removed, and the write is retried.
//! * **Spent**, until there is room for twice the file. Meanwhile [`Reserve::admit`] refuses writes, so that new proofs
//!   do not take what deletions need. Work that was under way when the reserve was given up may finish
//!   ([`Reserve::admit_the_end`]). Free room is checked at most once a second, and only when a caller asks.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::private;

#[cfg(test)]
mod tests;

/// The name of the file in its folder.
const FILE: &str = "reserve";

/// The length of the file, in bytes. A deletion writes 4 KiB for each tombstone, and the index copies about 60 pages
/// (240 KiB) for its two commits, which it reuses after the next ones. Reopening an index of a million proofs (1 GB)
/// writes about 100 KiB. 8 MiB allow for that with thirty deletions at once, and are too little to be missed on any
/// disk.
pub const RESERVE_BYTES: u64 = 8 * 1_024 * 1_024;

/// The number of bytes written at a time. They are random, so that no file system compresses them.
const BLOCK_BYTES: usize = 1_024 * 1_024;

/// The shortest interval between two checks for free room.
const AGAIN: Duration = Duration::from_secs(1);

/// The time, after the reserve was given up, during which writers that did not know of it may still write: they met the
/// full disk at the same time, or have written a part of their data. A store takes some milliseconds.
const UNAWARE: Duration = Duration::from_secs(1);

/// The reserve of one folder. Clones share one reserve.
#[derive(Clone)]
pub struct Reserve(Arc<Inner>);

/// Returns the number of free bytes at a folder.
type Free = Box<dyn Fn(&Path) -> io::Result<u64> + Send + Sync>;

struct Inner {
    path: PathBuf,
    free: Free,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    room: Room,
    /// `true` if the last write met a full disk.
    is_full: bool,
    looked: Option<Instant>,
    /// The instant at which the reserve was last given up.
    given_up: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// There is no file, and none was requested.
    Untended,
    Held,
    Spent,
}

impl Reserve {
    /// Returns the reserve of `folder`, if one is kept there.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self::with(folder, Box::new(free))
    }

    /// Returns the reserve of `folder` as [`Self::at`] does, with `free` as the measure of free bytes.
    pub fn with(folder: &Path, free: Free) -> Self {
        let path = folder.join(FILE);
        let is_there = fs::metadata(&path).is_ok_and(|file| file.len() >= RESERVE_BYTES);
        let room = if is_there { Room::Held } else { Room::Untended };
        let state = State { room, is_full: false, looked: None, given_up: None };
        Self(Arc::new(Inner { path, free, state: Mutex::new(state) }))
    }

    /// Keeps a reserve from now on: makes the file now, or as soon as there is room.
    pub fn keep(&self) {
        let mut state = self.state();
        if state.room == Room::Untended {
            self.make(&mut state);
        }
    }

    /// Gives the room up to a write that met a full disk. Returns `true` if the write may be retried: there was room to
    /// give up, or another write gave it up a moment before.
    pub fn give_up(&self) -> bool {
        let mut state = self.state();
        state.is_full = true;
        if state.room != Room::Held {
            return state.was_just_given_up();
        }
        match fs::remove_file(&self.0.path) {
            // If the file is gone, an operator took it, and it counts as given up.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::error!(%error, "the disk is full, and the room kept for deletions cannot be given up");
                return false;
            }
            _ => {}
        }
        tracing::warn!(
            bytes = RESERVE_BYTES,
            "the disk is full: nothing is stored until there is room; deletions use what was kept for them"
        );
        let now = Some(Instant::now());
        (state.room, state.looked, state.given_up) = (Room::Spent, now, now);
        true
    }

    /// Admits a write that does not make room.
    ///
    /// # Errors
    /// Returns an error if the reserve is spent: the rest of the disk is for deletions.
    pub fn admit(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.room == Room::Spent {
            self.look(&mut state);
        }
        if state.room == Room::Spent { Err(spent()) } else { Ok(()) }
    }

    /// Admits a write that may finish work that was under way when the reserve was given up.
    ///
    /// # Errors
    /// Fails as [`Reserve::admit`] does.
    pub fn admit_the_end(&self) -> io::Result<()> {
        if self.state().was_just_given_up() { Ok(()) } else { self.admit() }
    }

    /// Records the outcome of a write that may not use the reserve.
    ///
    /// # Errors
    /// Returns the error of the write.
    pub fn noted<T>(&self, written: io::Result<T>) -> io::Result<T> {
        match &written {
            Ok(_) => self.state().is_full = false,
            Err(error) if is_full(error) => {
                let mut state = self.state();
                state.is_full = true;
                // An operator took the file: it counts as given up, and is made again once there is room.
                if state.room == Room::Held && !fs::exists(&self.0.path).unwrap_or(true) {
                    (state.room, state.looked) = (Room::Spent, Some(Instant::now()));
                }
            }
            Err(_) => {}
        }
        written
    }

    /// Does `work`, and retries it with the reserve's room if it met a full disk.
    ///
    /// # Errors
    /// Returns the error of the work.
    pub fn lent<T>(&self, work: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match work() {
            Err(error) if is_full(&error) && self.give_up() => work(),
            done => done,
        }
    }

    /// Returns `true` if the disk is full, as far as the last write and a check for free room show.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let mut state = self.state();
        if state.is_full || state.room == Room::Spent {
            self.look(&mut state);
        }
        state.is_full || state.room == Room::Spent
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, state: &mut State) {
        if state.looked.is_some_and(|looked| looked.elapsed() < AGAIN) {
            return;
        }
        state.looked = Some(Instant::now());
        match state.room {
            Room::Spent => self.make(state),
            Room::Held | Room::Untended => {
                state.is_full = !self.free().is_ok_and(|free| free >= RESERVE_BYTES);
            }
        }
    }

    /// Makes the file if as much room stays free beside it. Otherwise the next writes would have to give it up again.
    fn make(&self, state: &mut State) {
        let made = match self.free() {
            Ok(free) if free < 2 * RESERVE_BYTES => Err(io::ErrorKind::StorageFull.into()),
            Ok(_) => write(&self.0.path),
            Err(error) => Err(error),
        };
        match made {
            Ok(()) => {
                if state.room == Room::Spent {
                    tracing::info!("there is room on the disk again, and some of it is kept for deletions");
                }
                (state.room, state.is_full) = (Room::Held, false);
            }
            Err(error) => {
                // A partial file takes room without being a reserve. If there is none, there is nothing to remove.
                let _ = fs::remove_file(&self.0.path);
                if is_full(&error) {
                    if state.room == Room::Untended {
                        tracing::warn!(
                            bytes = 2 * RESERVE_BYTES,
                            "the disk is full, or nearly: nothing is stored until so many bytes are free, some of which are kept for \
                             deletions"
                        );
                    }
                    state.room = Room::Spent;
                } else if state.room != Room::Spent {
                    tracing::warn!(%error, "no room can be kept for deletions on a full disk");
                }
            }
        }
    }

    fn free(&self) -> io::Result<u64> {
        (self.0.free)(self.0.path.parent().unwrap_or(&self.0.path))
    }
}

impl State {
    fn was_just_given_up(&self) -> bool {
        self.room == Room::Spent && self.given_up.is_some_and(|then| then.elapsed() < UNAWARE)
    }
}

impl std::fmt::Debug for Reserve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reserve").field("path", &self.0.path).finish_non_exhaustive()
    }
}

/// Returns `true` if a write failed for lack of room that the reserve can provide.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn spent() -> io::Error {
    let words =
        "the disk is full: what is left is kept for deletions, and nothing is stored until there is room";
    io::Error::new(io::ErrorKind::StorageFull, words)
}

fn write(path: &Path) -> io::Result<()> {
    let mut block = vec![0; BLOCK_BYTES];
    fastrand::fill(&mut block);
    let mut file = private::options_for_anew().open(path)?;
    let mut left = usize::try_from(RESERVE_BYTES).unwrap_or(usize::MAX);
    while left > 0 {
        let length = left.min(block.len());
        file.write_all(&block[..length])?;
        left -= length;
    }
    Ok(())
}

/// Returns the bytes that are free for this process on the file system of `folder`: 0 if it has no room for another
/// file. If the system cannot be asked, a write will show.
#[cfg(unix)]
fn free(folder: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    // Some file systems have no limit of files, and report it as zero.
    if found.f_files > 0 && found.f_favail == 0 {
        return Ok(0);
    }
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free(_folder: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}
