//! Cleanup: expired proofs, unfinished changes, rows that lag behind their objects, and orphans.
//!
//! It can be cut off at any moment and resumed, runs beside everything else, and decides by conditional commits
//! alone: an extension that comes first wins.
//!
//! | to find | look in |
//! |---|---|
//! | rows that are due: they come first in every run | `due` |
//! | stores that were cut off between a record and its row | `intents` |
//! | the walk over all objects | `walk` |
//! | where the walk goes on, and how much it may remove | `position` |
//! | where orphans are kept for some days, and how they are brought back | `removed` |
//!
//! Objects are the truth (guarantee 10): a record without a row is taken up, and an orphan is only what no record, no
//! earlier record and no hold names. So the walk mends an index that lost rows before it looks at manifests, and looks at
//! none where it could not read every record.

mod due;
mod intents;
mod position;
mod removed;
mod walk;

use credlink_core::time::Timestamp;
use serde::Serialize;

use crate::error::Error;
use crate::service::Service;
use credlink_ports::{Failure, Ports};
pub use position::Position;
pub(crate) use removed::keep;
pub use removed::{Restored, bring_back};

/// Items that are worked on at a time. Each is some calls one after the other: with 16, S3 and DynamoDB at 10 ms a call
/// allow some 800 items a second.
const CONCURRENCY: usize = 16;

/// The limits of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time at which the run stops, at the latest after the page that it is working on.
    pub deadline: Timestamp,
    /// `true` if the objects are walked over too, and not just due work is done. A walk reads every record once, and
    /// is meant to be done once every few days.
    pub walk: bool,
    /// `true` if objects of any age are dealt with, and not just those that no store can be writing any more. Only
    /// for a store that nobody writes to meanwhile.
    pub any_age: bool,
    /// `true` if more may be removed as orphans than [`Position::allows`]: an operator has looked at what would be
    /// removed.
    pub any_share: bool,
    /// Time from which on intents are looked at: [`Report::intents_from`] of an earlier run. All that are kept, where it is
    /// `None`.
    pub intents_from: Option<Timestamp>,
}

impl Limits {
    /// A run of everything until `deadline`, beside whoever else uses the store.
    #[must_use]
    pub const fn until(deadline: Timestamp) -> Self {
        Self { deadline, walk: true, any_age: false, any_share: false, intents_from: None }
    }
}

/// The results of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows and objects that were looked at.
    pub examined: u64,
    /// Proofs, manifests and objects that were removed.
    pub deleted: u64,
    /// Rows that followed their objects.
    pub completed: u64,
    /// Items that could not be dealt with; the reasons are logged.
    pub failed: u64,
    /// Bytes of the objects that were removed, as stored.
    pub bytes: u64,
    /// The reason why nothing is destroyed any more, in words: index, store or clock are in doubt, or the collector
    /// stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// The position at which the walk continues; `None` if it got to its end, or was not asked for.
    pub resume: Option<Position>,
    /// Time from which on the next run has to look at intents; `None` if it has to begin where this one did.
    #[serde(skip)]
    pub intents_from: Option<Timestamp>,
}

/// The outcome for one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Nothing,
    /// It was removed, with so many bytes.
    Removed(u64),
    Completed,
}

impl Report {
    /// Asks whether things may be destroyed.
    async fn ask<P: Ports>(&mut self, service: &Service<P>) {
        if let Err(error) = service.may_destroy().await {
            self.stopped.get_or_insert(error.problem().detail);
        }
    }

    /// Returns `true` if things may be destroyed, by the last answer of the guard.
    const fn may_destroy(&self) -> bool {
        self.stopped.is_none()
    }

    fn note(&mut self, key: &dyn std::fmt::Display, done: Result<Done, Error>) {
        self.examined += 1;
        match done {
            Ok(Done::Nothing) => {}
            Ok(Done::Completed) => self.completed += 1,
            Ok(Done::Removed(bytes)) => {
                self.deleted += 1;
                self.bytes += bytes;
            }
            Err(error) => {
                let error = match error {
                    Error::Failure(failure) => failure.to_string(),
                    Error::Problem(problem) => problem.detail,
                };
                tracing::warn!(key = %key, error, "cleanup left an item for the next run");
                self.failed += 1;
            }
        }
    }
}

/// A run that ended early, because a listing failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{failure}")]
pub struct Interrupted {
    /// A report of what was done by then, with the position at which the walk continues.
    pub report: Report,
    /// The failure that ended it.
    pub failure: Failure,
}

impl From<Interrupted> for Failure {
    fn from(interrupted: Interrupted) -> Self {
        interrupted.failure
    }
}

/// Cleans up: what is due, stores that were cut off, and then the walk from `position` on, until everything is done or the deadline is over.
///
/// # Errors
/// A listing failed. What was done is done; the next run goes on from where this one got to.
pub async fn cleanup<P: Ports>(
    service: &Service<P>,
    limits: Limits,
    position: Option<Position>,
) -> Result<Report, Interrupted> {
    let mut report = Report::default();
    // Afresh, and then page by page: a clock may jump meanwhile.
    service.standing().await;
    // Into an index that may be another store's nothing is written, and so nothing can be finished either.
    if let Err(error) = service.may_change().await {
        report.stopped = Some(error.problem().detail);
        // A walk that could not begin is not one that came to its end.
        report.resume = position.or_else(|| limits.walk.then(|| Position::at(service.now())));
        return Ok(report);
    }
    report.ask(service).await;
    // An outage of one listing must not keep what is due waiting for ever behind a walk, nor the other way round.
    let due = due::run(service, limits, &mut report).await;
    let intents = intents::run(service, limits, &mut report).await;
    let mut position = match limits.walk {
        true => Some(position.unwrap_or_else(|| Position::at(service.now()))),
        false => None,
    };
    let walked = walk::run(service, limits, &mut position, &mut report).await;
    report.resume = position;
    let mut failures = [due, intents, walked].into_iter().filter_map(Result::err);
    let Some(failure) = failures.next() else { return Ok(report) };
    for failure in failures {
        tracing::warn!(reason = %failure, "another part of the cleanup ended early");
    }
    Err(Interrupted { report, failure })
}
