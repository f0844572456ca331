//! The data folder: everything that a deployment keeps on this machine.
//!
//! | in the folder | content |
//! |---|---|
//! | `objects/`, `journal/`, `temporary/`, `lock` | records and manifests ([`credlink_disk::folder`]) |
//! | `index.redb` | the index |
//! | `queue.redb` | the queue, where there are two providers and no SQS queue |
//! | `deployment.json` | the deployment that the folder is a part of ([`note`]) |
//! | `reserve` | room for deletions on a full disk ([`credlink_disk::reserve`]), where a server keeps one |
//!
//! This module opens neither the index nor the queue. It says where they are, and when a folder must not be opened.

mod lost;
pub mod note;

use std::path::{Path, PathBuf};

use crate::embedded::EmbeddedError;

pub use lost::{IndexLost, NewIndex, ObjectsLost};

/// A reason why the objects and the index of a folder cannot be opened together.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// The index in the folder cannot be opened.
    #[error(transparent)]
    Index(#[from] EmbeddedError),
    /// The folder holds objects without their index.
    #[error(transparent)]
    IndexLost(#[from] IndexLost),
    /// The folder holds an index without its objects.
    #[error(transparent)]
    ObjectsLost(#[from] ObjectsLost),
}

/// Returns the path of the index in a folder.
#[must_use]
pub fn index_path(folder: &Path) -> PathBuf {
    folder.join("index.redb")
}

/// Returns the path of the queue in a folder.
#[must_use]
pub fn queue_path(folder: &Path) -> PathBuf {
    folder.join("queue.redb")
}
