//! The port to a job's ledger, and what it keeps: the job, and the state of each of its items. Both are JSON wherever they are
//! kept.

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
    /// By the keys' bytes.
    Forward,
    /// The reverse.
    Backward,
}

/// What a job has done and decided so far.
///
/// * **Durability.** What was answered with `Ok` survives a crash of process and machine.
/// * **Isolation.** Of concurrent writes that expect the same version of an entry, one holds.
pub trait Ledger {
    /// The name that operators know it by.
    fn name(&self) -> &'static str;

    /// The job, if it was begun.
    fn job(&self) -> impl Future<Output = Result<Option<Job>, Failure>>;

    /// Keeps what is said of the job, in place of what was.
    fn keep_job(&self, job: &Job) -> impl Future<Output = Result<(), Failure>>;

    /// Takes the job for `seconds`, or keeps it: whether `holder` has it. Nobody else has it meanwhile.
    fn claim(&self, holder: &str, seconds: u64) -> impl Future<Output = Result<bool, Failure>>;

    /// Lets the job go, if `holder` has it.
    fn release(&self, holder: &str) -> impl Future<Output = Result<(), Failure>>;

    /// The entries of these items, in their order.
    fn entries(&self, keys: &[String]) -> impl Future<Output = Result<Vec<Option<Entry>>, Failure>>;

    /// Writes each entry that is one version on from what stands there (1: nothing does). Which were written, in their
    /// order. After an `Err`, each may be written or not.
    fn write(&self, entries: &[Entry]) -> impl Future<Output = Result<Vec<bool>, Failure>>;

    /// A page of entries in the order of their keys' bytes, or in the reverse, at most `limit` (1 to 1,000).
    fn list(
        &self,
        order: Order,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Entry>, Failure>>;

    /// Removes the entries of these items, where there are any.
    fn remove_entries(&self, keys: &[String]) -> impl Future<Output = Result<(), Failure>>;

    /// Removes what is said of the job, and who has it, if that is `holder`. Returns `false` if it is not, or nobody has the job.
    fn remove_job(&self, holder: &str) -> impl Future<Output = Result<bool, Failure>>;
}
