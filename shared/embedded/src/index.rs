//! The index in a local file, over redb (decision 0001).
//!
//! * One thread writes, and syncs waiting commits together (`group_commit`).
//! * Every reader sees the last synced state through its own snapshot, and never waits.
//! * Listings and totals are exact: they are updated in the same transactions as the rows.
//! * Read counts are synced with the next commit. A crash loses the counts since the last one.
//! * After a failed write the file is reopened (`database`). On a full disk, only commits that free space are accepted.

mod group_commit;
mod listing;
mod tables;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::{fmt, io};

use credlink_core::audit::AuditEntry;
use credlink_core::file::FileId;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, Totals};
use credlink_core::time::Timestamp;
use credlink_ports::{Commit, Failure, FailureKind, Index, Intent, Listing, Page, Write};
use redb::{ReadTransaction, ReadableTable as _};

use credlink_disk::failure::{from_io, off_the_executor};
use credlink_disk::private::sync_directory;
use credlink_disk::reserve::Reserve;
use credlink_disk::tracked;
use credlink_ports::cursor::{Cursor, read_access_position};
use credlink_ports::limits::breach;
use group_commit::Writer;
use listing::{accesses, page};
use tables::{ABOUT, Prepared, READS, ROWS, VERSION};

use crate::database::Database;
use crate::database::opening::{OpenError, Opening};
use crate::failure::from_redb;

/// The name that operators know this index by.
const NAME: &str = "index";

/// Memory for pages of the file of a serving process, in bytes. A proof takes about 2,200 bytes with its rows and their
/// entries in the listings, so this holds all of 30,000 proofs, or the branches and the warm leaves of millions.
pub const SERVING_CACHE_BYTES: usize = 64 * 1_024 * 1_024;

/// Memory for pages of the file of a process that reads every proof once, as a migration does, in bytes. This holds the
/// branches for a million proofs. No leaf is read often enough to stay warm.
pub const PASSING_CACHE_BYTES: usize = 8 * 1_024 * 1_024;

/// The version of the tables.
const TABLES_VERSION: u64 = 1;

/// The reason why an index could not be opened.
#[derive(Debug)]
pub struct EmbeddedError(pub OpenError);

impl fmt::Display for EmbeddedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        match self.0 {
            OpenError::Failed { .. } => f.write_str(
                ". If the file is damaged, move it away and run `credlink rebuild`: the index is made anew from the objects",
            ),
            OpenError::InUse { .. } | OpenError::Version { .. } => Ok(()),
        }
    }
}

impl Error for EmbeddedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl From<OpenError> for EmbeddedError {
    fn from(error: OpenError) -> Self {
        Self(error)
    }
}

/// An index in one file.
#[derive(Debug)]
pub struct EmbeddedIndex {
    // Dropped first, which joins the thread: the last commits are on the disk before the file is closed.
    writer: Writer,
    database: Arc<Database>,
}

impl EmbeddedIndex {
    /// Opens the index at `path` for serving, and creates it if it does not exist. After a crash this checks the whole
    /// file.
    ///
    /// # Errors
    /// Fails if another process uses the file, if the file is damaged or of another version, or if the file system
    /// refuses.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, EmbeddedError> {
        Self::open_within(path, SERVING_CACHE_BYTES)
    }

    /// Opens the index with `cache_bytes` of memory for pages of the file.
    ///
    /// # Errors
    /// Fails for the reasons of [`EmbeddedIndex::open`].
    pub fn open_within(path: impl AsRef<Path>, cache_bytes: usize) -> Result<Self, EmbeddedError> {
        let path = path.as_ref();
        let reserve = Reserve::at(path.parent().unwrap_or(path));
        Self::open_beside(path, cache_bytes, reserve)
    }

    /// Opens the index with the reserve of the disk that holds the file.
    ///
    /// # Errors
    /// Fails for the reasons of [`EmbeddedIndex::open`].
    pub fn open_beside(
        path: impl AsRef<Path>,
        cache_bytes: usize,
        reserve: Reserve,
    ) -> Result<Self, EmbeddedError> {
        let path = path.as_ref().to_owned();
        let opening = Opening { name: NAME, path, cache_bytes, version: TABLES_VERSION };
        let failed = |failure| opening.failed(failure);
        if !opening.path.exists() {
            Self::make(&opening, &reserve)?;
        }
        let database = Database::open(&opening, reserve)?;
        let found = database.write(Self::prepare).map_err(failed)?;
        opening.expect(String::from_utf8_lossy(&found))?;
        Ok(Self::over(database).map_err(failed)?)
    }

    /// Creates the file under a temporary name, and renames it once it is complete. A process that is killed halfway
    /// leaves no file that could not be opened.
    fn make(opening: &Opening, reserve: &Reserve) -> Result<(), OpenError> {
        let new = opening.path.with_extension("redb.new");
        let io = |error: io::Error| opening.failed(from_io(NAME, "making the file", &error));
        match tracked::remove(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            Ok(()) | Err(_) => {}
        }
        let made = Database::open_file(&opening.at(&new), reserve.clone());
        let database = made.map_err(|error| opening.failed(failure(error)))?;
        database.write(Self::prepare).map_err(|failure| opening.failed(failure))?;
        drop(database);
        tracked::rename(&new, &opening.path).map_err(io)?;
        match opening.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => sync_directory(folder).map_err(io),
            _ => Ok(()),
        }
    }

    fn over(database: Database) -> Result<Self, Failure> {
        let database = Arc::new(database);
        let writer = Writer::start(Arc::clone(&database))
            .map_err(|error| from_io(NAME, "starting the writer", &error))?;
        Ok(Self { writer, database })
    }

    /// Creates the tables in a new file. Returns the version of the tables.
    fn prepare(database: &redb::Database) -> Result<Vec<u8>, Failure> {
        let transaction = database.begin_write().map_err(failure)?;
        let found = {
            let mut about = transaction.open_table(ABOUT).map_err(failure)?;
            let found = about.get(VERSION).map_err(failure)?.map(|version| version.value().to_vec());
            match found {
                Some(found) => found,
                None => {
                    let version = TABLES_VERSION.to_string().into_bytes();
                    about.insert(VERSION, &*version).map_err(failure)?;
                    version
                }
            }
        };
        tables::Tables::open(&transaction)?.close()?;
        transaction.commit().map_err(failure)?;
        Ok(found)
    }

    /// Returns the bookmark of this name: the position of a task that takes several runs.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub async fn bookmark(&self, name: &str) -> Result<Option<String>, Failure> {
        let name = name.to_owned();
        self.read(move |snapshot| tables::bookmark(&snapshot.open_table(ABOUT).map_err(failure)?, &name))
            .await
    }

    /// Stores a bookmark under this name, in place of the earlier one. `None` removes it.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub async fn keep_bookmark(&self, name: &str, text: Option<&str>) -> Result<(), Failure> {
        self.writer.bookmark(name.to_owned(), text.map(str::to_owned)).await
    }

    /// Reads on this thread if that does not wait, and on another thread while the file is being reopened.
    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&ReadTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        if let Some(read) = self.database.try_read(&work) {
            return read;
        }
        let database = Arc::clone(&self.database);
        off_the_executor(NAME, move || database.read(work)).await
    }
}

impl Index for EmbeddedIndex {
    fn name(&self) -> &'static str {
        NAME
    }

    // On the executor's thread: a cached row takes 6 µs here and 16 µs by way of another thread (measured on two
    // cores). A row that is not cached takes two or three reads of 4 KiB.
    async fn get(&self, key: &RowKey) -> Result<Option<Row>, Failure> {
        let key = key.to_string();
        self.read(move |snapshot| {
            let rows = snapshot.open_table(ROWS).map_err(failure)?;
            let Some((_, row)) = tables::stored(&rows, &key)? else { return Ok(None) };
            tables::joined(row, &snapshot.open_table(READS).map_err(failure)?).map(Some)
        })
        .await
    }

    async fn commit(&self, writes: &[Write]) -> Result<Commit, Failure> {
        let refused = |message| Failure { provider: NAME, kind: FailureKind::Damaged, message };
        if let Some(breach) = breach(writes) {
            return Err(refused(breach));
        }
        let prepared = writes.iter().map(|write| {
            let mut row = write.row.clone();
            if let Row::Proof(proof) = &mut row {
                proof.reads = Reads::default();
            }
            let json = serde_json::to_vec(&row).map_err(|error| refused(error.to_string()))?;
            Ok(Prepared { key: row.key().to_string(), row, json, expected: write.expected })
        });
        self.writer.commit(prepared.collect::<Result<_, Failure>>()?).await
    }

    async fn list(
        &self,
        listing: &Listing,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<Row>>, Failure> {
        let after = match after.map(|text| Cursor::read(text, listing)) {
            Some(None) => return Ok(None),
            after => after.flatten(),
        };
        let (database, listing) = (Arc::clone(&self.database), listing.clone());
        off_the_executor(NAME, move || {
            database.read(|snapshot| page(snapshot, &listing, after.as_ref(), limit)).map(Some)
        })
        .await
    }

    // A process with this index at hand reads the rows themselves and needs no intents.
    async fn intend(&self, _key: &ObjectKey, _at: Timestamp) -> Result<(), Failure> {
        Ok(())
    }

    async fn intents(
        &self,
        _from: Timestamp,
        _after: Option<&str>,
        _limit: usize,
    ) -> Result<Page<Intent>, Failure> {
        Ok(Page::default())
    }

    async fn note_access(&self, entry: &AuditEntry) -> Result<(), Failure> {
        self.writer.note_access(entry.clone()).await
    }

    async fn accesses(
        &self,
        file: &FileId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<AuditEntry>>, Failure> {
        let after = match after.map(read_access_position) {
            Some(None) => return Ok(None),
            after => after.flatten(),
        };
        let (database, file) = (Arc::clone(&self.database), *file);
        off_the_executor(NAME, move || {
            database.read(|snapshot| accesses(snapshot, &file, after, limit)).map(Some)
        })
        .await
    }

    async fn count_reads(&self, reads: &[(ProofId, Reads)]) -> Result<(), Failure> {
        self.writer.count(reads.to_vec()).await
    }

    async fn totals(&self) -> Result<Totals, Failure> {
        self.read(|snapshot| tables::totals(&snapshot.open_table(ABOUT).map_err(failure)?)).await
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        let database = Arc::clone(&self.database);
        let failure = off_the_executor(NAME, move || {
            let failure = database.failure().map(|failure| failure.kind);
            Ok(failure.or_else(|| database.reserve().is_full().then_some(FailureKind::OutOfSpace)))
        });
        failure.await.unwrap_or_else(|failure| Some(failure.kind))
    }
}

/// Turns an error of redb into a failure of the index.
fn failure(error: impl Into<redb::Error>) -> Failure {
    from_redb(NAME, error)
}

#[cfg(test)]
mod tests;
