//! Files and folders that only their owner may read, and whose names survive a power cut.
//!
//! The data folder holds private proofs, so nothing in it is left to the umask: a folder has mode 0700 and a file 0600.
//! A name is durable once the folder that contains it is synced after the name was made (POSIX guarantees no more).
//! Every name made here is synced before the call returns, or by the caller where the function says so.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::tracked::{self, TrackedFile};

/// Makes the folder at `path`, and those above it that are missing. Each is durable.
///
/// # Errors
/// Returns an error if the file system refuses, or if there is something other than a folder.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = parent(path);
    make_folder(&parent)?;
    make_one(path)?;
    sync_directory(&parent)
}

/// Makes the folder at `path` as [`make_folder`] does, for private data. If the folder exists, the permissions of
/// others are removed from it; if that is not possible, the log says so.
///
/// # Errors
/// Fails as [`make_folder`] does.
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    make_folder(path)?;
    keep_private(path);
    Ok(())
}

/// Makes one folder in an existing one, which the caller must sync. A folder that exists is left as it is.
pub(crate) fn make_one(path: &Path) -> io::Result<()> {
    match tracked::make_folder(&folder_builder(), path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

/// Returns the options to open a file, and to make it if there is none. A pipe in its place is refused without
/// blocking.
#[must_use]
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    options
}

/// Returns the options to open a file whose content is discarded. A link to another file is refused as well.
#[must_use]
pub fn options_for_anew() -> OpenOptions {
    let mut options = options();
    options.truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
        options.custom_flags(flags.bits().cast_signed());
    }
    options
}

/// Opens a file for reading. A pipe in its place does not block: it is as if the file were empty, or in use.
///
/// # Errors
/// Returns an error if the file system refuses.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    }
    options.open(path)
}

/// Opens a file for reading and writing, and makes it if there is none. Its name is durable.
///
/// # Errors
/// Returns an error if the file system refuses.
pub fn open(path: &Path) -> io::Result<TrackedFile> {
    let is_there = path.exists();
    let file = TrackedFile::open(options().read(true), path)?;
    if !is_there {
        sync_directory(&parent(path))?;
    }
    Ok(file)
}

/// Writes a whole file: under another name, synced, and then durably renamed. A reader finds the previous file or all
/// of `content`, even after a crash in between.
///
/// # Errors
/// Returns an error if the file system refuses.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    write_synced(&new, content)?;
    rename(&new, path)?;
    sync_directory(&parent(path))
}

/// The outcome of [`write_new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The file was written, with this content.
    New,
    /// A file existed, or another process was a moment faster. It is unchanged.
    Not,
}

/// The outcome of giving a file a second name.
enum Linked {
    /// The file has the name.
    Done,
    /// Another file has the name.
    Taken,
    /// The file system does not support it, or refuses.
    Refused(io::Error),
}

/// Writes a whole file, as [`write()`] does, if there is none.
///
/// # Errors
/// Returns an error if the file system refuses.
pub fn write_new(path: &Path, content: &[u8]) -> io::Result<Written> {
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let linked = write_and_link(&new, path, content);
    // The temporary file is removed even if the disk is full, so that the next attempt finds the folder as it was.
    let removed = tracked::remove(&new);
    let linked = linked?;
    removed?;
    match linked {
        Linked::Done => sync_directory(&parent(path)).map(|()| Written::New),
        Linked::Taken => Ok(Written::Not),
        // A file system without links is assumed to have one process at a time.
        Linked::Refused(_) if !path.exists() => write(path, content).map(|()| Written::New),
        Linked::Refused(error) => Err(error),
    }
}

/// Writes `content` to `new`, and gives that file the name `path` too. Unlike a rename, this never replaces a file.
fn write_and_link(new: &Path, path: &Path, content: &[u8]) -> io::Result<Linked> {
    write_synced(new, content)?;
    Ok(match tracked::link(new, path) {
        Ok(()) => Linked::Done,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Linked::Taken,
        Err(error) => Linked::Refused(error),
    })
}

/// Writes `content` to a file that had none, and syncs it.
fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = TrackedFile::open(&options_for_anew(), path)?;
    file.append(0, content)?;
    file.sync()
}

/// Gives a file another name. The caller must sync the folder.
///
/// # Errors
/// Returns an error if the file system refuses.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    tracked::rename(from, to)
}

/// Removes the permissions of others from a file or folder that another program has made or changed. If that is not
/// possible, the log says so. A folder in which everyone has files of their own, such as `/tmp`, is left as it is, and
/// the log says so too.
pub fn keep_private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = || fs::metadata(path).map(|metadata| metadata.permissions().mode() & 0o7777);
        let Ok(before) = mode() else { return };
        if before & 0o077 == 0 {
            return;
        }
        let (path_shown, was) = (path.display(), format!("{before:o}"));
        if before & 0o1000 != 0 {
            tracing::error!(path = %path_shown, was, "others have rights here, and files of their own: give the data a folder of its own");
            return;
        }
        let taken = fs::set_permissions(path, fs::Permissions::from_mode(before & 0o700));
        // Some file systems, such as Windows shares, report success but have no permissions.
        match taken.and_then(|()| mode()) {
            Ok(after) if after & 0o077 == 0 => {
                tracing::warn!(path = %path_shown, was, "others had rights here, and have none any longer")
            }
            Ok(_) => {
                tracing::error!(path = %path_shown, was, "others have rights here, and this file system does not take them: private proofs are kept here");
            }
            Err(error) => {
                tracing::error!(path = %path_shown, was, %error, "others have rights here: take them, as private proofs are kept here");
            }
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// Makes the names in a directory survive a crash.
///
/// # Errors
/// Returns an error if the file system refuses.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    tracked::sync_folder(path)
}

fn folder_builder() -> fs::DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there are no modes"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Returns the folder that contains a path.
fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::Recording;

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt as _;
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_written_whole_and_folders_are_made_durably() {
        let root = tempfile::tempdir().unwrap();
        let recording = Recording::of(root.path());
        let folder = root.path().join("a/b/c");
        make_folder(&folder).unwrap();
        let file = folder.join("key");
        write(&file, b"one").unwrap();
        write(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left over");
        let (made, unsynced) = recording.names();
        assert_eq!((made.len(), unsynced), (4, Vec::new()));
        #[cfg(unix)]
        for (path, expected) in [(root.path().join("a"), 0o700), (folder, 0o700), (file, 0o600)] {
            assert_eq!(mode(&path), expected, "{}", path.display());
        }
    }

    #[test]
    fn a_new_file_takes_nobodys_place() {
        let root = tempfile::tempdir().unwrap();
        let recording = Recording::of(root.path());
        let file = root.path().join("key");
        assert_eq!(write_new(&file, b"one").unwrap(), Written::New);
        assert_eq!(write_new(&file, b"two").unwrap(), Written::Not);
        assert_eq!(fs::read(&file).unwrap(), b"one");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing is left over");
        assert_eq!(recording.names(), (vec![file], Vec::new()));
    }

    #[cfg(unix)]
    #[test]
    fn rights_of_others_are_taken() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("x");
        fs::write(&file, b"x").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        keep_private(&file);
        assert_eq!(mode(&file), 0o600);
        keep_private(&root.path().join("none"));
        for (before, after) in [(0o777, 0o700), (0o755, 0o700), (0o700, 0o700), (0o1777, 0o1777)] {
            let folder = root.path().join("folder");
            make_folder(&folder).unwrap();
            fs::set_permissions(&folder, fs::Permissions::from_mode(before)).unwrap();
            make_private_folder(&folder).unwrap();
            assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o7777, after, "{before:o}");
        }
    }
}
