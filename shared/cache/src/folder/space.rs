//! The content of the folder and the last use of each file, which decide what is evicted.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, SystemTime};
use std::{fs, io};

use super::{UNFINISHED, remove_file};

/// The size of a disk block; a file takes whole blocks.
const BLOCK: u64 = 4_096;
/// The age at which an unfinished file counts as left behind by a process that ended.
const ABANDONED: Duration = Duration::from_secs(60);

/// The files of the folder, as far as this process knows.
#[derive(Debug)]
pub(super) struct Space {
    most: u64,
    /// The size of each file, and the number of its last use.
    files: HashMap<String, (u64, u64)>,
    by_use: BTreeMap<u64, String>,
    bytes: u64,
    uses: u64,
    /// Bytes written since the last scan of the folder; `None` before the first.
    since_scan: Option<u64>,
}

impl Space {
    pub(super) fn new(most: u64) -> Self {
        Self { most, files: HashMap::new(), by_use: BTreeMap::new(), bytes: 0, uses: 0, since_scan: None }
    }

    /// Returns `true` if the folder must be scanned: it never was, or long enough ago for another process to have
    /// filled it.
    pub(super) fn is_unknown(&self) -> bool {
        self.since_scan.is_none_or(|written| written > self.most / 8)
    }

    /// Scans the folder. The last use of a file that was not known counts as the time of its writing.
    pub(super) fn scan(&mut self, folder: &Path) -> io::Result<()> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Other processes may remove files during the scan.
            let Ok(metadata) = entry.metadata() else { continue };
            let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if is_entry(&name) {
                found.push((modified, name, metadata.len()));
            } else if name.ends_with(UNFINISHED) && modified.elapsed().is_ok_and(|age| age > ABANDONED) {
                remove_file(&entry.path())?;
            }
        }
        found.sort_unstable();
        let there: HashSet<_> = found.iter().map(|(_, name, _)| name.clone()).collect();
        let gone: Vec<_> = self.files.keys().filter(|name| !there.contains(*name)).cloned().collect();
        gone.iter().for_each(|name| self.forget(name));
        for (_, name, length) in found {
            if !self.files.contains_key(&name) {
                self.add(name, length);
            }
        }
        self.since_scan = Some(0);
        Ok(())
    }

    /// Records that `name` is about to be written, and returns the files that must be removed before.
    pub(super) fn make_room(&mut self, name: &str, length: u64) -> Vec<String> {
        self.forget(name);
        self.add(name.to_owned(), length);
        self.since_scan = self.since_scan.map(|written| written + blocks(length));
        let mut gone = Vec::new();
        while self.bytes > self.most
            && let Some((_, oldest)) =
                self.by_use.first_key_value().map(|(number, name)| (*number, name.clone()))
            && oldest != name
        {
            self.forget(&oldest);
            gone.push(oldest);
        }
        gone
    }

    /// Records that `name` was used.
    pub(super) fn touch(&mut self, name: &str) {
        if let Some((_, last)) = self.files.get_mut(name) {
            self.uses += 1;
            if let Some(name) = self.by_use.remove(last) {
                self.by_use.insert(self.uses, name);
            }
            *last = self.uses;
        }
    }

    /// Records that `name` was removed.
    pub(super) fn forget(&mut self, name: &str) {
        if let Some((size, last)) = self.files.remove(name) {
            self.by_use.remove(&last);
            self.bytes -= size;
        }
    }

    /// Returns the number of files and bytes, if the folder was scanned.
    pub(super) fn held(&self) -> Option<(u64, u64)> {
        self.since_scan.map(|_| (self.files.len() as u64, self.bytes))
    }

    fn add(&mut self, name: String, length: u64) {
        self.uses += 1;
        self.bytes += blocks(length);
        self.by_use.insert(self.uses, name.clone());
        self.files.insert(name, (blocks(length), self.uses));
    }
}

const fn blocks(length: u64) -> u64 {
    length.next_multiple_of(BLOCK)
}

/// Returns `true` if `name` is that of an entry. An operator may have named a folder that holds other files.
fn is_entry(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u32) -> String {
        format!("{number:064x}")
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let mut space = Space::new(4 * BLOCK);
        for number in 0..4 {
            assert!(space.make_room(&name(number), BLOCK - 5).is_empty());
        }
        space.touch(&name(0));
        assert_eq!(space.make_room(&name(4), BLOCK + 1), [name(1), name(2)]);
        assert_eq!(space.make_room(&name(4), 1), Vec::<String>::new(), "it takes its own place");
        assert_eq!(space.make_room(&name(5), 1), Vec::<String>::new());
        assert_eq!(space.make_room(&name(6), 1), [name(3)]);
    }

    #[test]
    fn a_folder_that_is_there_is_taken_up() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(folder.path().join(name), [0; 100]).unwrap();
        [name(1), name(2), "notes.txt".to_owned(), format!("{}-1-2.part", name(3))]
            .iter()
            .for_each(|name| write(name));
        let mut space = Space::new(4 * BLOCK);
        assert!(space.is_unknown() && space.held().is_none());
        space.scan(folder.path()).unwrap();
        assert_eq!(space.held(), Some((2, 2 * BLOCK)));
        fs::remove_file(folder.path().join(name(1))).unwrap();
        write(&name(4));
        space.make_room(&name(9), 1);
        assert!(space.is_unknown(), "a quarter of the bytes was written");
        space.scan(folder.path()).unwrap();
        assert_eq!(space.held(), Some((2, 2 * BLOCK)), "what is not there any more is not counted");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "nothing else was touched");
    }

    #[test]
    fn what_was_left_unfinished_long_ago_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.part");
        let file = fs::File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - 2 * ABANDONED).unwrap();
        Space::new(BLOCK).scan(folder.path()).unwrap();
        assert!(!path.exists());
    }
}
