//! `credlink fsck`: checks every guarantee over a whole deployment.

use std::path::Path;

use credlink_deployment::configuration::{Configuration, IndexChoice};
use credlink_deployment::data_folder::NewIndex;
use credlink_deployment::deployment::Deployment;
use credlink_ports::Clock as _;
use credlink_runtime::clock::SystemClock;
use credlink_service::cleanup::{Limits, Report, Restored, bring_back, cleanup};
use credlink_service::fsck::{Finding, Manner, Severity, Summary, Surrounding, check};
use serde::Serialize;

use super::deployment;
use crate::args::Fsck;
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// A line of the output.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Line<'a> {
    Finding(&'a Finding),
    Repaired(&'a Report),
    Undone(&'a Restored),
    Summary(&'a Summary),
}

/// Seconds in a day. A repair that takes longer is begun again by the next call, which finds less to do.
const DAY: u64 = 86_400;

/// Checks the deployment, and repairs or restores objects if that was asked for.
pub fn fsck(args: &Fsck, printer: &Printer) -> Result<Exit, Trouble> {
    deployment::run(|| async {
        let surrounding = surrounding(&args.data_dir)?;
        let deployment = deployment::open(&args.data_dir, NewIndex::OverNothing).await?;
        let done = all(&deployment, surrounding, args, printer).await;
        deployment::close(&deployment).await;
        done
    })
}

/// Returns [`Surrounding::Alone`] if no other process can write meanwhile, as with an index in the folder,
/// which only one process can open.
fn surrounding(folder: &Path) -> Result<Surrounding, Trouble> {
    let configuration = Configuration::from_environment();
    let configuration = configuration.map_err(|error| Trouble::new(TroubleKind::Usage, error))?;
    match configuration.index {
        IndexChoice::DynamoDb(_) => Ok(Surrounding::Shared),
        IndexChoice::Embedded => deployment::holds_an_index(folder).map(|()| Surrounding::Alone),
    }
}

async fn all(
    deployment: &Deployment,
    surrounding: Surrounding,
    args: &Fsck,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    if args.undo {
        return undo(deployment, args, printer).await;
    }
    let manner = if args.repair { Manner::Mending } else { Manner::Telling };
    let mut summary = examine(deployment, surrounding, manner, printer).await?;
    if args.repair && (summary.leftovers > 0 || summary.broken > 0) {
        repair(deployment, surrounding, printer).await?;
        summary = examine(deployment, surrounding, Manner::Telling, printer).await?;
    }
    Ok(match summary {
        Summary { broken: 1.., .. } => Exit::Broken,
        Summary { leftovers: 1.., .. } | Summary { behind: 1.., .. } | Summary { stopped: 1.., .. } => {
            Exit::Leftovers
        }
        Summary { .. } => Exit::Done,
    })
}

/// Checks the deployment, and prints findings as they are found.
async fn examine(
    deployment: &Deployment,
    surrounding: Surrounding,
    manner: Manner,
    printer: &Printer,
) -> Result<Summary, Trouble> {
    let mut printed = Ok(());
    let report = |finding: Finding| {
        let severity = match finding.severity {
            Severity::Foreign => "foreign",
            Severity::Stopped => "STOPPED",
            Severity::Leftover => "leftover",
            Severity::Behind => "behind",
            Severity::Broken => "BROKEN",
        };
        let words = || format!("{severity:8}  {}: {}", finding.key, finding.what);
        if printed.is_ok() {
            printed = printer.say(words, &Line::Finding(&finding));
        }
    };
    let summary = check(deployment.service(), surrounding, manner, report).await;
    let summary = summary.map_err(|error| failed(&error))?;
    printed?;
    printer.say(|| words(&summary), &Line::Summary(&summary))?;
    Ok(summary)
}

fn words(summary: &Summary) -> String {
    let Summary { rows, objects, bytes, foreign, stopped, leftovers, behind, broken, mended } = summary;
    let mut found = Vec::new();
    if *broken > 0 {
        found.push(format!("{broken} BROKEN"));
    }
    if *behind > 0 {
        found.push(format!("{behind} behind at one provider"));
    }
    if *leftovers > 0 {
        found.push(format!("{leftovers} left over"));
    }
    if *stopped > 0 {
        found.push(format!("{stopped} STOPPED"));
    }
    if *foreign > 0 {
        found.push(format!("{foreign} not CredLink's"));
    }
    let mut verdict = match found.is_empty() {
        true => "everything is as it has to be".to_owned(),
        false => found.join(", "),
    };
    if *mended > 0 {
        verdict += &format!("; {mended} set right, or its repair is queued");
    } else if *broken == 0 && leftovers + behind > 0 {
        verdict += "; --repair sets right what is left over or behind";
    }
    format!("{rows} rows, {objects} objects and {bytes} bytes checked: {verdict}")
}

async fn repair(deployment: &Deployment, surrounding: Surrounding, printer: &Printer) -> Result<(), Trouble> {
    // If nobody else writes, an orphan of any age is one.
    let any_age = surrounding == Surrounding::Alone;
    let limits = Limits { any_age, ..Limits::until(SystemClock.now().plus_seconds(DAY)) };
    let report = cleanup(deployment.service(), limits, None).await.map_err(|error| failed(&error))?;
    printer.say(|| cleaned("repaired", &report), &Line::Repaired(&report))
}

/// Describes in words what a cleanup did.
pub(super) fn cleaned(what: &str, report: &Report) -> Vec<String> {
    let Report { deleted, completed, failed, bytes, stopped, .. } = report;
    let mut words =
        format!("{what}: {deleted} removed ({bytes} bytes), {completed} completed, {failed} failed");
    if *failed > 0 {
        words += "; with CREDLINK_LOG=warn, the log says why";
    }
    let mut lines = vec![words];
    lines.extend(stopped.as_ref().map(|reason| format!("STOPPED   {reason}")));
    lines
}

/// Restores what was removed as orphans.
async fn undo(deployment: &Deployment, args: &Fsck, printer: &Printer) -> Result<Exit, Trouble> {
    let brought = bring_back(deployment.service(), args.since).await.map_err(|error| failed(&error))?;
    let Restored { restored, taken, failed: not } = brought;
    let words = || {
        let mut words = format!("{restored} brought back");
        if taken > 0 {
            words += &format!(", {taken} kept aside, because their keys are in use again");
        }
        if not > 0 {
            words += &format!(", {not} not; the log says why");
        }
        words
    };
    printer.say(words, &Line::Undone(&brought))?;
    Ok(if not > 0 { Exit::Failed } else { Exit::Done })
}

fn failed(error: &dyn std::fmt::Display) -> Trouble {
    Trouble::new(TroubleKind::Provider, error)
}
