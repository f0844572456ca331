//! The queue of a deployment: the work of its messages, and the queue of one machine.

use credlink_core::message::{Message, Work};
use credlink_core::object::ObjectKey;
use credlink_metrics::catalogue::QUEUE_DEPTH;
use credlink_pair::Replicated;
use credlink_ports::{Failure, Queue as _};
use credlink_runtime::clock::SystemClock;

use super::jobs::QueuedMigrations;
use super::{AnyIndex, AnyObjects, AnyQueue, Deployment};
use crate::provider::Provider;
use crate::work::drain::{Limits, Report};
use crate::work::{WorkError, Worker};

/// Deliveries after which a message in the embedded queue is loudly left alone.
const ATTEMPTS: u32 = 10;

/// Messages that are put back in one go.
const PUT_BACK_PAGE: usize = 100;

/// The two providers of a deployment.
type Pair = Replicated<Provider, Provider, AnyQueue, AnyIndex>;

impl Deployment {
    /// Does the work of a message, which was handed out `attempts` times, this time included. Nothing is repaired by an
    /// index in doubt.
    ///
    /// # Errors
    /// An error that says what could not be done. The same message again does the rest.
    pub async fn work(&self, message: &Message, attempts: u32) -> Result<(), WorkError> {
        let pair = self.pair();
        if pair.is_some() && matches!(message.work, Work::Replicate { .. }) {
            self.service.may_repair().await.map_err(WorkError::Doubted)?;
        }
        let migrations = QueuedMigrations {
            service: &self.service,
            jobs: &self.service.ports().jobs,
            last_source: &self.last_source,
        };
        let changed = |key: &ObjectKey| self.note_for_edge(key);
        let worker = Worker {
            providers: pair.map(|pair| (pair.primary(), pair.fallback())),
            index: &self.rows,
            clock: &SystemClock,
            migrations,
            changed: &changed,
        };
        let done = Box::pin(worker.work(message, attempts)).await;
        self.service.announce().await;
        done
    }

    /// Works the queue of this machine off, until it hands out nothing. Nothing is repaired by an index in doubt.
    ///
    /// # Errors
    /// The queue failed.
    pub async fn drain(&self) -> Result<Report, Failure> {
        let (Some(pair), AnyQueue::Embedded(queue)) = (self.pair(), &self.waiting) else {
            return Ok(Report::default());
        };
        // It waits for an operator, as the queue does.
        if self.service.may_repair().await.is_err() {
            return Ok(Report::default());
        }
        let limits = Limits { attempts: ATTEMPTS, ..Limits::default() };
        let changed = |key: &ObjectKey| self.note_for_edge(key);
        let worker = Worker::repairing(pair.primary(), pair.fallback(), &self.rows, &SystemClock);
        let drained = Worker { changed: &changed, ..worker }.drain(queue, limits).await;
        self.service.announce().await;
        drained
    }

    fn pair(&self) -> Option<&Pair> {
        match self.store() {
            AnyObjects::One(_) => None,
            AnyObjects::Two(pair) => Some(pair),
        }
    }

    /// The edge reads from the fallback: where that was behind, the edge may have read it since the change itself.
    fn note_for_edge(&self, key: &ObjectKey) {
        self.service.ports().cache.note_for_edge(key);
    }

    /// Puts back what the queue of this machine has put aside after too many attempts: an outage may have outlasted
    /// them. Repairs are idempotent, so one that can never be done costs a look and a line in the log. Returns the
    /// number of messages that were put back.
    ///
    /// # Errors
    /// The queue failed. What was put back is back.
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

    /// Returns the number of messages that wait; the metric of the queue's depth says so from then on.
    ///
    /// # Errors
    /// The queue failed.
    pub async fn depth(&self) -> Result<u64, Failure> {
        let depth = self.waiting.depth().await?;
        #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 52 bits")]
        metrics::gauge!(QUEUE_DEPTH).set(depth as f64);
        Ok(depth)
    }
}
