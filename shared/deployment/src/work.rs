//! The work that waits in a queue: for each kind of message, what is done.
//!
//! [`Worker::work`] is the one place that tells kinds of messages apart. The function behind SQS hands messages to it one
//! by one (`Deployment::work`); a server and the commands of one machine work a whole queue off ([`Worker::drain`]).
//!
//! | to find | look in |
//! |---|---|
//! | what is done for a message | [`Worker`] |
//! | why it was not | [`WorkError`] |
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
use credlink_migrate::worker::Listing;
use credlink_pair::repair_mark::lower;
use credlink_pair::replicate::run;
use credlink_ports::{Clock, Index, Objects};

pub use error::WorkError;

/// The parts that queued work is done with.
pub struct Worker<'a, A, B, I, K, M> {
    /// The primary and the fallback; `None` where there is one provider, and nothing to repair.
    pub providers: Option<(&'a A, &'a B)>,
    /// The index, which decides what a provider has to hold.
    pub index: &'a I,
    /// The clock.
    pub clock: &'a K,
    /// The part that does the messages of migrations.
    pub migrations: M,
    /// Called with each object that is another one at a provider now.
    pub changed: &'a (dyn Fn(&ObjectKey) + Send + Sync),
}

impl<A, B, I, K, M> fmt::Debug for Worker<'_, A, B, I, K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

impl<'a, A, B, I, K> Worker<'a, A, B, I, K, NoMigrations> {
    /// A worker of one machine: it repairs, tells nobody of it, and runs no migrations.
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

impl<A: Objects, B: Objects, I: Index, K: Clock, M: Migrations> Worker<'_, A, B, I, K, M> {
    /// Does what a message says, which was handed out `attempts` times, this time included.
    ///
    /// # Errors
    /// An error that says what could not be done. The same message again does the rest.
    pub async fn work(&self, message: &Message, attempts: u32) -> Result<(), WorkError> {
        match &message.work {
            Work::Replicate { to, keys, mark } => self.replicate(*to, keys, *mark).await,
            Work::Migrate { job, keys } => {
                Box::pin(self.migrations.migrate(message, job, keys, attempts)).await
            }
            Work::Enumerate { job, run, after, batch_size } => {
                let listing = Listing { job, run, after: after.as_deref(), batch_size: *batch_size };
                Box::pin(self.migrations.enumerate(message, listing)).await
            }
        }
    }

    /// Brings a provider what it missed, and lowers its flag when nothing is left to bring.
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
            Some(mark) => lower(self.index, to, mark).await.map_err(WorkError::Flag),
        }
    }
}

/// The part that does the messages of migrations.
pub trait Migrations {
    /// Copies the items that a message names. `attempts`: how often it was handed out.
    fn migrate(
        &self,
        message: &Message,
        job: &JobName,
        keys: &[String],
        attempts: u32,
    ) -> impl Future<Output = Result<(), WorkError>>;

    /// Lists the source of a job, and queues its items.
    fn enumerate(
        &self,
        message: &Message,
        listing: Listing<'_>,
    ) -> impl Future<Output = Result<(), WorkError>>;
}

/// The queue of one machine, which runs no migrations.
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

    fn enumerate(&self, _: &Message, _: Listing<'_>) -> impl Future<Output = Result<(), WorkError>> {
        ready(Err(WorkError::NoMigrations))
    }
}
