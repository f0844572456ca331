//! `credlink rebuild`: rebuilds the index from the objects, or updates an older one.

use std::time::Duration;

use credlink_deployment::data_folder::NewIndex;
use credlink_deployment::deployment::Deployment;
use credlink_ports::Failure;
use credlink_service::rebuild::report::{Finding, FindingKind, Report};
use credlink_service::rebuild::{Manner, Rebuild};
use serde::Serialize;
use tokio::time::sleep;

use super::deployment;
use super::progress::Progress;
use crate::args;
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::serve::CLEAN;

/// The bookmark of a rebuild that can be continued.
const BOOKMARK: &str = "rebuild";

/// Number of retries of a page that failed, after pauses of 1, 2, 4, 8 and 16 seconds.
const TRIES: u32 = 5;

/// Time that one part of a recount of the sums takes, in milliseconds.
const RECOUNT_MS: u64 = 10_000;

/// A line of the output.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Line<'a> {
    Finding(&'a Finding),
    Rebuilt(&'a Report),
}

/// Rebuilds the index of the deployment.
pub fn rebuild(args: &args::Rebuild, printer: &Printer) -> Result<Exit, Trouble> {
    deployment::run(|| async {
        let deployment = deployment::open(&args.data_dir, NewIndex::OverObjects).await?;
        let done = all(&deployment, args, printer).await;
        deployment::close(&deployment).await;
        done
    })
}

async fn all(deployment: &Deployment, args: &args::Rebuild, printer: &Printer) -> Result<Exit, Trouble> {
    let (service, rows) = (deployment.service(), deployment.rows());
    if let Some(why) = service.damage_of_mark().await.map_err(failed)? {
        if !args.confirm {
            let detail = format!(
                "the mark of the store, which says which index belongs to it, cannot be read: {why}. If the index is this \
                 store's, or was lost, --confirm makes the mark anew"
            );
            return Err(Trouble::new(TroubleKind::Usage, detail));
        }
        service.remove_damaged_mark().await.map_err(failed)?;
    }
    if service.index_is_of_another_store().await.map_err(failed)? {
        let detail = "the index belongs to another store, or to a copy of this one, and nothing is made of its rows. Move it away (`index.redb` of \
                      the folder; on AWS, name another table in CREDLINK_TABLE) and run this again: every row is made \
                      anew from the objects";
        return Err(Trouble::new(TroubleKind::Usage, detail));
    }
    let kept = match args.anew {
        true => None,
        false => rows.bookmark(BOOKMARK).await.map_err(failed)?,
    };
    let kept = kept.as_deref().and_then(Rebuild::read);
    let mut rebuild = match kept {
        Some(kept) if kept.can_go_on(service).await.map_err(failed)? => {
            printer.remark(&format!("this goes on with the rebuild that was begun on {}", kept.began()));
            kept
        }
        Some(_) | None => {
            let begun = Rebuild::begin(service, Manner::Writing).await.map_err(failed)?;
            // If the index has rows, the changes are counted first.
            if begun.is_over_nothing() || args.confirm {
                begun
            } else {
                Rebuild::begin(service, Manner::Counting).await.map_err(failed)?
            }
        }
    };
    let progress = Progress::new(printer.is_json(), rebuild.report().examined);
    let walked = walk(deployment, &mut rebuild, &progress, printer).await;
    progress.end();
    walked?;
    rebuild.finish(service, args.confirm).await.map_err(failed)?;
    rows.keep_bookmark(BOOKMARK, None).await.map_err(failed)?;
    // Objects from before that instant may have been deleted since, or have no row yet.
    rows.keep_bookmark(CLEAN, None).await.map_err(failed)?;
    if rebuild.report().joined {
        recount(deployment).await?;
    }
    let report = rebuild.report();
    printer.say(|| words(report, rebuild.is_writing()), &Line::Rebuilt(report))?;
    Ok(match report {
        Report { joined: false, lost: 1.., .. } => Exit::Broken,
        Report { joined: false, .. } if report.is_whole() => Exit::Leftovers,
        Report { joined: false, .. } => Exit::Failed,
        Report { lost: 1.., .. } => Exit::Broken,
        Report { .. } => Exit::Done,
    })
}

/// Walks over all objects, page by page, and records the position.
async fn walk(
    deployment: &Deployment,
    rebuild: &mut Rebuild,
    progress: &Progress,
    printer: &Printer,
) -> Result<(), Trouble> {
    keep(deployment, rebuild).await?;
    let mut tries = 0;
    loop {
        let mut printed = Ok(());
        let found = |finding: Finding| {
            let kind = match finding.kind {
                FindingKind::Lost => "LOST",
                FindingKind::Unread => "UNREAD",
            };
            let words = || format!("{kind:8}  {}: {}", finding.key, finding.what);
            if printed.is_ok() {
                progress.suspended(|| printed = printer.say(words, &Line::Finding(&finding)));
            }
        };
        let stepped = rebuild.step(deployment.service(), found).await;
        printed?;
        match stepped {
            Ok(goes_on) => {
                tries = 0;
                let Report { made, changed, lost, unread, .. } = rebuild.report();
                let rest = format!("{made} rows made, {changed} changed, {} findings", lost + unread);
                progress.show(rebuild.report().examined, &rest);
                if !goes_on {
                    return Ok(());
                }
                keep(deployment, rebuild).await?;
            }
            Err(failure) if tries < TRIES => {
                tracing::warn!(reason = %failure, "a page of the rebuild failed; it is tried again");
                sleep(Duration::from_secs(1 << tries)).await;
                tries += 1;
            }
            Err(failure) => {
                return Err(Trouble::new(
                    TroubleKind::Provider,
                    format!("{failure}; the same command goes on"),
                ));
            }
        }
    }
}

/// Records the position of a rebuild that writes. One that only counts starts anew.
async fn keep(deployment: &Deployment, rebuild: &Rebuild) -> Result<(), Trouble> {
    if rebuild.is_writing() {
        deployment.rows().keep_bookmark(BOOKMARK, Some(&rebuild.text())).await.map_err(failed)?;
    }
    Ok(())
}

/// Recounts the sums that a table lost with its rows.
async fn recount(deployment: &Deployment) -> Result<(), Trouble> {
    let mut resume = None;
    loop {
        resume = deployment.rows().recount(resume.as_deref(), RECOUNT_MS).await.map_err(failed)?;
        if resume.is_none() {
            return Ok(());
        }
    }
}

fn words(report: &Report, is_writing: bool) -> Vec<String> {
    let Report { examined, made, changed, leftovers, behind, lost, unread, joined } = report;
    let mut lines = vec![if *joined || is_writing {
        format!("{examined} looked at: {made} rows made, {changed} brought up to date")
    } else {
        format!("{examined} looked at: {made} rows would be made, and {changed} brought up to date")
    }];
    if *leftovers > 0 {
        lines.push(format!("{leftovers} left over; cleanup removes them"));
    }
    if *behind > 0 {
        lines.push(format!("{behind} copies at one provider are missing or behind; their repair is queued"));
    }
    if *lost > 0 {
        lines.push(format!(
            "{lost} LOST, as told above; their rows stay as they are. Deleted objects that reappeared are put away \
             by `credlink fsck --repair`, once index and store belong together; for everything else, bring the \
             objects back, or delete the proofs and store them again"
        ));
    }
    lines.push(match (joined, report.is_whole()) {
        (true, _) => "index and store belong together".to_owned(),
        (false, true) if *lost > 0 && is_writing => {
            "index and store are not confirmed to belong together: --confirm accepts the losses".to_owned()
        }
        (false, true) if *made == 0 && *changed == 0 => {
            let rest = if *lost > 0 { "accepts the losses, and " } else { "" };
            format!("every row matches its objects: --confirm {rest}records that index and store belong together")
        }
        (false, true) => "the index has rows: --confirm brings them up to date".to_owned(),
        (false, false) => format!(
            "{unread} UNREAD, as told above: repair or remove them (`credlink storage rm`) and run this again; \
             until then, index and store are not confirmed to belong together"
        ),
    });
    lines
}

fn failed(failure: Failure) -> Trouble {
    Trouble::new(TroubleKind::Provider, failure)
}
