//! Cleanup: expired proofs, unfinished changes, rows that lag behind their objects, and orphans.
//!
//! A run can be cut off at any moment and resumed, and may run concurrently with everything else. It decides by
//! conditional commits alone, so an extension of a proof's lifetime that is committed first wins.
//!
//! | to find | look in |
//! |---|---|
//! | due rows, which come first in every run | `due` |
//! | stores that were cut off between a record and its row | `intents` |
//! | the walk over all objects | `walk` |
//! | where the walk continues, and how much it may remove | `position` |
//! | restoring orphans, which are kept for some days | `removed` |
//!
//! Objects are the truth (guarantee 10): a record without a row is adopted, and only an object that no record, no
//! earlier record and no hold names is an orphan. So the walk mends an index that lost rows before it examines
//! manifests, and examines no manifests if it could not read every record.

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
pub use removed::{Restored, bring_back};

/// Items that are processed concurrently. Each takes several calls in sequence: with 16, S3 and DynamoDB at 10 ms a
/// call allow some 800 items a second.
const CONCURRENCY: usize = 16;

/// The limits of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The time at which the run stops, at the latest after the current page.
    pub deadline: Timestamp,
    /// `true` if the run also walks over all objects, besides the due work. A walk reads every record once, and is
    /// meant to run once every few days.
    pub walk: bool,
    /// `true` if objects of any age are handled, including those that a store may still be writing. This is only for a
    /// store that nobody else writes to.
    pub any_age: bool,
    /// `true` if more orphans may be removed than [`Position::allows`], because an operator has checked what would be
    /// removed.
    pub any_share: bool,
    /// The time from which intents are examined: [`Report::intents_from`] of an earlier run, or `None` for all that are
    /// kept.
    pub intents_from: Option<Timestamp>,
}

impl Limits {
    /// Returns the limits of a complete run until `deadline`, in a store that others may use.
    #[must_use]
    pub const fn until(deadline: Timestamp) -> Self {
        Self { deadline, walk: true, any_age: false, any_share: false, intents_from: None }
    }
}

/// The results of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows and objects that were examined.
    pub examined: u64,
    /// Proofs, manifests and objects that were removed.
    pub deleted: u64,
    /// Rows that were brought up to date with their objects.
    pub completed: u64,
    /// Items that could not be handled; the reasons are logged.
    pub failed: u64,
    /// Bytes of the removed objects, as stored.
    pub bytes: u64,
    /// The reason why nothing more is destroyed, in words: the index, the store or the clock is in doubt, or the
    /// collector stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// The position at which the walk continues; `None` if it reached its end, or was not requested.
    pub resume: Option<Position>,
    /// The time from which the next run has to examine intents; `None` if it has to begin where this run did.
    #[serde(skip)]
    pub intents_from: Option<Timestamp>,
}

/// The outcome for one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Nothing,
    /// The item was removed, with so many bytes.
    Removed(u64),
    Completed,
}

impl Report {
    /// Asks the guard whether objects may be destroyed.
    async fn ask<P: Ports>(&mut self, service: &Service<P>) {
        if let Err(error) = service.may_destroy().await {
            self.stopped.get_or_insert(error.problem().detail);
        }
    }

    /// Returns `true` if objects may be destroyed, by the last answer of the guard.
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

/// A run that ended early because a listing failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{failure}")]
pub struct Interrupted {
    /// The report up to the failure, with the position at which the walk continues.
    pub report: Report,
    /// The failure that ended the run.
    pub failure: Failure,
}

impl From<Interrupted> for Failure {
    fn from(interrupted: Interrupted) -> Self {
        interrupted.failure
    }
}

/// Runs a cleanup: due work, stores that were cut off, and then the walk from `position`, until everything is done or
/// the deadline has passed.
///
/// # Errors
/// A listing failed. Completed work stays done, and the next run continues where this one ended.
pub async fn cleanup<P: Ports>(
    service: &Service<P>,
    limits: Limits,
    position: Option<Position>,
) -> Result<Report, Interrupted> {
    let mut report = Report::default();
    // The guard checks afresh here, and then for every page, since the clock may jump in the meantime.
    service.standing().await;
    // Nothing is written to an index that may belong to another store, so nothing can be finished either.
    if let Err(error) = service.may_change().await {
        report.stopped = Some(error.problem().detail);
        // A walk that could not begin did not reach its end.
        report.resume = position.or_else(|| limits.walk.then(|| Position::at(service.now())));
        return Ok(report);
    }
    report.ask(service).await;
    // An outage of one listing must not block due work behind a walk forever, nor the reverse.
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
