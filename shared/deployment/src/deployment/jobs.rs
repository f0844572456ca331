//! Migrations whose items wait in a queue: begun and looked up by the API, and run by the function behind the queue.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use credlink_core::job::JobName;
use credlink_core::message::{Message, Work};
use credlink_migrate::Patience;
use credlink_migrate::copy::{CopyOptions, Ended};
use credlink_migrate::enqueue::{EnqueueOptions, close, enqueue};
use credlink_migrate::jobs::{begin, progress};
use credlink_migrate::parts::Migration;
use credlink_migrate::progress::Watch;
use credlink_migrate::queued::{copy_queued, give_up};
use credlink_migrate::removal::remove;
use credlink_migrate::run::{JobSpec, LEASE_SECONDS};
use credlink_migrate_io::destination::service::ServiceDestination;
use credlink_ports::migration::Ledger as _;
use credlink_ports::migration::jobs::Removed;
use credlink_ports::migration::jobs::{Asked, Begun, JobError, Jobs, Progress};
use credlink_ports::migration::ledger::{Job, Reason};
use credlink_ports::{Failure, Queue as _};
use tokio::sync::Mutex;

use credlink_aws::dynamodb::ledger::TableLedger;
use credlink_aws::sqs::SqsQueue;
use credlink_runtime::clock::SystemClock;
use credlink_runtime::deadline::remaining;

use super::{Deployment, Rows, Waiting};
use crate::configuration;
use crate::migration::place::Place;
use crate::migration::source::AnySource;
use crate::migration::sources::MigrationSources;

/// What a worker keeps of its time: the items that it is at when it stops have to be done by then, and their entries
/// written.
const LAST_ITEMS: Duration = Duration::from_secs(20);
/// What a request keeps of its time for a page of entries, of which each is removed by itself.
const LAST_PAGE: Duration = Duration::from_secs(8);
/// Items that one worker reads or takes over at the same time, for each of its messages.
const CONCURRENCY: usize = 8;
/// For how long a listing that goes on in another message keeps its job, in seconds: longer than a message waits.
const LISTING_SECONDS: u64 = 900;

/// Jobs in the table, with the queue.
#[derive(Clone, Debug)]
pub struct QueuedJobs {
    rows: Arc<Rows>,
    waiting: Arc<Waiting>,
    place: String,
    sources: MigrationSources,
}

impl QueuedJobs {
    pub(super) const fn new(
        rows: Arc<Rows>,
        waiting: Arc<Waiting>,
        place: String,
        sources: MigrationSources,
    ) -> Self {
        Self { rows, waiting, place, sources }
    }

    /// Where jobs take proofs over to.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The ledger of a job.
    pub(crate) fn ledger(&self, job: &JobName) -> Result<TableLedger<SystemClock>, JobError> {
        match &*self.rows {
            Rows::DynamoDb(index) => Ok(TableLedger::new(index, job, SystemClock)),
            Rows::Embedded(_) => Err(JobError::NotConfigured(
                "queued migrations keep their ledgers in a table: set CREDLINK_TABLE, or migrate on this machine with \
                 `credlink migrate run`"
                    .to_owned(),
            )),
        }
    }

    /// The queue of SQS.
    pub(crate) fn queue(&self) -> Result<&SqsQueue, JobError> {
        match &*self.waiting {
            Waiting::Sqs(queue) => Ok(queue),
            Waiting::Embedded(_) | Waiting::Nothing => Err(JobError::NotConfigured(
                "queued migrations wait in a queue of SQS: set CREDLINK_QUEUE_URL, or migrate on this machine with \
                 `credlink migrate run`"
                    .to_owned(),
            )),
        }
    }
}

impl Jobs for QueuedJobs {
    async fn begin(&self, asked: &Asked) -> Result<Begun, JobError> {
        let (ledger, queue) = (self.ledger(&asked.name)?, self.queue()?);
        let request = self.sources.allow(asked)?;
        Ok(Box::pin(begin(&ledger, queue, &SystemClock, &request, &self.place)).await?)
    }

    async fn progress(&self, job: &JobName, after: Option<&str>) -> Result<Option<Progress>, JobError> {
        Ok(Box::pin(progress(&self.ledger(job)?, after)).await?)
    }

    async fn remove(&self, job: &JobName, abandon: bool) -> Result<Removed, JobError> {
        let go_on = || remaining().is_none_or(|left| left > LAST_PAGE);
        Ok(Box::pin(remove(&self.ledger(job)?, &SystemClock, abandon, go_on)).await?)
    }
}

/// What a message says of the listing of a job's source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing<'a> {
    /// The job.
    pub(super) job: &'a JobName,
    /// Who has the job meanwhile.
    pub(super) run: &'a str,
    /// Where the listing goes on; `None`: at the beginning.
    pub(super) after: Option<&'a str>,
    /// Items of one message.
    pub(super) batch_size: u32,
}

/// The source of the job that was worked on last: a connection to it is worth keeping.
#[derive(Debug, Default)]
pub(super) struct LastSource(Mutex<Option<(String, Arc<AnySource>)>>);

impl LastSource {
    async fn open(&self, from: &str) -> Result<Arc<AnySource>, String> {
        let mut last = self.0.lock().await;
        if let Some((_, source)) = last.as_ref().filter(|(name, _)| name == from) {
            return Ok(Arc::clone(source));
        }
        let place: Place = from.parse().map_err(|error| format!("{error}"))?;
        let opened = AnySource::open(&place, &configuration::Source::environment(), None).await;
        let source = Arc::new(opened.map_err(|error| error.to_string())?);
        *last = Some((from.to_owned(), Arc::clone(&source)));
        Ok(source)
    }
}

/// Ends copying in time, and when somebody is out of reach: the queue brings the message back later. Tells the log what
/// failed.
#[derive(Default)]
struct InTime {
    outage: OnceLock<Failure>,
}

fn is_nearly_over() -> bool {
    remaining().is_some_and(|left| left < LAST_ITEMS)
}

impl Watch for InTime {
    fn failed(&self, key: &str, reason: Reason, detail: &str) {
        tracing::warn!(key, reason = reason.slug(), detail, "an item cannot be copied");
    }

    fn paused(&self, failure: &Failure) {
        let _ = self.outage.set(failure.clone());
    }

    fn is_cancelled(&self) -> bool {
        self.outage.get().is_some() || is_nearly_over()
    }
}

impl Deployment {
    /// Copies the items that a message names. `attempts`: how often it was handed out.
    pub(super) async fn migrate(
        &self,
        message: &Message,
        job: &JobName,
        keys: &[String],
        attempts: u32,
    ) -> Result<(), String> {
        let Some((ledger, queue, job)) = self.job(job).await? else { return Ok(()) };
        let source = self.last_source.open(&job.from).await?;
        let service = self.service.borrowed();
        let destination = ServiceDestination::new(Arc::new(service), None);
        let parts = Migration {
            source: &*source,
            destination: &destination,
            ledger: &ledger,
            clock: &SystemClock,
            sleep: &SystemClock,
        };
        let watch = InTime::default();
        let copied = copy_queued(parts, keys, &options(&job), &watch).await;
        self.service.announce().await;
        let copied = match (copied, watch.outage.into_inner()) {
            (Ok(queued), Some(failure)) if queued.interrupted => Err(failure),
            (copied, _) => copied.map_err(|Ended { failure, .. }| failure),
        };
        let queued = match copied {
            Ok(queued) => queued,
            Err(failure) => {
                if is_last(queue, attempts).await
                    && let Err(failure) = give_up(&ledger, &SystemClock, keys, &failure).await
                {
                    tracing::warn!(job = %job.name, reason = %failure, "the ledger does not say that the items were given up");
                }
                return Err(failure.to_string());
            }
        };
        let (copied, failed) = (queued.counts.copied, queued.counts.failures());
        tracing::info!(job = %job.name, copied, failed, done = queued.counts.done, open = queued.open.len(), "a batch of a migration");
        let (open, all) = (queued.open.len(), keys.len());
        if open == 0 {
            return Ok(());
        }
        if queued.interrupted && open < all {
            // What is left is no failure: it begins anew, as a message of its own.
            let work = Work::Migrate { job: job.name, keys: queued.open };
            let rest = Message { request_id: message.request_id.clone(), work };
            return queue.send(&rest, 0).await.map_err(|failure| failure.to_string());
        }
        Err(format!("{open} of {all} items have to be tried again: {}", queued.why))
    }

    /// Lists the source of a job, and queues its items. What does not fit the time goes on in another message.
    pub(super) async fn enumerate(&self, message: &Message, listing: Listing<'_>) -> Result<(), String> {
        let Listing { job, run, after, batch_size } = listing;
        let Some((ledger, queue, job)) = self.job(job).await? else { return Ok(()) };
        let source = self.last_source.open(&job.from).await?;
        let request_id = message.request_id.as_str();
        let in_words = |failure: Failure| failure.to_string();
        if !ledger.claim(run, LISTING_SECONDS).await.map_err(in_words)? {
            return Err(format!("another run has the job `{}`", job.name));
        }
        // It may have been removed while its source was opened. Nobody removes it while this has it.
        if ledger.job().await.map_err(in_words)?.is_none_or(|job| job.removing) {
            tracing::warn!(job = %job.name, "the job was removed: its message is passed over");
            return ledger.release(run).await.map_err(in_words);
        }
        let options = EnqueueOptions {
            job: &job.name,
            batch_size: usize::try_from(batch_size).unwrap_or(usize::MAX),
            request_id,
        };
        let after = after.map(str::to_owned);
        let enqueued =
            enqueue(&*source, &ledger, queue, &SystemClock, options, after, |_| !is_nearly_over()).await;
        let enqueued = enqueued.map_err(in_words)?;
        tracing::info!(job = %job.name, listed = enqueued.listed, sent = enqueued.sent, done = enqueued.done, "listed");
        if let Some(resume) = &enqueued.resume {
            let resume = resume.clone();
            let run = run.to_owned();
            let work = Work::Enumerate { job: job.name, run, after: Some(resume), batch_size };
            let rest = Message { request_id: request_id.to_owned(), work };
            return queue.send(&rest, 0).await.map_err(in_words);
        }
        // Whoever got the claim since has the job, and may remove it.
        if !ledger.claim(run, LEASE_SECONDS).await.map_err(in_words)? {
            tracing::warn!(job = %job.name, "another one took the job while its source was listed");
            return Ok(());
        }
        close(&ledger, &SystemClock, &enqueued).await.map_err(in_words)?;
        ledger.release(run).await.map_err(in_words)
    }

    /// A job of this deployment, with its ledger and its queue. `None`: it was removed, as each one is written down before its
    /// messages are sent.
    async fn job(
        &self,
        name: &JobName,
    ) -> Result<Option<(TableLedger<SystemClock>, &SqsQueue, Job)>, String> {
        let jobs = &self.service.ports().jobs;
        let (ledger, queue) = (
            jobs.ledger(name).map_err(|error| error.to_string())?,
            jobs.queue().map_err(|error| error.to_string())?,
        );
        match ledger.job().await.map_err(|failure| failure.to_string())? {
            None => {
                tracing::warn!(job = %name, "there is no such job in the table: its message is passed over");
                Ok(None)
            }
            Some(Job { removing: true, .. }) => {
                tracing::warn!(job = %name, "the job is being removed: its message is passed over");
                Ok(None)
            }
            Some(job) if job.to != jobs.place => {
                Err(format!("the job `{name}` copies to {}, and this is {}", job.to, jobs.place))
            }
            Some(job) => Ok(Some((ledger, queue, job))),
        }
    }
}

fn options(job: &Job) -> CopyOptions {
    let owners = JobSpec::from(job).owners();
    let patience = Patience {
        attempts: 4,
        first_wait: Duration::from_millis(200),
        longest_wait: Duration::from_secs(5),
        outage: LAST_ITEMS,
        ..Patience::default()
    };
    CopyOptions { concurrency: CONCURRENCY, patience, ..CopyOptions::new(owners) }
}

/// Whether a message that fails now goes to the dead-letter queue.
async fn is_last(queue: &SqsQueue, attempts: u32) -> bool {
    match queue.redrive_policy().await {
        Ok(policy) => policy.is_some_and(|policy| attempts >= policy.max_receives),
        Err(error) => {
            tracing::warn!(reason = %error, "the queue does not say how often it hands a message out");
            false
        }
    }
}
