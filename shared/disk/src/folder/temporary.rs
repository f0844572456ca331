//! Files that are being written. A file that was never renamed was never acknowledged.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::private;

/// The parts of a temporary file's name around its number. A file with any other name is not CredLink's.
const NAME: (&str, &str) = ("credlink-", ".part");

/// A file under a temporary name, which is removed unless it is renamed.
pub(super) struct Temporary(Option<PathBuf>);

impl Temporary {
    /// Writes the file with this number, and syncs it.
    pub(super) fn write(folder: &Path, number: u64, parts: &[&[u8]]) -> io::Result<Self> {
        let path = folder.join(format!("{}{number}{}", NAME.0, NAME.1));
        let mut file = private::options().create_new(true).open(&path)?;
        let temporary = Self(Some(path));
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_data()?;
        Ok(temporary)
    }

    /// Gives the file its final name. The caller must sync the folder.
    pub(super) fn rename(mut self, to: &Path) -> io::Result<()> {
        let Some(path) = &self.0 else { return Ok(()) };
        private::rename(path, to)?;
        self.0 = None;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // If this fails, the next opening of the folder removes the file.
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes the files that an earlier process left: those with a temporary file's name, and no others.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_ours(&entry.file_name().to_string_lossy()) && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
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
