//! `migrate remove`: deletes the ledger of a job. The proofs stay.

use credlink_deployment::migration::ledger::AnyLedger;
use credlink_embedded::ledger::ledger_path;
use credlink_migrate::progress::Watch as _;
use credlink_migrate::removal::remove as remove_job;
use credlink_ports::migration::Ledger as _;
use credlink_ports::migration::jobs::RemovalOutcome;
use credlink_runtime::clock::SystemClock;
use serde_json::json;

use super::confirm::confirm;
use super::open::{self, Access, failed};
use super::progress_bar::Bar;
use super::until_told;
use crate::args::migrate::{JobArgs, Remove};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// Removes a job: deletes its ledger, and frees its name.
pub(super) async fn remove(args: &JobArgs, typed: &Remove, printer: &Printer) -> Result<Exit, Trouble> {
    let ledger = open::ledger(args, Access::Change).await?;
    // If there is no job, an interrupted removal of a job with this name may have left something behind.
    let job = ledger.job().await.map_err(failed)?;
    if let Some(job) = &job {
        open::check_locations(args, job)?;
        let what = format!(
            "The ledger of this job is deleted: what the job made at {} can no longer be rolled back, and {} can no \
             longer be cleaned up. The proofs stay in both.",
            job.to, job.from
        );
        confirm(&job.name, typed.confirm.confirm.as_ref(), &what)?;
    }
    let name = &args.job;
    let bar = Bar::new(printer.is_json());
    let work = remove_job(&ledger, &SystemClock, typed.abandon, || !bar.is_cancelled());
    let removed = until_told(&bar, work).await?.map_err(failed)?;
    match removed {
        RemovalOutcome::Done => {}
        RemovalOutcome::Partly(entries) => {
            let words = || format!("{}: {entries} entries are removed; the same command goes on", name);
            printer.say(words, &json!({ "job": name, "removed": false, "entries": entries }))?;
            return Ok(Exit::Interrupted);
        }
        RemovalOutcome::Absent => {
            return Err(Trouble::new(TroubleKind::Job, format!("there is no job `{}`", name)));
        }
        RemovalOutcome::Held => {
            let detail = format!("a run has the job `{}`; wait for it, or stop it", name);
            return Err(Trouble::new(TroubleKind::Job, detail));
        }
        RemovalOutcome::Unfinished(why) => {
            let detail = format!("the job `{}` is not over: {why}; --abandon removes it all the same", name);
            return Err(Trouble::new(TroubleKind::Job, detail));
        }
    }
    if let AnyLedger::File(ledger) = ledger {
        let path = ledger_path(&args.jobs_dir, name);
        // While the ledger is open, no other run can begin a job of this name in it. Windows does not remove an open
        // file.
        let held = cfg!(unix).then_some(ledger);
        std::fs::remove_file(&path).map_err(|error| Trouble::file(&path, "removed", &error))?;
        drop(held);
    }
    let words = || format!("{}: removed; its name is free again, and proofs stay as they are", name);
    printer.say(words, &json!({ "job": name, "removed": true }))?;
    Ok(Exit::Done)
}
