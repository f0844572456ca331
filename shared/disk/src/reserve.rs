//! Room for a full disk: a file of a data folder whose bytes mean nothing, given up when a deletion or the index has
//! nowhere to write.
//!
//! Whoever has to make room has to write first: the marker of a deletion, its rows, the pages of the index that a commit
//! copies. Without a reserve, a full disk could not be emptied through the API.
//!
//! * **Held**, until a marker or a commit meets a full disk. Then the file is removed, and the write is tried again.
//! * **Spent**, until there is room for twice the file. Meanwhile whoever asks [`Reserve::admit`] is refused, so that new
//!   proofs do not take what deletions need. What was under way when it was given up may end
//!   ([`Reserve::admit_the_end`]). It is looked for room at most once a second, and only when somebody asks.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::private;

#[cfg(test)]
mod tests;

/// The file's name in its folder.
const FILE: &str = "reserve";

/// Length of the file. A deletion writes 4 KiB for each marker, and the index copies about 60 pages (240 KiB) for its two
/// commits, which it uses again after the next ones. To be opened anew, an index of a million proofs (1 GB) writes about
/// 100 KiB. 8 MiB are that with thirty deletions at once, and too little to miss on any disk.
pub const RESERVE_BYTES: u64 = 8 * 1_024 * 1_024;

/// Bytes that are written at once. They are random, so that no file system packs them into less.
const BLOCK_BYTES: usize = 1_024 * 1_024;

/// Shortest interval between two looks for free room.
const AGAIN: Duration = Duration::from_secs(1);

/// Time, after the reserve was given up, for which writers that did not know of it may still write: they met the full
/// disk at the same time, or have written a part of what they write. A store takes some milliseconds.
const UNAWARE: Duration = Duration::from_secs(1);

/// The room kept in one folder. Clones are the same.
#[derive(Clone)]
pub struct Reserve(Arc<Inner>);

/// Tells how many bytes are free where a folder is.
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
    /// Time at which the reserve was last given up.
    given_up: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// There is no file, and nobody asked for one.
    Untended,
    Held,
    Spent,
}

impl Reserve {
    /// The reserve of `folder`, if one is kept there.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self::with(folder, Box::new(free))
    }

    /// The same, with `free` to tell how many bytes are free.
    pub fn with(folder: &Path, free: Free) -> Self {
        let path = folder.join(FILE);
        let is_there = fs::metadata(&path).is_ok_and(|file| file.len() >= RESERVE_BYTES);
        let room = if is_there { Room::Held } else { Room::Untended };
        let state = State { room, is_full: false, looked: None, given_up: None };
        Self(Arc::new(Inner { path, free, state: Mutex::new(state) }))
    }

    /// Keeps a reserve from here on: makes it, now or as soon as there is room.
    pub fn keep(&self) {
        let mut state = self.state();
        if state.room == Room::Untended {
            self.make(&mut state);
        }
    }

    /// Gives the room up to a write that met a full disk. Returns `true` if there was any, also if another write was
    /// a moment faster: then the write may be tried again.
    pub fn give_up(&self) -> bool {
        let mut state = self.state();
        state.is_full = true;
        if state.room != Room::Held {
            return state.was_just_given_up();
        }
        match fs::remove_file(&self.0.path) {
            // That it is gone means that an operator took it: it is as good as given up.
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

    /// Lets a write pass that does not make room.
    ///
    /// # Errors
    /// The reserve is spent: what is left on the disk is for deletions.
    pub fn admit(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.room == Room::Spent {
            self.look(&mut state);
        }
        if state.room == Room::Spent { Err(spent()) } else { Ok(()) }
    }

    /// Lets a write pass that may be the end of what was under way when the reserve was given up.
    ///
    /// # Errors
    /// As [`Reserve::admit`].
    pub fn admit_the_end(&self) -> io::Result<()> {
        if self.state().was_just_given_up() { Ok(()) } else { self.admit() }
    }

    /// Remembers how a write ended that may not use the reserve.
    ///
    /// # Errors
    /// That of the write.
    pub fn noted<T>(&self, written: io::Result<T>) -> io::Result<T> {
        match &written {
            Ok(_) => self.state().is_full = false,
            Err(error) if is_full(error) => {
                let mut state = self.state();
                state.is_full = true;
                // An operator took the file: it is as good as given up, and is made again once there is room.
                if state.room == Room::Held && !fs::exists(&self.0.path).unwrap_or(true) {
                    (state.room, state.looked) = (Room::Spent, Some(Instant::now()));
                }
            }
            Err(_) => {}
        }
        written
    }

    /// Does `work`, and does it again with the reserve's room where it met a full disk.
    ///
    /// # Errors
    /// Those of the work.
    pub fn lent<T>(&self, work: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match work() {
            Err(error) if is_full(&error) && self.give_up() => work(),
            done => done,
        }
    }

    /// Returns `true` if the disk is full, as far as is known from the last write and a look at the room that there
    /// is.
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

    /// Makes the file, if as much is left free beside it: or else the next writes would have to give it up again.
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
                // Part of a file is no reserve, and takes room. Where there is none, nothing is to be removed.
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

/// Returns `true` if a write failed for want of room that the reserve can give.
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

/// Bytes that are free for this process on the file system of `folder`: none where it has no room for another file. Where that
/// cannot be asked, a write finds out.
#[cfg(unix)]
fn free(folder: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    // Some file systems have no limit of files, and say so with a zero.
    if found.f_files > 0 && found.f_favail == 0 {
        return Ok(0);
    }
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free(_folder: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}
