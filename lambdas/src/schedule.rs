//! A run of the schedule: what is due, and once a week a walk over all objects, uploads that never ended, and the sums.
//!
//! Due work is done in every run, within minutes. A function has minutes, a store may have millions of objects: where
//! a walk or a recount is cut off, the next run goes on, and bookmarks in the index say where.

use credlink_core::time::Timestamp;
use credlink_deployment::deployment::Deployment;
use credlink_ports::{Clock as _, Failure};
use credlink_runtime::clock::SystemClock;
use credlink_service::cleanup::{Limits, Position, Report};
use serde::Serialize;

/// The bookmark of the cleanup.
const CLEANUP: &str = "cleanup";
/// The bookmark that says when a walk got to its end.
const WALKED: &str = "walked";
/// The bookmark of the recount.
const RECOUNT: &str = "recount";

/// Time from the end of a walk to the start of the next one, in seconds: a week. A walk over twelve million objects
/// costs about $7.
const WALK_AGAIN: u64 = 604_800;

/// Most that the clock of the machine that ended a walk may be ahead, in seconds: a minute.
const AHEAD: u64 = 60;

/// An upload that was begun longer ago, in milliseconds, will never end: a day.
const STALE: i64 = 86_400_000;

/// The results of a run.
#[derive(Debug, Serialize)]
pub struct Done {
    /// Results of the cleanup of proofs, manifests and orphans.
    #[serde(flatten)]
    pub cleanup: Report,
    /// Number of uploads that were aborted; `None` if none were looked for.
    pub aborted_uploads: Option<u64>,
    /// `Some(true)` if the sums over all rows were set right in this run; `None` if they were not counted in it.
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
    let walk = position.is_some() || is_due(rows.bookmark(WALKED).await?.as_deref());
    let limits = Limits { walk, ..Limits::until(deadline) };
    let (report, interrupted) = match deployment.clean_up(limits, position).await {
        Ok(report) => (report, None),
        Err(interrupted) => (interrupted.report, Some(interrupted.failure)),
    };
    let is_walked = walk && report.resume.is_none();
    if walk {
        let resume = report.resume.as_ref().and_then(|position| serde_json::to_string(position).ok());
        rows.keep_bookmark(CLEANUP, resume.as_deref()).await?;
    }
    if is_walked {
        rows.keep_bookmark(WALKED, Some(&SystemClock.now().to_string())).await?;
    }
    // Also what functions have committed that ended before their turn; and the last instant that was seen.
    if let Err(failure) = deployment.service().tick_for_all().await {
        tracing::warn!(reason = %failure, "the store's mark did not go up; the next run does it");
    }
    if let Some(failure) = interrupted {
        return Err(failure);
    }
    let recounted = recount(deployment, deadline, is_walked).await?;
    // In the end, as it is short: a provider that is out of reach stops nothing else.
    let stale = Timestamp::from_milliseconds(SystemClock.now().milliseconds().saturating_sub(STALE));
    // By a clock that jumped, every upload is stale.
    let aborted_uploads = match deployment.service().may_destroy().await {
        Ok(()) if is_walked => Some(deployment.abort_uploads(stale).await?),
        Ok(()) | Err(_) => None,
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

/// Returns `true` if a walk is due, given the instant at which the last one got to its end. An instant that is still to
/// come is of a clock that was ahead, and says nothing.
fn is_due(walked: Option<&str>) -> bool {
    let now = SystemClock.now();
    let walked = walked.and_then(|text| text.parse::<Timestamp>().ok());
    walked.is_none_or(|walked| walked.plus_seconds(WALK_AGAIN) <= now || walked > now.plus_seconds(AHEAD))
}

/// Counts all rows after a walk, or from where the last run ended. Returns `Some(true)` if it got to the end, and
/// `None` if it was not begun.
async fn recount(
    deployment: &Deployment,
    deadline: Timestamp,
    is_walked: bool,
) -> Result<Option<bool>, Failure> {
    let rows = deployment.rows();
    let resume = rows.bookmark(RECOUNT).await?;
    if resume.is_none() && !is_walked {
        return Ok(None);
    }
    let left = deadline.milliseconds().saturating_sub(SystemClock.now().milliseconds());
    // At least for a moment, or a recount that a walk left no time for would not come for a week.
    let left = u64::try_from(left).unwrap_or(0).max(1);
    let resume = rows.recount(resume.as_deref(), left).await?;
    rows.keep_bookmark(RECOUNT, resume.as_deref()).await?;
    Ok(Some(resume.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_is_due_once_a_week() {
        let now = SystemClock.now();
        assert!(is_due(None) && is_due(Some("no instant")));
        assert!(is_due(Some(&now.minus_seconds(WALK_AGAIN).to_string())));
        assert!(!is_due(Some(&now.minus_seconds(WALK_AGAIN - 60).to_string())));
        assert!(!is_due(Some(&now.plus_seconds(10).to_string())));
        assert!(is_due(Some(&now.plus_seconds(86_400).to_string())), "a clock was ahead");
    }
}
