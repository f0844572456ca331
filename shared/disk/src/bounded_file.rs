//! Reads files that an operator writes: lists of tokens, keys and signers. A wrong path may lead to a pipe, which would
//! block, or to something without an end.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::timeout;

/// The longest that a running server waits for a file.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Reads a file whose file system may hang, one reading at a time. A reading that hangs blocks one thread and no
/// caller.
#[derive(Debug, Default)]
pub struct Reading(Arc<AtomicBool>);

/// Marks the end of a reading, even if it panics.
struct Ended(Arc<AtomicBool>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl Reading {
    /// Runs `read` off the executor and returns its result. Returns `None` if it takes longer than [`PATIENCE`], or if
    /// an earlier reading has not ended.
    pub async fn of<T: Send + 'static>(&self, read: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        if self.0.swap(true, Ordering::SeqCst) {
            return None;
        }
        let ended = Ended(Arc::clone(&self.0));
        let reading = tokio::task::spawn_blocking(move || {
            let _ended = ended;
            read()
        });
        timeout(PATIENCE, reading).await.ok()?.ok()
    }
}

/// Returns the content of a regular file of at most `most` bytes.
///
/// # Errors
/// Returns an error if the file cannot be read, is not a regular file ([`ErrorKind::InvalidInput`]), or is longer
/// ([`ErrorKind::FileTooLarge`]).
pub fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    // Opening a pipe would block until another process writes into it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut content = Vec::new();
    File::open(path)?.take(most as u64 + 1).read_to_end(&mut content)?;
    if content.len() > most {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {most} bytes")));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reading_that_hangs_is_left_and_another_is_not_begun() {
        let (reading, (end, ended)) = (Reading::default(), std::sync::mpsc::channel::<()>());
        assert_eq!(reading.of(move || ended.recv()).await, None);
        assert_eq!(reading.of(|| 1).await, None, "the first one hangs");
        drop(end);
        let mut again = None;
        while again.is_none() {
            tokio::task::yield_now().await;
            again = reading.of(|| 2).await;
        }
        assert_eq!(again, Some(2));
        let panics = || -> u8 { panic!("on purpose") };
        assert_eq!(reading.of(panics).await, None);
        assert_eq!(reading.of(|| 3).await, Some(3), "a panic ends it too");
    }

    #[test]
    fn what_is_no_short_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "12345").unwrap();
        assert_eq!(read(&file, 5).unwrap(), b"12345");
        assert_eq!(read(&file, 4).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(read(folder.path(), 5).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(read(Path::new("/dev/zero"), 5).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(read(&folder.path().join("none"), 5).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
