//! A page of a folder's objects, in the order of their keys.
//!
//! Shards are prefixes of the keys in them, but one shard's prefix may begin another's (`ur` and `urn=c2pa=f9`), so
//! keys of shards can interleave. A page is therefore a merge that opens a shard only when the next key could be in it:
//! usually one or two directories are read, whatever the size of the folder.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use credlink_core::time::Timestamp;
use credlink_ports::{Listed, Page};

use super::layout::{ObjectPath, misplaced, shard_start};

/// The keys that a page is to hold.
pub(super) struct ListingRange<'a> {
    pub(super) prefix: &'a str,
    pub(super) after: Option<&'a str>,
    pub(super) limit: usize,
}

impl ListingRange<'_> {
    fn takes(&self, key: &str) -> bool {
        key.starts_with(self.prefix) && self.after.is_none_or(|after| key > after)
    }

    /// Returns `true` if a key that begins with `start` can be wanted.
    fn reaches(&self, start: &str) -> bool {
        (start.starts_with(self.prefix) || self.prefix.starts_with(start))
            && self.after.is_none_or(|after| start > after || after.starts_with(start))
    }
}

/// A shard that has not been opened yet.
struct Shard {
    start: String,
    top: String,
    name: String,
    path: PathBuf,
}

/// Returns the page. `read_shard` reads one shard's directory, while no file is renamed into it.
pub(super) fn page(
    objects: &Path,
    wanted: &ListingRange<'_>,
    read_shard: impl Fn(&Path) -> io::Result<Vec<String>>,
) -> io::Result<Page<Listed>> {
    let mut open: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut closed = shards(objects, wanted, &mut open)?;
    let mut items = Vec::new();
    // One item more than the page holds shows that there is another page.
    while items.len() <= wanted.limit {
        while let Some(shard) = closed.front()
            && open.first_key_value().is_none_or(|(key, _)| shard.start <= *key)
        {
            for name in read_shard(&shard.path)? {
                let path = shard.path.join(&name);
                let key = ObjectPath { top: shard.top.clone(), shard: shard.name.clone(), name }.key();
                if wanted.takes(&key) {
                    open.insert(key, path);
                }
            }
            closed.pop_front();
        }
        let Some((key, path)) = open.pop_first() else { break };
        match fs::symlink_metadata(&path) {
            Ok(metadata) => {
                items.push(Listed { key, size: metadata.len(), modified: modified(&metadata)? });
            }
            // The object was deleted since the directory was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let more = items.len() > wanted.limit;
    items.truncate(wanted.limit);
    let next = if more { items.last().map(|item| item.key.clone()) } else { None };
    Ok(Page { items, next })
}

/// Returns the shards that can hold wanted keys, in order. Files beside the shards are added to `open`.
fn shards(
    objects: &Path,
    wanted: &ListingRange<'_>,
    open: &mut BTreeMap<String, PathBuf>,
) -> io::Result<VecDeque<Shard>> {
    let mut found = Vec::new();
    let mut aside = |key: String, path: PathBuf| {
        if wanted.takes(&key) {
            open.insert(key, path);
        }
    };
    for entry in fs::read_dir(objects)? {
        let entry = entry?;
        let top = name_of(&entry);
        if !entry.path().is_dir() {
            aside(misplaced(&top), entry.path());
            continue;
        }
        if !wanted.reaches(&format!("{top}/")) {
            continue;
        }
        for entry in fs::read_dir(entry.path())? {
            let entry = entry?;
            let name = name_of(&entry);
            let start = shard_start(&top, &name);
            if !entry.path().is_dir() {
                aside(misplaced(&start), entry.path());
            } else if wanted.reaches(&start) {
                found.push(Shard { start, top: top.clone(), name, path: entry.path() });
            }
        }
    }
    found.sort_by(|a, b| a.start.cmp(&b.start));
    Ok(found.into())
}

/// Returns the names in a directory.
pub(super) fn names(directory: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(directory)?.map(|entry| entry.map(|entry| name_of(&entry))).collect()
}

fn name_of(entry: &DirEntry) -> String {
    entry.file_name().to_string_lossy().into_owned()
}

/// Returns the time at which a file was written, by the file system's clock.
pub(super) fn modified(metadata: &fs::Metadata) -> io::Result<Timestamp> {
    let since = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(Timestamp::from_milliseconds(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}
