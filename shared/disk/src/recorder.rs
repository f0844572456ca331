//! A record of the calls that change files and names, and of what a disk may hold after a power cut, for tests.
//!
//! A [`Recording`] of a folder takes down every call of [`tracked`](crate::tracked) below it, on any thread, in order.
//! [`crash`] builds the states that a POSIX file system may show after a cut.

#![expect(clippy::unwrap_used, reason = "only tests record, and a test that cannot read its folder fails")]

pub mod crash;
pub(crate) mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A file, whatever its names.
pub type FileNumber = u64;

/// A position in a recording.
pub type Position = usize;

/// One call. Paths are relative to the folder of the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A file was made under this name.
    Create(PathBuf, FileNumber),
    /// Bytes were written at an offset.
    Write(FileNumber, u64, Vec<u8>),
    /// A file's length was changed.
    Resize(FileNumber, u64),
    /// A file's name was changed; a file that had the new name has lost it.
    Rename(PathBuf, PathBuf),
    /// A file got a second name.
    Link(PathBuf, PathBuf),
    /// A name was removed.
    Remove(PathBuf),
    /// A folder was made.
    MakeFolder(PathBuf),
    /// A file's content, as it was at this position, is on the disk.
    Sync(FileNumber, Position),
    /// A sync of a file failed. The system may have dropped what was written before, and does not write it any more.
    FailedSync(FileNumber),
    /// The names in a folder, as they were at this position, are on the disk.
    SyncFolder(PathBuf, Position),
    /// Everything, as it was at this position, is on the disk.
    SyncEverything(Position),
    /// The test has learned something.
    Mark(u64),
}

/// The recordings that are under way, by their folders.
static RECORDINGS: Mutex<BTreeMap<PathBuf, Record>> = Mutex::new(BTreeMap::new());

fn recordings() -> MutexGuard<'static, BTreeMap<PathBuf, Record>> {
    RECORDINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, Default)]
struct Record {
    operations: Vec<Operation>,
    files: FileNumber,
    /// The file under each name.
    names: BTreeMap<PathBuf, FileNumber>,
    /// The file or folder in which syncs fail.
    failing: Option<PathBuf>,
    /// The file or folder in which no name can be changed.
    fixed: Option<PathBuf>,
}

impl Record {
    /// Takes down what there is in a folder, as if it had just been made.
    fn take_down(&mut self, root: &Path, folder: &Path) {
        let mut entries: Vec<_> = fs::read_dir(root.join(folder)).unwrap().map(Result::unwrap).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                self.operations.push(Operation::MakeFolder(name.clone()));
                self.take_down(root, &name);
            } else {
                self.files += 1;
                self.names.insert(name.clone(), self.files);
                self.operations.push(Operation::Create(name.clone(), self.files));
                let content = fs::read(root.join(&name)).unwrap();
                self.operations.push(Operation::Write(self.files, 0, content));
            }
        }
    }
}

/// A recording of the calls below one folder. It ends when it is dropped.
#[derive(Debug)]
pub struct Recording(PathBuf);

impl Recording {
    /// Begins a recording of `folder`. What it contains counts as synced.
    ///
    /// # Panics
    /// Panics if the folder cannot be read.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        let mut record = Record::default();
        record.take_down(folder, Path::new(""));
        if !record.operations.is_empty() {
            record.operations.push(Operation::SyncEverything(record.operations.len()));
        }
        recordings().insert(folder.to_owned(), record);
        Self(folder.to_owned())
    }

    /// Begins a recording of `folder`, which contains what a system has in memory after `operations`. It may not be on
    /// the disk.
    ///
    /// # Panics
    /// Panics if there is no such folder.
    #[must_use]
    pub fn after(operations: &[Operation], folder: &Path) -> Self {
        crash::build(operations, operations.len(), crash::Unsynced::Kept, folder).unwrap();
        let mut record = Record { operations: operations.to_vec(), ..Record::default() };
        for operation in operations {
            match operation {
                Operation::Create(path, number) => {
                    record.files = record.files.max(*number);
                    record.names.insert(path.clone(), *number);
                }
                Operation::Rename(from, to) => {
                    if let Some(number) = record.names.remove(from) {
                        record.names.insert(to.clone(), number);
                    }
                }
                Operation::Link(from, to) => {
                    if let Some(number) = record.names.get(from).copied() {
                        record.names.insert(to.clone(), number);
                    }
                }
                Operation::Remove(path) => drop(record.names.remove(path)),
                _ => {}
            }
        }
        recordings().insert(folder.to_owned(), record);
        Self(folder.to_owned())
    }

    /// Notes that the test has learned something, such as the answer to its call `number`.
    pub fn mark(&self, number: u64) {
        self.record(|record| record.operations.push(Operation::Mark(number)));
    }

    /// Makes all syncs of files and folders at or below `path` fail, or none.
    pub fn fail_syncs(&self, path: Option<&str>) {
        self.record(|record| record.failing = path.map(PathBuf::from));
    }

    /// Makes all changes of names at or below `path` fail, or none, as in a folder that nobody may change.
    pub fn fail_changes(&self, path: Option<&str>) {
        self.record(|record| record.fixed = path.map(PathBuf::from));
    }

    /// Returns the calls so far.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        self.record(|record| record.operations.clone())
    }

    /// Returns the names that were made, and those of them that a power cut could lose.
    #[must_use]
    pub fn names(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let (mut made, mut unsynced) = (BTreeSet::new(), BTreeMap::new());
        for (position, operation) in self.operations().into_iter().enumerate() {
            match operation {
                Operation::Create(path, _) | Operation::Link(_, path) | Operation::MakeFolder(path) => {
                    made.insert(path.clone());
                    unsynced.insert(path, position);
                }
                Operation::Rename(from, to) => {
                    made.remove(&from);
                    unsynced.remove(&from);
                    made.insert(to.clone());
                    unsynced.insert(to, position);
                }
                Operation::Remove(path) => {
                    made.remove(&path);
                    unsynced.remove(&path);
                }
                Operation::SyncFolder(folder, until) => {
                    unsynced.retain(|path, at| path.parent() != Some(&folder) || *at >= until);
                }
                Operation::SyncEverything(until) => unsynced.retain(|_, at| *at >= until),
                _ => {}
            }
        }
        let whole = |path: PathBuf| self.0.join(path);
        (made.into_iter().map(whole).collect(), unsynced.into_keys().map(whole).collect())
    }

    fn record<T>(&self, with: impl FnOnce(&mut Record) -> T) -> T {
        with(recordings().entry(self.0.clone()).or_default())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        recordings().remove(&self.0);
    }
}
