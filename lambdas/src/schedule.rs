//! A scheduled run: it does the due work, of proofs and of files, and once a week walks over all objects, aborts stale
//! uploads and recounts the sums.
//!
//! Every run does the due work, within minutes. A function has only minutes, while a store may have millions of
//! objects: a walk or recount that is cut off is continued by the next run, from bookmarks in the index.

use credlink_core::time::Timestamp;
use credlink_deployment::deployment::Deployment;
use credlink_files::Others;
use credlink_files::sweeper::Swept;
use credlink_ports::{Clock as _, Failure};
use credlink_runtime::clock::SystemClock;
use credlink_service::cleanup::{Limits, Position, Report};
use serde::Serialize;

/// The bookmark of the cleanup.
const CLEANUP: &str = "cleanup";
/// The bookmark that records when the last walk was completed.
const WALKED: &str = "walked";
/// The bookmark of the recount.
const RECOUNT: &str = "recount";

/// Time from the end of a walk to the start of the next one, in seconds: a week. A walk over twelve million objects
/// costs about $7.
const WALK_AGAIN: u64 = 604_800;

/// Largest lead that is tolerated in the clock of the machine that completed a walk, in seconds: a minute.
const AHEAD: u64 = 60;

/// Age, in milliseconds, from which a multipart upload counts as abandoned: two days. Clients may send parts for one
/// ([`UPLOAD_SECONDS`](credlink_core::bounds::UPLOAD_SECONDS)).
const STALE: i64 = 172_800_000;

/// The results of a run.
#[derive(Debug, Serialize)]
pub struct Done {
    /// Results of the cleanup of proofs, manifests and orphans.
    #[serde(flatten)]
    pub cleanup: Report,
    /// Results of the sweep of uploads, files and blobs; `None` if the deployment keeps no files.
    pub files: Option<Swept>,
    /// Number of uploads that were aborted; `None` if the run did not look for any.
    pub aborted_uploads: Option<u64>,
    /// `Some(true)` if this run completed a recount and corrected the sums over all rows; `None` if it did not recount.
    pub recounted: Option<bool>,
}

/// Does as much of the work as it can until `deadline`.
///
/// # Errors
/// A listing, a provider or the index failed. Completed work stays completed; the next run continues.
pub async fn run(deployment: &Deployment, deadline: Timestamp) -> Result<Done, Failure> {
    let rows = deployment.rows();
    let files = sweep(deployment, deadline).await;
    // A bookmark of another version makes the walk start over, which costs only time.
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
    // This also covers commits of functions that ended before they could tick, and records the last instant seen.
    if let Err(failure) = deployment.service().tick_for_all().await {
        tracing::warn!(reason = %failure, "the store's mark did not advance; the next run tries again");
    }
    if let Some(failure) = interrupted {
        return Err(failure);
    }
    let files = files.transpose()?;
    let recounted = recount(deployment, deadline, is_walked).await?;
    // Uploads come last because this step is short: a provider that is out of reach then stops nothing else.
    let stale = Timestamp::from_milliseconds(SystemClock.now().milliseconds().saturating_sub(STALE));
    // After a jump of the clock, every upload would look stale.
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
    Ok(Done { cleanup: report, files, aborted_uploads, recounted })
}

/// Deals with the uploads, files and blobs that are due, for half of the time, because a walk takes all that it is given.
async fn sweep(deployment: &Deployment, deadline: Timestamp) -> Option<Result<Swept, Failure>> {
    let files = deployment.files()?;
    let now = SystemClock.now();
    let half = deadline.seconds().saturating_sub(now.seconds()) / 2;
    let swept = files.sweep_until(deployment.service(), Others::Possible, now.plus_seconds(half)).await;
    Some(swept)
}

/// Returns `true` if a walk is due, given the instant at which the last one was completed. An instant in the future
/// comes from a clock that was ahead, and is ignored.
fn is_due(walked: Option<&str>) -> bool {
    let now = SystemClock.now();
    let walked = walked.and_then(|text| text.parse::<Timestamp>().ok());
    walked.is_none_or(|walked| walked.plus_seconds(WALK_AGAIN) <= now || walked > now.plus_seconds(AHEAD))
}

/// Counts all rows after a walk, or continues an interrupted recount. Returns `Some(true)` if the recount was
/// completed, and `None` if there was none to begin.
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
    // The recount always runs at least for a moment: one for which a walk left no time would otherwise wait a week.
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
