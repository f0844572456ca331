//! Background tasks of the server: counting, cleaning up and announcing changes to the edge.

use std::sync::Arc;
use std::time::Duration;

use credlink_core::time::Timestamp;
use credlink_deployment::deployment::Deployment;
use credlink_hybrid::records::Report;
use credlink_metrics::prometheus::Prometheus;
use credlink_ports::Clock as _;
use credlink_runtime::clock::SystemClock;
use credlink_service::cleanup::{Limits, Position};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::finalising::{Arrivals, finalise};

/// Interval at which read counts are written and measurements are collected.
const FLUSH: Duration = Duration::from_secs(5);
/// Interval at which the store's mark advances, and index, store and clock are checked. If an index is restored from a
/// backup after a crash, what was committed within this interval before the crash is not known to be missing from it.
const GUARD: Duration = Duration::from_secs(5);
/// Interval at which announcements to the edge that failed are made again.
const ANNOUNCE: Duration = Duration::from_secs(5);
/// Interval at which the queue is polled for writes that a provider missed.
const REPAIR: Duration = Duration::from_secs(5);
/// Interval at which the legacy source is searched for new records.
const WALK: Duration = Duration::from_secs(600);
/// Pause after a failure.
const WALK_AGAIN: Duration = Duration::from_secs(5);
/// Pause while the guard does not permit a walk to do anything.
const STOPPED: Duration = Duration::from_secs(60);
/// Interval at which requested legacy records are imported.
const IMPORT: Duration = Duration::from_millis(200);
/// Interval at which due work is done: interrupted changes are finished, and proofs whose retention is over are
/// removed. It is done for the first time at the start.
const DUE: Duration = Duration::from_secs(60);
/// Pause between two walks over all objects.
const OBJECTS: Duration = Duration::from_secs(86_400);
/// Pause before the first walk over all objects, so that requests that waited for the start are answered first.
const FIRST_OBJECTS: Duration = Duration::from_secs(60);
/// Pause between the first walk and the next, which finds the objects that were too young for the first.
const FIRST_AGAIN: Duration = Duration::from_secs(1_200);
/// The bookmark of the instant until which every record has its row.
pub const CLEAN: &str = "clean";
/// Interval at which dead letters, the repairs that failed too often, are retried.
const PUT_BACK: Duration = Duration::from_secs(3_600);
/// Maximum time of one step of a cleanup, in seconds. The next step begins at once, where this one ended.
const CLEANUP_STEP_SECONDS: u64 = 60;

/// Starts the tasks that run as long as the server. They may be interrupted at any moment.
pub fn start(deployment: &Arc<Deployment>, metrics: &Prometheus, arrivals: &Arc<Arrivals>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(flush(Arc::clone(deployment)));
    tasks.spawn(deal_with_what_is_due(Arc::clone(deployment)));
    tasks.spawn(walk_over_objects(Arc::clone(deployment)));
    tasks.spawn(put_back(Arc::clone(deployment)));
    tasks.spawn(repair(Arc::clone(deployment)));
    tasks.spawn(announce(Arc::clone(deployment)));
    tasks.spawn(guard(Arc::clone(deployment)));
    tasks.spawn(take_in(metrics.clone()));
    if deployment.files().is_some() {
        tasks.spawn(finalise(Arc::clone(deployment), Arc::clone(arrivals)));
    }
    if deployment.legacy().is_some() {
        tasks.spawn(walk(Arc::clone(deployment)));
        tasks.spawn(import(Arc::clone(deployment)));
    }
    tasks
}

async fn flush(deployment: Arc<Deployment>) {
    let mut times = interval(FLUSH);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        if let Err(failure) = deployment.service().flush_reads().await {
            tracing::warn!(reason = %failure, "read counts were not written; they are kept for the next time");
        }
    }
}

/// Advances the store's mark behind the commits, and checks that index, store and clock fit together.
async fn guard(deployment: Arc<Deployment>) {
    let mut times = interval(GUARD);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        if let Err(failure) = deployment.service().tick().await {
            tracing::warn!(reason = %failure, "the store's mark did not advance; the next tick tries again");
        }
        deployment.service().standing().await;
    }
}

/// Announces to the edge the changes that could not be announced when they were made.
async fn announce(deployment: Arc<Deployment>) {
    let mut times = interval(ANNOUNCE);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        deployment.service().announce().await;
    }
}

/// Makes the writes that providers missed, and reports how many are left.
async fn repair(deployment: Arc<Deployment>) {
    let mut times = interval(REPAIR);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        match deployment.drain().await {
            Ok(report) if report.received > 0 => {
                let (received, done, left) = (report.received, report.done, report.left);
                tracing::info!(received, done, left, "repaired what a provider missed");
            }
            Ok(_) => {}
            Err(failure) => tracing::warn!(reason = %failure, "the queue failed; it is asked again"),
        }
        // The depth is only a metric, and the failure of the queue is in the log already.
        let _ = deployment.depth().await;
    }
}

/// Walks over the legacy source, and again for new records.
async fn walk(deployment: Arc<Deployment>) {
    let Some(legacy) = deployment.legacy() else { return };
    loop {
        match legacy.walk().await {
            Ok(items) => {
                tracing::info!(items, "the legacy source was looked through");
                sleep(WALK).await;
            }
            Err(failure) => {
                tracing::warn!(reason = %failure, "the legacy source failed; it is looked through again");
                sleep(WALK_AGAIN).await;
            }
        }
    }
}

/// Imports the records that were requested and are in the legacy source.
async fn import(deployment: Arc<Deployment>) {
    let Some(legacy) = deployment.legacy() else { return };
    let mut times = interval(IMPORT);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        let report = legacy.import_requested(deployment.service()).await;
        if report != Report::default() {
            let (taken_over, failed) = (report.imported, report.failed);
            tracing::info!(taken_over, failed, "imported legacy records that were requested");
        }
    }
}

async fn take_in(metrics: Prometheus) {
    let mut times = interval(FLUSH);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        metrics.take_in();
    }
}

/// Does due work at every interval. The first time is at once, for what a crash left behind.
async fn deal_with_what_is_due(deployment: Arc<Deployment>) {
    let mut times = interval(DUE);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        clean_up(&deployment, false, None).await;
    }
}

/// Walks over all objects once a day.
async fn walk_over_objects(deployment: Arc<Deployment>) {
    sleep(FIRST_OBJECTS).await;
    let mut pause = FIRST_AGAIN;
    loop {
        let began = SystemClock.now();
        let (mut position, mut is_sound) = clean_up(&deployment, true, None).await;
        while position.is_some() {
            let step = clean_up(&deployment, true, position).await;
            (position, is_sound) = (step.0, is_sound && step.1);
        }
        if is_sound {
            deployment.service().note_walk(began);
            keep_clean(&deployment, deployment.service().clean_until()).await;
        }
        sleep(pause).await;
        pause = OBJECTS;
    }
}

/// Records for the next server the instant until which every record has its row. A failure only costs that server some
/// lookups in the index. If other machines share the index, nobody reads the instant, and it is not recorded.
pub(super) async fn keep_clean(deployment: &Deployment, clean: Option<Timestamp>) {
    let Some(clean) = clean.filter(|_| deployment.service().settings().notice_on_read) else { return };
    if let Err(failure) = deployment.rows().keep_bookmark(CLEAN, Some(&clean.to_string())).await {
        tracing::debug!(reason = %failure, "until when all is clean was not kept");
    }
}

/// Passes to the service what [`keep_clean`] recorded.
pub(super) async fn begin(deployment: &Deployment) {
    if !deployment.service().settings().notice_on_read {
        return;
    }
    let kept = deployment.rows().bookmark(CLEAN).await.ok().flatten();
    if let Err(failure) = deployment.service().begin_after(kept.and_then(|text| text.parse().ok())).await {
        tracing::warn!(reason = %failure, "reads look at the index too, as any record may be left over");
    }
}

/// Does one step of a cleanup. Returns the position at which the walk continues, and `true` if everything could be
/// looked at.
async fn clean_up(
    deployment: &Deployment,
    walk: bool,
    position: Option<Position>,
) -> (Option<Position>, bool) {
    let limits = Limits { walk, ..Limits::until(SystemClock.now().plus_seconds(CLEANUP_STEP_SECONDS)) };
    let (report, interrupted) = match deployment.clean_up(limits, position).await {
        Ok(report) => (report, None),
        Err(interrupted) => (interrupted.report, Some(interrupted.failure)),
    };
    let is_interrupted = interrupted.is_some();
    if let Some(failure) = interrupted {
        tracing::warn!(reason = %failure, "the cleanup ended early; the next goes on");
        sleep(WALK_AGAIN).await;
    }
    if walk && report.stopped.is_some() && report.examined == 0 {
        // The guard permits no writes, so the next step would be the same.
        sleep(STOPPED).await;
    }
    let (examined, deleted) = (report.examined, report.deleted);
    let (completed, failed, bytes) = (report.completed, report.failed, report.bytes);
    match &report.stopped {
        Some(reason) if walk => tracing::warn!(examined, deleted, reason, "the cleanup is stopped"),
        Some(_) => {}
        // Most of the time nothing is due, and nothing is logged.
        None if walk || examined > 0 => {
            tracing::info!(examined, deleted, completed, failed, bytes, "cleaned up");
        }
        None => {}
    }
    (report.resume, report.failed == 0 && report.stopped.is_none() && !is_interrupted)
}

/// Retries the repairs that failed too often.
async fn put_back(deployment: Arc<Deployment>) {
    sleep(FIRST_OBJECTS).await;
    loop {
        match deployment.put_back().await {
            Ok(0) => {}
            Ok(messages) => tracing::warn!(messages, "repairs that failed too often are tried again"),
            Err(failure) => tracing::warn!(reason = %failure, "the queue failed; it is asked again"),
        }
        sleep(PUT_BACK).await;
    }
}
