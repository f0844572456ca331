//! The side of the recorder that is called with each change.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::{FileNumber, Operation, Record, recordings};

/// The log of one open file.
#[derive(Debug, Clone)]
pub struct FileLog(Option<(PathBuf, FileNumber)>);

/// A sync that has begun. It covers the calls that had ended by then.
#[derive(Debug)]
pub struct Sync(Vec<(PathBuf, Operation)>);

impl Sync {
    /// Records the end of the sync.
    pub fn done(self) {
        let mut recordings = recordings();
        for (folder, operation) in self.0 {
            if let Some(record) = recordings.get_mut(&folder) {
                record.operations.push(operation);
            }
        }
    }
}

/// Calls `with` on the recording of the folder that contains `path`, with the path relative to it.
fn below<T>(path: &Path, with: impl FnOnce(&Path, &mut Record, &Path) -> T) -> Option<T> {
    let mut recordings = recordings();
    let (folder, record) = recordings.iter_mut().find(|(folder, _)| path.starts_with(folder))?;
    let relative = path.strip_prefix(folder).ok()?.to_owned();
    Some(with(folder, record, &relative))
}

impl FileLog {
    /// Returns the log of the open file at `path`. A file that is empty may have been made or emptied just now.
    pub fn of(path: &Path, file: &File) -> Self {
        let is_empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
        Self(below(path, |folder, record, name| {
            let number = match record.names.get(name) {
                Some(number) => {
                    if is_empty {
                        record.operations.push(Operation::Resize(*number, 0));
                    }
                    *number
                }
                None => {
                    record.files += 1;
                    record.names.insert(name.to_owned(), record.files);
                    record.operations.push(Operation::Create(name.to_owned(), record.files));
                    record.files
                }
            };
            (folder.to_owned(), number)
        }))
    }

    /// Records a write.
    pub fn wrote(&self, offset: u64, bytes: &[u8]) {
        self.push(|number| Operation::Write(number, offset, bytes.to_vec()));
    }

    /// Records a change of the file's length.
    pub fn resized(&self, length: u64) {
        self.push(|number| Operation::Resize(number, length));
    }

    /// Records the beginning of a sync.
    ///
    /// # Errors
    /// Returns an error if the test wants syncs of this file to fail.
    pub fn sync(&self) -> io::Result<Sync> {
        let Some((folder, number)) = &self.0 else { return Ok(Sync(Vec::new())) };
        let mut recordings = recordings();
        let Some(record) = recordings.get_mut(folder) else { return Ok(Sync(Vec::new())) };
        let is_this = |(_, found): &(&PathBuf, &FileNumber)| *found == number;
        let failed = record.names.iter().filter(is_this).try_for_each(|(name, _)| record.fail(name));
        if failed.is_err() {
            record.operations.push(Operation::FailedSync(*number));
        }
        failed?;
        Ok(Sync(vec![(folder.clone(), Operation::Sync(*number, record.operations.len()))]))
    }

    fn push(&self, operation: impl FnOnce(FileNumber) -> Operation) {
        let Some((folder, number)) = &self.0 else { return };
        if let Some(record) = recordings().get_mut(folder) {
            record.operations.push(operation(*number));
        }
    }
}

/// Fails if the test wants changes of this name to fail.
pub(crate) fn change(path: &Path) -> io::Result<()> {
    let is_fixed =
        below(path, |_, record, name| record.fixed.as_ref().is_some_and(|fixed| name.starts_with(fixed)));
    if is_fixed == Some(true) { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
}

pub(crate) fn renamed(from: &Path, to: &Path) {
    below(to, |folder, record, name| {
        let Ok(from) = from.strip_prefix(folder) else { return };
        if let Some(number) = record.names.remove(from) {
            record.names.insert(name.to_owned(), number);
        }
        record.operations.push(Operation::Rename(from.to_owned(), name.to_owned()));
    });
}

pub(crate) fn linked(from: &Path, to: &Path) {
    below(to, |folder, record, name| {
        let Ok(from) = from.strip_prefix(folder) else { return };
        if let Some(number) = record.names.get(from).copied() {
            record.names.insert(name.to_owned(), number);
        }
        record.operations.push(Operation::Link(from.to_owned(), name.to_owned()));
    });
}

pub(crate) fn removed(path: &Path) {
    below(path, |_, record, name| {
        record.names.remove(name);
        record.operations.push(Operation::Remove(name.to_owned()));
    });
}

pub(crate) fn made_folder(path: &Path) {
    below(path, |_, record, name| record.operations.push(Operation::MakeFolder(name.to_owned())));
}

pub(crate) fn sync_folder(path: &Path) -> io::Result<Sync> {
    let sync = below(path, |folder, record, name| {
        record.fail(name)?;
        Ok::<_, io::Error>((
            folder.to_owned(),
            Operation::SyncFolder(name.to_owned(), record.operations.len()),
        ))
    });
    Ok(Sync(sync.transpose()?.into_iter().collect()))
}

#[cfg(target_os = "linux")]
pub(crate) fn sync_everything() -> io::Result<Sync> {
    let recordings = recordings();
    let each = recordings
        .iter()
        .map(|(folder, record)| (folder.clone(), Operation::SyncEverything(record.operations.len())));
    Ok(Sync(each.collect()))
}

impl Record {
    fn fail(&self, name: &Path) -> io::Result<()> {
        if self.failing.as_ref().is_some_and(|failing| name.starts_with(failing)) {
            return Err(io::Error::other("a sync that the test wants to fail"));
        }
        Ok(())
    }
}
