//! Objects as files in a folder on this machine's disk.
//!
//! * **One file for each object** holds its attributes and its bytes. It is written under a temporary name and renamed:
//!   a reader sees the old file or the new one.
//! * **A journal makes changes durable**, many with one sync, before they are made in the files (`journal`). After a
//!   crash, opening the folder makes them again. If the journal finds no room on the disk, it is emptied and removed,
//!   and the file and its directory are synced instead, as they are on file systems where no journal is kept (`settle`).
//! * **One process for each folder**, which holds a lock on a file. Conditional writes are therefore decided by locks
//!   within this process, striped by key.
//! * **Reads take no lock.** A read may see a write shortly before it is acknowledged. A `Lost` never does: it is
//!   decided under the lock that the winner holds until its change is durable.
//! * **On a full disk**, a tombstone may use the folder's [`Reserve`], and nothing else is written while that is spent.
//!
//! The folder contains `objects/` (see `layout`), `temporary/` (from which opening the folder removes CredLink's own files),
//! `journal/` and `lock`. It may contain other things, such as the index and the reserve. A folder of foreign files is not
//! opened ([`Foreign`]).

mod changes;
mod file;
mod journal;
mod layout;
mod listing;
mod long;
mod opened;
#[cfg(test)]
mod power_loss;
mod settle;
mod temporary;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use bytes::Bytes;
use credlink_core::object::{Attributes, Head, Object, ObjectKey, StoredTag};
use credlink_ports::{
    Checksum, Checksummed, Condition, Failure, FailureKind, Listed, Medium, ObjectWrite, Objects, Page, Put,
    SingleProvider,
};

use credlink_runtime::checked_contents::CheckedContents;
use credlink_runtime::deadline;
use credlink_runtime::in_flight::{InFlight, SHORT_BYTES};
use credlink_runtime::pace;
use file::{Header, ReadError};
use journal::Journal;
use layout::ObjectPath;
use settle::{Settle, Unsettled};
use tokio::sync::Semaphore;

use crate::failure::{from_io, off_the_executor_with};
use crate::foreign::Foreign;
use crate::private::{self, make_one, make_private_folder, sync_directory};
use crate::reserve::Reserve;

/// The name by which operators know this provider.
const NAME: &str = "folder";

/// The folder of the objects' files.
const OBJECTS: &str = "objects";

/// The folder of files that are being written.
const TEMPORARY: &str = "temporary";

/// The number of locks for writes. A writer holds one or two during a sync of the journal (about a millisecond); with 256
/// writers at work, the chance that a new one meets one of their stripes by accident is about 6 %. They take 128 KiB.
const KEY_STRIPES: usize = 16_384;

/// The number of locks between renames and listings, held for microseconds and for the reading of one directory.
const SHARD_STRIPES: usize = 64;

/// The maximum memory that is allocated for a file by its length alone, in bytes: more than any object of this version
/// takes.
const MAX_ROOM_BYTES: usize = 16_777_216;

/// The reasons why a folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process holds the folder's lock.
    #[error("the folder {} is used by another process; is a `credlink serve` running on it?", .0.display())]
    InUse(PathBuf),
    /// The folder holds other files, and no CredLink store.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// The process that used the folder was killed, and not everything is in the objects' files.
    #[error(
        "the folder {} was not closed in order, and its journal holds changes that are not in the objects' files yet. Open it for writing once, which completes them: `credlink fsck --data-dir {}`", .0.display(), .0.display()
    )]
    Unfinished(PathBuf),
    /// The folder holds nothing to read.
    #[error("{} holds no objects of a CredLink", .0.display())]
    Nothing(PathBuf),
    /// The file system refused.
    #[error("the folder {} cannot be opened: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
}

/// A folder that holds objects.
#[derive(Debug, Clone)]
pub struct Folder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    objects: PathBuf,
    temporary: PathBuf,
    /// The number of the next temporary file.
    written: AtomicU64,
    keys: Vec<Mutex<()>>,
    shards: Vec<RwLock<()>>,
    /// The shards whose own directory entries are known to be on the disk.
    durable: Mutex<HashSet<(String, String)>>,
    /// It is dropped, and so emptied, before the lock is.
    journal: Journal,
    /// The instant at which the journal last gave its room up.
    emptied: Mutex<Option<Instant>>,
    reserve: Reserve,
    /// Memory for files that are not short.
    in_flight: InFlight,
    /// The turns of those who check an open file.
    checks: Semaphore,
    /// The contents that were checked.
    contents: CheckedContents,
    /// The lock, held as long as this value lives and released by closing the file. A copy of a folder may have none,
    /// since no other process holds it.
    _lock: Option<File>,
}

impl Folder {
    /// Opens the folder at `path`, and makes it if there is none.
    ///
    /// # Errors
    /// Returns an error if another process uses the folder, if it holds other files and no CredLink store, or if the
    /// file system refuses.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FolderError> {
        Foreign::check(path.as_ref(), None)?;
        Self::open_own(path)
    }

    /// Opens a folder that the caller has found to hold nothing but a CredLink store ([`Foreign::check`]).
    ///
    /// # Errors
    /// Fails as [`open`](Self::open) does.
    pub fn open_own(path: impl AsRef<Path>) -> Result<Self, FolderError> {
        Self::open_with(path.as_ref(), journal::SEGMENT_BYTES)
    }

    /// Opens a folder with this length of a segment of its journal.
    fn open_with(path: &Path, segment_bytes: u64) -> Result<Self, FolderError> {
        let failed = |source| FolderError::Io { path: path.to_owned(), source };
        make_private_folder(path).map_err(failed)?;
        let lock_path = path.join("lock");
        // Its name is durable before anything else has one: together with it, the parts of a first start are recognised.
        let (lock, _) = private::open(&lock_path).map_err(failed)?.into_parts();
        private::keep_private(&lock_path);
        hold(&lock, path)?;
        let durable = prepare(path).map_err(failed)?;
        let inner = Inner::new(path, Some(lock), durable, segment_bytes);
        let make = |key: &str, content: Option<&[u8]>, unsettled: &mut Unsettled| {
            inner.make(key, content, unsettled)
        };
        let replayed = inner.reserve.lent(|| inner.journal.replay(make));
        let replayed = replayed
            .or_else(|error| inner.journal.put_off(error, |key, content| inner.is_made(key, content)));
        replayed.map_err(failed)?;
        Ok(Self(Arc::new(inner)))
    }

    /// Opens the folder at `path` for reading: nothing is made or changed there.
    ///
    /// # Errors
    /// Fails as [`open`](Self::open) does, and if the folder holds no objects.
    pub fn look(path: impl AsRef<Path>) -> Result<Self, FolderError> {
        let path = path.as_ref();
        let failed = |source| FolderError::Io { path: path.to_owned(), source };
        Foreign::check(path, None)?;
        if !path.join(OBJECTS).try_exists().map_err(failed)? {
            return Err(FolderError::Nothing(path.to_owned()));
        }
        let lock = match private::open_to_read(&path.join("lock")) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        if let Some(lock) = &lock {
            hold(lock, path)?;
        }
        let inner = Inner::new(path, lock, HashSet::new(), journal::SEGMENT_BYTES);
        if !inner.journal.is_in_files(|key, content| inner.is_made(key, content)).map_err(failed)? {
            return Err(FolderError::Unfinished(path.to_owned()));
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Returns `true` if `path` is the folder.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        self.0.objects == path.join(OBJECTS)
    }

    /// Returns the room that deletions may use when the disk is full.
    #[must_use]
    pub fn reserve(&self) -> &Reserve {
        &self.0.reserve
    }
}

/// Takes the folder's lock, for as long as the file is open.
fn hold(lock: &File, path: &Path) -> Result<(), FolderError> {
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => FolderError::InUse(path.to_owned()),
        TryLockError::Error(source) => FolderError::Io { path: path.to_owned(), source },
    })
}

/// Makes the parts of the folder and removes what a crash left half written. Returns the shards whose names are on the
/// disk.
fn prepare(path: &Path) -> io::Result<HashSet<(String, String)>> {
    let (objects, temporary) = (path.join(OBJECTS), path.join(TEMPORARY));
    // The lock's name comes first. After a power cut, a folder with the other names alone would count as foreign.
    sync_directory(path)?;
    for folder in [&objects, &temporary] {
        make_one(folder)?;
        private::keep_private(folder);
    }
    temporary::clear(&temporary)?;
    sync_directory(path)?;
    // These syncs make the names of all existing shards durable, so they need none later.
    sync_directory(&objects)?;
    let mut durable = HashSet::new();
    for top in fs::read_dir(&objects)? {
        let top = top?;
        if top.path().is_dir() {
            let names = listing::names(&top.path())?.into_iter();
            durable.extend(names.map(|shard| (top.file_name().to_string_lossy().into_owned(), shard)));
            sync_directory(&top.path())?;
        }
    }
    Ok(durable)
}

impl Inner {
    fn new(path: &Path, lock: Option<File>, durable: HashSet<(String, String)>, segment_bytes: u64) -> Self {
        let (objects, temporary) = (path.join(OBJECTS), path.join(TEMPORARY));
        Self {
            journal: Journal::of(path, Settle::of(&temporary), segment_bytes),
            emptied: Mutex::default(),
            objects,
            temporary,
            written: AtomicU64::new(0),
            keys: (0..KEY_STRIPES).map(|_| Mutex::default()).collect(),
            shards: (0..SHARD_STRIPES).map(|_| RwLock::default()).collect(),
            durable: Mutex::new(durable),
            reserve: Reserve::at(path),
            in_flight: InFlight::default(),
            checks: Semaphore::new(opened::CHECKS),
            contents: CheckedContents::default(),
            _lock: lock,
        }
    }

    fn path(&self, place: &ObjectPath) -> PathBuf {
        self.objects.join(&place.top).join(&place.shard).join(&place.name)
    }

    /// Opens the file of `key`. If `objects` is gone too, as after an unmount, that is a failure and not absence.
    fn file(&self, key: &str, place: &ObjectPath) -> Result<Option<File>, Failure> {
        match private::open_to_read(&self.path(place)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::metadata(&self.objects).map_err(|e| from_io(NAME, "looking for the folder", &e))?;
                Ok(None)
            }
            Err(error) => Err(from_io(NAME, &format!("opening {key}"), &error)),
        }
    }

    /// Reads an object into `body`, which is empty and most likely has the capacity for it.
    fn get_long(&self, key: &str, body: Vec<u8>) -> Result<Option<Object>, Failure> {
        self.file(key, &ObjectPath::of(key))?.map(|file| object(key, file, body)).transpose()
    }

    /// Returns the object if its file is short.
    fn get_short(&self, key: &str) -> Result<Short, Failure> {
        let Some(file) = self.file(key, &ObjectPath::of(key))? else { return Ok(Short::Absent) };
        let metadata = file.metadata().map_err(|error| from_io(NAME, &format!("reading {key}"), &error))?;
        match usize::try_from(metadata.len()).unwrap_or(usize::MAX) {
            length if length > SHORT_BYTES => Ok(Short::Long(length)),
            _ => object(key, file, Vec::new()).map(Short::Object),
        }
    }

    fn head(&self, key: &str) -> Result<Option<Head>, Failure> {
        let Some(mut file) = self.file(key, &ObjectPath::of(key))? else { return Ok(None) };
        let (header, _) = file::read_header(&mut file, key).map_err(|error| unreadable(key, error))?;
        head(key, &file, header).map(Some)
    }

    fn holds(&self, key: &str, condition: &Condition) -> Result<bool, Failure> {
        match condition {
            // The file's presence decides, whatever its content: a damaged object is not silently replaced.
            Condition::Absent => Ok(self.file(key, &ObjectPath::of(key))?.is_none()),
            Condition::Matches(tag) => Ok(self.head(key)?.is_some_and(|head| head.tag == *tag)),
        }
    }

    fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page<Listed>, Failure> {
        listing::page(&self.objects, &listing::ListingRange { prefix, after, limit }, |shard| {
            // A name that is replaced while its directory is read may be missed or read twice (POSIX leaves it open),
            // so renames into this directory wait, for about half a millisecond for each thousand names.
            let _still = self.listings(shard).write().unwrap_or_else(PoisonError::into_inner);
            listing::names(shard)
        })
        .map_err(|error| from_io(NAME, "listing", &error))
    }

    fn listings(&self, shard: &Path) -> &RwLock<()> {
        &self.shards[stripe(shard, SHARD_STRIPES)]
    }

    /// Returns the directory of a shard, and makes it if there is none. It is synced into its parents before anything
    /// in it is acknowledged, even if another task has just made it.
    fn shard(&self, place: &ObjectPath) -> io::Result<PathBuf> {
        let parent = self.objects.join(&place.top);
        let directory = parent.join(&place.shard);
        let name = (place.top.clone(), place.shard.clone());
        if !self.durable().contains(&name) {
            // `create_dir_all` would make `objects` as well, below the mount point of a folder that was unmounted.
            for directory in [&parent, &directory] {
                make_one(directory)?;
            }
            sync_directory(&parent)?;
            sync_directory(&self.objects)?;
            self.durable().insert(name);
        }
        Ok(directory)
    }

    /// Makes the next write look for the directory of a shard.
    fn doubt(&self, place: &ObjectPath) {
        self.durable().remove(&(place.top.clone(), place.shard.clone()));
    }

    fn durable(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Objects for Folder {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        let key = key.to_string();
        let short = key.clone();
        match off_the_executor_with(NAME, &self.0, move |folder| folder.get_short(&short)).await? {
            Short::Absent => Ok(None),
            Short::Object(object) => Ok(Some(object)),
            Short::Long(length) => {
                pace::expect(length as u64);
                // If the request has a deadline, half of the remaining time is kept to report the failure.
                let limit = deadline::remaining().map(|left| left / 2);
                let share = self.0.in_flight.share(length, limit).await.ok_or_else(|| busy(&key))?;
                // The buffer is allocated here and not where it is filled: an allocator with one arena for each thread,
                // such as glibc's, keeps freed memory in every one of them, and there are many more threads for files
                // than for requests.
                let body = Vec::with_capacity(length.min(MAX_ROOM_BYTES));
                // The share is returned with the object, because its reader may be gone before the object is read.
                let read = move |folder: &Inner| Ok((folder.get_long(&key, body)?, share));
                let (object, _share) = off_the_executor_with(NAME, &self.0, read).await?;
                Ok(object)
            }
        }
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<Head>, Failure> {
        let key = key.to_string();
        off_the_executor_with(NAME, &self.0, move |folder| folder.head(&key)).await
    }

    async fn put(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> Result<Put, Failure> {
        let write = ObjectWrite { key: key.clone(), body, attributes: attributes.clone(), condition };
        let puts = off_the_executor_with(NAME, &self.0, move |folder| folder.put(&[write])).await?;
        Ok(puts.into_iter().next().unwrap_or(Put::Lost))
    }

    async fn put_in_order(
        &self,
        first: ObjectWrite,
        second: ObjectWrite,
    ) -> Result<(Put, Option<Put>), Failure> {
        let puts = off_the_executor_with(NAME, &self.0, move |folder| folder.put(&[first, second])).await?;
        let mut puts = puts.into_iter();
        Ok((puts.next().unwrap_or(Put::Lost), puts.next()))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
        let key = key.to_string();
        off_the_executor_with(NAME, &self.0, move |folder| folder.delete(&key)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page<Listed>, Failure> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        off_the_executor_with(NAME, &self.0, move |folder| folder.list(&prefix, after.as_deref(), limit))
            .await
    }
}

fn busy(key: &str) -> Failure {
    let message = format!("{key} waited in vain for room in memory beside other long objects that are read");
    Failure { provider: NAME, kind: FailureKind::Throttled, message }
}

/// The result of reading an object if it is short.
enum Short {
    Absent,
    Object(Object),
    /// The object exists, and its file has this many bytes.
    Long(usize),
}

fn object(key: &str, mut file: File, body: Vec<u8>) -> Result<Object, Failure> {
    let (header, body) = file::read(&mut file, key, body).map_err(|error| unreadable(key, error))?;
    Ok(Object { head: head(key, &file, header)?, body })
}

fn head(key: &str, file: &File, header: Header) -> Result<Head, Failure> {
    let modified = file
        .metadata()
        .and_then(|metadata| listing::modified(&metadata))
        .map_err(|error| from_io(NAME, &format!("reading {key}"), &error))?;
    let tag = tag(&header.sha256.to_string());
    Ok(Head { attributes: header.attributes, size: header.length, tag, modified })
}

fn tag(sha256: &str) -> StoredTag {
    StoredTag(sha256.to_owned())
}

fn unreadable(key: &str, error: ReadError) -> Failure {
    match error {
        ReadError::Io(error) => from_io(NAME, &format!("reading {key}"), &error),
        ReadError::Damaged(why) => {
            Failure { provider: NAME, kind: FailureKind::Damaged, message: format!("reading {key}: {why}") }
        }
    }
}

fn stripe(of: impl std::hash::Hash, stripes: usize) -> usize {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(of);
    usize::try_from(hash % stripes as u64).unwrap_or(0)
}

impl SingleProvider for Folder {}

impl Medium for Folder {
    fn has_cheap_lookups(&self) -> bool {
        true
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        let is_full = off_the_executor_with(NAME, &self.0, |folder| {
            folder.mend().map_err(|error| from_io(NAME, "mending the journal", &error))?;
            Ok(folder.reserve.is_full())
        });
        let is_full = is_full.await;
        is_full
            .map_or_else(|failure| Some(failure.kind), |is_full| is_full.then_some(FailureKind::OutOfSpace))
    }
}

/// A folder has no checksums of its own to report: a file's checksum is verified whenever it is read.
impl Checksummed for Folder {
    async fn head_with_checksum(&self, key: &ObjectKey) -> Result<Option<(Head, Option<Checksum>)>, Failure> {
        Ok(self.head(key).await?.map(|head| (head, None)))
    }
}
