//! The work of a deployment's messages, and the maintenance of the queue of one machine.

use credlink_core::file::UploadId;
use credlink_core::message::{Message, Work};
use credlink_core::object::ObjectKey;
use credlink_files::Others;
use credlink_metrics::catalogue::QUEUE_DEPTH;
use credlink_ports::{Failure, Queue as _};
use credlink_replication::Replicated;
use credlink_runtime::clock::SystemClock;

use super::jobs::QueuedMigrations;
use super::{AnyIndex, AnyObjects, AnyQueue, Deployment};
use crate::legacy::LegacyIds;
use crate::provider::Provider;
use crate::work::drain::{Limits, Report};
use crate::work::{Dispatcher, WorkError};

/// The number of deliveries after which a message in the embedded queue is dead-lettered and logged as an error.
const ATTEMPTS: u32 = 10;

/// The number of dead letters that are put back at a time.
const PUT_BACK_PAGE: usize = 100;

/// The two providers of a deployment.
type Pair = Replicated<Provider, Provider, AnyQueue, AnyIndex>;

impl Deployment {
    /// Does the work of a message. `attempts` is the number of its deliveries, including this one. While the index is
    /// in doubt, nothing is repaired by it.
    ///
    /// # Errors
    /// Returns an error that says what could not be done. Working the same message again does the rest.
    pub async fn work(&self, message: &Message, attempts: u32) -> Result<(), WorkError> {
        if let Work::Finalise { upload } = &message.work {
            return self.finalise(upload).await;
        }
        let pair = self.pair();
        if pair.is_some() && matches!(message.work, Work::Replicate { .. }) {
            self.service.may_repair().await.map_err(WorkError::Doubted)?;
        }
        let reserved = LegacyIds::of(self.hybrid.clone());
        let migrations = QueuedMigrations {
            service: &self.service,
            jobs: &self.service.ports().jobs,
            last_source: &self.last_source,
            reserved: &reserved,
        };
        let changed = |key: &ObjectKey| self.note_for_edge(key);
        let dispatcher = Dispatcher {
            providers: pair.map(|pair| (pair.primary(), pair.fallback())),
            index: &self.rows,
            clock: &SystemClock,
            migrations,
            changed: &changed,
        };
        let done = Box::pin(dispatcher.work(message, attempts)).await;
        self.service.announce().await;
        done
    }

    /// Makes a file of an upload whose bytes have all arrived. If it is not the time for that, or another finaliser has the
    /// upload, nothing is done.
    ///
    /// # Errors
    /// The program makes no files, or an error that says what could not be done. Working the same upload again does the rest.
    pub async fn finalise(&self, upload: &UploadId) -> Result<(), WorkError> {
        let files = self.files().filter(|files| files.finalises()).ok_or(WorkError::NoFinaliser)?;
        let done = Box::pin(files.finalise(&self.service, upload, Others::Possible)).await;
        self.service.announce().await;
        done.map_err(WorkError::Unfinished)
    }

    /// Works through the queue of this machine until it hands out nothing. While the index is in doubt, nothing is
    /// repaired by it.
    ///
    /// # Errors
    /// Returns an error if the queue fails.
    pub async fn drain(&self) -> Result<Report, Failure> {
        let (Some(pair), AnyQueue::Embedded(queue)) = (self.pair(), &self.waiting) else {
            return Ok(Report::default());
        };
        // Messages stay in the queue until an operator has resolved the doubt.
        if self.service.may_repair().await.is_err() {
            return Ok(Report::default());
        }
        let limits = Limits { attempts: ATTEMPTS, ..Limits::default() };
        let changed = |key: &ObjectKey| self.note_for_edge(key);
        let dispatcher = Dispatcher::repairing(pair.primary(), pair.fallback(), &self.rows, &SystemClock);
        let drained = Dispatcher { changed: &changed, ..dispatcher }.drain(queue, limits).await;
        self.service.announce().await;
        drained
    }

    fn pair(&self) -> Option<&Pair> {
        match self.store() {
            AnyObjects::One(_) => None,
            AnyObjects::Two(pair) => Some(pair),
        }
    }

    /// Notes an object for purging at the edge. The edge reads from the fallback, so if that was behind, the edge may
    /// have read the old object after the change itself.
    fn note_for_edge(&self, key: &ObjectKey) {
        self.service.ports().cache.note_for_edge(key);
    }

    /// Puts the dead letters of this machine's queue back into it, since an outage may have outlasted their deliveries.
    /// Repairs are idempotent, so a repair that can never succeed costs one look and a line in the log. Returns the
    /// number of messages that were put back.
    ///
    /// # Errors
    /// Returns an error if the queue fails. Messages that were put back before that stay in the queue.
    pub async fn put_back(&self) -> Result<u64, Failure> {
        let AnyQueue::Embedded(queue) = &self.waiting else { return Ok(0) };
        let mut count = 0;
        loop {
            let aside = queue.dead(None, PUT_BACK_PAGE).await?;
            if aside.is_empty() {
                return Ok(count);
            }
            for message in aside {
                count += u64::from(queue.put_back(message.number).await?);
            }
        }
    }

    /// Returns the number of messages that wait, and sets the metric of the queue's depth to it.
    ///
    /// # Errors
    /// Returns an error if the queue fails.
    pub async fn depth(&self) -> Result<u64, Failure> {
        let depth = self.waiting.depth().await?;
        #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 52 bits")]
        metrics::gauge!(QUEUE_DEPTH).set(depth as f64);
        Ok(depth)
    }
}
