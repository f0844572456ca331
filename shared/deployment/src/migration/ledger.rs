//! The ledgers of migrations: a file of this machine for a local job, and the index's table for a queued job.
//!
//! | ledger | storage | exclusion of other processes |
//! |---|---|---|
//! | [`FileLedger`] | `{job}.redb` in a folder, one synced transaction for each write | the file's lock, which ends with its process |
//! | [`TableLedger`] | items of the index's table, one conditional write for each entry | a lease, which ends by the clock |
//!
//! Both store the job and its entries as the JSON of [`credlink_ports::migration::ledger`].

use credlink_ports::migration::Ledger;
use credlink_ports::migration::ledger::{Entry, Job, Order};
use credlink_ports::{Clock, Failure, Page};

use credlink_runtime::clock::SystemClock;

pub use crate::dynamodb::TableLedger;
pub use crate::embedded::FileLedger;

/// The ledger that was chosen.
#[derive(Debug)]
pub enum AnyLedger<K = SystemClock> {
    /// A ledger in a file.
    File(FileLedger<K>),
    /// A ledger in a table.
    Table(TableLedger<K>),
}

macro_rules! chosen {
    ($self:ident, $ledger:ident => $call:expr) => {
        match $self {
            Self::File($ledger) => $call,
            Self::Table($ledger) => $call,
        }
    };
}

#[deny(clippy::missing_trait_methods)]
impl<K: Clock> Ledger for AnyLedger<K> {
    fn name(&self) -> &'static str {
        chosen!(self, ledger => ledger.name())
    }

    async fn job(&self) -> Result<Option<Job>, Failure> {
        chosen!(self, ledger => Box::pin(ledger.job()).await)
    }

    async fn keep_job(&self, job: &Job) -> Result<(), Failure> {
        chosen!(self, ledger => Box::pin(ledger.keep_job(job)).await)
    }

    async fn claim(&self, holder: &str, seconds: u64) -> Result<bool, Failure> {
        chosen!(self, ledger => Box::pin(ledger.claim(holder, seconds)).await)
    }

    async fn release(&self, holder: &str) -> Result<(), Failure> {
        chosen!(self, ledger => Box::pin(ledger.release(holder)).await)
    }

    async fn entries(&self, keys: &[String]) -> Result<Vec<Option<Entry>>, Failure> {
        chosen!(self, ledger => Box::pin(ledger.entries(keys)).await)
    }

    async fn write(&self, entries: &[Entry]) -> Result<Vec<bool>, Failure> {
        chosen!(self, ledger => Box::pin(ledger.write(entries)).await)
    }

    async fn list(&self, order: Order, after: Option<&str>, limit: usize) -> Result<Page<Entry>, Failure> {
        chosen!(self, ledger => Box::pin(ledger.list(order, after, limit)).await)
    }

    async fn remove_entries(&self, keys: &[String]) -> Result<(), Failure> {
        chosen!(self, ledger => Box::pin(ledger.remove_entries(keys)).await)
    }

    async fn remove_job(&self, holder: &str) -> Result<bool, Failure> {
        chosen!(self, ledger => Box::pin(ledger.remove_job(holder)).await)
    }
}
