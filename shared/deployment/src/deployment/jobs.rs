//! Migrations whose items wait in a queue: begun and looked up through the API, and run by the function behind the
//! queue.

use std::sync::Arc;
use std::time::Duration;

use credlink_core::job_name::JobName;
use credlink_core::message::Message;
use credlink_migrate::jobs::{begin, progress};
use credlink_migrate::removal::remove;
use credlink_migrate::worker::{Batch, ListingRequest, conclude, copy_batch, enumerate, find_job};
use credlink_migrate_service::{ReservedIds, ServiceDestination};
use credlink_ports::migration::MigrationParts;
use credlink_ports::migration::jobs::{BeginOutcome, JobError, JobRequest, Jobs, Progress, RemovalOutcome};
use credlink_ports::migration::ledger::Job;
use credlink_ports::{Checksummed, Ports};
use credlink_service::Service;
use tokio::sync::Mutex;

use credlink_aws::sqs::SqsQueue;
use credlink_runtime::clock::SystemClock;
use credlink_runtime::deadline::remaining;

use super::{AnyIndex, AnyQueue};
use crate::configuration::value;
use crate::dynamodb::TableLedger;
use crate::migration::location::MigrationLocation;
use crate::migration::source::AnySource;
use crate::migration::sources::MigrationSources;
use crate::work::{Migrations, WorkError};

/// The part of a request's time that is set aside for one more page of entries, which are removed one by one.
const LAST_PAGE: Duration = Duration::from_secs(8);

/// The jobs in the table, with the queue of their items.
#[derive(Clone, Debug)]
pub struct QueuedJobs {
    rows: AnyIndex,
    waiting: AnyQueue,
    location: String,
    sources: MigrationSources,
}

impl QueuedJobs {
    pub(super) const fn new(
        rows: AnyIndex,
        waiting: AnyQueue,
        location: String,
        sources: MigrationSources,
    ) -> Self {
        Self { rows, waiting, location, sources }
    }

    /// Returns the location that jobs import proofs into.
    pub(crate) fn location(&self) -> &str {
        &self.location
    }

    /// Returns the ledger of a job.
    pub(crate) fn ledger(&self, job: &JobName) -> Result<TableLedger<SystemClock>, JobError> {
        match &self.rows {
            AnyIndex::DynamoDb(index) => Ok(TableLedger::new(index, job, SystemClock)),
            AnyIndex::Embedded(_) => Err(JobError::NotConfigured(
                "queued migrations keep their ledgers in a table: set CREDLINK_TABLE, or migrate on this machine with \
                 `credlink migrate run`"
                    .to_owned(),
            )),
        }
    }

    /// Returns the SQS queue.
    pub(crate) fn queue(&self) -> Result<&SqsQueue, JobError> {
        match &self.waiting {
            AnyQueue::Sqs(queue) => Ok(queue),
            AnyQueue::Embedded(_) | AnyQueue::Nothing => Err(JobError::NotConfigured(
                "queued migrations wait in a queue of SQS: set CREDLINK_QUEUE_URL, or migrate on this machine with \
                 `credlink migrate run`"
                    .to_owned(),
            )),
        }
    }
}

impl Jobs for QueuedJobs {
    async fn begin(&self, request: &JobRequest) -> Result<BeginOutcome, JobError> {
        let (ledger, queue) = (self.ledger(&request.name)?, self.queue()?);
        let allowed = self.sources.allow(request)?;
        Ok(Box::pin(begin(&ledger, queue, &SystemClock, &allowed, &self.location)).await?)
    }

    async fn progress(&self, job: &JobName, after: Option<&str>) -> Result<Option<Progress>, JobError> {
        Ok(Box::pin(progress(&self.ledger(job)?, after)).await?)
    }

    async fn remove(&self, job: &JobName, abandon: bool) -> Result<RemovalOutcome, JobError> {
        let go_on = || remaining().is_none_or(|left| left > LAST_PAGE);
        Ok(Box::pin(remove(&self.ledger(job)?, &SystemClock, abandon, go_on)).await?)
    }
}

/// The source of the last job that was worked on, kept because a connection to it is worth reusing.
#[derive(Debug, Default)]
pub(super) struct LastSource(Mutex<Option<(String, Arc<AnySource>)>>);

impl LastSource {
    async fn open(&self, from: &str) -> Result<Arc<AnySource>, WorkError> {
        let mut last = self.0.lock().await;
        if let Some((_, source)) = last.as_ref().filter(|(name, _)| name == from) {
            return Ok(Arc::clone(source));
        }
        let location: MigrationLocation = from.parse()?;
        let source = Arc::new(AnySource::open(&location, &value::Variables::environment(), None).await?);
        *last = Some((from.to_owned(), Arc::clone(&source)));
        Ok(source)
    }
}

/// Does the work of queued migrations.
#[derive(Debug)]
pub struct QueuedMigrations<'a, P, R> {
    /// The service that imports proofs.
    pub(super) service: &'a Service<P>,
    /// The jobs, with their table and their queue.
    pub(super) jobs: &'a QueuedJobs,
    /// The source of the last job that was worked on.
    pub(super) last_source: &'a LastSource,
    /// The legacy IDs that are reserved for a tenant.
    pub(super) reserved: &'a R,
}

impl<P: Ports<Objects: Checksummed>, R: ReservedIds> Migrations for QueuedMigrations<'_, P, R> {
    async fn migrate(
        &self,
        message: &Message,
        job: &JobName,
        keys: &[String],
        attempts: u32,
    ) -> Result<(), WorkError> {
        let Some((ledger, queue, job)) = self.job(job).await? else { return Ok(()) };
        let source = self.last_source.open(&job.from).await?;
        let service = self.service.borrowed();
        let destination = ServiceDestination::new(Arc::new(service), None).reserving(self.reserved);
        let ports = MigrationParts {
            source: &*source,
            destination: &destination,
            ledger: &ledger,
            clock: &SystemClock,
        };
        let decision = copy_batch(&ports, &job, keys, remaining).await;
        self.service.announce().await;
        let batch = Batch { message, job: &job, keys };
        let is_last = is_last(queue, attempts);
        Ok(conclude(&ledger, queue, &SystemClock, batch, decision, is_last).await?)
    }

    async fn enumerate(&self, message: &Message, listing: ListingRequest<'_>) -> Result<(), WorkError> {
        let Some((ledger, queue, job)) = self.job(listing.job).await? else { return Ok(()) };
        let source = self.last_source.open(&job.from).await?;
        Ok(enumerate(&*source, &ledger, queue, &SystemClock, listing, &message.request_id, remaining).await?)
    }
}

impl<P: Ports<Objects: Checksummed>, R: ReservedIds> QueuedMigrations<'_, P, R> {
    /// Returns a job of this deployment, with its ledger and its queue, or `None` if the job was removed.
    async fn job(
        &self,
        name: &JobName,
    ) -> Result<Option<(TableLedger<SystemClock>, &SqsQueue, Job)>, WorkError> {
        let (ledger, queue) = (self.jobs.ledger(name)?, self.jobs.queue()?);
        let job = find_job(&ledger, name, &self.jobs.location).await?;
        Ok(job.map(|job| (ledger, queue, job)))
    }
}

/// Returns `true` if a message that fails this time goes to the dead-letter queue.
async fn is_last(queue: &SqsQueue, attempts: u32) -> bool {
    match queue.redrive_policy().await {
        Ok(policy) => policy.is_some_and(|policy| attempts >= policy.max_receives),
        Err(error) => {
            tracing::warn!(reason = %error, "the queue does not say how often it hands a message out");
            false
        }
    }
}
