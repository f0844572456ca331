//! Stand-ins for the index, the queue and the ledgers of this machine, in a program without the feature `embedded`.
//!
//! None of them can be constructed: opening is refused, and the types have no values. So the choices that are made at
//! run time have the same variants in every program, and a variant that is never chosen costs nothing.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::path::Path;

use credlink_core::audit::AuditEntry;
use credlink_core::file::FileId;
use credlink_core::message::Message;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, Totals};
use credlink_core::time::Timestamp;
use credlink_disk::reserve::Reserve;
use credlink_ports::migration::Ledger;
use credlink_ports::migration::ledger::{Entry, Job, Order};
use credlink_ports::{
    Clock, Commit, Delivery, Failure, FailureKind, Index, Intent, Listing, Page, Queue, Write,
};

/// The memory for pages of an index: none.
pub const PASSING_CACHE_BYTES: usize = 0;

/// The error of opening an index on this machine.
#[derive(Debug, thiserror::Error)]
#[error("this program keeps nothing on this machine: set CREDLINK_TABLE")]
pub struct EmbeddedError;

/// The error of opening a queue on this machine.
#[derive(Debug, thiserror::Error)]
#[error("this program keeps nothing on this machine: set CREDLINK_QUEUE_URL")]
pub struct QueueError;

/// The index of this machine, of which this program has none.
#[derive(Debug)]
pub enum EmbeddedIndex {}

impl EmbeddedIndex {
    /// Refuses to open an index.
    ///
    /// # Errors
    /// Always returns an error.
    pub fn open_beside(_: impl AsRef<Path>, _: usize, _: Reserve) -> Result<Self, EmbeddedError> {
        Err(EmbeddedError)
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
}

impl Index for EmbeddedIndex {
    fn name(&self) -> &'static str {
        match *self {}
    }

    async fn get(&self, _: &RowKey) -> Result<Option<Row>, Failure> {
        match *self {}
    }

    async fn commit(&self, _: &[Write]) -> Result<Commit, Failure> {
        match *self {}
    }

    async fn list(&self, _: &Listing, _: Option<&str>, _: usize) -> Result<Option<Page<Row>>, Failure> {
        match *self {}
    }

    async fn intend(&self, _: &ObjectKey, _: Timestamp) -> Result<(), Failure> {
        match *self {}
    }

    async fn intents(&self, _: Timestamp, _: Option<&str>, _: usize) -> Result<Page<Intent>, Failure> {
        match *self {}
    }

    async fn note_access(&self, _: &AuditEntry) -> Result<(), Failure> {
        match *self {}
    }

    async fn accesses(
        &self,
        _: &FileId,
        _: Option<&str>,
        _: usize,
    ) -> Result<Option<Page<AuditEntry>>, Failure> {
        match *self {}
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        match *self {}
    }

    async fn count_reads(&self, _: &[(ProofId, Reads)]) -> Result<(), Failure> {
        match *self {}
    }

    async fn totals(&self) -> Result<Totals, Failure> {
        match *self {}
    }
}

/// The queue of this machine, of which this program has none.
#[derive(Clone, Debug)]
pub struct EmbeddedQueue<K>(Infallible, PhantomData<K>);

/// A dead letter.
#[derive(Debug)]
pub struct Dead {
    /// The number by which it is put back.
    pub number: u64,
}

impl<K> EmbeddedQueue<K> {
    /// Refuses to open a queue.
    ///
    /// # Errors
    /// Always returns an error.
    pub fn open_beside(_: impl AsRef<Path>, _: K, _: Reserve) -> Result<Self, QueueError> {
        Err(QueueError)
    }

    /// Returns the dead letters.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn dead(&self, _: Option<u64>, _: usize) -> Result<Vec<Dead>, Failure> {
        match self.0 {}
    }

    /// Puts a message back into the queue.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn put_back(&self, _: u64) -> Result<bool, Failure> {
        match self.0 {}
    }
}

impl<K> Queue for EmbeddedQueue<K> {
    fn name(&self) -> &'static str {
        match self.0 {}
    }

    async fn send(&self, _: &Message, _: u32) -> Result<(), Failure> {
        match self.0 {}
    }

    async fn receive(&self, _: usize, _: u32) -> Result<Vec<Delivery>, Failure> {
        match self.0 {}
    }

    async fn settle(&self, _: &str) -> Result<(), Failure> {
        match self.0 {}
    }

    async fn depth(&self) -> Result<u64, Failure> {
        match self.0 {}
    }
}

/// A ledger in a file of this machine, of which this program has none.
#[derive(Debug)]
pub struct FileLedger<K>(Infallible, PhantomData<K>);

impl<K: Clock> Ledger for FileLedger<K> {
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
