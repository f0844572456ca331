//! Legacy records as files in a folder, at any depth.
//!
//! * **Items** are all files. Names that begin with a `.` are skipped, and so are the contents of such folders: they
//!   belong to the file system and its tools. Anything else that cannot be read is an item too, with its reason: a file
//!   that is not regular, a folder that cannot be opened, a path that is not UTF-8 or longer than a key. Nothing is
//!   dropped silently.
//! * **Symbolic links** are not followed. A link to something in this folder is skipped, since its target is an item
//!   itself. Any other link is an item with its reason.
//! * **Order** is the byte order of the paths. A listing keeps the remaining names of one folder per level, and for
//!   large folders only a part of them (`walk`), so memory does not grow with the number of files.
//! * **Removal** compares size, time and inode right before it. A writer who replaces the file within the microseconds
//!   in between loses the new file. Folders are never removed.

mod key;
#[cfg(test)]
mod tests;
mod walk;

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use credlink_ports::migration::{Content, Item, Removal, Source};
use credlink_ports::{Failure, FailureKind, Page};

use credlink_disk::failure::{from_io, off_the_executor_with};
use key::{MAX_KEY_BYTES, cursor_of, key_of, path_of, path_of_cursor};
use walk::{EntryKind, Walk, WalkEntry};

use super::text::{self, MAX_STORED_BYTES};

/// The name that operators know this source by.
const NAME: &str = "dir";

/// A folder of legacy records.
#[derive(Debug, Clone)]
pub struct LegacyFolder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The path of the folder, without symbolic links.
    root: PathBuf,
    /// The end of the latest page, so that the next one continues from there.
    walk: Mutex<Option<(String, Walk)>>,
}

impl LegacyFolder {
    /// Opens the folder at `path`.
    ///
    /// # Errors
    /// Fails if there is no folder at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        let root = path.canonicalize()?;
        if !fs::metadata(&root)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self(Arc::new(Inner { root, walk: Mutex::default() })))
    }

    /// Writes a file under an unused name. Returns `false` if the name is in use. After `Ok` the file survives a crash;
    /// a file that a crash leaves incomplete has a name that is skipped.
    ///
    /// # Errors
    /// Fails if the file system does.
    pub async fn create(&self, key: &str, content: Bytes) -> Result<bool, Failure> {
        let key = key.to_owned();
        off_the_executor_with(NAME, &self.0, move |folder| folder.create(&key, &content)).await
    }
}

impl Source for LegacyFolder {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page<Item>, Failure> {
        let after = after.map(str::to_owned);
        off_the_executor_with(NAME, &self.0, move |folder| folder.list(after.as_deref(), limit)).await
    }

    async fn read(&self, key: &str) -> Result<Option<Content>, Failure> {
        let key = key.to_owned();
        off_the_executor_with(NAME, &self.0, move |folder| folder.read(&key)).await
    }

    async fn look(&self, key: &str) -> Result<Option<Item>, Failure> {
        let key = key.to_owned();
        off_the_executor_with(NAME, &self.0, move |folder| folder.look(&key)).await
    }

    async fn remove(&self, item: &Item) -> Result<Removal, Failure> {
        let item = item.clone();
        off_the_executor_with(NAME, &self.0, move |folder| folder.remove(&item)).await
    }
}

impl Inner {
    fn list(&self, after: Option<&str>, limit: usize) -> Result<Page<Item>, Failure> {
        let failed = |error: io::Error| from_io(NAME, "listing the folder", &error);
        let kept = self.walk.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut walk = match (after, kept) {
            (Some(after), Some((at, walk))) if at == after => walk,
            (Some(after), _) => {
                let path = path_of_cursor(after).ok_or_else(|| Failure {
                    provider: NAME,
                    kind: FailureKind::Damaged,
                    message: format!("`{after}` is no place in this folder's listing"),
                })?;
                Walk::behind(&self.root, &path).map_err(failed)?
            }
            (None, _) => Walk::begin(&self.root).map_err(failed)?,
        };
        let mut items = Vec::new();
        let mut last = Vec::new();
        while items.len() < limit {
            let Some(found) = walk.next(&self.root).map_err(failed)? else {
                return Ok(Page { items, next: None });
            };
            if let Some(item) = self.item(&found).map_err(failed)? {
                items.push(item);
            }
            last = found.bytes;
        }
        let next = cursor_of(&last);
        *self.walk.lock().unwrap_or_else(PoisonError::into_inner) = Some((next.clone(), walk));
        Ok(Page { items, next: Some(next) })
    }

    /// Returns the item of an entry, or `None` if the entry is gone or is listed elsewhere.
    fn item(&self, found: &WalkEntry) -> io::Result<Option<Item>> {
        let metadata = match fs::symlink_metadata(self.root.join(&found.path)) {
            Ok(metadata) => metadata,
            Err(error) if is_absence(&error) => return Ok(None),
            // The reason comes up when the item is read.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(Some(Item { key: key_of(found), size: 0, version: String::new() }));
            }
            Err(error) => return Err(error),
        };
        if found.kind == EntryKind::Link && self.leads_inside(&found.path) {
            return Ok(None);
        }
        Ok(Some(Item { key: key_of(found), size: metadata.len(), version: version(&metadata) }))
    }

    /// Returns `true` if the target of a symbolic link is listed under its own path.
    fn leads_inside(&self, link: &Path) -> bool {
        let Ok(target) = self.root.join(link).canonicalize() else { return false };
        let inside = target.strip_prefix(&self.root);
        inside.is_ok_and(|path| !path.components().any(|part| walk::is_hidden(part.as_os_str())))
    }

    fn read(&self, key: &str) -> Result<Option<Content>, Failure> {
        let failed = |error: io::Error| from_io(NAME, &format!("reading {key}"), &error);
        let Some(path) = path_of(key) else { return self.read_what_has_no_key(key).map_err(failed) };
        let path = self.root.join(path);
        let read = || {
            let metadata = fs::symlink_metadata(&path)?;
            // Opening anything but a regular file may block for ever.
            if let Some(why) = no_file(&metadata) {
                return Ok(Content::Unreadable(why.to_owned()));
            }
            if metadata.len() > MAX_STORED_BYTES as u64 {
                return Ok(text::too_long(metadata.len()));
            }
            let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
            File::open(&path)?.take(MAX_STORED_BYTES as u64 + 1).read_to_end(&mut bytes)?;
            Ok(text::legacy(bytes.into()))
        };
        match read() {
            Err(error) if is_absence(&error) => self.nothing().map(|()| None).map_err(failed),
            // This concerns a single file, and waiting does not help.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Ok(Some(Content::Unreadable(format!("the file may not be opened: {error}"))))
            }
            Err(error) => Err(failed(error)),
            Ok(content) => Ok(Some(content)),
        }
    }

    /// Fails if the whole folder is gone, as after an unmount: then a missing file is a failure and not an absence.
    fn nothing(&self) -> io::Result<()> {
        fs::metadata(&self.root).map(drop)
    }

    fn read_what_has_no_key(&self, key: &str) -> io::Result<Option<Content>> {
        let Some(found) = self.find(key)? else { return Ok(None) };
        let why = match found.kind {
            EntryKind::Unopened(why) => format!("the folder may not be opened: {why}"),
            EntryKind::File | EntryKind::Link | EntryKind::Other => {
                format!("its path is no UTF-8 text of at most {MAX_KEY_BYTES} bytes: rename it")
            }
        };
        Ok(Some(Content::Unreadable(why)))
    }

    /// Finds the entry of a key that is not a path, by a walk. There are few such keys, if any.
    fn find(&self, key: &str) -> io::Result<Option<WalkEntry>> {
        let mut walk = Walk::begin(&self.root)?;
        while let Some(found) = walk.next(&self.root)? {
            if key_of(&found) == key {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn look(&self, key: &str) -> Result<Option<Item>, Failure> {
        let failed = |error: io::Error| from_io(NAME, &format!("looking for {key}"), &error);
        let Some(path) = path_of(key) else {
            let found = self.find(key).map_err(failed)?;
            return found.map_or(Ok(None), |found| self.item(&found)).map_err(failed);
        };
        match fs::symlink_metadata(self.root.join(path)) {
            Ok(metadata) => {
                Ok(Some(Item { key: key.to_owned(), size: metadata.len(), version: version(&metadata) }))
            }
            Err(error) if is_absence(&error) => self.nothing().map(|()| None).map_err(failed),
            Err(error) => Err(failed(error)),
        }
    }

    fn create(&self, key: &str, content: &[u8]) -> Result<bool, Failure> {
        let failed = |error: io::Error| from_io(NAME, &format!("writing {key}"), &error);
        let Some(path) = path_of(key) else { return Err(failed(io::ErrorKind::InvalidFilename.into())) };
        let path = self.root.join(path);
        let temporary = self.root.join(format!(".{}.new", uuid::Uuid::new_v4().simple()));
        let written = || {
            let mut file = File::create_new(&temporary)?;
            file.write_all(content)?;
            file.sync_all()?;
            // Unlike a rename, a hard link never replaces an existing file.
            let linked = match fs::hard_link(&temporary, &path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
                linked => linked.map(|()| true)?,
            };
            if cfg!(unix) {
                File::open(&self.root)?.sync_all()?;
            }
            Ok(linked)
        };
        let done = written();
        // If this fails, the file that is left over has a name that is skipped.
        let _ = fs::remove_file(&temporary);
        done.map_err(failed)
    }

    fn remove(&self, item: &Item) -> Result<Removal, Failure> {
        let failed = |error: io::Error| from_io(NAME, &format!("removing {}", item.key), &error);
        let Some(path) = path_of(&item.key) else { return Ok(Removal::Changed) };
        let path = self.root.join(path);
        let removed = || {
            let metadata = fs::symlink_metadata(&path)?;
            if no_file(&metadata).is_some() || version(&metadata) != item.version {
                return Ok(Removal::Changed);
            }
            fs::remove_file(&path)?;
            if let Some(parent) = path.parent().filter(|_| cfg!(unix)) {
                File::open(parent)?.sync_all()?;
            }
            Ok(Removal::Removed)
        };
        match removed() {
            Err(error) if is_absence(&error) => self.nothing().map(|()| Removal::Absent).map_err(failed),
            other => other.map_err(failed),
        }
    }
}

/// Returns `true` if there is nothing under a path, also because a parent is no longer a folder.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Returns the reason why a file is not read, if there is one.
fn no_file(metadata: &Metadata) -> Option<&'static str> {
    if metadata.is_symlink() {
        Some(
            "a symbolic link that leads out of the folder is not followed: name what it leads to as a source",
        )
    } else if metadata.is_file() {
        None
    } else {
        Some("it is no regular file")
    }
}

/// Returns a version that changes whenever the file's content does, as far as the file system can tell.
fn version(metadata: &Metadata) -> String {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let modified = modified.unwrap_or_default().as_nanos();
    format!("{}-{modified}-{}", metadata.len(), inode(metadata))
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;

    metadata.ino()
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}
