//! `credlink fsck`: every guarantee, checked over a whole folder.

use credlink_adapters::clock::SystemClock;
use credlink_service::cleanup::{Limits, Report, cleanup};
use credlink_service::fsck::{Finding, Severity, Summary, fsck as check};
use credlink_service::ports::Clock as _;
use serde::Serialize;

use crate::args::{Connection, Fsck};
use crate::client::{Folder, Making};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::trouble::{Kind, Trouble};

/// A line of what is printed.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Line<'a> {
    Finding(&'a Finding),
    Repaired(&'a Report),
    Summary(&'a Summary),
}

/// Seconds in a day: a repair that takes longer goes on at the next call.
const DAY: u64 = 86_400;

/// Checks, and repairs where that is asked for.
pub fn fsck(connection: &Connection, args: &Fsck, printer: &Printer) -> Result<Exit, Trouble> {
    let folder = Folder::open(&args.data_dir, &connection.tenant, Making::Refused)?;
    let mut summary = examine(&folder, printer)?;
    if args.repair && summary.leftovers > 0 {
        repair(&folder, printer)?;
        summary = examine(&folder, printer)?;
    }
    Ok(match summary {
        Summary { broken: 1.., .. } => Exit::Broken,
        Summary { leftovers: 1.., .. } => Exit::Leftovers,
        Summary { .. } => Exit::Done,
    })
}

/// Checks the folder, and prints findings as they are found.
fn examine(folder: &Folder, printer: &Printer) -> Result<Summary, Trouble> {
    let mut printed = Ok(());
    let report = |finding: Finding| {
        let severity = match finding.severity {
            Severity::Leftover => "leftover",
            Severity::Broken => "BROKEN",
        };
        let words = || format!("{severity:8}  {}: {}", finding.key, finding.what);
        if printed.is_ok() {
            printed = printer.say(words, &Line::Finding(&finding));
        }
    };
    let summary = folder.run(check(folder.service(), report)).map_err(|error| failed(&error))?;
    printed?;
    let words = || {
        let verdict = match (summary.broken, summary.leftovers) {
            (0, 0) => "everything is as it has to be".to_owned(),
            (0, leftovers) => format!("{leftovers} left over by a crash; --repair removes them"),
            (broken, leftovers) => format!("{broken} BROKEN, {leftovers} left over by a crash"),
        };
        let Summary { rows, objects, bytes, .. } = summary;
        format!("{rows} rows, {objects} objects and {bytes} bytes checked: {verdict}")
    };
    printer.say(words, &Line::Summary(&summary))?;
    Ok(summary)
}

fn repair(folder: &Folder, printer: &Printer) -> Result<(), Trouble> {
    // Nobody else writes: the folder is locked. So an orphan of any age is one.
    let limits = Limits { any_age: true, ..Limits::until(SystemClock.now().plus_seconds(DAY)) };
    let report = folder.run(cleanup(folder.service(), limits, None)).map_err(|error| failed(&error))?;
    if let Some(reason) = &report.stopped {
        return Err(Trouble::new(Kind::Folder, reason));
    }
    let words = || {
        let Report { deleted, completed, failed, bytes, .. } = &report;
        format!("repaired: {deleted} removed ({bytes} bytes), {completed} completed, {failed} failed")
    };
    printer.say(words, &Line::Repaired(&report))
}

fn failed(error: &dyn std::fmt::Display) -> Trouble {
    Trouble::new(Kind::Provider, error)
}
