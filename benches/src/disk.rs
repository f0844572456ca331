//! The bare disk: files made durable one by one, as the folder adapter does it, by threads that do nothing else.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use tempfile::TempDir;

use crate::error::Error;

/// Number of directories over which files are spread: as many as the folder adapter has for records.
const DIRECTORIES: u64 = 1_024;

/// A folder of files.
#[derive(Debug)]
pub struct Disk {
    folder: TempDir,
    written: AtomicU64,
}

impl Disk {
    /// Creates an empty folder below `folder`.
    ///
    /// # Errors
    /// Fails if the file system does.
    pub fn new(folder: &Path) -> Result<Self, Error> {
        let folder = tempfile::tempdir_in(folder).map_err(Error::io("making a folder"))?;
        for directory in 0..DIRECTORIES {
            fs::create_dir(folder.path().join(directory.to_string()))
                .map_err(Error::io("making a folder"))?;
        }
        sync_directory(folder.path()).map_err(Error::io("making a folder"))?;
        Ok(Self { folder, written: AtomicU64::new(0) })
    }

    /// Writes `files` files with these bytes from `threads` threads: under a temporary name, synced, renamed, and the
    /// directory synced. Returns the files per second.
    ///
    /// # Errors
    /// Fails if the file system does.
    pub fn run(&self, threads: usize, files: usize, bytes: &[u8]) -> Result<f64, Error> {
        let left = AtomicU64::new(files as u64);
        let one =
            || left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let write_all = || {
            while one() {
                self.write(bytes).map_err(Error::io("writing a file"))?;
            }
            Ok(())
        };
        let started = Instant::now();
        thread::scope(|scope| {
            let handles: Vec<_> = (0..threads).map(|_| scope.spawn(write_all)).collect();
            let joined = handles.into_iter().map(|handle| {
                handle.join().unwrap_or_else(|_| Err(Error::wrong("the bare disk", "a thread panicked")))
            });
            joined.collect::<Result<(), Error>>()
        })?;
        Ok(files as f64 / started.elapsed().as_secs_f64())
    }

    fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let temporary = self.folder.path().join(format!("temporary-{number}"));
        let mut file = File::create_new(&temporary)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        let directory: PathBuf = self.folder.path().join((number % DIRECTORIES).to_string());
        fs::rename(&temporary, directory.join(number.to_string()))?;
        sync_directory(&directory)
    }
}

fn sync_directory(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Asks the system to forget the contents of all files below `folder`, so that they are read from the disk again. Its
/// knowledge of names and locations stays, and the cache of a virtual machine's host is out of reach.
///
/// # Errors
/// Fails if the file system does.
pub fn forget_contents(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::io("walking the data"))? {
        let path = entry.map_err(Error::io("walking the data"))?.path();
        if path.is_dir() {
            forget_contents(&path)?;
        } else {
            let file = File::open(&path).map_err(Error::io("walking the data"))?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)
                .map_err(|error| Error::wrong("fadvise", error))?;
        }
    }
    Ok(())
}
