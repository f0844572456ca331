//! The calls that change files and names, which tests record.
//!
//! All data that must survive a power cut is written through this module. With the feature `recorder`, each call is
//! recorded in order (`recorder`), and tests build from the record what a disk may hold after a cut.
//! Without it, these are the calls of the standard library.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

#[cfg(not(any(test, feature = "recorder")))]
use unrecorded as recorder;

#[cfg(any(test, feature = "recorder"))]
use crate::recorder::log as recorder;

pub use recorder::FileLog;

/// An open file that is written.
#[derive(Debug)]
pub struct TrackedFile {
    file: File,
    log: FileLog,
}

impl TrackedFile {
    /// Opens the file at `path` with these options.
    ///
    /// # Errors
    /// Returns an error if the file system refuses.
    pub fn open(options: &OpenOptions, path: &Path) -> io::Result<Self> {
        let file = options.open(path)?;
        let log = FileLog::of(path, &file);
        Ok(Self { file, log })
    }

    /// Returns the file and its log, for a writer of its own.
    #[must_use]
    pub fn into_parts(self) -> (File, FileLog) {
        (self.file, self.log)
    }

    /// Returns the file, for reading.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Appends `bytes` to a file that was opened empty, where `at` is its length so far.
    ///
    /// # Errors
    /// Returns an error if the file system refuses.
    pub fn append(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.log.wrote(at, bytes);
        Ok(())
    }

    /// Writes `bytes` at `offset`.
    ///
    /// # Errors
    /// Returns an error if the file system refuses.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        write_all_at(&self.file, offset, bytes)?;
        self.log.wrote(offset, bytes);
        Ok(())
    }

    /// Waits until the content is on the disk.
    ///
    /// # Errors
    /// Returns an error if the file system refuses.
    pub fn sync(&self) -> io::Result<()> {
        let sync = self.log.sync()?;
        self.file.sync_data()?;
        sync.done();
        Ok(())
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    use std::io::Seek as _;
    file.seek(io::SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

/// Gives a file another name. The caller must sync the folder.
///
/// # Errors
/// Returns an error if the file system refuses.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    recorder::change(to)?;
    fs::rename(from, to)?;
    recorder::renamed(from, to);
    Ok(())
}

/// Gives a file a second name. The caller must sync the folder.
///
/// # Errors
/// Returns an error if the file system refuses.
pub fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    recorder::linked(from, to);
    Ok(())
}

/// Removes a file. The caller must sync the folder if the file must not come back.
///
/// # Errors
/// Returns an error if the file system refuses.
pub fn remove(path: &Path) -> io::Result<()> {
    recorder::change(path)?;
    fs::remove_file(path)?;
    recorder::removed(path);
    Ok(())
}

/// Makes a folder. The caller must sync the folder that contains it.
///
/// # Errors
/// Returns an error if the file system refuses.
pub fn make_folder(builder: &fs::DirBuilder, path: &Path) -> io::Result<()> {
    builder.create(path)?;
    recorder::made_folder(path);
    Ok(())
}

/// Waits until the names in a folder are on the disk. Windows has no such call, and journals names by itself.
///
/// # Errors
/// Returns an error if the file system refuses.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    let sync = recorder::sync_folder(path)?;
    if cfg!(unix) {
        File::open(path)?.sync_all()?;
    }
    sync.done();
    Ok(())
}

/// Waits until all files and names of a file system are on the disk. `at` is an open file or folder of it.
///
/// # Errors
/// Returns an error if the file system refuses, or failed to write something since `at` was opened.
#[cfg(target_os = "linux")]
pub fn sync_file_system(at: &File) -> io::Result<()> {
    let sync = recorder::sync_everything()?;
    rustix::fs::syncfs(at)?;
    sync.done();
    Ok(())
}

/// Reports that this system has no such sync.
///
/// # Errors
/// Always returns an error.
#[cfg(not(target_os = "linux"))]
pub fn sync_file_system(_at: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The log of a product: nothing is recorded.
#[cfg(not(any(test, feature = "recorder")))]
mod unrecorded {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    /// The log of one open file.
    #[derive(Debug, Clone, Copy)]
    pub struct FileLog;

    /// A sync that has begun.
    #[derive(Debug)]
    pub struct Sync;

    impl Sync {
        /// Records the end of the sync.
        pub const fn done(self) {}
    }

    impl FileLog {
        /// Returns the log of the open file at `path`.
        #[must_use]
        pub const fn of(_path: &Path, _file: &File) -> Self {
            Self
        }

        /// Records a write.
        pub const fn wrote(&self, _offset: u64, _bytes: &[u8]) {}

        /// Records a change of the file's length.
        pub const fn resized(&self, _length: u64) {}

        /// Records the beginning of a sync.
        ///
        /// # Errors
        /// Returns an error if a test wants the sync to fail.
        pub const fn sync(&self) -> io::Result<Sync> {
            Ok(Sync)
        }
    }

    pub(super) const fn change(_path: &Path) -> io::Result<()> {
        Ok(())
    }
    pub(super) const fn renamed(_from: &Path, _to: &Path) {}
    pub(super) const fn linked(_from: &Path, _to: &Path) {}
    pub(super) const fn removed(_path: &Path) {}
    pub(super) const fn made_folder(_path: &Path) {}
    pub(super) const fn sync_folder(_path: &Path) -> io::Result<Sync> {
        Ok(Sync)
    }
    #[cfg(target_os = "linux")]
    pub(super) const fn sync_everything() -> io::Result<Sync> {
        Ok(Sync)
    }
}
