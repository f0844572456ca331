//! The sources of migrations: [`AnySource`] is the source that a [`MigrationLocation`] names.
//!
//! | location | source |
//! |---|---|
//! | `dir:PATH` | [`LegacyFolder`]: legacy records · [`AnySource::DataFolder`]: a CredLink store, known by `objects/` and `index.redb` · [`Layout`]: objects whose index is elsewhere, known by `objects/` and `lock` |
//! | `jsonl:FILE` | [`Lines`] |
//! | `s3://…`, `r2://…` | [`Bucket`]: legacy records, and the objects of a CredLink store |
//! | `credlink:URL` | [`Remote`] |

use std::io;
use std::path::{Path, PathBuf};

use credlink_core::front::Front;
use credlink_core::manifest_id::ManifestId;
use credlink_ports::migration::{Content, Item, Removal, Source};
use credlink_ports::{Failure, Page};

use credlink_disk::folder::{Folder, FolderError};
use credlink_migrate_io::TokenError;
use credlink_migrate_io::side::Side;
use credlink_migrate_io::source::bucket::Bucket;
use credlink_migrate_io::source::folder::LegacyFolder;
use credlink_migrate_io::source::layout::Layout;
use credlink_migrate_io::source::lines::Lines;
use credlink_migrate_io::source::remote::Remote;
use credlink_s3::S3Objects;

use super::data_folder::{self, DataFolder};
use super::location::{MigrationLocation, bucket_settings};
use crate::configuration::value::{self, ConfigurationError};
use crate::data_folder::index_path;
use crate::data_folder::note::{Note, NoteError};
use crate::provider::{self, Provider};

/// The source that was chosen.
#[derive(Debug)]
#[cfg_attr(
    feature = "embedded",
    expect(clippy::large_enum_variant, reason = "there is one of them in a process")
)]
pub enum AnySource {
    /// Files in a folder.
    Folder(LegacyFolder),
    /// The data folder of a CredLink store.
    DataFolder(DataFolder),
    /// The objects of a CredLink store in a folder.
    Layout(Layout<Folder>),
    /// Lines of a dump.
    Lines(Lines),
    /// Objects of a bucket.
    Bucket(Bucket<S3Objects>),
    /// Another CredLink server.
    Remote(Remote),
}

/// A reason why a source cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A folder or a file is missing, or may not be read.
    #[error("{} cannot be opened: {error}", path.display())]
    Io {
        /// The path of the folder or file.
        path: PathBuf,
        /// The error of the file system.
        error: io::Error,
    },
    /// The data folder cannot be opened.
    #[error(transparent)]
    DataFolder(#[from] data_folder::OpenError),
    /// The folder is a part of a deployment that has its objects elsewhere.
    #[error(transparent)]
    Part(#[from] NoteError),
    /// The folder of a store's objects cannot be opened.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The settings of a bucket cannot be used.
    #[error(transparent)]
    Settings(#[from] ConfigurationError),
    /// The bucket cannot be opened.
    #[error(transparent)]
    Bucket(#[from] provider::OpenError),
    /// The access token of an API cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl AnySource {
    /// Opens the source that a location names: a bucket with the settings in `variables`, an API with `token`. Nothing is
    /// sent over the network yet. The caller must be inside a Tokio runtime.
    ///
    /// # Errors
    /// Returns an error if something on this machine cannot be opened, or if a variable is missing or wrong.
    pub async fn open(
        location: &MigrationLocation,
        variables: &value::Variables<'_>,
        token: Option<&str>,
    ) -> Result<Self, OpenError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| OpenError::Io { path, error }
        };
        Ok(match location {
            MigrationLocation::Folder(path) => {
                // The data folder of a server that keeps its objects elsewhere would pass for a folder of legacy
                // records.
                Note::has_objects(path)?;
                match Contents::of(path) {
                    Contents::DataFolder => Self::DataFolder(DataFolder::open(path)?),
                    Contents::Objects => Self::Layout(Layout::new(Folder::open(path)?)),
                    Contents::Anything => Self::Folder(LegacyFolder::open(path).map_err(failed(path))?),
                }
            }
            MigrationLocation::Lines(path) => Self::Lines(Lines::open(path).map_err(failed(path))?),
            MigrationLocation::Bucket { kind, bucket, prefix } => {
                let settings = bucket_settings(variables, *kind, bucket)?;
                let shared = settings.shared().await;
                match settings.open(&shared, None)? {
                    Provider::Bucket(objects) => Self::Bucket(Bucket::new(objects, prefix)),
                    Provider::Folder(folder) => Self::Layout(Layout::new(folder)),
                }
            }
            MigrationLocation::Api(url) => Self::Remote(Remote::new(url, token)?),
        })
    }
}

impl AnySource {
    /// Returns the identity of the store, if the source is a CredLink store, and the tenant of the credential that was
    /// presented to its API.
    ///
    /// # Errors
    /// Returns an error if the source cannot be asked.
    pub async fn side(&self) -> Result<Side, Failure> {
        match self {
            Self::Folder(_) | Self::Lines(_) => Ok(Side::default()),
            Self::DataFolder(folder) => folder.side().await,
            Self::Layout(layout) => layout.side().await,
            Self::Bucket(bucket) => bucket.side().await,
            Self::Remote(remote) => remote.side().await,
        }
    }
}

/// The contents of a folder.
pub(crate) enum Contents {
    /// The data folder of a CredLink store.
    DataFolder,
    /// The objects of a CredLink store, without their index.
    Objects,
    /// Anything else.
    Anything,
}

impl Contents {
    pub(crate) fn of(path: &Path) -> Self {
        let has_objects = path.join("objects").is_dir();
        if has_objects && index_path(path).is_file() {
            Self::DataFolder
        } else if has_objects && path.join("lock").is_file() {
            Self::Objects
        } else {
            Self::Anything
        }
    }
}

macro_rules! chosen {
    ($self:ident, $source:ident => $call:expr) => {
        match $self {
            Self::Folder($source) => $call,
            Self::DataFolder($source) => $call,
            Self::Layout($source) => $call,
            Self::Lines($source) => $call,
            Self::Bucket($source) => $call,
            Self::Remote($source) => $call,
        }
    };
}

// Boxed: the future of an SDK call takes many kilobytes, and would make every future around it as large.
#[deny(clippy::missing_trait_methods)]
impl Source for AnySource {
    fn name(&self) -> &'static str {
        chosen!(self, source => source.name())
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page<Item>, Failure> {
        chosen!(self, source => Box::pin(source.list(after, limit)).await)
    }

    async fn sample(&self, limit: usize) -> Result<Vec<String>, Failure> {
        chosen!(self, source => Box::pin(source.sample(limit)).await)
    }

    fn follows(&self, item: &Item) -> bool {
        chosen!(self, source => source.follows(item))
    }

    fn left_behind(&self) -> Option<&'static str> {
        chosen!(self, source => source.left_behind())
    }

    async fn front(&self, id: &ManifestId) -> Result<Option<Front>, Failure> {
        chosen!(self, source => Box::pin(Source::front(source, id)).await)
    }

    async fn read(&self, key: &str) -> Result<Option<Content>, Failure> {
        chosen!(self, source => Box::pin(Source::read(source, key)).await)
    }

    async fn look(&self, key: &str) -> Result<Option<Item>, Failure> {
        chosen!(self, source => Box::pin(source.look(key)).await)
    }

    async fn remove(&self, item: &Item) -> Result<Removal, Failure> {
        chosen!(self, source => Box::pin(source.remove(item)).await)
    }
}
