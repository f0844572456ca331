//! The worker behind a queue: processes a message of a job within the time that it has.
//!
//! After `Ok`, a message is settled. After an error the queue delivers it again, and after the last delivery it goes to
//! the dead-letter queue.

#[cfg(test)]
mod tests;

use std::sync::OnceLock;
use std::time::Duration;

use credlink_core::job_name::JobName;
use credlink_core::message::{Message, Work};
use credlink_ports::migration::ledger::{Job, Reason};
use credlink_ports::migration::{Ledger, MigrationPorts, Source};
use credlink_ports::{Clock, Failure, Queue};

use crate::copy::{CopyOptions, Ended};
use crate::enqueue::{EnqueueOptions, close, enqueue};
use crate::job_spec::JobSpec;
use crate::lease::LEASE_SECONDS;
use crate::progress::Watch;
use crate::queued::{copy_queued, give_up};
use crate::retry_policy::RetryPolicy;

/// The part of a worker's time that is reserved: the items in flight when it stops must be finished by then, and their
/// entries written.
const LAST_ITEMS: Duration = Duration::from_secs(20);
/// Number of items that one worker reads or imports concurrently for each of its messages.
const CONCURRENCY: usize = 8;
/// Duration of the claim of a listing that continues in another message, in seconds: longer than a message waits.
const LISTING_SECONDS: u64 = 900;

/// The reason why a message has to be delivered again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// A port failed.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// Another run holds the job.
    #[error("another run has the job `{0}`")]
    Held(JobName),
    /// The job copies to another destination than this worker.
    #[error("the job `{job}` copies to {to}, and this is {here}")]
    OtherDestination {
        /// The job.
        job: JobName,
        /// The destination of the job.
        to: String,
        /// The destination of the worker.
        here: String,
    },
    /// Some items are not completed.
    #[error("{open} of {all} items have to be tried again: {why}")]
    Open {
        /// The number of these items.
        open: usize,
        /// The number of items that the message names.
        all: usize,
        /// The reason for the first of these items, as text.
        why: String,
    },
}

/// Looks up a job that copies to `here`. Returns `None` if it was removed: every job is recorded before its messages
/// are sent.
///
/// # Errors
/// Fails if the ledger does, or if the job copies elsewhere.
pub async fn find_job<L: Ledger>(ledger: &L, name: &JobName, here: &str) -> Result<Option<Job>, WorkerError> {
    match ledger.job().await? {
        None => {
            tracing::warn!(job = %name, "there is no such job in the table: its message is skipped");
            Ok(None)
        }
        Some(Job { removing: true, .. }) => {
            tracing::warn!(job = %name, "the job is being removed: its message is skipped");
            Ok(None)
        }
        Some(Job { to, .. }) if to != here => {
            Err(WorkerError::OtherDestination { job: name.clone(), to, here: here.to_owned() })
        }
        Some(job) => Ok(Some(job)),
    }
}

/// The decision on a message that names items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// All items are completed.
    Done,
    /// The time ran out. The items under these keys continue in a message of their own, which is not a failure.
    Continue(Vec<String>),
    /// A port is out of reach, or an operator has to act.
    GiveUp(Failure),
    /// Some items have to be tried again.
    Retry(WorkerError),
}

/// Copies the items of `job` under `keys`, as far as the time allows that `remaining` returns. `None` means that there
/// is no limit.
pub async fn copy_batch<M: MigrationPorts>(
    ports: &M,
    job: &Job,
    keys: &[String],
    remaining: impl Fn() -> Option<Duration>,
) -> Decision {
    let watch = InTime { remaining, outage: OnceLock::new() };
    let copied = copy_queued(ports, keys, &options(job), &watch).await;
    let queued = match (copied, watch.outage.into_inner()) {
        (Ok(queued), Some(failure)) if queued.interrupted => return Decision::GiveUp(failure),
        (Err(Ended { failure, .. }), _) => return Decision::GiveUp(failure),
        (Ok(queued), _) => queued,
    };
    let (copied, failed) = (queued.counts.copied, queued.counts.failures());
    tracing::info!(job = %job.name, copied, failed, done = queued.counts.done, open = queued.open.len(), "a batch of a migration");
    let (open, all) = (queued.open.len(), keys.len());
    if open == 0 {
        return Decision::Done;
    }
    if queued.interrupted && open < all {
        return Decision::Continue(queued.open);
    }
    Decision::Retry(WorkerError::Open { open, all, why: queued.why })
}

/// A message that names items of a job.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The message.
    pub message: &'a Message,
    /// The job.
    pub job: &'a Job,
    /// The keys of the items.
    pub keys: &'a [String],
}

/// Carries out the decision on a message. `is_last_delivery` is called if the message failed: after the last delivery,
/// the ledger records that the items were given up.
///
/// # Errors
/// Fails if the message has to be delivered again.
pub async fn conclude<L: Ledger, Q: Queue, C: Clock>(
    ledger: &L,
    queue: &Q,
    clock: &C,
    batch: Batch<'_>,
    decision: Decision,
    is_last_delivery: impl Future<Output = bool>,
) -> Result<(), WorkerError> {
    let Batch { message, job, keys } = batch;
    match decision {
        Decision::Done => Ok(()),
        Decision::Continue(keys) => {
            let work = Work::Migrate { job: job.name.clone(), keys };
            let rest = Message { request_id: message.request_id.clone(), work };
            Ok(queue.send(&rest, 0).await?)
        }
        Decision::GiveUp(failure) => {
            if is_last_delivery.await
                && let Err(failure) = give_up(ledger, clock, keys, &failure).await
            {
                tracing::warn!(
                    job = %job.name, reason = %failure,
                    "the items go to the dead-letter queue, but the ledger could not record it"
                );
            }
            Err(failure.into())
        }
        Decision::Retry(error) => Err(error),
    }
}

/// A message that requests the listing of a job's source.
#[derive(Clone, Copy, Debug)]
pub struct ListingRequest<'a> {
    /// The job.
    pub job: &'a JobName,
    /// The holder of the job during the listing.
    pub run: &'a str,
    /// The cursor from which to continue, or `None` for the beginning.
    pub after: Option<&'a str>,
    /// Number of items in one message.
    pub batch_size: u32,
}

/// Lists the source of a job, and queues its items under `request_id`. What does not fit into the time that `remaining`
/// returns continues in another message.
///
/// # Errors
/// Fails if the message has to be delivered again.
pub async fn enumerate<S: Source, L: Ledger, Q: Queue, C: Clock>(
    source: &S,
    ledger: &L,
    queue: &Q,
    clock: &C,
    listing: ListingRequest<'_>,
    request_id: &str,
    remaining: impl Fn() -> Option<Duration>,
) -> Result<(), WorkerError> {
    let ListingRequest { job, run, after, batch_size } = listing;
    if !ledger.claim(run, LISTING_SECONDS).await? {
        return Err(WorkerError::Held(job.clone()));
    }
    // The job may have been removed while its source was being opened. It cannot be removed while this claim is held.
    if ledger.job().await?.is_none_or(|job| job.removing) {
        tracing::warn!(%job, "the job was removed: its message is skipped");
        return Ok(ledger.release(run).await?);
    }
    let options =
        EnqueueOptions { job, batch_size: usize::try_from(batch_size).unwrap_or(usize::MAX), request_id };
    let after = after.map(str::to_owned);
    let go_on = |_: &_| !is_nearly_over(&remaining);
    let enqueued = enqueue(source, ledger, queue, clock, options, after, go_on).await?;
    tracing::info!(%job, listed = enqueued.listed, sent = enqueued.sent, done = enqueued.done, "listed");
    if let Some(resume) = &enqueued.resume {
        let (job, run, after) = (job.clone(), run.to_owned(), Some(resume.clone()));
        let work = Work::Enumerate { job, run, after, batch_size };
        return Ok(queue.send(&Message { request_id: request_id.to_owned(), work }, 0).await?);
    }
    // If the claim was lost, the new holder has the job and may remove it.
    if !ledger.claim(run, LEASE_SECONDS).await? {
        tracing::warn!(%job, "another run took the job's lease while its source was being listed");
        return Ok(());
    }
    close(ledger, clock, &enqueued).await?;
    Ok(ledger.release(run).await?)
}

fn is_nearly_over(remaining: impl Fn() -> Option<Duration>) -> bool {
    remaining().is_some_and(|left| left < LAST_ITEMS)
}

/// Ends copying in time, or as soon as a port is out of reach, since the queue delivers the message again later. Logs
/// the items that failed.
struct InTime<R> {
    remaining: R,
    outage: OnceLock<Failure>,
}

impl<R: Fn() -> Option<Duration>> Watch for InTime<R> {
    fn failed(&self, key: &str, reason: Reason, detail: &str) {
        tracing::warn!(key, reason = reason.slug(), detail, "an item cannot be copied");
    }

    fn paused(&self, failure: &Failure) {
        let _ = self.outage.set(failure.clone());
    }

    fn is_cancelled(&self) -> bool {
        self.outage.get().is_some() || is_nearly_over(&self.remaining)
    }
}

fn options(job: &Job) -> CopyOptions {
    let owners = JobSpec::from(job).owners();
    let retry_policy = RetryPolicy {
        attempts: 4,
        first_wait: Duration::from_millis(200),
        longest_wait: Duration::from_secs(5),
        outage: LAST_ITEMS,
        ..RetryPolicy::default()
    };
    CopyOptions { concurrency: CONCURRENCY, retry_policy, ..CopyOptions::new(owners) }
}
