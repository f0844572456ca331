//! `credlink migrate`: a job from its dry run to the clean-up of its source.
//!
//! | to find | look in |
//! |---|---|
//! | what a job works with | [`open`] |
//! | serving beside a source | [`catalogue`] |
//! | what forgets a job | [`remove`] |
//! | what happens to proofs | [`copy`]: plan, run · [`check`]: verify · [`undo`]: cleanup, rollback · [`queue`]: a run over SQS, redrive |
//! | what is printed | [`progress_bar`] while it runs, [`tell`] at the end |
//! | what cannot be undone | [`confirm`] |

mod catalogue;
mod check;
mod confirm;
mod copy;
mod open;
mod progress_bar;
mod queue;
mod remove;
mod tell;
mod unbegun;
mod undo;

use std::future::{Future, pending};

use credlink_migrate::error::RunError;
use credlink_ports::{Failure, FailureKind};
use tokio::runtime::Builder;

use progress_bar::Bar;

use crate::args::Connection;
use crate::args::migrate::{Action, Migrate};
use crate::error::{Kind, Trouble};
use crate::exit::Exit;
use crate::logs;
use crate::printer::Printer;
use crate::serve::told_to_stop;

/// The stack of a thread, in bytes: without optimisation, a call of an SDK takes more than the usual 2 MB.
const STACK_BYTES: usize = 16_777_216;

/// Does what was typed.
pub fn migrate(connection: &Connection, args: Migrate, printer: &Printer) -> Result<Exit, Trouble> {
    logs::for_a_command();
    let runtime = Builder::new_multi_thread().thread_stack_size(STACK_BYTES).enable_all().build();
    let runtime = runtime.map_err(|error| Trouble::new(Kind::Job, error))?;
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
    // On a thread with the stack above: the caller's has what the system gave it.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, || runtime.block_on(work()));
        let thread = thread.map_err(|error| Trouble::new(Kind::Job, error))?;
        thread
            .join()
            .unwrap_or_else(|_| Err(Trouble::new(Kind::Job, "it panicked; the same command goes on")))
    })
}

/// Does `work` until it is done. The first signal asks it to end, the second ends the program: the ledger holds what
/// is needed to go on.
async fn until_told<R>(bar: &Bar, work: impl Future<Output = R>) -> Result<R, Trouble> {
    let first = told_to_stop().map_err(|error| Trouble::new(Kind::Job, error))?;
    let signals = async {
        first.await;
        bar.cancel();
        // Where it cannot be had, what is in flight is waited for.
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

/// A run of a job that ended before its end.
fn ended(error: RunError) -> Trouble {
    match error {
        RunError::Held(_)
        | RunError::Differs { .. }
        | RunError::Unknown(_)
        | RunError::Removing(_)
        | RunError::Lost(_) => Trouble::new(Kind::Job, error),
        RunError::Ended { ref failure, .. } => Trouble::new(kind_of(failure), error),
    }
}

/// What has no job ended before its end: there is nothing to resume.
fn ended_without_a_job(error: RunError) -> Trouble {
    match error {
        RunError::Ended { failure, .. } => {
            Trouble::new(kind_of(&failure), format!("it was ended: {failure}"))
        }
        error => ended(error),
    }
}

/// The kind of trouble that a failure is: one side does not allow it, or does not work.
const fn kind_of(failure: &Failure) -> Kind {
    match failure.kind {
        FailureKind::AccessDenied => Kind::Refused,
        _ => Kind::Provider,
    }
}
