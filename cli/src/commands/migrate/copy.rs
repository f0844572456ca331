//! The actions that read the source and copy: plan and run.

use std::future::{Future, pending};
use std::path::Path;

use credlink_deployment::migration::destination::Making;
use credlink_deployment::migration::ledger::AnyLedger;
use credlink_deployment::migration::location::MigrationLocation;
use credlink_deployment::migration::source::AnySource;
use credlink_embedded::ledger::ledger_path;
use credlink_migrate::RetryPolicy;
use credlink_migrate::copy::CopyOptions;
use credlink_migrate::job_spec::JobSpec;
use credlink_migrate::plan::plan as dry_run;
use credlink_migrate::run::run as copy;
use credlink_ports::Clock as _;
use credlink_ports::migration::{Ledger as _, Source as _};
use credlink_runtime::clock::SystemClock;

use super::confirm::confirm;
use super::not_begun::Unbegun;
use super::open::{self, Access, Parts};
use super::progress_bar::Bar;
use super::{ended, ended_without_a_job, tell, until_told};
use crate::args::Connection;
use crate::args::migrate::{DeleteAfter, JobArgs, Run};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// Items in one page while they are counted.
const PAGE: usize = 1_000;

/// Returns the job that the options describe.
pub(super) fn spec(connection: &Connection, args: &JobArgs) -> Result<JobSpec, Trouble> {
    let needed = |location: &Option<MigrationLocation>, option: &str| {
        let what = || format!("{option} is missing: a job moves everything --from a source --to a store");
        location.clone().ok_or_else(|| Trouble::new(TroubleKind::Usage, what()))
    };
    let (from, to) = (needed(&args.from, "--from")?, needed(&args.to, "--to")?);
    to.check_destination().map_err(|error| Trouble::new(TroubleKind::Usage, error))?;
    if from == to || are_one_folder(&from, &to) {
        return Err(Trouble::new(TroubleKind::Usage, format!("{from} is the source and the store")));
    }
    Ok(JobSpec {
        name: args.job.clone(),
        from: from.to_string(),
        to: to.to_string(),
        tenant: connection.tenant.clone(),
        // The tenants that an API reports are another operator's, and an API as the destination stores everything for
        // the caller.
        keep_tenants: !connection.tenant_is_named
            && args.from_tenant.is_none()
            && ![&from, &to].into_iter().any(|location| matches!(location, MigrationLocation::Api(_))),
        from_tenant: args.from_tenant.clone(),
    })
}

/// Returns `true` if both are the same folder.
fn are_one_folder(from: &MigrationLocation, to: &MigrationLocation) -> bool {
    let (MigrationLocation::Folder(from), MigrationLocation::Folder(to)) = (from, to) else { return false };
    matches!((from.canonicalize(), to.canonicalize()), (Ok(from), Ok(to)) if from == to)
}

fn options(args: &JobArgs, run: &Run, spec: &JobSpec) -> CopyOptions {
    CopyOptions {
        owners: spec.owners(),
        concurrency: args.concurrency.into(),
        batch_size: run.batch_size.into(),
        skip_existing: run.skip_existing,
        delete_after: run.delete_after == DeleteAfter::Verified,
        rate: args.rate.map(f64::from),
        retry_policy: RetryPolicy { outage: run.patience, ..RetryPolicy::default() },
    }
}

/// Returns the job that the options describe. For an existing job, the ledger supplies what was not typed.
async fn spec_of(connection: &Connection, args: &JobArgs) -> Result<JobSpec, Trouble> {
    let is_whole = args.from.is_some() && args.to.is_some();
    if is_whole || !ledger_path(&args.jobs_dir, &args.job).exists() {
        return spec(connection, args);
    }
    let Some(job) = open::ledger(args, Access::Look).await?.job().await.map_err(open::failed)? else {
        return spec(connection, args);
    };
    open::check_locations(args, &job)?;
    let is_other_tenant = connection.tenant_is_named && (job.keep_tenants || connection.tenant != job.tenant);
    if is_other_tenant || args.from_tenant.is_some() && args.from_tenant != job.from_tenant {
        let whose = match (&job.from_tenant, job.keep_tenants) {
            (_, true) => "every tenant, for itself".to_owned(),
            (Some(from), _) => format!("the tenant `{}`, of what is `{from}`'s at the source", job.tenant),
            (None, _) => format!("the tenant `{}`", job.tenant),
        };
        let what = format!(
            "the job `{}` is for {whose}: leave --tenant and --from-tenant out, or take another name for another job",
            job.name
        );
        return Err(Trouble::new(TroubleKind::Usage, what));
    }
    Ok((&job).into())
}

/// Copies what was not copied yet.
pub(super) async fn run(
    connection: &Connection,
    args: &JobArgs,
    run: &Run,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let spec = spec_of(connection, args).await?;
    if run.delete_after == DeleteAfter::Verified {
        open::refuse_dump(&spec.from)?;
        let what = format!("Every item that is copied and verified is deleted from {}, for good.", spec.from);
        confirm(&spec.name, run.confirm.as_ref(), &what)?;
    }
    let path = ledger_path(&args.jobs_dir, &args.job);
    let is_new = !path.exists();
    let ledger = open::ledger(args, Access::Make).await?;
    let opened = async {
        let source = open::source(connection, args, &spec.from, &spec.to).await?;
        // A run that continues waits for a side that is away for a while.
        if is_new {
            open::reach_source(&source).await?;
            let planned = open::destination(connection, &spec.to, &spec.tenant, Making::Refused).await?;
            open::check_sides(&source, &planned, &spec).await?;
        }
        let destination = open::destination(connection, &spec.to, &spec.tenant, Making::Allowed).await?;
        Ok((source, destination))
    };
    let (source, destination) = match opened.await {
        Ok(opened) => opened,
        Err(trouble) => {
            if is_new {
                forget(ledger, &path);
            }
            return Err(trouble);
        }
    };
    let parts = Parts { source, destination, ledger };
    let bar = Bar::new(printer.is_json());
    let (options, holder) = (options(args, run, &spec), SystemClock.request_id());
    let ports = parts.ports();
    let work = copy(&ports, &spec, &options, &holder, &bar);
    let done = until_told(&bar, beside(count(&parts.source, &bar), work)).await?;
    // The reason why the run ended says more than a failed write after it.
    let finished = parts.destination.finish().await;
    let done = done.map_err(ended)?;
    finished.map_err(open::failed)?;
    tell::run(args, &spec, &done, printer)?;
    let is_in_vain = tell::is_all_left_out(done.counts.listed, &done.counts.skipped);
    Ok(match (done.interrupted, done.counts.failures()) {
        (true, _) => Exit::Interrupted,
        (false, 0) if !is_in_vain => Exit::Done,
        (false, _) => Exit::NotWell,
    })
}

/// Removes the ledger that was made for a job that could not begin.
fn forget(ledger: AnyLedger, path: &Path) {
    if let AnyLedger::File(ledger) = ledger {
        // While the ledger is open, no other run can begin the job in it. Windows does not remove an open file.
        let held = cfg!(unix).then_some(ledger);
        // A ledger that stays behind holds no job, and the next run begins the job in it.
        let _ = std::fs::remove_file(path);
        drop(held);
    }
}

/// Reads and checks everything, and changes nothing.
pub(super) async fn plan(
    connection: &Connection,
    args: &JobArgs,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let spec = spec(connection, args)?;
    let parts = Parts::open(connection, args, &spec, Making::Refused, Unbegun).await?;
    let bar = Bar::without_failures(printer.is_json());
    let options = CopyOptions {
        concurrency: args.concurrency.into(),
        rate: args.rate.map(f64::from),
        ..CopyOptions::new(spec.owners())
    };
    let ports = parts.ports();
    let work = dry_run(&ports, &options, &bar);
    let planned = until_told(&bar, beside(count(&parts.source, &bar), work)).await?;
    let planned = planned.map_err(ended_without_a_job)?;
    tell::plan(&spec, &planned, printer)?;
    let is_in_vain = tell::is_all_left_out(planned.items, &planned.skipped);
    Ok(match (planned.interrupted, planned.is_well()) {
        (true, _) => Exit::Interrupted,
        (false, true) if !is_in_vain => Exit::Done,
        (false, _) => Exit::NotWell,
    })
}

/// Runs `work`, and `other` beside it. Ends with `work`, without waiting for `other`.
pub(super) async fn beside<R>(other: impl Future<Output = ()>, work: impl Future<Output = R>) -> R {
    let other = async {
        other.await;
        pending().await
    };
    tokio::select! {
        done = work => done,
        () = other => pending().await,
    }
}

/// Counts the source's items for the bar. If that fails, the bar shows no time left.
pub(super) async fn count(source: &AnySource, bar: &Bar) {
    let (mut after, mut items) = (None, 0_u64);
    loop {
        let Ok(page) = source.list(after.as_deref(), PAGE).await else { return };
        items += page.items.len() as u64;
        after = page.next;
        if after.is_none() {
            return bar.expect(items);
        }
    }
}
