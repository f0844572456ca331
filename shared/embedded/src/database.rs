//! A file of redb that is opened anew by itself.
//!
//! After a read or a write that failed, redb refuses everything until its file is opened anew, because it cannot know what
//! the disk holds. Here the next one who needs the file does that, at most once a second until it succeeds.
//!
//! * **What was acknowledged is kept**: opening takes the last synced state. A commit that failed is told as a failure; it
//!   may stand there afterwards or not, and is never tried again here.
//! * **A failure is remembered** until a commit succeeds again ([`Database::failure`]): opening makes one.
//! * **A full disk** costs the reserve first ([`backend`]), so that redb mostly does not notice it.
//! * Readers wait while the file is opened, as snapshots of the closed file cannot be read: about two seconds for each
//!   gigabyte, which redb checks. They wait for nobody otherwise.

mod backend;
#[cfg(test)]
pub(crate) mod disk;
pub(crate) mod opening;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::{Duration, Instant};

use credlink_ports::{Failure, FailureKind};
use redb::backends::FileBackend;
use redb::{DatabaseError, ReadTransaction, ReadableDatabase as _, StorageBackend};

use backend::Backend;
use credlink_disk::private;
use credlink_disk::reserve::Reserve;
use opening::{OpenError, Opening, alone};

use crate::failure::from_redb;

/// Shortest interval between two attempts to open the file.
const AGAIN: Duration = Duration::from_secs(1);

/// Opens the file. The flag is set as soon as a call to it has failed.
type Opener = Box<dyn Fn(Arc<AtomicBool>) -> Result<redb::Database, DatabaseError> + Send + Sync>;

/// A database in one file of this machine.
pub(crate) struct Database {
    /// The name that operators know it by.
    name: &'static str,
    opener: Opener,
    open: RwLock<Option<Open>>,
    broken: Mutex<Option<Broken>>,
    /// `true` while `broken` holds something. It can be asked without waiting for the lock.
    is_broken: AtomicBool,
    reserve: Reserve,
}

struct Open {
    database: redb::Database,
    has_failed: Arc<AtomicBool>,
}

/// A failure, and the time of the latest attempt to open the file since.
struct Broken {
    failure: Failure,
    tried: Option<Instant>,
}

impl Database {
    /// Opens a file, and makes it if there is none. Writes may use `reserve`.
    ///
    /// # Errors
    /// Another process uses it, it is damaged, or the file system refuses.
    pub(crate) fn open(opening: &Opening, reserve: Reserve) -> Result<Self, OpenError> {
        Self::open_file(opening, reserve).map_err(|error| opening.refused(error))
    }

    /// The same, with redb's own error.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub(crate) fn open_file(opening: &Opening, reserve: Reserve) -> Result<Self, DatabaseError> {
        let path = opening.path.clone();
        let file = move || {
            let file = private::open(&path)?;
            private::keep_private(&path);
            FileBackend::new(file)
        };
        Self::over(opening.name, file, opening.cache_bytes, reserve)
    }

    /// The same over what `file` opens.
    pub(crate) fn over<B: StorageBackend>(
        name: &'static str,
        file: impl Fn() -> Result<B, DatabaseError> + Send + Sync + 'static,
        cache_bytes: usize,
        reserve: Reserve,
    ) -> Result<Self, DatabaseError> {
        let lent = reserve.clone();
        let opener: Opener = Box::new(move |has_failed| {
            let backend = Backend::new(file()?, lent.clone(), has_failed);
            alone(cache_bytes, backend)
        });
        let open = Open::with(&opener)?;
        let (open, broken) = (RwLock::new(Some(open)), Mutex::new(None));
        Ok(Self { name, opener, open, broken, is_broken: AtomicBool::new(false), reserve })
    }

    /// The room that writes may use.
    pub(crate) const fn reserve(&self) -> &Reserve {
        &self.reserve
    }

    /// Reads in a snapshot of the last commit. To be called where waiting for a disk holds up nobody.
    pub(crate) fn read<T>(
        &self,
        work: impl Fn(&ReadTransaction) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.mend();
        let read = self.with(|database| self.snapshot(database, &work));
        if read.is_err() && self.is_broken() {
            self.mend();
            return self.with(|database| self.snapshot(database, &work));
        }
        read
    }

    /// The same without waiting. `None`: the file is being opened, or has to be.
    pub(crate) fn try_read<T>(
        &self,
        work: impl Fn(&ReadTransaction) -> Result<T, Failure>,
    ) -> Option<Result<T, Failure>> {
        if self.is_broken() {
            return None;
        }
        let open = match self.open.try_read() {
            Ok(open) => open,
            Err(TryLockError::Poisoned(open)) => open.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let open = open.as_ref()?;
        let read = self.snapshot(&open.database, &work);
        if read.is_err() && open.has_failed.load(Ordering::Acquire) { None } else { Some(read) }
    }

    /// Writes, if the file is open or can be opened.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&redb::Database) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.mend();
        let written = self.with(work);
        if written.is_err() {
            // At once, as nobody can read either until it is done.
            self.mend();
        }
        written
    }

    /// Returns what went wrong, unless a commit has succeeded since. Tries to mend it first.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.mend();
        self.broken().as_ref().map(|broken| broken.failure.clone())
    }

    fn snapshot<T>(
        &self,
        database: &redb::Database,
        work: impl Fn(&ReadTransaction) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        work(&database.begin_read().map_err(|error| from_redb(self.name, error))?)
    }

    /// Works on the open file, which stays open meanwhile.
    fn with<T>(&self, work: impl FnOnce(&redb::Database) -> Result<T, Failure>) -> Result<T, Failure> {
        // Given back before anything else is locked: who opens the file anew takes it last.
        let (worked, has_failed) = {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            match open.as_ref() {
                Some(open) => {
                    let worked = work(&open.database);
                    (Some(worked), open.has_failed.load(Ordering::Acquire))
                }
                None => (None, false),
            }
        };
        let worked = worked.unwrap_or_else(|| Err(self.remembered()));
        if let Err(failure) = &worked
            && has_failed
        {
            // The first failure says what happened; those after it say only that something did.
            self.broken().get_or_insert_with(|| Broken { failure: failure.clone(), tried: None });
            self.is_broken.store(true, Ordering::Release);
        }
        worked
    }

    /// Opens the file anew if something failed and it was not tried within the last second.
    fn mend(&self) {
        if !self.is_broken() {
            return;
        }
        let mut broken = self.broken();
        let Some(Broken { failure, tried }) = broken.as_mut() else { return };
        if tried.is_some_and(|tried| tried.elapsed() < AGAIN) {
            return;
        }
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        // Closed first: a file that is open twice has two ideas of its free pages.
        drop(open.take());
        let anew = Open::with(&self.opener).map_err(|error| from_redb(self.name, error));
        let anew = anew.and_then(|open| {
            self.commit_nothing(&open.database)?;
            Ok(open)
        });
        match anew {
            Ok(anew) => {
                *open = Some(anew);
                tracing::warn!(provider = self.name, reason = %failure, "opened anew after a failure");
                *broken = None;
                self.is_broken.store(false, Ordering::Release);
            }
            Err(error) => {
                tracing::error!(provider = self.name, reason = %error, "it cannot be opened anew; it is tried again");
                (*failure, *tried) = (error, Some(Instant::now()));
            }
        }
    }

    fn commit_nothing(&self, database: &redb::Database) -> Result<(), Failure> {
        let failure = |error| from_redb(self.name, error);
        database.begin_write().map_err(|error| from_redb(self.name, error))?.commit().map_err(failure)
    }

    fn remembered(&self) -> Failure {
        let failure = self.broken().as_ref().map(|broken| broken.failure.clone());
        failure.unwrap_or_else(|| Failure {
            provider: self.name,
            kind: FailureKind::Unavailable,
            message: "it is being opened anew".to_owned(),
        })
    }

    fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Acquire)
    }

    fn broken(&self) -> MutexGuard<'_, Option<Broken>> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn with(opener: &Opener) -> Result<Self, DatabaseError> {
        let has_failed = Arc::new(AtomicBool::new(false));
        Ok(Self { database: opener(Arc::clone(&has_failed))?, has_failed })
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("name", &self.name).finish_non_exhaustive()
    }
}
