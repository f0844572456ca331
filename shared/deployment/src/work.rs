//! The work of each kind of message that waits in a queue.
//!
//! [`Dispatcher::work`] is the one place that tells kinds of messages apart. The function behind SQS hands messages to it
//! one by one (`Deployment::work`); a server and the commands of one machine work through a whole queue
//! ([`Dispatcher::drain`]).
//!
//! | to find | look in |
//! |---|---|
//! | the work of a message | [`Dispatcher`] |
//! | the reasons why it was not done | [`WorkError`] |
//! | receiving and settling | [`drain`] |
//! | the items of queued migrations | [`QueuedMigrations`](crate::deployment::jobs::QueuedMigrations) |

pub mod drain;
mod error;

use std::fmt;
use std::future::{Future, ready};

use credlink_core::job_name::JobName;
use credlink_core::message::{Message, Work};
use credlink_core::object::ObjectKey;
use credlink_core::repair_mark::RepairMark;
use credlink_core::replica::Replica;
use credlink_migrate::worker::ListingRequest;
use credlink_ports::{Clock, Index, LongObjects};
use credlink_replication::repair_mark::lower;
use credlink_replication::replicate::run;

pub use error::WorkError;

/// Does the work of messages, with the parts that it takes.
pub struct Dispatcher<'a, A, B, I, K, M> {
    /// The primary and the fallback; `None` if there is one provider, and nothing to repair.
    pub providers: Option<(&'a A, &'a B)>,
    /// The index, which decides what a provider must hold.
    pub index: &'a I,
    /// The clock.
    pub clock: &'a K,
    /// The part that handles the messages of migrations.
    pub migrations: M,
    /// A callback that receives the key of each object that a repair has changed at a provider.
    pub changed: &'a (dyn Fn(&ObjectKey) + Send + Sync),
}

impl<A, B, I, K, M> fmt::Debug for Dispatcher<'_, A, B, I, K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").finish_non_exhaustive()
    }
}

impl<'a, A, B, I, K> Dispatcher<'a, A, B, I, K, NoMigrations> {
    /// Returns a dispatcher for one machine: it repairs, announces no changes, and runs no migrations.
    pub fn repairing(primary: &'a A, fallback: &'a B, index: &'a I, clock: &'a K) -> Self {
        Self {
            providers: Some((primary, fallback)),
            index,
            clock,
            migrations: NoMigrations,
            changed: &|_| (),
        }
    }
}

impl<A: LongObjects, B: LongObjects, I: Index, K: Clock, M: Migrations> Dispatcher<'_, A, B, I, K, M> {
    /// Does the work of a message. `attempts` is the number of its deliveries, including this one.
    ///
    /// # Errors
    /// Returns an error that says what could not be done. Working the same message again does the rest.
    pub async fn work(&self, message: &Message, attempts: u32) -> Result<(), WorkError> {
        match &message.work {
            Work::Replicate { to, keys, mark } => self.replicate(*to, keys, *mark).await,
            Work::Migrate { job, keys } => {
                Box::pin(self.migrations.migrate(message, job, keys, attempts)).await
            }
            Work::Enumerate { job, run, after, batch_size } => {
                let listing = ListingRequest { job, run, after: after.as_deref(), batch_size: *batch_size };
                Box::pin(self.migrations.enumerate(message, listing)).await
            }
            // The deployment has done it before it asks here, if it can.
            Work::Finalise { .. } => Err(WorkError::NoFinaliser),
        }
    }

    /// Copies to a provider what it missed, and clears its repair mark when nothing is left to copy.
    async fn replicate(
        &self,
        to: Replica,
        keys: &[ObjectKey],
        mark: Option<RepairMark>,
    ) -> Result<(), WorkError> {
        let (primary, fallback) = self.providers.ok_or(WorkError::NoFallback)?;
        let mut failed = Vec::new();
        for (key, done) in run(to, keys, primary, fallback, self.index, self.clock.now()).await {
            match done {
                Ok(outcome) => {
                    tracing::debug!(%key, ?outcome, "repaired");
                    if outcome.is_a_change() {
                        (self.changed)(&key);
                    }
                }
                Err(error) => failed.push((key, error)),
            }
        }
        if !failed.is_empty() {
            return Err(WorkError::Unrepaired(failed));
        }
        match mark {
            None => Ok(()),
            Some(mark) => lower(self.index, to, mark).await.map_err(WorkError::RepairMark),
        }
    }
}

/// The handler of messages of migrations.
pub trait Migrations {
    /// Copies the items that a message names. `attempts` is the number of deliveries of the message.
    fn migrate(
        &self,
        message: &Message,
        job: &JobName,
        keys: &[String],
        attempts: u32,
    ) -> impl Future<Output = Result<(), WorkError>>;

    /// Lists the source of a job and queues its items.
    fn enumerate(
        &self,
        message: &Message,
        listing: ListingRequest<'_>,
    ) -> impl Future<Output = Result<(), WorkError>>;
}

/// The handler for the queue of one machine, which runs no migrations.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMigrations;

impl Migrations for NoMigrations {
    fn migrate(
        &self,
        _: &Message,
        _: &JobName,
        _: &[String],
        _: u32,
    ) -> impl Future<Output = Result<(), WorkError>> {
        ready(Err(WorkError::NoMigrations))
    }

    fn enumerate(&self, _: &Message, _: ListingRequest<'_>) -> impl Future<Output = Result<(), WorkError>> {
        ready(Err(WorkError::NoMigrations))
    }
}
