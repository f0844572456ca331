//! A walk through a folder in the byte order of its paths.
//!
//! Each level keeps at most [`KEPT`] of the names that are still to come. If a folder has more, the next ones in order
//! are selected by reading the folder again. A folder of a million files is read sixty times, and is never in memory as
//! a whole.

use std::collections::{BinaryHeap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Maximum number of names that a level keeps.
pub(super) const KEPT: usize = 16_384;

/// An entry that a walk has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WalkEntry {
    /// The path relative to the folder.
    pub(super) path: PathBuf,
    /// The bytes of that path, with `/` between its parts and, for a folder, at its end.
    pub(super) bytes: Vec<u8>,
    /// The kind of the entry.
    pub(super) kind: EntryKind,
}

/// The kind of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// Something other than a file, a link or a folder.
    Other,
    /// A folder that cannot be opened, with the reason.
    Unopened(String),
}

/// A name in a folder. Folders sort as if their names ended with the `/` that follows them in paths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    bytes: Vec<u8>,
    name: OsString,
    kind: NameKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum NameKind {
    File,
    Link,
    Other,
    Folder,
}

/// A folder on the path that the walk is at.
#[derive(Debug)]
struct Level {
    path: PathBuf,
    bytes: Vec<u8>,
    names: VecDeque<Name>,
    /// The name after which to continue reading, if there are more names.
    more: Option<Vec<u8>>,
}

/// A walk in progress.
#[derive(Debug)]
pub(super) struct Walk(Vec<Level>);

/// Returns `true` if a name is skipped.
pub(super) fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

impl Walk {
    /// Begins a walk through all of `root`.
    pub(super) fn begin(root: &Path) -> io::Result<Self> {
        Ok(Self(vec![Level::read(root, PathBuf::new(), Vec::new(), &From::Start)?]))
    }

    /// Begins a walk after a path that an earlier walk has found.
    pub(super) fn behind(root: &Path, path: &[u8]) -> io::Result<Self> {
        let mut levels = Vec::new();
        let (mut at, mut bytes) = (PathBuf::new(), Vec::new());
        let mut parts = path.split_inclusive(|byte| *byte == b'/').peekable();
        while let Some(part) = parts.next() {
            let is_last = parts.peek().is_none();
            let from = if is_last { From::Behind(part) } else { From::At(part) };
            let read = Level::read(root, at.clone(), bytes.clone(), &from);
            let mut level = match read {
                // A folder on the path is gone, and with it everything that came after the path in it.
                Err(error) if !levels.is_empty() && is_gone(&error) => break,
                read => read?,
            };
            let enters = !is_last && level.names.front().is_some_and(|name| name.bytes == part);
            let next = if enters { level.names.pop_front() } else { None };
            if let Some(name) = &next {
                at.push(&name.name);
                bytes.extend_from_slice(&name.bytes);
            }
            levels.push(level);
            if next.is_none() {
                break;
            }
        }
        if levels.is_empty() { Self::begin(root) } else { Ok(Self(levels)) }
    }

    /// Returns the next entry.
    pub(super) fn next(&mut self, root: &Path) -> io::Result<Option<WalkEntry>> {
        while let Some(level) = self.0.last_mut() {
            let Some(name) = level.names.pop_front() else {
                match level.more.take() {
                    Some(last) => {
                        let read =
                            Level::read(root, level.path.clone(), level.bytes.clone(), &From::Behind(&last));
                        match read {
                            Ok(read) => *level = read,
                            Err(error) if self.0.len() > 1 && is_gone(&error) => drop(self.0.pop()),
                            Err(error) => return Err(error),
                        }
                    }
                    None => drop(self.0.pop()),
                }
                continue;
            };
            let path = level.path.join(&name.name);
            let bytes = [level.bytes.as_slice(), &name.bytes].concat();
            let kind = match name.kind {
                NameKind::File => EntryKind::File,
                NameKind::Link => EntryKind::Link,
                NameKind::Other => EntryKind::Other,
                NameKind::Folder => match Level::read(root, path.clone(), bytes.clone(), &From::Start) {
                    Ok(level) => {
                        self.0.push(level);
                        continue;
                    }
                    Err(error) if is_gone(&error) => continue,
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                        EntryKind::Unopened(error.to_string())
                    }
                    Err(error) => return Err(error),
                },
            };
            return Ok(Some(WalkEntry { path, bytes, kind }));
        }
        Ok(None)
    }
}

/// The range of a folder's names to read.
enum From<'a> {
    Start,
    At(&'a [u8]),
    Behind(&'a [u8]),
}

impl From<'_> {
    fn takes(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Start => true,
            Self::At(from) => bytes >= *from,
            Self::Behind(last) => bytes > *last,
        }
    }
}

impl Level {
    fn read(root: &Path, path: PathBuf, bytes: Vec<u8>, from: &From<'_>) -> io::Result<Self> {
        let mut first = BinaryHeap::new();
        let mut is_cut = false;
        for entry in fs::read_dir(root.join(&path))? {
            let entry = entry?;
            let name = entry.file_name();
            if is_hidden(&name) {
                continue;
            }
            let kind = match entry.file_type() {
                Ok(kind) if kind.is_dir() => NameKind::Folder,
                Ok(kind) if kind.is_symlink() => NameKind::Link,
                Ok(kind) if kind.is_file() => NameKind::File,
                Ok(_) => NameKind::Other,
                Err(error) if is_gone(&error) => continue,
                Err(error) => return Err(error),
            };
            let mut bytes = name.as_encoded_bytes().to_vec();
            if kind == NameKind::Folder {
                bytes.push(b'/');
            }
            if from.takes(&bytes) {
                first.push(Name { bytes, name, kind });
            }
            if first.len() > KEPT {
                // Drops the greatest name, so that the kept ones are the first in order.
                first.pop();
                is_cut = true;
            }
        }
        let names = VecDeque::from(first.into_sorted_vec());
        let more = names.back().filter(|_| is_cut).map(|name| name.bytes.clone());
        Ok(Self { path, bytes, names, more })
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
