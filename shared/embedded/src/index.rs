//! The index in one file of this machine, over redb (decision 0001).
//!
//! * One thread writes, and syncs the commits that wait together (`group_commit`).
//! * Readers see the last synced state, each through a snapshot of its own, and wait for nobody.
//! * Listings and totals are exact: they are kept in the same transactions as the rows.
//! * Read counts are synced with the next commit. A crash loses those of the time since.
//! * After a failed write the file is opened anew (`database`). On a full disk, only what makes room is committed.

mod group_commit;
mod tables;

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, Totals};
use credlink_core::time::Timestamp;
use credlink_ports::{Commit, Failure, FailureKind, Index, Intent, Listing, Page, Write};
use redb::{DatabaseError, ReadTransaction, ReadableTable as _};

use credlink_disk::failure::{from_io, off_the_executor};
use credlink_disk::private::{self, sync_directory};
use credlink_disk::reserve::Reserve;
use credlink_ports::cursor::Cursor;
use credlink_ports::limits::{breach, milliseconds};
use group_commit::Writer;
use tables::{ABOUT, BY_TENANT, DUE, Prepared, READS, ROWS, VERSION};

use crate::database::Database;
use crate::failure::from_redb;

/// The name that operators know this index by.
const NAME: &str = "index";

/// Memory for pages of the file of who serves, in bytes. Rows take about 1,000 bytes with their entries in the listings, so
/// this is all of 60,000 proofs, or the branches and the warm leaves of millions.
pub const SERVING_CACHE_BYTES: usize = 64 * 1_024 * 1_024;

/// The same of who goes through every proof once, as a migration does: the branches of a million proofs. No leaf is asked for
/// so often that it is warm.
pub const PASSING_CACHE_BYTES: usize = 8 * 1_024 * 1_024;

/// The version of the tables.
const TABLES_VERSION: &[u8] = b"1";

/// Why an index could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Another process holds it.
    #[error("the index {} is used by another process; is a `credlink serve` running on it?", .0.display())]
    InUse(PathBuf),
    /// It was written by another version.
    #[error("the index {} has tables of version {found}; this program reads version 1", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// What its tables say.
        found: String,
    },
    /// The file system refused, or the file is damaged.
    #[error(
        "the index {} cannot be opened: {source}. If the file is damaged, move it away and run `credlink rebuild`: the index is made \
         anew from the objects", path.display()
    )]
    Failed {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: Failure,
    },
}

/// An index in one file.
#[derive(Debug)]
pub struct EmbeddedIndex {
    // Dropped first, and with it the thread: the last commits are on the disk before the file is closed.
    writer: Writer,
    database: Arc<Database>,
}

impl EmbeddedIndex {
    /// Opens the index at `path` to serve, and makes it if there is none. After a crash this checks the whole file.
    ///
    /// # Errors
    /// Another process uses it, it is of another version, it is damaged, or the file system refuses.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, EmbeddedError> {
        Self::open_within(path, SERVING_CACHE_BYTES)
    }

    /// The same, with so many bytes of memory for pages of the file.
    ///
    /// # Errors
    /// As [`EmbeddedIndex::open`].
    pub fn open_within(path: impl AsRef<Path>, cache_bytes: usize) -> Result<Self, EmbeddedError> {
        let path = path.as_ref();
        let reserve = Reserve::at(path.parent().unwrap_or(path));
        Self::open_beside(path, cache_bytes, reserve)
    }

    /// The same, with the reserve of the disk that the file is on.
    ///
    /// # Errors
    /// As [`EmbeddedIndex::open`].
    pub fn open_beside(
        path: impl AsRef<Path>,
        cache_bytes: usize,
        reserve: Reserve,
    ) -> Result<Self, EmbeddedError> {
        let path = path.as_ref();
        let failed = |source| EmbeddedError::Failed { path: path.to_owned(), source };
        if !path.exists() {
            Self::make(path, cache_bytes, &reserve).map_err(failed)?;
        }
        let database = Database::open(NAME, path, cache_bytes, reserve).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => EmbeddedError::InUse(path.to_owned()),
            error => failed(failure(error)),
        })?;
        let found = database.write(Self::prepare).map_err(failed)?;
        if found != TABLES_VERSION {
            let found = String::from_utf8_lossy(&found).into_owned();
            return Err(EmbeddedError::Version { path: path.to_owned(), found });
        }
        Self::over(database).map_err(failed)
    }

    /// Makes the file under another name, and gives it its own when it is whole: a process that ends in the middle leaves
    /// nothing that could not be opened.
    fn make(path: &Path, cache_bytes: usize, reserve: &Reserve) -> Result<(), Failure> {
        let new = path.with_extension("redb.new");
        let io = |error: io::Error| from_io(NAME, "making the file", &error);
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            Ok(()) | Err(_) => {}
        }
        let database = Database::open(NAME, &new, cache_bytes, reserve.clone()).map_err(failure)?;
        database.write(Self::prepare)?;
        drop(database);
        private::rename(&new, path).map_err(io)?;
        match path.parent() {
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

    /// Makes the tables of a new file. Gives the version of the tables.
    fn prepare(database: &redb::Database) -> Result<Vec<u8>, Failure> {
        let transaction = database.begin_write().map_err(failure)?;
        let found = {
            let mut about = transaction.open_table(ABOUT).map_err(failure)?;
            let found = about.get(VERSION).map_err(failure)?.map(|version| version.value().to_vec());
            match found {
                Some(found) => found,
                None => {
                    about.insert(VERSION, TABLES_VERSION).map_err(failure)?;
                    TABLES_VERSION.to_vec()
                }
            }
        };
        tables::Tables::open(&transaction)?.close()?;
        transaction.commit().map_err(failure)?;
        Ok(found)
    }

    /// The text that was kept last under this name: where work goes on that is done in several runs.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn bookmark(&self, name: &str) -> Result<Option<String>, Failure> {
        let name = name.to_owned();
        self.read(move |snapshot| tables::bookmark(&snapshot.open_table(ABOUT).map_err(failure)?, &name))
            .await
    }

    /// Keeps a text under this name, in place of the one before; `None` removes it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn keep_bookmark(&self, name: &str, text: Option<&str>) -> Result<(), Failure> {
        self.writer.bookmark(name.to_owned(), text.map(str::to_owned)).await
    }

    /// Reads here if that waits for nobody, and elsewhere while the file is opened anew.
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

    // On the executor's thread: a row that is cached takes 6 µs there and 16 µs by way of another one (measured on two
    // cores); one that is not takes two or three reads of 4 KiB.
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

    // Who has it at hand looks at rows itself.
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

/// A page of a listing, and where the next one begins.
fn page(
    snapshot: &ReadTransaction,
    listing: &Listing,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<Row>, Failure> {
    // One more than the page holds tells whether there is another page.
    let wanted = limit + 1;
    let mut places = match listing {
        Listing::Tenant(tenant) => {
            let id;
            let start = match after {
                Some(Cursor::Tenant(_, place, proof)) => {
                    id = proof.to_string();
                    Bound::Excluded((tenant.as_str(), *place, id.as_str()))
                }
                _ => Bound::Included((tenant.as_str(), 0, "")),
            };
            let end = Bound::Excluded((tenant.as_str(), u64::MAX, ""));
            let table = snapshot.open_table(BY_TENANT).map_err(failure)?;
            let range = table.range::<(&str, u64, &str)>((start, end)).map_err(failure)?.take(wanted);
            let of = |(_, place, id): (&str, u64, &str)| {
                let id: ProofId = id.parse().map_err(|_| damaged("a listing", id))?;
                Ok::<_, Failure>((RowKey::Proof(id).to_string(), Cursor::Tenant(tenant.clone(), place, id)))
            };
            range.map(|entry| of(entry.map_err(failure)?.0.value())).collect::<Result<Vec<_>, _>>()?
        }
        Listing::Aliases(_) | Listing::Manifests(_) => alone(snapshot, listing, after, wanted)?,
        Listing::Due(by) => due(snapshot, *by, after, wanted)?,
        Listing::All => {
            let start = match after {
                Some(Cursor::All(key)) => Bound::Excluded(key.as_str()),
                _ => Bound::Unbounded,
            };
            let table = snapshot.open_table(ROWS).map_err(failure)?;
            let range = table.range::<&str>((start, Bound::Unbounded)).map_err(failure)?.take(wanted);
            let of = |key: &str| (key.to_owned(), Cursor::All(key.to_owned()));
            range
                .map(|entry| Ok(of(entry.map_err(failure)?.0.value())))
                .collect::<Result<Vec<_>, Failure>>()?
        }
    };
    let more = places.len() > limit;
    places.truncate(limit);
    let rows = snapshot.open_table(ROWS).map_err(failure)?;
    let reads = snapshot.open_table(READS).map_err(failure)?;
    let items = places
        .iter()
        .map(|(key, _)| match tables::stored(&rows, key)? {
            Some((_, row)) => tables::joined(row, &reads),
            None => Err(damaged("a listing names a row that is not there", key)),
        })
        .collect::<Result<_, _>>()?;
    let next = places.last().filter(|_| more).map(|(_, cursor)| cursor.text());
    Ok(Page { items, next })
}

/// Legacy ids, or manifests that were stored for themselves. No table lists them: their rows stand side by side, and those of
/// other tenants among them are passed over.
fn alone(
    snapshot: &ReadTransaction,
    listing: &Listing,
    after: Option<&Cursor>,
    wanted: usize,
) -> Result<Vec<(String, Cursor)>, Failure> {
    let (prefix, tenant) = match listing {
        Listing::Aliases(tenant) => ("ALIAS#", tenant),
        Listing::Manifests(tenant) => ("MANIFEST#", tenant),
        Listing::Tenant(_) | Listing::Due(_) | Listing::All => return Ok(Vec::new()),
    };
    let behind = match after {
        Some(Cursor::Aliases(_, id)) => Some(RowKey::Alias(id.clone()).to_string()),
        Some(Cursor::Manifests(tenant, id)) => {
            Some(RowKey::Manifest(ManifestKey::new(tenant, id)).to_string())
        }
        _ => None,
    };
    let start = behind.as_deref().map_or(Bound::Included(prefix), Bound::Excluded);
    let table = snapshot.open_table(ROWS).map_err(failure)?;
    let mut places = Vec::with_capacity(wanted.min(1_000));
    for entry in table.range::<&str>((start, Bound::Unbounded)).map_err(failure)? {
        let (key, value) = entry.map_err(failure)?;
        if places.len() >= wanted || !key.value().starts_with(prefix) {
            break;
        }
        let row = tables::parse(key.value(), value.value().1)?;
        if row.stands_alone_for() == Some(tenant) {
            places.extend(Cursor::alone(&row).map(|cursor| (key.value().to_owned(), cursor)));
        }
    }
    Ok(places)
}

fn due(
    snapshot: &ReadTransaction,
    by: Timestamp,
    after: Option<&Cursor>,
    wanted: usize,
) -> Result<Vec<(String, Cursor)>, Failure> {
    let end = milliseconds(by) + 1;
    let start = match after {
        // A cursor of a listing that looked further ahead.
        Some(Cursor::Due(due, _)) if *due >= end => return Ok(Vec::new()),
        Some(Cursor::Due(due, key)) => Bound::Excluded((*due, key.as_str())),
        _ => Bound::Unbounded,
    };
    let table = snapshot.open_table(DUE).map_err(failure)?;
    let range = table.range::<(u64, &str)>((start, Bound::Excluded((end, "")))).map_err(failure)?;
    range
        .take(wanted)
        .map(|entry| {
            let (entry, ()) = entry.map(|(key, _)| (key, ())).map_err(failure)?;
            let (due, key) = entry.value();
            Ok((key.to_owned(), Cursor::Due(due, key.to_owned())))
        })
        .collect()
}

fn damaged(what: &str, detail: &str) -> Failure {
    Failure { provider: NAME, kind: FailureKind::Damaged, message: format!("{what}: {detail}") }
}

/// The failure that an error of redb is.
fn failure(error: impl Into<redb::Error>) -> Failure {
    from_redb(NAME, error)
}

#[cfg(test)]
mod tests;
