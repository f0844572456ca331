//! Files and names that are written but may not be on the disk yet, made durable together.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::layout::ObjectPath;
use crate::private::sync_directory;
use crate::tracked;

/// The number of files up to which each is synced by itself: a sync of the whole file system may have to write what
/// other programs have left to be written.
const FEW: usize = 64;

/// The way to the disk for the files of a folder.
#[derive(Debug)]
pub(super) struct Settle {
    objects: PathBuf,
    /// A folder of the file system, open since before anything was written there: a sync reports the failures since.
    /// `None` if this file system is not known to write everything in one sync.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "other systems have no such sync"))]
    whole: Option<File>,
}

impl Settle {
    /// Prepares to settle files below `objects`, which come there from `temporary`.
    pub(super) fn of(objects: &Path, temporary: &Path) -> Self {
        Self { objects: objects.to_owned(), whole: whole(temporary) }
    }

    /// Waits until the files at these places, or their absence, are on the disk.
    pub(super) fn settle(&self, places: &HashSet<ObjectPath>) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(whole) = self.whole.as_ref().filter(|_| places.len() > FEW) {
            return tracked::sync_file_system(whole);
        }
        let mut directories = HashSet::new();
        for place in places {
            let directory = self.objects.join(&place.top).join(&place.shard);
            match tracked::sync_file(&directory.join(&place.name)) {
                // The object was removed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                synced => synced?,
            }
            directories.insert(directory);
        }
        for directory in directories {
            match sync_directory(&directory) {
                // Nothing was ever written there: the object to be removed was in no file.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                synced => synced?,
            }
        }
        Ok(())
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
