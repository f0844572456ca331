//! The service on one machine: a folder that holds everything.
//!
//! The files of that folder are described in [`data_folder`](crate::data_folder).

#[cfg(test)]
mod power_loss;
#[cfg(test)]
mod tests;

use std::path::Path;

use credlink_ports::Parts;
use credlink_ports::migration::jobs::NoJobs;
use credlink_service::{Service, ServiceSettings};

use credlink_auth::gate::Gate;
use credlink_cache::MemoryCache;
use credlink_disk::folder::{Folder, FolderError};
use credlink_metrics::metered::Metered;
use credlink_runtime::clock::SystemClock;

use crate::data_folder::note::{Note, NoteError};
use crate::data_folder::{DataFolderError, NewIndex, ObjectsLost, index_path};
use crate::embedded::{EmbeddedIndex, SERVING_CACHE_BYTES};

/// The ports of the service on one machine.
pub type Local = Parts<Folder, EmbeddedIndex, MemoryCache, SystemClock, Metered, Gate>;

/// A reason why a folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder itself cannot be opened.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The objects and the index in the folder cannot be opened together.
    #[error(transparent)]
    DataFolder(#[from] DataFolderError),
    /// The folder is a part of a larger deployment.
    #[error(transparent)]
    Part(#[from] NoteError),
}

/// Opens the service over `folder`, and makes the folder if there is none. The service has several tenants if
/// `settings` say so, or if the last server over the folder had several.
///
/// # Errors
/// Returns an error if another process uses the folder, if it is a part of a larger deployment, if it has objects and
/// no index, if it is damaged, or if the file system refuses.
pub fn open(folder: &Path, gate: Gate, settings: ServiceSettings) -> Result<Service<Local>, OpenError> {
    open_within(folder, gate, settings, SERVING_CACHE_BYTES, NewIndex::OverNothing)
}

/// Opens the service as [`open`] does, with this many bytes of memory for pages of the index, and with a condition for
/// making an index.
///
/// # Errors
/// Fails as [`open`] does.
pub fn open_within(
    folder: &Path,
    gate: Gate,
    settings: ServiceSettings,
    index_cache_bytes: usize,
    new_index: NewIndex,
) -> Result<Service<Local>, OpenError> {
    Note::check_alone(folder)?;
    let settings =
        ServiceSettings { has_tenants: settings.has_tenants || Note::has_tenants(folder)?, ..settings };
    ObjectsLost::check(folder, folder).map_err(DataFolderError::from)?;
    // The folder is locked first, since only the holder of the lock may open the index.
    let objects = Folder::open(folder)?;
    new_index.check(folder, []).map_err(DataFolderError::from)?;
    let reserve = objects.reserve().clone();
    let index = EmbeddedIndex::open_beside(index_path(folder), index_cache_bytes, reserve)
        .map_err(DataFolderError::from)?;
    let parts = Parts {
        objects,
        index,
        cache: MemoryCache::new(),
        clock: SystemClock,
        events: Metered::new(),
        authenticator: gate,
        jobs: NoJobs,
    };
    Ok(Service::new(parts, settings))
}
