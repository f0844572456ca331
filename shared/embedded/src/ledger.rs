//! The ledger of a local job, in one redb file.
//!
//! * A `write` is one transaction, synced to the disk before it is answered.
//! * A process that opens the file for writing holds it exclusively until it ends. The lease only separates two runs in
//!   one process, so the job of a killed process can be resumed at once.
//! * [`FileLedger::look`] reads a job that is not running, shared with other readers. If the process was killed, it
//!   repairs the file first, which requires exclusive access.

mod open;

use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use credlink_core::time::Timestamp;
use credlink_ports::migration::Ledger;
use credlink_ports::migration::form;
use credlink_ports::migration::ledger::{Entry, Job, Order};
use credlink_ports::{Clock, Failure, Page};
use redb::{ReadTransaction, ReadableTable as _, TableDefinition};

use credlink_disk::failure::off_the_executor;

use crate::database::opening::File;
use crate::failure::from_redb;

pub use open::{LedgerError, ledger_path};

/// The name that operators know this ledger by.
const NAME: &str = "ledger";

/// Item key → version of its entry, and the entry as JSON.
const ENTRIES: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("entries");
/// Name → JSON. `job` holds the job, `version` the version of the tables.
const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
/// The entry of [`ABOUT`] that holds the job.
const JOB: &str = "job";
/// A ledger in one file.
#[derive(Debug)]
pub struct FileLedger<K> {
    file: Arc<File>,
    lease: Mutex<Option<(String, Timestamp)>>,
    clock: K,
}

impl<K: Clock> FileLedger<K> {
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let file = Arc::clone(&self.file);
        off_the_executor(NAME, move || work(&file.snapshot(NAME)?)).await
    }
}

impl<K: Clock> Ledger for FileLedger<K> {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn job(&self) -> Result<Option<Job>, Failure> {
        self.read(|snapshot| {
            let about = snapshot.open_table(ABOUT).map_err(failure)?;
            let job = about.get(JOB).map_err(failure)?;
            job.map(|job| form::job(NAME, job.value())).transpose()
        })
        .await
    }

    async fn keep_job(&self, job: &Job) -> Result<(), Failure> {
        let (file, json) = (Arc::clone(&self.file), form::json(NAME, job)?);
        off_the_executor(NAME, move || {
            let transaction = file.writable(NAME)?.begin_write().map_err(failure)?;
            let mut about = transaction.open_table(ABOUT).map_err(failure)?;
            about.insert(JOB, json.as_bytes()).map_err(failure)?;
            drop(about);
            transaction.commit().map_err(failure)
        })
        .await
    }

    async fn claim(&self, holder: &str, seconds: u64) -> Result<bool, Failure> {
        self.file.writable(NAME)?;
        let now = self.clock.now();
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = lease.as_ref().is_some_and(|(other, until)| other != holder && *until > now);
        if !taken {
            *lease = Some((holder.to_owned(), now.plus_seconds(seconds)));
        }
        Ok(!taken)
    }

    async fn release(&self, holder: &str) -> Result<(), Failure> {
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        lease.take_if(|(current, _)| current == holder);
        Ok(())
    }

    async fn entries(&self, keys: &[String]) -> Result<Vec<Option<Entry>>, Failure> {
        let keys = keys.to_vec();
        self.read(move |snapshot| {
            let table = snapshot.open_table(ENTRIES).map_err(failure)?;
            let entry = |key: &String| {
                form::check_key(NAME, key)?;
                let stored = table.get(key.as_str()).map_err(failure)?;
                stored
                    .map(|stored| {
                        let (version, json) = stored.value();
                        form::entry(NAME, key, version, json)
                    })
                    .transpose()
            };
            keys.iter().map(entry).collect()
        })
        .await
    }

    async fn write(&self, entries: &[Entry]) -> Result<Vec<bool>, Failure> {
        let prepared = entries.iter().map(|entry| {
            form::check_key(NAME, &entry.key)?;
            Ok((entry.key.clone(), entry.version, form::json(NAME, entry)?))
        });
        let prepared = prepared.collect::<Result<Vec<_>, Failure>>()?;
        let file = Arc::clone(&self.file);
        off_the_executor(NAME, move || {
            let transaction = file.writable(NAME)?.begin_write().map_err(failure)?;
            let mut table = transaction.open_table(ENTRIES).map_err(failure)?;
            let mut written = Vec::with_capacity(prepared.len());
            for (key, version, json) in &prepared {
                let before = table.get(key.as_str()).map_err(failure)?.map_or(0, |before| before.value().0);
                let fits = before.checked_add(1) == Some(*version);
                if fits {
                    table.insert(key.as_str(), (*version, json.as_bytes())).map_err(failure)?;
                }
                written.push(fits);
            }
            drop(table);
            if written.contains(&true) {
                transaction.commit().map_err(failure)?;
            } else {
                transaction.abort().map_err(failure)?;
            }
            Ok(written)
        })
        .await
    }

    async fn list(&self, order: Order, after: Option<&str>, limit: usize) -> Result<Page<Entry>, Failure> {
        let after = after.map(str::to_owned);
        self.read(move |snapshot| {
            let table = snapshot.open_table(ENTRIES).map_err(failure)?;
            let edge = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let range = match order {
                Order::Forward => table.range::<&str>((edge, Bound::Unbounded)),
                Order::Backward => table.range::<&str>((Bound::Unbounded, edge)),
            };
            let mut range = range.map_err(failure)?;
            let mut page = Page::default();
            loop {
                let next = match order {
                    Order::Forward => range.next(),
                    Order::Backward => range.next_back(),
                };
                let Some(next) = next else { return Ok(page) };
                if page.items.len() >= limit {
                    page.next = page.items.last().map(|entry: &Entry| entry.key.clone());
                    return Ok(page);
                }
                let (key, stored) = next.map_err(failure)?;
                let (version, json) = stored.value();
                page.items.push(form::entry(NAME, key.value(), version, json)?);
            }
        })
        .await
    }

    async fn remove_entries(&self, keys: &[String]) -> Result<(), Failure> {
        let (file, keys) = (Arc::clone(&self.file), keys.to_vec());
        off_the_executor(NAME, move || {
            let transaction = file.writable(NAME)?.begin_write().map_err(failure)?;
            let mut table = transaction.open_table(ENTRIES).map_err(failure)?;
            for key in &keys {
                table.remove(key.as_str()).map_err(failure)?;
            }
            drop(table);
            transaction.commit().map_err(failure)
        })
        .await
    }

    async fn remove_job(&self, holder: &str) -> Result<bool, Failure> {
        let is_held = {
            let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
            lease.as_ref().is_some_and(|(current, _)| current == holder)
        };
        if !is_held {
            return Ok(false);
        }
        let file = Arc::clone(&self.file);
        off_the_executor(NAME, move || {
            let transaction = file.writable(NAME)?.begin_write().map_err(failure)?;
            let mut about = transaction.open_table(ABOUT).map_err(failure)?;
            about.remove(JOB).map_err(failure)?;
            drop(about);
            transaction.commit().map_err(failure)
        })
        .await?;
        self.release(holder).await?;
        Ok(true)
    }
}

/// Turns an error of redb into a failure of the ledger.
fn failure(error: impl Into<redb::Error>) -> Failure {
    from_redb(NAME, error)
}
