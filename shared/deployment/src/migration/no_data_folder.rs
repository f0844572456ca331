//! The stand-in for a data folder as a source, in a program without the feature `embedded`. It cannot be constructed.

use std::path::Path;

use credlink_migrate_io::side::Side;
use credlink_ports::migration::{Content, Item, Removal, Source};
use credlink_ports::{Failure, Page};

/// The error of opening a data folder.
#[derive(Debug, thiserror::Error)]
#[error("this program keeps nothing on this machine: it reads no data folder of a CredLink")]
pub struct OpenError;

/// The data folder of a CredLink store, which this program cannot read.
#[derive(Debug)]
pub enum DataFolder {}

impl DataFolder {
    pub(super) async fn side(&self) -> Result<Side, Failure> {
        match *self {}
    }

    /// Refuses to open a folder.
    ///
    /// # Errors
    /// Always returns an error.
    pub const fn open(_: &Path) -> Result<Self, OpenError> {
        Err(OpenError)
    }
}

impl Source for DataFolder {
    fn name(&self) -> &'static str {
        match *self {}
    }

    async fn list(&self, _: Option<&str>, _: usize) -> Result<Page<Item>, Failure> {
        match *self {}
    }

    async fn read(&self, _: &str) -> Result<Option<Content>, Failure> {
        match *self {}
    }

    async fn look(&self, _: &str) -> Result<Option<Item>, Failure> {
        match *self {}
    }

    async fn remove(&self, _: &Item) -> Result<Removal, Failure> {
        match *self {}
    }
}
