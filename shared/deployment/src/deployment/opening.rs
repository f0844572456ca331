//! The parameters of a deployment, and the errors of opening one.

use std::path::Path;

use credlink_auth::gate::Gate;
use credlink_core::link::LinkKeys;
use credlink_disk::foreign::Foreign;

use crate::clients::ClientError;
use crate::configuration::Configuration;
use crate::data_folder::{DataFolderError, NewIndex};
use crate::embedded::QueueError;
use crate::{legacy, provider};

/// The parameters of a deployment.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The operator's variables.
    pub configuration: &'a Configuration,
    /// The part of the deployment on this machine; `None` for a program that keeps nothing on it, such as a Lambda.
    pub machine: Option<Machine<'a>>,
    /// The authenticator of callers.
    pub gate: Gate,
    /// The part of a link before its path, without a trailing slash.
    pub public_url: String,
    /// The keys of signed links.
    pub link_keys: Option<LinkKeys>,
    /// `true` if reads of proofs are counted in their rows.
    pub count_reads: bool,
}

/// The part of a deployment that is kept on this machine.
#[derive(Debug)]
pub struct Machine<'a> {
    /// The folder that holds all of it.
    pub data_folder: &'a Path,
    /// A file that the operator has put into the data folder for the deployment. It does not make the folder count as
    /// foreign.
    pub own_file: Option<&'a Path>,
    /// The memory for pages of an index in the folder, in bytes, unless the configuration says how much:
    /// `credlink_embedded::index` has two sizes, `SERVING_CACHE_BYTES` and `PASSING_CACHE_BYTES`.
    pub index_cache_bytes: usize,
    /// The condition under which an index may be made in the folder.
    pub new_index: NewIndex,
}

impl<'a> Machine<'a> {
    /// Returns a data folder with this much memory for pages of its index, in which an index is made only if there are
    /// no objects yet.
    #[must_use]
    pub const fn new(data_folder: &'a Path, index_cache_bytes: usize) -> Self {
        Self { data_folder, own_file: None, index_cache_bytes, new_index: NewIndex::OverNothing }
    }
}

/// A reason why a deployment cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The configuration puts something on this machine, and the program keeps nothing there.
    #[error("{0} would be kept in a folder of this machine, which has none; set {1}")]
    NoFolder(&'static str, &'static str),
    /// The client of a table or a queue cannot be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A provider cannot be opened.
    #[error(transparent)]
    Provider(#[from] provider::OpenError),
    /// The folder holds other files, and no CredLink store.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// The objects and the index in the folder cannot be opened together.
    #[error(transparent)]
    DataFolder(#[from] DataFolderError),
    /// The queue in the folder cannot be opened.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The legacy source cannot be opened.
    #[error(transparent)]
    Legacy(#[from] legacy::OpenError),
}
