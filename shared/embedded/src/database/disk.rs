//! A disk in memory, for tests, that can be filled.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use redb::StorageBackend;
use redb::backends::InMemoryBackend;

/// A disk that is full when a test says so. It keeps its bytes however often it is opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Platters>);

#[derive(Debug, Default)]
struct Platters {
    bytes: InMemoryBackend,
    /// The disk is full: writes and syncs fail.
    is_full: AtomicBool,
    /// A full disk accepts writes and fails at the sync only.
    is_late: AtomicBool,
    /// A file that takes up all free space for as long as it exists.
    hog: OnceLock<PathBuf>,
}

impl Disk {
    pub(crate) fn fill(&self, is_full: bool) {
        self.0.is_full.store(is_full, Ordering::SeqCst);
    }

    pub(crate) fn finds_out_late(&self, is_late: bool) {
        self.0.is_late.store(is_late, Ordering::SeqCst);
    }

    pub(crate) fn fill_by(&self, hog: PathBuf) {
        self.0.hog.get_or_init(|| hog);
    }

    fn room(&self) -> io::Result<()> {
        let is_full =
            self.0.is_full.load(Ordering::SeqCst) || self.0.hog.get().is_some_and(|hog| hog.exists());
        if is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.0.bytes.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.bytes.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.bytes.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.room()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.0.is_late.load(Ordering::SeqCst) { Ok(()) } else { self.room() }?;
        self.0.bytes.write(offset, data)
    }
}
