//! Output of the results of each action, in words or as JSON.

use std::collections::BTreeMap;
use std::path::Path;

use credlink_migrate::cleanup::Cleanup;
use credlink_migrate::enqueue::Enqueued;
use credlink_migrate::error::RunError;
use credlink_migrate::item_rows::WrittenRows;
use credlink_migrate::job_spec::JobSpec;
use credlink_migrate::plan::{MAX_PROBLEMS, Plan};
use credlink_migrate::report;
use credlink_migrate::rollback::Rollback;
use credlink_migrate::run::Run;
use credlink_migrate::verify::{MAX_FINDINGS, Verification};
use credlink_ports::migration::Ledger as _;
use credlink_ports::migration::ledger::{Job, Reason};

use super::open::{self, Access, failed};
use crate::args::migrate::{JOBS_DIR, JobArgs};
use crate::commands::figures::{size, time};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::{Lines, Printer};

/// Maximum number of findings that are named in words. JSON has more of them.
const NAMED: usize = 20;
/// The line about a source without items, whose name may have been mistyped.
const NOTHING_LISTED: &str = "  the source has no items: is --from the right place?";

/// Returns the options with which the next command finds the job.
fn job_of(args: &JobArgs) -> String {
    let job = format!("--job {}", args.job);
    if args.jobs_dir == Path::new(JOBS_DIR) {
        job
    } else {
        format!("{job} --jobs-dir {}", args.jobs_dir.display())
    }
}

/// The line about a source whose items all belong to other tenants. The tenant's name may have been mistyped.
const ALL_LEFT_OUT: &str =
    "  nothing at the source is the tenant's that the job takes: is --from-tenant right?";

/// Returns `true` if there are items, and all of them were left out.
pub(super) fn is_all_left_out(items: u64, skipped: &BTreeMap<Reason, u64>) -> bool {
    items > 0 && skipped.get(&Reason::LeftOut) == Some(&items)
}

/// Prints the findings of a dry run.
pub(super) fn plan(spec: &JobSpec, plan: &Plan, printer: &Printer) -> Result<(), Trouble> {
    let words = || {
        let mut text = Lines::from(format!("{} -> {}: nothing was changed", spec.from, spec.to));
        #[expect(clippy::cast_precision_loss, reason = "a size for people")]
        let (all, copied) = (size(plan.bytes as f64), size(plan.would_copy_bytes as f64));
        let estimate = time(plan.estimated_seconds as f64);
        writeln!(text, "  {} items, {all}", plan.items);
        writeln!(text, "  {} would be copied, {copied}", plan.would_copy);
        writeln!(
            text,
            "  {} are there already, {} in an earlier revision; {} say what an earlier item says",
            plan.already, plan.behind, plan.duplicates
        );
        writeln!(
            text,
            "  a run takes {estimate} at least: reading and checking alone took that long, {:.0} items/s; writing was not \
             measured",
            plan.read_rate
        );
        add_reasons(&mut text, "would be skipped", &plan.skipped);
        add_reasons(&mut text, "cannot be copied", &plan.invalid);
        let calls = &plan.calls;
        writeln!(
            text,
            "  calls that are billed: source {} LIST, {} GET; store {} PUT, {} HEAD; index {} reads, {} writes",
            calls.source_lists,
            calls.source_gets,
            calls.puts,
            calls.heads,
            calls.index_reads,
            calls.index_writes
        );
        for problem in plan.problems.iter().take(NAMED) {
            writeln!(text, "  {}: {}: {}", problem.item, problem.reason, problem.detail);
        }
        add_rest(&mut text, plan.problems.len(), MAX_PROBLEMS);
        add_left_behind(&mut text, plan.left_behind);
        if plan.items == 0 && !plan.interrupted {
            text.add(NOTHING_LISTED);
        }
        if is_all_left_out(plan.items, &plan.skipped) {
            text.add(ALL_LEFT_OUT);
        }
        if plan.interrupted {
            text.add("  it was told to stop: these are the figures so far");
        }
        text
    };
    printer.say(words, plan)
}

/// Prints the result of a run.
pub(super) fn run(args: &JobArgs, spec: &JobSpec, run: &Run, printer: &Printer) -> Result<(), Trouble> {
    let words = || {
        let counts = &run.counts;
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let (bytes, seconds) = (size(counts.bytes as f64), time(run.elapsed_ms as f64 / 1_000.0));
        let mut text = Lines::from(format!(
            "{} -> {}: {} copied in {seconds}, {bytes} read",
            spec.from, spec.to, counts.copied
        ));
        writeln!(text, "  {} were there already, {} were done before", counts.duplicates, counts.done);
        if counts.deleted > 0 {
            writeln!(text, "  {} were deleted from the source", counts.deleted);
        }
        add_reasons(&mut text, "were skipped", &counts.skipped);
        add_reasons(&mut text, "failed", &counts.failed);
        add_left_behind(&mut text, run.left_behind);
        if counts.listed == 0 && !run.interrupted {
            text.add(NOTHING_LISTED);
        }
        if is_all_left_out(counts.listed, &counts.skipped) {
            text.add(ALL_LEFT_OUT);
        }
        if run.interrupted {
            text.add("  it was told to stop; go on with the same command");
        } else {
            writeln!(text, "  next: credlink migrate verify {}", job_of(args));
        }
        text
    };
    printer.say(words, run)
}

/// Prints the number of rows that a catalogue has.
pub(super) fn catalogue(spec: &JobSpec, done: &WrittenRows, printer: &Printer) -> Result<(), Trouble> {
    let words = || {
        let mut text = Lines::from(format!("{} -> {}: {} rows written", spec.from, spec.to, done.written));
        for (count, what) in [
            (done.already, "have their rows already"),
            (done.duplicates, "are of media files whose rows name another item"),
            (done.not_needed, "need none: the store has their proofs, or deleted them"),
        ] {
            writeln!(text, "  {count} {what}");
        }
        add_reasons(&mut text, "have none", &done.invalid);
        for problem in done.problems.iter().take(NAMED) {
            writeln!(text, "  {}: {}: {}", problem.item, problem.reason, problem.detail);
        }
        add_rest(&mut text, done.problems.len(), MAX_PROBLEMS);
        if done.interrupted {
            text.add("  it was told to stop; go on with the same command");
        }
        text
    };
    printer.say(words, done)
}

/// Prints the number of items that were sent to a queue.
pub(super) fn enqueued(spec: &JobSpec, sent: &Enqueued, printer: &Printer) -> Result<(), Trouble> {
    let words = || {
        let mut text =
            Lines::from(format!("{}: {} items in {} messages", spec.from, sent.sent, sent.messages));
        writeln!(text, "  {} were done before", sent.done);
        add_left_behind(&mut text, sent.left_behind);
        text.add(match sent.resume {
            None => format!("  how far it is: credlink migrate status --job {}", spec.name),
            Some(_) => "  it was told to stop; go on with the same command".to_owned(),
        });
        text
    };
    printer.say(words, sent)
}

/// Prints the findings of a verification.
pub(super) fn verification(job: &Job, found: &Verification, printer: &Printer) -> Result<(), Trouble> {
    let words = || {
        let mut text = Lines::from(format!("{} -> {}", job.from, job.to));
        for (class, count) in [
            ("verified", found.verified),
            ("missing", found.missing),
            ("corrupted", found.corrupted),
            ("encoding differs", found.encoding_differs),
            ("outdated", found.outdated),
            ("unknown", found.unknown),
            ("changed", found.changed),
            ("skipped", found.skipped),
            ("extra", found.extra),
        ] {
            // The five classes that everybody asks for are always printed.
            if count > 0 || !matches!(class, "outdated" | "unknown" | "changed" | "skipped") {
                writeln!(text, "  {class:<17} {count}");
            }
        }
        writeln!(text, "  {} of them by the checksum that the provider holds", found.by_checksum);
        for finding in found.findings.iter().take(NAMED) {
            let class = serde_json::to_value(finding.class).unwrap_or_default();
            writeln!(text, "  {}: {}: {}", finding.item, class.as_str().unwrap_or_default(), finding.detail);
        }
        add_rest(&mut text, found.findings.len(), MAX_FINDINGS);
        text.add(match (found.interrupted, found.is_well()) {
            (true, _) => "it was told to stop: the rest was not looked at",
            (false, true) => "all is well",
            (false, false) => "not all is well; docs/migration.md says what to do about each class",
        });
        text
    };
    printer.say(words, found)
}

/// Prints the result of a cleanup.
pub(super) fn cleanup(job: &Job, done: &Cleanup, printer: &Printer) -> Result<(), Trouble> {
    let words = || {
        #[expect(clippy::cast_precision_loss, reason = "a size for people")]
        let bytes = size(done.bytes as f64);
        let mut text =
            Lines::from(format!("{}: {} deleted, {bytes}; {} were gone", job.from, done.removed, done.gone));
        for (what, count) in [
            ("were verified too short a time ago", done.young),
            ("are not verified: credlink migrate verify", done.unverified),
            ("have an equal proof there, and not exactly theirs", done.inexact),
            ("are other names of proofs, and lead where those do", done.names),
            ("were not copied", done.not_copied),
            ("changed since they were copied", done.changed),
            ("are no longer found at the store: credlink migrate verify", done.unsafe_now),
        ] {
            if count > 0 {
                writeln!(text, "  {count} stay: they {what}");
            }
        }
        for kept in done.kept.iter().take(NAMED) {
            writeln!(text, "  {}: {}", kept.item, kept.detail);
        }
        add_rest(&mut text, done.kept.len(), MAX_FINDINGS);
        text
    };
    printer.say(words, done)
}

/// Prints the result of a rollback.
pub(super) fn rollback(job: &Job, done: &Rollback, printer: &Printer) -> Result<(), Trouble> {
    let words = || {
        let mut text =
            Lines::from(format!("{}: {} deleted; {} were before", job.to, done.withdrawn, done.rolled_back));
        for (what, count) in [
            ("were replaced or deleted since", done.touched),
            ("were there before the job, or are another item's", done.not_ours),
            ("are not there", done.absent),
            ("are the only copy: their item was deleted from the source", done.only_copy),
            ("were begun and not done: run the job once more, then roll back", done.unfinished),
            ("could not be deleted", done.failed),
        ] {
            if count > 0 {
                writeln!(text, "  {count} stay because they {what}");
            }
        }
        for kept in done.kept.iter().take(NAMED) {
            writeln!(text, "  {} ({}): {}", kept.proof, kept.item, kept.detail);
        }
        add_rest(&mut text, done.kept.len(), MAX_FINDINGS);
        text
    };
    printer.say(words, done)
}

/// Prints the progress of a job.
pub(super) async fn status(args: &JobArgs, printer: &Printer) -> Result<Exit, Trouble> {
    let ledger = open::ledger(args, Access::Look).await?;
    let status = report::status(&ledger).await.map_err(failed)?.ok_or_else(|| unknown(args))?;
    let words = || {
        let (job, states) = (&status.job, &status.states);
        let mut text = Lines::from(format!("{}: {} -> {}", job.name, job.from, job.to));
        for (state, count) in [
            ("planned", states.planned),
            ("copying", states.copying),
            ("copied", states.copied),
            ("verified", states.verified),
            ("deleted", states.deleted),
            ("rolled back", states.rolled_back),
            ("failed", states.failed),
            ("skipped", states.skipped),
        ] {
            writeln!(text, "  {state:<12} {count}");
        }
        add_reasons(&mut text, "failed", &status.failed);
        add_reasons(&mut text, "were skipped", &status.skipped);
        add_left_behind(&mut text, job.left_behind.as_deref());
        if job.removing {
            text.add("  it is being removed, and these are the items that are left; `credlink migrate remove` ends that");
        }
        text.add(match (job.listed, status.updated) {
            (Some(at), _) => format!("  the source was listed to its end on {at}"),
            (None, Some(at)) => format!("  the source was not listed to its end yet; last written on {at}"),
            (None, None) => "  nothing was copied yet".to_owned(),
        });
        text
    };
    printer.say(words, &status)?;
    Ok(Exit::Done)
}

/// Prints the totals of a job, and each failure.
pub(super) async fn report(args: &JobArgs, printer: &Printer) -> Result<Exit, Trouble> {
    let ledger = open::ledger(args, Access::Look).await?;
    if ledger.job().await.map_err(failed)?.is_some_and(|job| job.removing) {
        return Err(Trouble::new(TroubleKind::Job, RunError::Removing(args.job.clone())));
    }
    let report = report::report(&ledger).await.map_err(failed)?.ok_or_else(|| unknown(args))?;
    let words = || report.to_markdown().trim_end().lines().map(str::to_owned).collect::<Vec<_>>();
    printer.say(words, &report)?;
    Ok(Exit::Done)
}

fn unknown(args: &JobArgs) -> Trouble {
    Trouble::new(TroubleKind::Job, format!("there is no job `{}`", args.job))
}

fn add_reasons(text: &mut Lines, what: &str, reasons: &BTreeMap<Reason, u64>) {
    for (reason, count) in reasons {
        writeln!(text, "  {count} {what}: {reason}");
    }
}

fn add_left_behind(text: &mut Lines, what: Option<&str>) {
    if let Some(what) = what {
        writeln!(text, "  not taken along: {what}");
    }
}

/// Adds the number of findings beyond those that were named. At most `most` of them were recorded.
fn add_rest(text: &mut Lines, count: usize, most: usize) {
    if count >= most {
        writeln!(text, "  … and maybe more; --json has the first {count}");
    } else if count > NAMED {
        writeln!(text, "  … and {} more; --json has them", count - NAMED);
    }
}
