//! Whether something stands at a path, where a path that cannot be looked at is never taken for absence.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A path that the file system does not let this user look at. What is behind it may be anything: it is not taken for absence.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be looked at: {source}", .path.display())]
pub struct Unseen {
    /// The path.
    path: PathBuf,
    /// What the file system said.
    source: io::Error,
}

impl Unseen {
    /// `None` where the error says that nothing is there.
    pub fn unless_absent(path: &Path, error: io::Error) -> Option<Self> {
        let is_absence = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        (!is_absence).then(|| Self { path: path.to_owned(), source: error })
    }
}

/// Returns `true` if something stands at `path`.
///
/// # Errors
/// The file system does not say.
pub fn is_there(path: &Path) -> Result<bool, Unseen> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) => Unseen::unless_absent(path, error).map_or(Ok(false), Err),
    }
}
