//! The task that makes files of uploads as they arrive, and that deals with uploads and files as they become due.

use std::future::ready;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use credlink_core::file::UploadId;
use credlink_deployment::deployment::Deployment;
use credlink_files::stock::{Fate, Remains};
use credlink_files::{Notices, Noticing, Others};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Interval at which due uploads and files are dealt with.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Interval at which the server takes stock of the folders of uploads. The first time is at the start.
const STOCK_INTERVAL: Duration = Duration::from_secs(86_400);

/// The pauses before further attempts at an upload for which something failed. A scanner or a disk may be back by then.
const RETRY_PAUSES: [Duration; 3] =
    [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(120)];

/// The most uploads that are finalised at once as they arrive, because each is in memory as a whole. One that failed before, and
/// one that is due, may be besides.
const MAX_AT_ONCE: usize = 4;

/// The queue of uploads that wait for a finaliser. It may be lost, because the rows of the uploads tell the same.
#[derive(Debug)]
pub struct Arrivals {
    arrived: UnboundedSender<UploadId>,
    waiting: Mutex<Option<UnboundedReceiver<UploadId>>>,
}

impl Default for Arrivals {
    fn default() -> Self {
        let (arrived, waiting) = unbounded_channel();
        Self { arrived, waiting: Mutex::new(Some(waiting)) }
    }
}

impl Notices for Arrivals {
    fn arrived(&self, upload: UploadId) -> Noticing<'_> {
        // Nobody listens when the server ends. The next one finds the upload by its row.
        let _ = self.arrived.send(upload);
        Box::pin(ready(()))
    }
}

/// Finalises uploads for as long as the server runs, beginning with those that the last server was working on. What arrives, what
/// is due and the stock do not wait for each other.
pub async fn finalise(deployment: Arc<Deployment>, arrivals: Arc<Arrivals>) {
    let waiting = arrivals.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(waiting) = waiting else { return };
    sweep(&deployment, Others::None).await;
    tokio::select! {
        () = finalise_arrivals(&deployment, waiting) => {}
        () = sweep_for_ever(&deployment) => {}
        () = take_stock_for_ever(&deployment) => {}
    }
}

/// Finalises what arrives, a few uploads at once.
async fn finalise_arrivals(deployment: &Arc<Deployment>, mut waiting: UnboundedReceiver<UploadId>) {
    let most = available_parallelism().map_or(1, std::num::NonZero::get).min(MAX_AT_ONCE);
    let turns = Arc::new(Semaphore::new(most));
    // What fails again may take long, as a signer that does not answer: it takes no turn of what arrives.
    let second_turns = Arc::new(Semaphore::new(1));
    let mut work = JoinSet::new();
    while let Some(upload) = waiting.recv().await {
        // The semaphore is never closed.
        let turn = Arc::clone(&turns).acquire_owned().await;
        let (deployment, second_turns) = (Arc::clone(deployment), Arc::clone(&second_turns));
        work.spawn(async move {
            let is_done = finalise_one(&deployment, upload).await;
            drop(turn);
            if !is_done {
                try_again(&deployment, upload, &second_turns).await;
            }
        });
        while work.try_join_next().is_some() {}
    }
}

async fn sweep_for_ever(deployment: &Deployment) {
    let mut sweeps = interval(SWEEP_INTERVAL);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        sweeps.tick().await;
        sweep(deployment, Others::Possible).await;
    }
}

async fn take_stock_for_ever(deployment: &Deployment) {
    let mut stocks = interval(STOCK_INTERVAL);
    stocks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        stocks.tick().await;
        take_stock(deployment).await;
    }
}

/// Finalises an upload. Returns `true` if nothing failed.
async fn finalise_one(deployment: &Deployment, upload: UploadId) -> bool {
    let Some(files) = deployment.files() else { return true };
    let done = files.finalise(deployment.service(), &upload, Others::Possible).await;
    if let Err(error) = &done {
        tracing::warn!(%upload, reason = %error, "an upload is not a file yet; it is tried again");
    }
    deployment.service().announce().await;
    done.is_ok()
}

/// Tries again to finalise an upload for which something failed, after growing pauses. After the last failure, the upload is left
/// to the sweeper, which comes when its row is due.
async fn try_again(deployment: &Deployment, upload: UploadId, turns: &Semaphore) {
    for pause in RETRY_PAUSES {
        sleep(pause).await;
        let _turn = turns.acquire().await;
        if finalise_one(deployment, upload).await {
            return;
        }
    }
}

/// Deals with the uploads and files that are due.
async fn sweep(deployment: &Deployment, others: Others) {
    let Some(files) = deployment.files() else { return };
    match files.sweep(deployment.service(), others).await {
        Ok(swept) if swept.done + swept.failed > 0 => {
            tracing::info!(done = swept.done, failed = swept.failed, "dealt with due uploads and files");
        }
        Ok(_) => {}
        Err(failure) => {
            tracing::warn!(reason = %failure, "the index failed; due uploads are looked at again")
        }
    }
}

/// Takes stock of the folders of uploads. An upload that is whole is received, if the last server ended before it had noted that,
/// and bytes that no upload needs are removed.
async fn take_stock(deployment: &Deployment) {
    let Some(files) = deployment.files() else { return };
    let Some(folder) = files.quarantine().folder() else { return };
    let quarantine = folder.clone();
    let remains = match spawn_blocking(move || quarantine.remains()).await.unwrap_or_else(cut_off) {
        Ok(remains) => remains,
        Err(error) => {
            tracing::warn!(reason = %error, "the folder of uploads cannot be read; it is tried again tomorrow");
            return;
        }
    };
    for (tenant, upload, changed) in remains {
        let remains = Remains { tenant, upload, changed };
        match files.take_stock(deployment.service(), &remains).await {
            Ok(Fate::Ownerless) => {
                let quarantine = folder.clone();
                let removed = spawn_blocking(move || quarantine.remove_ownerless(&remains.tenant, &upload));
                match removed.await.unwrap_or_else(cut_off) {
                    Ok(()) => tracing::info!(%upload, "bytes of no upload were removed"),
                    Err(error) => {
                        tracing::warn!(%upload, reason = %error, "bytes of no upload are left where they are");
                    }
                }
            }
            Ok(Fate::Received) => tracing::info!(%upload, "an upload was whole, and is received now"),
            Ok(Fate::Removed) => tracing::info!(%upload, "bytes of an upload that has ended were removed"),
            Ok(Fate::Kept) => {}
            Err(error) => tracing::warn!(%upload, reason = %error, "bytes of an upload are left as they are"),
        }
    }
    deployment.service().announce().await;
}

/// Returns the failure of file operations on another thread that was cut off.
fn cut_off<T>(error: JoinError) -> io::Result<T> {
    Err(io::Error::other(error))
}
