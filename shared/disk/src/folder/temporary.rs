//! Files that are being written. A file that was never renamed was never acknowledged.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::private;
use crate::tracked::{self, TrackedFile};

/// The parts of a temporary file's name around its number. A file with any other name is not CredLink's.
const NAME: (&str, &str) = ("credlink-", ".part");

/// A file under a temporary name, which is removed unless it is renamed.
pub(super) struct Temporary {
    path: PathBuf,
    is_renamed: Cell<bool>,
}

impl Temporary {
    /// Writes the file with this number. It is open, and not synced.
    pub(super) fn write(folder: &Path, number: u64, parts: &[&[u8]]) -> io::Result<(Self, TrackedFile)> {
        let path = folder.join(format!("{}{number}{}", NAME.0, NAME.1));
        let mut file = TrackedFile::open(private::options().create_new(true), &path)?;
        let temporary = Self { path, is_renamed: Cell::new(false) };
        let mut at = 0;
        for part in parts {
            file.append(at, part)?;
            at += part.len() as u64;
        }
        Ok((temporary, file))
    }

    /// Returns `true` if the file has its temporary name.
    pub(super) fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok()
    }

    /// Gives the file its final name. If it replaces a file, its content must be on the disk, here or in the journal.
    pub(super) fn rename(&self, to: &Path) -> io::Result<()> {
        tracked::rename(&self.path, to)?;
        self.is_renamed.set(true);
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_renamed.get() {
            // If this fails, the next opening of the folder removes the file.
            let _ = tracked::remove(&self.path);
        }
    }
}

/// Removes the files that an earlier process left: those with a temporary file's name, and no others.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_ours(&entry.file_name().to_string_lossy()) && entry.file_type()?.is_file() {
            tracked::remove(&entry.path())?;
        }
    }
    Ok(())
}

fn is_ours(name: &str) -> bool {
    let number = name.strip_prefix(NAME.0).and_then(|rest| rest.strip_suffix(NAME.1));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_somebody_elses_stays() {
        let folder = tempfile::tempdir().unwrap();
        let ours = ["credlink-0.part", "credlink-4711.part"];
        let others = ["0", "20240101", "credlink-.part", "credlink-1a.part", "credlink-1.part.txt", "x.part"];
        for name in ours.iter().chain(&others) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("credlink-9.part")).unwrap();
        clear(folder.path()).unwrap();
        let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut left: Vec<_> = left.map(|name| name.into_string().unwrap()).collect();
        left.sort();
        let mut expected = [&others[..], &["credlink-9.part"]].concat();
        expected.sort_unstable();
        assert_eq!(left, expected);
        let written = Temporary::write(folder.path(), 5, &[b"a", b"b"]).unwrap();
        assert_eq!(fs::read(folder.path().join("credlink-5.part")).unwrap(), b"ab");
        drop(written);
        assert!(!folder.path().join("credlink-5.part").exists());
    }
}
