//! The ledger of a dry run or a catalogue, which has no job: it is empty, and nothing is written to it.

use credlink_ports::migration::Ledger;
use credlink_ports::migration::ledger::{Entry, Job, Order};
use credlink_ports::{Failure, FailureKind, Page};

/// An empty ledger without a job.
#[derive(Debug)]
pub(super) struct Unbegun;

impl Unbegun {
    fn refuses<R>(&self) -> Result<R, Failure> {
        let message = "there is no job to write of".to_owned();
        Err(Failure { provider: self.name(), kind: FailureKind::AccessDenied, message })
    }
}

impl Ledger for Unbegun {
    fn name(&self) -> &'static str {
        "no ledger"
    }

    async fn job(&self) -> Result<Option<Job>, Failure> {
        Ok(None)
    }

    async fn keep_job(&self, _: &Job) -> Result<(), Failure> {
        self.refuses()
    }

    async fn claim(&self, _: &str, _: u64) -> Result<bool, Failure> {
        self.refuses()
    }

    async fn release(&self, _: &str) -> Result<(), Failure> {
        self.refuses()
    }

    async fn entries(&self, keys: &[String]) -> Result<Vec<Option<Entry>>, Failure> {
        Ok(vec![None; keys.len()])
    }

    async fn write(&self, _: &[Entry]) -> Result<Vec<bool>, Failure> {
        self.refuses()
    }

    async fn list(&self, _: Order, _: Option<&str>, _: usize) -> Result<Page<Entry>, Failure> {
        Ok(Page::default())
    }
    async fn remove_entries(&self, _: &[String]) -> Result<(), Failure> {
        self.refuses()
    }

    async fn remove_job(&self, _: &str) -> Result<bool, Failure> {
        self.refuses()
    }
}
