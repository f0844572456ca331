//! A run of the schedule: cleaning up, in as many runs as it takes.
//!
//! A function has minutes, a store may have millions of objects. Where a run ends, the next begins.

use std::future::Future;

use credlink_core::time::Timestamp;
use credlink_service::Service;
use credlink_service::cleanup::{Limits, Position, Report, cleanup};
use credlink_service::ports::{Failure, Ports};

/// Where the next run begins, kept between runs.
pub trait Bookmark {
    /// What was kept last.
    fn load(&self) -> impl Future<Output = Result<Option<String>, Failure>>;

    /// Keeps `position`; with `None`, the next run begins from the start.
    fn keep(&self, position: Option<&str>) -> impl Future<Output = Result<(), Failure>>;
}

/// Cleans up from where the last run ended, until everything is done or the deadline is over.
///
/// # Errors
/// A listing failed, or the bookmark. What was done is done.
pub async fn run<P: Ports>(
    service: &Service<P>,
    bookmark: &impl Bookmark,
    deadline: Timestamp,
) -> Result<Report, Failure> {
    let position: Option<Position> = match bookmark.load().await? {
        // One of another version means that the run starts over, which costs time and nothing else.
        Some(text) => serde_json::from_str(&text).ok(),
        None => None,
    };
    let report = cleanup(service, Limits { deadline, any_age: false }, position).await?;
    let resume = report.resume.as_ref().and_then(|position| serde_json::to_string(position).ok());
    bookmark.keep(resume.as_deref()).await?;
    let (examined, deleted, completed, failed, bytes) =
        (report.examined, report.deleted, report.completed, report.failed, report.bytes);
    let is_complete = report.resume.is_none();
    tracing::info!(examined, deleted, completed, failed, bytes, is_complete, "cleaned up");
    Ok(report)
}
