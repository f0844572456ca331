//! The actions that delete: cleanup at the source, rollback at the destination.

use std::time::Duration;

use credlink_deployment::migration::destination::Making;
use credlink_migrate::cleanup::{CleanupOptions, cleanup as clean_up};
use credlink_migrate::rollback::{RollbackOptions, rollback as roll_back};
use credlink_ports::Clock as _;
use credlink_runtime::clock::SystemClock;

use super::confirm::confirm;
use super::open::{self, Parts};
use super::progress_bar::Bar;
use super::{ended, tell, until_told};
use crate::args::Connection;
use crate::args::migrate::{Cleanup, Confirm, JobArgs};
use crate::commands::figures::time;
use crate::error::Trouble;
use crate::exit::Exit;
use crate::printer::Printer;

/// Deletes from the source what was verified long enough ago.
pub(super) async fn cleanup(
    connection: &Connection,
    args: &JobArgs,
    cleanup: &Cleanup,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let (ledger, job) = open::begun(args).await?;
    open::refuse_dump(&job.from)?;
    let what = format!(
        "What was verified at least {} ago is deleted from {}, for good: this cannot be undone.",
        age(cleanup.keep),
        job.from
    );
    confirm(&job.name, cleanup.confirm.confirm.as_ref(), &what)?;
    let parts = Parts::open(connection, args, &(&job).into(), Making::Refused, ledger).await?;
    let bar = Bar::new(printer.is_json());
    let options = CleanupOptions {
        keep_seconds: cleanup.keep.as_secs(),
        concurrency: args.concurrency.into(),
        ..CleanupOptions::default()
    };
    let holder = SystemClock.request_id();
    let ports = parts.ports();
    let work = clean_up(&ports, &job.name, &options, &holder, &bar);
    let done = until_told(&bar, work).await?.map_err(ended)?;
    tell::cleanup(&job, &done, printer)?;
    Ok(match (done.interrupted, done.unsafe_now) {
        (true, _) => Exit::Interrupted,
        (false, 0) => Exit::Done,
        (false, _) => Exit::NotWell,
    })
}

/// Deletes from the destination what the job made and nobody has changed since.
pub(super) async fn rollback(
    connection: &Connection,
    args: &JobArgs,
    typed: &Confirm,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let (ledger, job) = open::begun(args).await?;
    let what = format!(
        "Everything that this job made and nobody has changed since is deleted from {}; another run of the job \
         brings it back.",
        job.to
    );
    confirm(&job.name, typed.confirm.as_ref(), &what)?;
    let parts = Parts::open_at_store(connection, args, &(&job).into(), Making::Refused, ledger).await?;
    let bar = Bar::new(printer.is_json());
    let options = RollbackOptions { concurrency: args.concurrency.into(), ..RollbackOptions::default() };
    let holder = SystemClock.request_id();
    let ports = parts.ports();
    let work = roll_back(&ports, &job.name, &options, &holder, &bar);
    let done = until_told(&bar, work).await?;
    let finished = parts.destination.finish().await;
    let done = done.map_err(ended)?;
    finished.map_err(open::failed)?;
    tell::rollback(&job, &done, printer)?;
    Ok(match (done.interrupted, done.failed + done.unfinished) {
        (true, _) => Exit::Interrupted,
        (false, 0) => Exit::Done,
        (false, _) => Exit::NotWell,
    })
}

/// Formats a time, in days if it is a whole number of them.
fn age(time_to_keep: Duration) -> String {
    match time_to_keep.as_secs() {
        seconds if seconds >= 86_400 && seconds % 86_400 == 0 => format!("{} days", seconds / 86_400),
        _ => time(time_to_keep.as_secs_f64()),
    }
}
