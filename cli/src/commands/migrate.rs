//! `credlink migrate`: a job from its dry run to the cleanup of its source.
//!
//! | to find | look in |
//! |---|---|
//! | the source, the destination and the ledger of a job | [`open`] |
//! | serving beside a source | [`catalogue`] |
//! | removing a job | [`remove`] |
//! | the actions on proofs | [`copy`]: plan, run · [`check`]: verify · [`undo`]: cleanup, rollback · [`queue`]: a run over SQS, redrive |
//! | the output | [`progress_bar`] while a job runs, [`tell`] at the end |
//! | the confirmation of actions that cannot be undone | [`confirm`] |

mod catalogue;
mod check;
mod confirm;
mod copy;
mod not_begun;
mod open;
mod progress_bar;
mod queue;
mod remove;
mod tell;
mod undo;

use std::future::{Future, pending};

use credlink_migrate::error::RunError;
use credlink_ports::{Failure, FailureKind};
use tokio::runtime::Builder;

use progress_bar::Bar;

use crate::args::Connection;
use crate::args::migrate::{Action, Migrate};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::logs;
use crate::printer::Printer;
use crate::serve::told_to_stop;

/// The stack of a thread, in bytes. Without optimisation, an SDK call takes more than the usual 2 MB.
const STACK_BYTES: usize = 16_777_216;

/// Runs the action that was typed.
pub fn migrate(connection: &Connection, args: Migrate, printer: &Printer) -> Result<Exit, Trouble> {
    logs::for_a_command();
    let runtime = Builder::new_multi_thread().thread_stack_size(STACK_BYTES).enable_all().build();
    let runtime = runtime.map_err(|error| Trouble::new(TroubleKind::Job, error))?;
    let work = || async {
        let Migrate { action, job } = &args;
        match action {
            Action::Plan => copy::plan(connection, job, printer).await,
            Action::Run(run) if job.queue.is_some() => queue::run(connection, job, run, printer).await,
            Action::Run(run) => copy::run(connection, job, run, printer).await,
            Action::Verify(verify) => check::verify(connection, job, verify, printer).await,
            Action::Catalogue => catalogue::catalogue(connection, job, printer).await,
            Action::Status => tell::status(job, printer).await,
            Action::Report => tell::report(job, printer).await,
            Action::Cleanup(cleanup) => undo::cleanup(connection, job, cleanup, printer).await,
            Action::Rollback(confirm) => undo::rollback(connection, job, confirm, printer).await,
            Action::Redrive(redrive) => queue::redrive(job, redrive, printer).await,
            Action::Remove(remove) => remove::remove(job, remove, printer).await,
        }
    };
    // The work runs on a thread with the stack above, because the caller's stack has the size that the system gave it.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, || runtime.block_on(work()));
        let thread = thread.map_err(|error| Trouble::new(TroubleKind::Job, error))?;
        thread
            .join()
            .unwrap_or_else(|_| Err(Trouble::new(TroubleKind::Job, "it panicked; the same command goes on")))
    })
}

/// Runs `work` to its end. The first signal asks it to end early, and the second ends the program. The ledger holds
/// what is needed to continue.
async fn until_told<R>(bar: &Bar, work: impl Future<Output = R>) -> Result<R, Trouble> {
    let first = told_to_stop().map_err(|error| Trouble::new(TroubleKind::Job, error))?;
    let signals = async {
        first.await;
        bar.cancel();
        // Without a second signal handler, the program waits for what is in flight.
        if let Ok(second) = told_to_stop() {
            second.await;
            bar.end();
            std::process::exit(Exit::Interrupted.code().into());
        }
        pending().await
    };
    let done = tokio::select! {
        done = work => done,
        () = signals => pending().await,
    };
    bar.end();
    Ok(done)
}

/// Returns the problem of a job that ended early.
fn ended(error: RunError) -> Trouble {
    match error {
        RunError::Held(_)
        | RunError::Differs { .. }
        | RunError::Unknown(_)
        | RunError::Removing(_)
        | RunError::Lost(_) => Trouble::new(TroubleKind::Job, error),
        RunError::Ended { ref failure, .. } => Trouble::new(kind_of(failure), error),
    }
}

/// Returns the problem of an action without a job that ended early. There is nothing to resume.
fn ended_without_a_job(error: RunError) -> Trouble {
    match error {
        RunError::Ended { failure, .. } => {
            Trouble::new(kind_of(&failure), format!("it was ended: {failure}"))
        }
        error => ended(error),
    }
}

/// Returns the kind of problem that a failure is: one side does not permit the action, or it does not work.
const fn kind_of(failure: &Failure) -> TroubleKind {
    match failure.kind {
        FailureKind::AccessDenied => TroubleKind::Refused,
        _ => TroubleKind::Provider,
    }
}
