//! Half of a data folder: an index without its objects, or objects without their index.

use std::fs;
use std::path::{Path, PathBuf};

use credlink_disk::presence::{Unseen, is_there};

use super::index_path;

/// An index without its objects. A caller who read from it would be told that nothing was ever stored.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsLost {
    /// The objects are not there.
    #[error(
        "{} is there, and {} is not: the objects were lost, or their disk is not mounted. Nothing is changed. Bring them back; \
         if they are lost for good, move the index away, and a new store begins", .index.display(), .objects.display()
    )]
    Lost {
        /// The path of the index.
        index: PathBuf,
        /// The path at which the objects would be.
        objects: PathBuf,
    },
    /// The file system does not say whether the index and the objects are there.
    #[error(transparent)]
    Unseen(#[from] Unseen),
}

impl ObjectsLost {
    /// Refuses to open the index in `folder` if `place`, which is meant to hold its objects, has no folder for them.
    ///
    /// # Errors
    /// Returns an error if the folder of the objects is missing, or cannot be looked for.
    pub fn check(folder: &Path, place: &Path) -> Result<(), Self> {
        let (index, objects) = (index_path(folder), place.join("objects"));
        // An index never precedes its objects, because their folder is made first.
        if is_there(&index)? && !is_there(&objects)? { Err(Self::Lost { index, objects }) } else { Ok(()) }
    }
}

/// Objects without their index. A new index would know none of them, and take each for the remains of a crash.
#[derive(Debug, thiserror::Error)]
pub enum IndexLost {
    /// The index is not there.
    #[error(
        "{} is not there, and {} holds objects: the index was lost. Nothing is changed. Bring it back from a backup, or run \
         `credlink rebuild --data-dir {}`, which makes it anew from the objects", .index.display(), .objects.display(), .folder.display()
    )]
    Lost {
        /// The path at which the index would be.
        index: PathBuf,
        /// The path of the objects.
        objects: PathBuf,
        /// The data folder.
        folder: PathBuf,
    },
    /// The file system does not say whether the index is there, or whether there are objects.
    #[error(transparent)]
    Unseen(#[from] Unseen),
}

/// Returns `true` if the folder at `path` exists and is not empty.
fn holds_something(path: &Path) -> Result<bool, Unseen> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) => Unseen::unless_absent(path, error).map_or(Ok(false), Err),
    }
}

/// The condition under which an index may be made in a data folder that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewIndex {
    /// An index is made only if there are no objects yet.
    #[default]
    OverNothing,
    /// An index is made even if there are objects: for a rebuild, which fills the index from them.
    OverObjects,
}

impl NewIndex {
    /// Refuses to make an index in `folder` if there, or in one of the folders `others`, objects exist without an
    /// index.
    ///
    /// # Errors
    /// Returns an error if there are such objects, or if a folder cannot be examined.
    pub fn check<'a>(
        self,
        folder: &'a Path,
        others: impl IntoIterator<Item = &'a Path>,
    ) -> Result<(), IndexLost> {
        let index = index_path(folder);
        if self == Self::OverObjects || is_there(&index)? {
            return Ok(());
        }
        for place in std::iter::once(folder).chain(others) {
            let objects = place.join("objects");
            if holds_something(&objects)? {
                return Err(IndexLost::Lost { index, objects, folder: folder.to_owned() });
            }
        }
        Ok(())
    }
}
