//! Stand-ins for the index and the ledgers in a table of DynamoDB, in a program without the feature `aws`. They have no
//! values, so no code can call them.

use std::convert::Infallible;
use std::marker::PhantomData;

use credlink_aws::Error;
use credlink_core::job_name::JobName;
use credlink_ports::migration::Ledger;
use credlink_ports::migration::ledger::{Entry, Job, Order};
use credlink_ports::{Clock, Failure, Page, forward_index};
use tokio::time::Instant;

/// The index in a table, of which this program has none.
#[derive(Debug)]
pub enum DynamoIndex {}

/// The outcome of a recount.
#[derive(Debug)]
pub struct Recount {
    /// The place to continue from.
    pub resume: Option<String>,
}

impl DynamoIndex {
    /// Checks nothing.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn check(&self) -> Result<(), Error> {
        match *self {}
    }

    /// Returns the bookmark with this name.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn bookmark(&self, _: &str) -> Result<Option<String>, Failure> {
        match *self {}
    }

    /// Stores a bookmark.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn keep_bookmark(&self, _: &str, _: Option<&str>) -> Result<(), Failure> {
        match *self {}
    }

    /// Corrects nothing.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn recount(&self, _: Option<&str>, _: Instant) -> Result<Recount, Failure> {
        match *self {}
    }

    /// Writes nothing.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn flush(&self) -> Result<(), Failure> {
        match *self {}
    }
}

macro_rules! never {
    ($kind:ident $self:ident, $index:ident => $call:expr) => {
        match *$self {}
    };
}

forward_index!(impl[] for DynamoIndex, by never);

/// A ledger in a table, of which this program has none.
#[derive(Debug)]
pub struct TableLedger<K>(Infallible, PhantomData<K>);

impl<K: Clock> TableLedger<K> {
    /// Makes no ledger, because there is no index.
    #[must_use]
    pub const fn new(index: &DynamoIndex, _: &JobName, _: K) -> Self {
        match *index {}
    }
}

impl<K: Clock> Ledger for TableLedger<K> {
    fn name(&self) -> &'static str {
        match self.0 {}
    }

    async fn job(&self) -> Result<Option<Job>, Failure> {
        match self.0 {}
    }

    async fn keep_job(&self, _: &Job) -> Result<(), Failure> {
        match self.0 {}
    }

    async fn claim(&self, _: &str, _: u64) -> Result<bool, Failure> {
        match self.0 {}
    }

    async fn release(&self, _: &str) -> Result<(), Failure> {
        match self.0 {}
    }

    async fn entries(&self, _: &[String]) -> Result<Vec<Option<Entry>>, Failure> {
        match self.0 {}
    }

    async fn write(&self, _: &[Entry]) -> Result<Vec<bool>, Failure> {
        match self.0 {}
    }

    async fn list(&self, _: Order, _: Option<&str>, _: usize) -> Result<Page<Entry>, Failure> {
        match self.0 {}
    }

    async fn remove_entries(&self, _: &[String]) -> Result<(), Failure> {
        match self.0 {}
    }

    async fn remove_job(&self, _: &str) -> Result<bool, Failure> {
        match self.0 {}
    }
}
