//! The port for a job's ledger and its content: the job, and the state of each of its items. Every ledger stores both
//! as JSON.

mod entry;
mod job;
mod reason;

use std::future::Future;

use crate::{Failure, Page};

pub use credlink_core::bounds::MAX_JOB_NAME_BYTES;
pub use credlink_core::job_name::{JobName, JobNameError};
pub use entry::{Begun, CopiedItem, Entry, ItemState, StoredObject};
pub use job::{Job, LEDGER_VERSION};
pub use reason::Reason;

/// The order of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ascending, by the bytes of the keys.
    Forward,
    /// Descending, by the bytes of the keys.
    Backward,
}

/// The durable account of a job's progress and decisions.
///
/// * **Durability.** A write that was answered with `Ok` survives a crash of the process and of the machine.
/// * **Isolation.** Of concurrent writes that expect the same version of an entry, one succeeds.
pub trait Ledger {
    /// Returns the name by which operators know the ledger.
    fn name(&self) -> &'static str;

    /// Returns the job, or `None` if it was never begun.
    fn job(&self) -> impl Future<Output = Result<Option<Job>, Failure>>;

    /// Writes the job, and replaces its previous version.
    fn keep_job(&self, job: &Job) -> impl Future<Output = Result<(), Failure>>;

    /// Acquires or renews the lease of the job for `seconds`. Returns `true` if `holder` has the lease. Nobody else has
    /// it for that time.
    fn claim(&self, holder: &str, seconds: u64) -> impl Future<Output = Result<bool, Failure>>;

    /// Releases the lease of the job, if `holder` has it.
    fn release(&self, holder: &str) -> impl Future<Output = Result<(), Failure>>;

    /// Returns the entries of these items, in the order of `keys`.
    fn entries(&self, keys: &[String]) -> impl Future<Output = Result<Vec<Option<Entry>>, Failure>>;

    /// Writes each entry whose version is one more than that of the stored entry, and 1 if there is none. Returns which
    /// entries were written, in their order. After an `Err`, each may or may not be written.
    fn write(&self, entries: &[Entry]) -> impl Future<Output = Result<Vec<bool>, Failure>>;

    /// Returns a page of at most `limit` entries (1 to 1,000), in ascending or descending order of the bytes of their
    /// keys.
    fn list(
        &self,
        order: Order,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Entry>, Failure>>;

    /// Removes the entries of these items, if there are any.
    fn remove_entries(&self, keys: &[String]) -> impl Future<Output = Result<(), Failure>>;

    /// Removes the job and its lease, if `holder` has the lease. Returns `false` if somebody else has it, or nobody.
    fn remove_job(&self, holder: &str) -> impl Future<Output = Result<bool, Failure>>;
}
