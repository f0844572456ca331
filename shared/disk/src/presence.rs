//! The existence of paths, where a path that cannot be examined never counts as absent.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A path that the file system does not let this user examine. It may exist, and is not taken for absent.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be looked at: {source}", .path.display())]
pub struct Unseen {
    /// The path.
    path: PathBuf,
    /// The error of the file system.
    source: io::Error,
}

impl Unseen {
    /// Returns `None` if the error says that there is nothing at `path`.
    pub fn unless_absent(path: &Path, error: io::Error) -> Option<Self> {
        let is_absence = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        (!is_absence).then(|| Self { path: path.to_owned(), source: error })
    }
}

/// Returns `true` if there is something at `path`.
///
/// # Errors
/// Returns an error if the file system does not say.
pub fn is_there(path: &Path) -> Result<bool, Unseen> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) => Unseen::unless_absent(path, error).map_or(Ok(false), Err),
    }
}
