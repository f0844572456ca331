//! The parameters of a deployment, and the reasons why it cannot be opened.

use std::path::Path;

use credlink_auth::gate::Gate;
use credlink_core::link::LinkKeys;
use credlink_disk::foreign::Foreign;

use crate::configuration::Configuration;
use crate::data_folder::{IndexLost, NewIndex, ObjectsLost};
use crate::embedded::{EmbeddedError, QueueError};
use crate::{legacy, provider};

/// The parameters with which a deployment is opened.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The operator's variables.
    pub configuration: &'a Configuration,
    /// What is kept on this machine; `None` for a program that keeps nothing on it, as a Lambda.
    pub machine: Option<Machine<'a>>,
    /// The gate that decides who is let in.
    pub gate: Gate,
    /// The part of a link before its path, without a slash at the end.
    pub public_url: String,
    /// The keys of signed links.
    pub link_keys: Option<LinkKeys>,
    /// `true` if reads of proofs are counted in their rows.
    pub count_reads: bool,
}

/// The part of a deployment that is kept on this machine.
#[derive(Debug)]
pub struct Machine<'a> {
    /// The folder for all of it.
    pub data_folder: &'a Path,
    /// A file that the operator has put into that folder for the deployment: it does not make the folder somebody else's.
    pub own_file: Option<&'a Path>,
    /// Memory for pages of an index in the folder, in bytes: `credlink_embedded::index` names two sizes,
    /// `SERVING_CACHE_BYTES` and `PASSING_CACHE_BYTES`.
    pub index_cache_bytes: usize,
    /// States if an index may be made in the folder over objects that are there already.
    pub new_index: NewIndex,
}

impl<'a> Machine<'a> {
    /// A data folder with so much memory for pages of its index, in which an index is made over nothing only.
    #[must_use]
    pub const fn new(data_folder: &'a Path, index_cache_bytes: usize) -> Self {
        Self { data_folder, own_file: None, index_cache_bytes, new_index: NewIndex::OverNothing }
    }
}

/// The reasons why a deployment could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Something is to be kept on this machine, where nothing is kept.
    #[error("{0} would be kept in a folder of this machine, which has none; set {1}")]
    NoFolder(&'static str, &'static str),
    /// A provider.
    #[error(transparent)]
    Provider(#[from] provider::OpenError),
    /// The folder holds other files, and no CredLink.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// The index in the folder.
    #[error(transparent)]
    Index(#[from] EmbeddedError),
    /// The index is not in the folder, and objects are.
    #[error(transparent)]
    Lost(#[from] IndexLost),
    /// The objects are not in the folder, and their index is.
    #[error(transparent)]
    ObjectsLost(#[from] ObjectsLost),
    /// The queue in the folder.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The legacy source.
    #[error(transparent)]
    Legacy(#[from] legacy::OpenError),
}
