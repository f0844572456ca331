//! The file under redb. A write that meets a full disk is retried with the room of the reserve. Any failure that
//! remains is recorded, because redb refuses every further operation after it.

use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{BackendError, StorageBackend};

use credlink_disk::reserve::{Reserve, is_full};
use credlink_disk::tracked::FileLog;

/// A file with a reserve.
#[derive(Debug)]
pub(super) struct Backend<B> {
    file: B,
    log: Option<FileLog>,
    reserve: Reserve,
    has_failed: Arc<AtomicBool>,
}

impl<B> Backend<B> {
    pub(super) const fn new(
        file: B,
        log: Option<FileLog>,
        reserve: Reserve,
        has_failed: Arc<AtomicBool>,
    ) -> Self {
        Self { file, log, reserve, has_failed }
    }

    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.is_err() {
            self.has_failed.store(true, Ordering::Release);
        }
        result
    }
}

impl<B: StorageBackend> StorageBackend for Backend<B> {
    fn len(&self) -> io::Result<u64> {
        self.noted(self.file.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.noted(self.file.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.noted(self.reserve.lent(|| self.file.set_len(len)))?;
        if let Some(log) = &self.log {
            log.resized(len);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let sync = self.noted(self.log.as_ref().map(FileLog::sync).transpose())?;
        let synced = self.file.sync_data();
        if synced.as_ref().is_err_and(is_full) {
            // The sync is not retried: a second sync does not write what a failed one has dropped. The room is needed
            // to reopen the file.
            self.reserve.give_up();
        }
        self.noted(synced)?;
        if let Some(sync) = sync {
            sync.done();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.noted(self.reserve.lent(|| self.file.write(offset, data)))?;
        if let Some(log) = &self.log {
            log.wrote(offset, data);
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
