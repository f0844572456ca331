//! A run of the schedule: expired proofs, orphans, uploads that never ended, and the sums.
//!
//! A function has minutes, a store may have millions of objects. Where a run ends, the next begins: bookmarks in the index
//! say where.

use credlink_adapters::clock::SystemClock;
use credlink_adapters::deployment::Deployment;
use credlink_core::time::Timestamp;
use credlink_service::cleanup::{Limits, Position, Report, cleanup};
use credlink_service::ports::{Clock as _, Failure};
use serde::Serialize;

/// The bookmark of the cleanup.
const CLEANUP: &str = "cleanup";
/// The bookmark of the recount.
const RECOUNT: &str = "recount";

/// An upload that was begun longer ago, in milliseconds, will never end: a day.
const STALE: i64 = 86_400_000;

/// What a run did.
#[derive(Debug, Serialize)]
pub struct Done {
    /// Proofs, manifests and orphans.
    #[serde(flatten)]
    pub cleanup: Report,
    /// Uploads that were aborted.
    pub aborted_uploads: u64,
    /// Whether the sums over all rows were set right in this run; `None`: the run had no time to count.
    pub recounted: Option<bool>,
}

/// Does what it can until `deadline`.
///
/// # Errors
/// A listing failed, a provider or the index. What was done is done; the next run goes on.
pub async fn run(deployment: &Deployment, deadline: Timestamp) -> Result<Done, Failure> {
    let rows = deployment.rows();
    // A bookmark of another version means that the run starts over, which costs time and nothing else.
    let position: Option<Position> =
        rows.bookmark(CLEANUP).await?.and_then(|text| serde_json::from_str(&text).ok());
    let report = cleanup(deployment.service(), Limits::until(deadline), position).await?;
    let resume = report.resume.as_ref().and_then(|position| serde_json::to_string(position).ok());
    rows.keep_bookmark(CLEANUP, resume.as_deref()).await?;
    // Also what functions have committed that ended before their turn; and the last instant that was seen.
    if let Err(failure) = deployment.service().tick_for_all().await {
        tracing::warn!(reason = %failure, "the store's mark did not go up; the next run does it");
    }
    let left = deadline.milliseconds().saturating_sub(SystemClock.now().milliseconds());
    let recounted = match u64::try_from(left) {
        Ok(left @ 1..) => Some(recount(deployment, left).await?),
        _ => None,
    };
    // In the end, as it is short: a provider that is out of reach stops nothing else.
    let stale = Timestamp::from_milliseconds(SystemClock.now().milliseconds().saturating_sub(STALE));
    // By a clock that jumped, every upload is stale.
    let aborted_uploads = match deployment.service().may_destroy().await {
        Ok(()) => deployment.abort_uploads(stale).await?,
        Err(_) => 0,
    };
    let (examined, deleted, completed) = (report.examined, report.deleted, report.completed);
    let (failed, bytes, is_complete) = (report.failed, report.bytes, report.resume.is_none());
    if let Some(reason) = &report.stopped {
        tracing::error!(reason, "the cleanup is stopped");
    }
    tracing::info!(
        examined,
        deleted,
        completed,
        failed,
        bytes,
        is_complete,
        aborted_uploads,
        recounted,
        "cleaned up"
    );
    Ok(Done { cleanup: report, aborted_uploads, recounted })
}

/// Counts all rows, from where the last run ended. Whether it got to the end.
async fn recount(deployment: &Deployment, milliseconds: u64) -> Result<bool, Failure> {
    let rows = deployment.rows();
    let resume = rows.bookmark(RECOUNT).await?;
    let resume = rows.recount(resume.as_deref(), milliseconds).await?;
    rows.keep_bookmark(RECOUNT, resume.as_deref()).await?;
    Ok(resume.is_none())
}
