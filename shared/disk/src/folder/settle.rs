//! Files and names that are written but may not be on the disk yet, made durable together.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::private::sync_directory;
use crate::tracked::{self, TrackedFile};

/// The number of files and directories up to which each is synced by itself: a sync of the whole file system may have
/// to write what other programs have left to be written.
const FEW: usize = 64;

/// The way to the disk for the files of a folder.
#[derive(Debug)]
pub(super) struct Settle {
    /// A folder of the file system, open since before anything was written there: a sync reports the failures since.
    /// `None` if this file system is not known to write everything in one sync.
    whole: Option<File>,
    /// Cloned for each file that stays open.
    open: Arc<()>,
}

/// The next step towards the disk for a file that was written.
#[derive(Debug)]
pub(super) enum Written {
    /// Nothing: it is synced.
    Synced,
    /// It is open since before it was written, so a sync of it reports every failure.
    Open(TrackedFile, Arc<()>),
    /// A sync of the file system.
    Closed,
}

/// Files and names that may not be on the disk.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    files: HashMap<PathBuf, (TrackedFile, Arc<()>)>,
    directories: HashSet<PathBuf>,
    /// `true` if it takes a sync of the file system.
    is_closed: bool,
}

impl Unsettled {
    /// Adds a name in a directory that leads to a file, or to none.
    pub(super) fn add(&mut self, path: &Path, written: Option<Written>) {
        match written {
            None | Some(Written::Synced) => {}
            Some(Written::Open(file, open)) => {
                self.files.insert(path.to_owned(), (file, open));
            }
            Some(Written::Closed) => self.is_closed = true,
        }
        if let Some(directory) = path.parent()
            && !self.directories.contains(directory)
        {
            self.directories.insert(directory.to_owned());
        }
    }

    /// Adds what is unsettled elsewhere.
    pub(super) fn add_all(&mut self, other: Self) {
        self.files.extend(other.files);
        self.directories.extend(other.directories);
        self.is_closed |= other.is_closed;
    }
}

impl Settle {
    /// Prepares to settle files of the file system that `folder` is on.
    pub(super) fn of(folder: &Path) -> Self {
        Self { whole: whole(folder), open: Arc::default() }
    }

    /// Returns `true` if files may be left to be settled. Elsewhere each is synced when it is written.
    pub(super) const fn is_possible(&self) -> bool {
        self.whole.is_some()
    }

    /// Takes charge of a file that was written, while it is open. A few stay open.
    pub(super) fn written(&self, file: TrackedFile) -> io::Result<Written> {
        if !self.is_possible() {
            file.sync()?;
            return Ok(Written::Synced);
        }
        let open = Arc::clone(&self.open);
        Ok(if Arc::strong_count(&open) <= FEW { Written::Open(file, open) } else { Written::Closed })
    }

    /// Waits until the content of a file is on the disk.
    pub(super) fn sync(&self, written: &Written) -> io::Result<()> {
        match written {
            Written::Synced => Ok(()),
            Written::Open(file, _) => file.sync(),
            Written::Closed => self.sync_all(),
        }
    }

    /// Waits until all of `unsettled` is on the disk.
    pub(super) fn settle(&self, unsettled: &Unsettled) -> io::Result<()> {
        let Unsettled { files, directories, is_closed } = unsettled;
        if *is_closed || self.is_possible() && files.len() + directories.len() > FEW {
            return self.sync_all();
        }
        for (file, _) in files.values() {
            file.sync()?;
        }
        for directory in directories {
            match sync_directory(directory) {
                // Nothing was ever written there: the object to be removed was in no file.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                synced => synced?,
            }
        }
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        self.whole.as_ref().map_or_else(|| Err(io::ErrorKind::Unsupported.into()), tracked::sync_file_system)
    }
}

/// Opens `folder` if one sync of its file system makes all files and names durable and reports failures: since Linux
/// 5.8, on the file systems that store data on this machine. A network file system may only pass the data on.
#[cfg(target_os = "linux")]
fn whole(folder: &Path) -> Option<File> {
    /// ext2 to ext4, XFS, Btrfs, F2FS, tmpfs (`linux/magic.h`).
    const LOCAL: [u64; 5] = [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x0102_1994];
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next()?, numbers.next()?);
    let folder = File::open(folder).ok()?;
    let kind = rustix::fs::fstatfs(&folder).ok()?.f_type;
    let is_local = u64::try_from(kind).is_ok_and(|kind| LOCAL.contains(&kind));
    (version >= (5, 8) && is_local).then_some(folder)
}

#[cfg(not(target_os = "linux"))]
fn whole(_folder: &Path) -> Option<File> {
    None
}
