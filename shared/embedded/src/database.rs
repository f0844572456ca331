//! A redb file that reopens itself after a failure.
//!
//! After a read or a write that failed, redb refuses every further operation until its file is reopened, because it
//! cannot know what the disk holds. The next operation reopens the file, with at most one attempt per second until one
//! succeeds.
//!
//! * **Acknowledged data is kept**: the file opens at the last synced state. A commit that failed is reported as a
//!   failure; its changes may or may not be on the disk afterwards, and it is never retried here.
//! * **A failure is remembered** until a commit succeeds again ([`Database::failure`]); reopening makes such a commit.
//! * **A full disk** uses up the reserve first ([`backend`]), so that redb rarely sees the error.
//! * Readers wait while the file is reopened, since a closed file has no snapshots: about two seconds for each
//!   gigabyte, which redb checks. Otherwise readers never wait.

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
use credlink_disk::tracked::FileLog;
use opening::{OpenError, Opening, alone};

use crate::failure::from_redb;

/// Shortest interval between two attempts to open the file.
const AGAIN: Duration = Duration::from_secs(1);

/// Opens the file. The flag is set as soon as an operation on the file has failed.
type Opener = Box<dyn Fn(Arc<AtomicBool>) -> Result<redb::Database, DatabaseError> + Send + Sync>;

/// A database in one file of this machine.
pub(crate) struct Database {
    /// The name that operators know the database by.
    name: &'static str,
    opener: Opener,
    open: RwLock<Option<Open>>,
    broken: Mutex<Option<Broken>>,
    /// `true` while `broken` holds a failure. It can be read without waiting for the lock.
    is_broken: AtomicBool,
    reserve: Reserve,
}

struct Open {
    database: redb::Database,
    has_failed: Arc<AtomicBool>,
}

/// A failure, and the time of the latest attempt to reopen the file since.
struct Broken {
    failure: Failure,
    tried: Option<Instant>,
}

impl Database {
    /// Opens a file, and creates it if it does not exist. Writes may use `reserve`.
    ///
    /// # Errors
    /// Fails if another process uses the file, if the file is damaged, or if the file system refuses.
    pub(crate) fn open(opening: &Opening, reserve: Reserve) -> Result<Self, OpenError> {
        Self::open_file(opening, reserve).map_err(|error| opening.refused(error))
    }

    /// Like [`Database::open`], with redb's own error.
    ///
    /// # Errors
    /// Fails for the reasons of [`Database::open`].
    pub(crate) fn open_file(opening: &Opening, reserve: Reserve) -> Result<Self, DatabaseError> {
        let path = opening.path.clone();
        let file = move || {
            let (file, log) = private::open(&path)?.into_parts();
            private::keep_private(&path);
            Ok((FileBackend::new(file)?, Some(log)))
        };
        Self::over(opening.name, file, opening.cache_bytes, reserve)
    }

    /// Opens a database over the storage that `file` opens, with its log if it is a file.
    pub(crate) fn over<B: StorageBackend>(
        name: &'static str,
        file: impl Fn() -> Result<(B, Option<FileLog>), DatabaseError> + Send + Sync + 'static,
        cache_bytes: usize,
        reserve: Reserve,
    ) -> Result<Self, DatabaseError> {
        let lent = reserve.clone();
        let opener: Opener = Box::new(move |has_failed| {
            let (file, log) = file()?;
            let backend = Backend::new(file, log, lent.clone(), has_failed);
            alone(cache_bytes, backend)
        });
        let open = Open::with(&opener)?;
        let (open, broken) = (RwLock::new(Some(open)), Mutex::new(None));
        Ok(Self { name, opener, open, broken, is_broken: AtomicBool::new(false), reserve })
    }

    /// Returns the disk's reserve, which writes may use.
    pub(crate) const fn reserve(&self) -> &Reserve {
        &self.reserve
    }

    /// Reads in a snapshot of the last commit. This blocks on the disk, so it must not be called on the executor.
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

    /// Reads without waiting. Returns `None` if the file is being reopened or has to be.
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

    /// Writes, if the file is open or can be reopened.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&redb::Database) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.mend();
        let written = self.with(work);
        if written.is_err() {
            // Mended at once, since nobody can read either until the file is reopened.
            self.mend();
        }
        written
    }

    /// Returns the last failure, unless a commit has succeeded since. Tries to reopen the file first.
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

    /// Runs `work` on the open file, which stays open meanwhile.
    fn with<T>(&self, work: impl FnOnce(&redb::Database) -> Result<T, Failure>) -> Result<T, Failure> {
        // This lock is released before another one is taken: `mend` locks `broken` first and `open` second.
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
            // The first failure names the cause; later ones only say that redb refuses.
            self.broken().get_or_insert_with(|| Broken { failure: failure.clone(), tried: None });
            self.is_broken.store(true, Ordering::Release);
        }
        worked
    }

    /// Reopens the file if an operation failed and there was no attempt within the last second.
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
        // Closed first: two open handles on one file would disagree on its free pages.
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
