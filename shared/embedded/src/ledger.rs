//! The ledger of a local job: one file, over redb.
//!
//! * A `write` is one transaction, synced to the disk before it is answered.
//! * The process that opens the file for writing has it alone, until it ends; the lease only keeps two runs in one
//!   process apart. So a job whose process was killed can be taken up at once.
//! * [`FileLedger::look`] reads a job that nobody runs, beside others that do. After a kill it puts the file in order first,
//!   for which it has to be alone.

use std::fmt;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use credlink_core::time::Timestamp;
use credlink_ports::migration::Ledger;
use credlink_ports::migration::form;
use credlink_ports::migration::ledger::{Entry, Job, JobName, Order};
use credlink_ports::{Clock, Failure, FailureKind, Page};
use redb::{
    Database, DatabaseError, ReadOnlyDatabase, ReadTransaction, ReadableDatabase as _, ReadableTable as _,
    StorageError, TableDefinition,
};

use credlink_disk::failure::{from_io, off_the_executor};
use credlink_disk::private::{self, sync_directory};

use crate::failure::from_redb;

/// The name that operators know this ledger by.
const NAME: &str = "ledger";

/// Memory for pages of the file, in bytes. Items come in the order of their keys, or nearly: few pages are warm at a time.
const CACHE_BYTES: usize = 2 * 1_024 * 1_024;

/// An item's key → its entry's version, and the entry as JSON.
const ENTRIES: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("entries");
/// `job`: the job as JSON. `version`: of these tables.
const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
/// The entry of [`ABOUT`] that holds the job.
const JOB: &str = "job";
/// The entry of [`ABOUT`] that holds the version.
const VERSION: &str = "version";
/// The version of the tables.
const TABLES_VERSION: &[u8] = b"1";

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process holds it.
    #[error("another process runs the job `{job}` ({} is locked); wait for it, or stop it", path.display())]
    InUse {
        /// The job.
        job: JobName,
        /// The file.
        path: PathBuf,
    },
    /// It was never begun here.
    #[error("there is no job `{job}` in {}", folder.display())]
    NoSuchJob {
        /// The job.
        job: JobName,
        /// Where jobs are kept.
        folder: PathBuf,
    },
    /// It was written by another version.
    #[error("the ledger {} has tables of version {found}; this program reads version 1", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// What its tables say.
        found: String,
    },
    /// The file system refused, or the file is damaged.
    #[error("the ledger {} cannot be opened: {source}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: Failure,
    },
}

/// The open file.
enum File {
    Whole(Database),
    ReadOnly(ReadOnlyDatabase),
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Whole",
            Self::ReadOnly(_) => "ReadOnly",
        })
    }
}

impl File {
    fn snapshot(&self) -> Result<ReadTransaction, Failure> {
        match self {
            Self::Whole(database) => database.begin_read(),
            Self::ReadOnly(database) => database.begin_read(),
        }
        .map_err(failure)
    }

    fn writable(&self) -> Result<&Database, Failure> {
        match self {
            Self::Whole(database) => Ok(database),
            Self::ReadOnly(_) => {
                let message = "it was opened for reading".to_owned();
                Err(Failure { provider: NAME, kind: FailureKind::AccessDenied, message })
            }
        }
    }
}

/// A ledger in one file.
#[derive(Debug)]
pub struct FileLedger<K> {
    file: Arc<File>,
    lease: Mutex<Option<(String, Timestamp)>>,
    clock: K,
}

/// The file of a job.
#[must_use]
pub fn ledger_path(folder: &Path, job: &JobName) -> PathBuf {
    folder.join(format!("{job}.redb"))
}

impl<K: Clock> FileLedger<K> {
    /// Opens the ledger of `job` in `folder`, and makes both if there are none. After a crash this checks the whole file.
    ///
    /// # Errors
    /// Another process has it open, it is of another version, it is damaged, or the file system refuses.
    pub fn open(folder: &Path, job: &JobName, clock: K) -> Result<Self, LedgerError> {
        let path = ledger_path(folder, job);
        let failed = |source| LedgerError::Failed { path: path.clone(), source };
        let from_io = |error: io::Error| failed(from_io(NAME, "making its file", &error));
        // It names what is private.
        private::make_folder(folder).map_err(from_io)?;
        drop(private::open(&path).map_err(from_io)?);
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(&path);
        let database = database.map_err(|error| refused(error, job, &path))?;
        // That there is a file has to be as durable as what is in it.
        sync_directory(folder).map_err(from_io)?;
        let found = prepare(&database).map_err(failed)?;
        Self::over(File::Whole(database), &found, path, clock)
    }

    /// Opens the ledger of `job` in `folder` for reading only.
    ///
    /// # Errors
    /// As [`FileLedger::open`]; there is no such job.
    pub fn look(folder: &Path, job: &JobName, clock: K) -> Result<Self, LedgerError> {
        let path = ledger_path(folder, job);
        let builder = || {
            let mut builder = Database::builder();
            builder.set_cache_size(CACHE_BYTES);
            builder
        };
        let file = match builder().open_read_only(&path) {
            // Its process was killed: only who may write can put it in order.
            Err(DatabaseError::RepairAborted) => builder().open(&path).map(File::Whole),
            opened => opened.map(File::ReadOnly),
        };
        let file = file.map_err(|error| match error {
            DatabaseError::Storage(StorageError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                LedgerError::NoSuchJob { job: job.clone(), folder: folder.to_owned() }
            }
            error => refused(error, job, &path),
        })?;
        let found = file.snapshot().and_then(|snapshot| version(&snapshot));
        let found = found.map_err(|source| LedgerError::Failed { path: path.clone(), source })?;
        Self::over(file, &found, path, clock)
    }

    fn over(file: File, found: &[u8], path: PathBuf, clock: K) -> Result<Self, LedgerError> {
        if found != TABLES_VERSION {
            return Err(LedgerError::Version { path, found: String::from_utf8_lossy(found).into_owned() });
        }
        Ok(Self { file: Arc::new(file), lease: Mutex::new(None), clock })
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let file = Arc::clone(&self.file);
        off_the_executor(NAME, move || work(&file.snapshot()?)).await
    }
}

fn refused(error: DatabaseError, job: &JobName, path: &Path) -> LedgerError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => LedgerError::InUse { job: job.clone(), path: path.to_owned() },
        error => LedgerError::Failed { path: path.to_owned(), source: failure(error) },
    }
}

/// Makes the tables of a new file. Gives the version of the tables.
fn prepare(database: &Database) -> Result<Vec<u8>, Failure> {
    let transaction = database.begin_write().map_err(failure)?;
    let found = {
        let mut about = transaction.open_table(ABOUT).map_err(failure)?;
        let found = about.get(VERSION).map_err(failure)?.map(|version| version.value().to_vec());
        if found.is_none() {
            about.insert(VERSION, TABLES_VERSION).map_err(failure)?;
            transaction.open_table(ENTRIES).map_err(failure)?;
        }
        found
    };
    match found {
        Some(found) => transaction.abort().map(|()| found).map_err(failure),
        None => transaction.commit().map(|()| TABLES_VERSION.to_vec()).map_err(failure),
    }
}

fn version(snapshot: &ReadTransaction) -> Result<Vec<u8>, Failure> {
    let about = snapshot.open_table(ABOUT).map_err(failure)?;
    let found = about.get(VERSION).map_err(failure)?;
    Ok(found.map(|found| found.value().to_vec()).unwrap_or_default())
}

impl<K: Clock> Ledger for FileLedger<K> {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn job(&self) -> Result<Option<Job>, Failure> {
        self.read(|snapshot| {
            let about = snapshot.open_table(ABOUT).map_err(failure)?;
            let job = about.get(JOB).map_err(failure)?;
            job.map(|job| form::job(NAME, job.value())).transpose()
        })
        .await
    }

    async fn keep_job(&self, job: &Job) -> Result<(), Failure> {
        let (file, json) = (Arc::clone(&self.file), form::json(NAME, job)?);
        off_the_executor(NAME, move || {
            let transaction = file.writable()?.begin_write().map_err(failure)?;
            let mut about = transaction.open_table(ABOUT).map_err(failure)?;
            about.insert(JOB, json.as_bytes()).map_err(failure)?;
            drop(about);
            transaction.commit().map_err(failure)
        })
        .await
    }

    async fn claim(&self, holder: &str, seconds: u64) -> Result<bool, Failure> {
        self.file.writable()?;
        let now = self.clock.now();
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = lease.as_ref().is_some_and(|(other, until)| other != holder && *until > now);
        if !taken {
            *lease = Some((holder.to_owned(), now.plus_seconds(seconds)));
        }
        Ok(!taken)
    }

    async fn release(&self, holder: &str) -> Result<(), Failure> {
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        lease.take_if(|(current, _)| current == holder);
        Ok(())
    }

    async fn entries(&self, keys: &[String]) -> Result<Vec<Option<Entry>>, Failure> {
        let keys = keys.to_vec();
        self.read(move |snapshot| {
            let table = snapshot.open_table(ENTRIES).map_err(failure)?;
            let entry = |key: &String| {
                form::check_key(NAME, key)?;
                let stored = table.get(key.as_str()).map_err(failure)?;
                stored
                    .map(|stored| {
                        let (version, json) = stored.value();
                        form::entry(NAME, key, version, json)
                    })
                    .transpose()
            };
            keys.iter().map(entry).collect()
        })
        .await
    }

    async fn write(&self, entries: &[Entry]) -> Result<Vec<bool>, Failure> {
        let prepared = entries.iter().map(|entry| {
            form::check_key(NAME, &entry.key)?;
            Ok((entry.key.clone(), entry.version, form::json(NAME, entry)?))
        });
        let prepared = prepared.collect::<Result<Vec<_>, Failure>>()?;
        let file = Arc::clone(&self.file);
        off_the_executor(NAME, move || {
            let transaction = file.writable()?.begin_write().map_err(failure)?;
            let mut table = transaction.open_table(ENTRIES).map_err(failure)?;
            let mut written = Vec::with_capacity(prepared.len());
            for (key, version, json) in &prepared {
                let before = table.get(key.as_str()).map_err(failure)?.map_or(0, |before| before.value().0);
                let fits = before.checked_add(1) == Some(*version);
                if fits {
                    table.insert(key.as_str(), (*version, json.as_bytes())).map_err(failure)?;
                }
                written.push(fits);
            }
            drop(table);
            if written.contains(&true) {
                transaction.commit().map_err(failure)?;
            } else {
                transaction.abort().map_err(failure)?;
            }
            Ok(written)
        })
        .await
    }

    async fn list(&self, order: Order, after: Option<&str>, limit: usize) -> Result<Page<Entry>, Failure> {
        let after = after.map(str::to_owned);
        self.read(move |snapshot| {
            let table = snapshot.open_table(ENTRIES).map_err(failure)?;
            let edge = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let range = match order {
                Order::Forward => table.range::<&str>((edge, Bound::Unbounded)),
                Order::Backward => table.range::<&str>((Bound::Unbounded, edge)),
            };
            let mut range = range.map_err(failure)?;
            let mut page = Page::default();
            loop {
                let next = match order {
                    Order::Forward => range.next(),
                    Order::Backward => range.next_back(),
                };
                let Some(next) = next else { return Ok(page) };
                if page.items.len() >= limit {
                    page.next = page.items.last().map(|entry: &Entry| entry.key.clone());
                    return Ok(page);
                }
                let (key, stored) = next.map_err(failure)?;
                let (version, json) = stored.value();
                page.items.push(form::entry(NAME, key.value(), version, json)?);
            }
        })
        .await
    }

    async fn remove_entries(&self, keys: &[String]) -> Result<(), Failure> {
        let (file, keys) = (Arc::clone(&self.file), keys.to_vec());
        off_the_executor(NAME, move || {
            let transaction = file.writable()?.begin_write().map_err(failure)?;
            let mut table = transaction.open_table(ENTRIES).map_err(failure)?;
            for key in &keys {
                table.remove(key.as_str()).map_err(failure)?;
            }
            drop(table);
            transaction.commit().map_err(failure)
        })
        .await
    }

    async fn remove_job(&self, holder: &str) -> Result<bool, Failure> {
        let is_held = {
            let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
            lease.as_ref().is_some_and(|(current, _)| current == holder)
        };
        if !is_held {
            return Ok(false);
        }
        let file = Arc::clone(&self.file);
        off_the_executor(NAME, move || {
            let transaction = file.writable()?.begin_write().map_err(failure)?;
            let mut about = transaction.open_table(ABOUT).map_err(failure)?;
            about.remove(JOB).map_err(failure)?;
            drop(about);
            transaction.commit().map_err(failure)
        })
        .await?;
        self.release(holder).await?;
        Ok(true)
    }
}

/// The failure that an error of redb is.
fn failure(error: impl Into<redb::Error>) -> Failure {
    from_redb(NAME, error)
}
