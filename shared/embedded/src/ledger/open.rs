//! Opens a ledger: exclusively to work on its job, or shared to read it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use credlink_disk::failure::from_io;
use credlink_disk::private::{self, sync_directory};
use credlink_ports::migration::ledger::JobName;
use credlink_ports::{Clock, Failure};
use redb::backends::FileBackend;
use redb::{Database, ReadTransaction, ReadableTable as _};

use super::{ABOUT, ENTRIES, FileLedger, NAME, failure};
use crate::database::opening::{File, OpenError, Opening};

/// Memory for pages of the file, in bytes. Items arrive in key order, or nearly so, and few pages are warm at a time.
const CACHE_BYTES: usize = 2 * 1_024 * 1_024;

/// The entry of [`ABOUT`] that holds the version.
const VERSION: &str = "version";
/// The version of the tables.
const TABLES_VERSION: u64 = 1;

/// The reason why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process holds the file.
    #[error("another process runs the job `{job}` ({} is locked); wait for it, or stop it", path.display())]
    InUse {
        /// The job.
        job: JobName,
        /// The file.
        path: PathBuf,
    },
    /// The job was never started on this machine.
    #[error("there is no job `{job}` in {}", folder.display())]
    NoSuchJob {
        /// The job.
        job: JobName,
        /// The folder of the ledgers.
        folder: PathBuf,
    },
    /// The file is damaged or of another version, or the file system refused.
    #[error(transparent)]
    File(#[from] OpenError),
}

/// Returns the path of a job's ledger.
#[must_use]
pub fn ledger_path(folder: &Path, job: &JobName) -> PathBuf {
    folder.join(format!("{job}.redb"))
}

fn opening(folder: &Path, job: &JobName) -> Opening {
    let path = ledger_path(folder, job);
    Opening { name: NAME, path, cache_bytes: CACHE_BYTES, version: TABLES_VERSION }
}

impl<K: Clock> FileLedger<K> {
    /// Opens the ledger of `job` in `folder`, and creates both if they do not exist. After a crash this checks the
    /// whole file.
    ///
    /// # Errors
    /// Fails if another process has the file open, if the file is damaged or of another version, or if the file system
    /// refuses.
    pub fn open(folder: &Path, job: &JobName, clock: K) -> Result<Self, LedgerError> {
        let opening = opening(folder, job);
        let from_io = |error: io::Error| opening.failed(from_io(NAME, "making its file", &error));
        // The ledger names private objects.
        private::make_folder(folder).map_err(from_io)?;
        let (file, _) = private::open(&opening.path).map_err(from_io)?.into_parts();
        let file = FileBackend::new(file).map_err(|error| opening.refused(error));
        let database = file.and_then(|file| opening.alone(file)).map_err(|error| of_job(error, job))?;
        // The directory entry must be as durable as the contents of the file.
        sync_directory(folder).map_err(from_io)?;
        let found = prepare(&database).map_err(|failure| opening.failed(failure))?;
        Self::over(File::Whole(database), &found, &opening, clock)
    }

    /// Opens the ledger of `job` in `folder` for reading only.
    ///
    /// # Errors
    /// Fails for the reasons of [`FileLedger::open`], or if there is no such job.
    pub fn look(folder: &Path, job: &JobName, clock: K) -> Result<Self, LedgerError> {
        let opening = opening(folder, job);
        let file = opening.look().map_err(|error| of_job(error, job))?;
        let absent = || LedgerError::NoSuchJob { job: job.clone(), folder: folder.to_owned() };
        let file = file.ok_or_else(absent)?;
        let found = file.snapshot(NAME).and_then(|snapshot| version(&snapshot));
        let found = found.map_err(|failure| opening.failed(failure))?;
        Self::over(file, &found, &opening, clock)
    }

    fn over(file: File, found: &[u8], opening: &Opening, clock: K) -> Result<Self, LedgerError> {
        opening.expect(String::from_utf8_lossy(found))?;
        Ok(Self { file: Arc::new(file), lease: Mutex::new(None), clock })
    }
}

/// Names the job in the error where another process holds its file.
fn of_job(error: OpenError, job: &JobName) -> LedgerError {
    match error {
        OpenError::InUse { path, .. } => LedgerError::InUse { job: job.clone(), path },
        error => LedgerError::File(error),
    }
}

/// Creates the tables in a new file. Returns the version of the tables.
fn prepare(database: &Database) -> Result<Vec<u8>, Failure> {
    let transaction = database.begin_write().map_err(failure)?;
    let found = {
        let mut about = transaction.open_table(ABOUT).map_err(failure)?;
        let found = about.get(VERSION).map_err(failure)?.map(|version| version.value().to_vec());
        if found.is_none() {
            about.insert(VERSION, TABLES_VERSION.to_string().as_bytes()).map_err(failure)?;
            transaction.open_table(ENTRIES).map_err(failure)?;
        }
        found
    };
    match found {
        Some(found) => transaction.abort().map(|()| found).map_err(failure),
        None => transaction.commit().map(|()| TABLES_VERSION.to_string().into_bytes()).map_err(failure),
    }
}

fn version(snapshot: &ReadTransaction) -> Result<Vec<u8>, Failure> {
    let about = snapshot.open_table(ABOUT).map_err(failure)?;
    let found = about.get(VERSION).map_err(failure)?;
    Ok(found.map(|found| found.value().to_vec()).unwrap_or_default())
}
