//! Opens redb files: exclusively for a writer, or shared between readers.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use credlink_ports::{Failure, FailureKind};
use redb::{
    Builder, Database, DatabaseError, ReadOnlyDatabase, ReadTransaction, ReadableDatabase as _,
    StorageBackend, StorageError,
};

use crate::failure::from_redb;

/// The reason why a file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the file.
    #[error("the {name} {} is used by another process; is a `credlink serve` running on it?", path.display())]
    InUse {
        /// The name that operators know the database by.
        name: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The file was written by another version of the program.
    #[error("the {name} {} has tables of version {found}; this program reads version {expected}", path.display())]
    Version {
        /// The name that operators know the database by.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// The version that the file's tables state.
        found: String,
        /// The version that this program reads.
        expected: u64,
    },
    /// The file system refused, or the file is damaged.
    #[error("the {name} {} cannot be opened: {source}", path.display())]
    Failed {
        /// The name that operators know the database by.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// The failure.
        source: Failure,
    },
}

/// A redb file and the parameters for opening it.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    /// The name that operators know the database by.
    pub(crate) name: &'static str,
    /// The path of the file.
    pub(crate) path: PathBuf,
    /// Memory for pages of the file, in bytes.
    pub(crate) cache_bytes: usize,
    /// The version of the tables that this program reads.
    pub(crate) version: u64,
}

impl Opening {
    fn builder(&self) -> Builder {
        builder(self.cache_bytes)
    }

    /// Opens the file exclusively, for writing, and creates the database if the file is empty. After a crash this
    /// checks the whole file.
    pub(crate) fn alone(&self, file: impl StorageBackend) -> Result<Database, OpenError> {
        alone(self.cache_bytes, file).map_err(|error| self.refused(error))
    }

    /// Opens the file for reading, shared with other readers. If the process that wrote it was killed, the file is
    /// repaired first, which requires exclusive access. Returns `None` if there is no file.
    pub(crate) fn look(&self) -> Result<Option<File>, OpenError> {
        let file = match self.builder().open_read_only(&self.path) {
            // The writing process was killed: only a writer can repair the file.
            Err(DatabaseError::RepairAborted) => self.builder().open(&self.path).map(File::Whole),
            opened => opened.map(File::ReadOnly),
        };
        match file {
            Ok(file) => Ok(Some(file)),
            Err(DatabaseError::Storage(StorageError::Io(error)))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Refuses tables of another version than this program's.
    pub(crate) fn expect(&self, found: impl fmt::Display) -> Result<(), OpenError> {
        let (name, path, found) = (self.name, self.path.clone(), found.to_string());
        let expected = self.version;
        if found == expected.to_string() {
            Ok(())
        } else {
            Err(OpenError::Version { name, path, found, expected })
        }
    }

    /// Wraps a failure that occurred while the file was being opened.
    pub(crate) fn failed(&self, source: Failure) -> OpenError {
        OpenError::Failed { name: self.name, path: self.path.clone(), source }
    }

    /// Turns redb's error on opening into an [`OpenError`].
    pub(crate) fn refused(&self, error: DatabaseError) -> OpenError {
        match error {
            DatabaseError::DatabaseAlreadyOpen => {
                OpenError::InUse { name: self.name, path: self.path.clone() }
            }
            error => self.failed(from_redb(self.name, error)),
        }
    }

    /// Returns the same parameters for the file at `path`.
    pub(crate) fn at(&self, path: &Path) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }
}

fn builder(cache_bytes: usize) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    builder
}

/// Opens the database in `file` exclusively, for writing, with `cache_bytes` of memory for its pages.
pub(super) fn alone(cache_bytes: usize, file: impl StorageBackend) -> Result<Database, DatabaseError> {
    builder(cache_bytes).create_with_backend(file)
}

/// An open file.
pub(crate) enum File {
    /// A file that can be written.
    Whole(Database),
    /// A file that can only be read.
    ReadOnly(ReadOnlyDatabase),
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Whole",
            Self::ReadOnly(_) => "ReadOnly",
        })
    }
}

impl File {
    /// Returns a snapshot of the last commit.
    pub(crate) fn snapshot(&self, name: &'static str) -> Result<ReadTransaction, Failure> {
        match self {
            Self::Whole(database) => database.begin_read(),
            Self::ReadOnly(database) => database.begin_read(),
        }
        .map_err(|error| from_redb(name, error))
    }

    /// Returns the database for writing, or a failure if the file is read-only.
    pub(crate) fn writable(&self, name: &'static str) -> Result<&Database, Failure> {
        match self {
            Self::Whole(database) => Ok(database),
            Self::ReadOnly(_) => {
                let message = "it was opened for reading".to_owned();
                Err(Failure { provider: name, kind: FailureKind::AccessDenied, message })
            }
        }
    }
}
