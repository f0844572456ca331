//! `credlink cleanup`: a whole cleanup now, and an operator's permission to continue one that stopped itself, or to
//! trust a clock that jumped.

use credlink_deployment::data_folder::NewIndex;
use credlink_deployment::deployment::Deployment;
use credlink_ports::Clock as _;
use credlink_runtime::clock::SystemClock;
use credlink_service::cleanup::{Limits, Position, Report, cleanup as clean};

use super::deployment;
use super::fsck::cleaned;
use super::progress::Progress;
use crate::args::Cleanup;
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// Seconds of one step, and so the interval between two updates of the progress.
const STEP_SECONDS: u64 = 10;

/// Runs a cleanup to its end.
pub fn cleanup(args: &Cleanup, printer: &Printer) -> Result<Exit, Trouble> {
    deployment::run(|| async {
        let deployment = deployment::open(&args.data_dir, NewIndex::OverNothing).await?;
        let done = all(&deployment, args, printer).await;
        deployment::close(&deployment).await;
        done
    })
}

async fn all(deployment: &Deployment, args: &Cleanup, printer: &Printer) -> Result<Exit, Trouble> {
    let service = deployment.service();
    if args.confirm_clock {
        service.confirm_clock().await.map_err(failed)?;
        printer.remark(
            "the clock is taken as right: what expired more than 7 days ago by it is destroyed for good",
        );
    }
    if args.go_on {
        service.let_collector_go_on().await.map_err(failed)?;
    }
    let progress = Progress::new(printer.is_json(), 0);
    let mut sum = Report::default();
    let mut position: Option<Position> = None;
    loop {
        let deadline = SystemClock.now().plus_seconds(STEP_SECONDS);
        let limits = Limits { any_share: args.go_on, ..Limits::until(deadline) };
        let report = clean(service, limits, position.take()).await.map_err(failed)?;
        sum.examined += report.examined;
        sum.deleted += report.deleted;
        sum.completed += report.completed;
        sum.failed += report.failed;
        sum.bytes += report.bytes;
        sum.stopped = report.stopped.or(sum.stopped);
        position = report.resume;
        progress.show(sum.examined, &format!("{} removed, {} failed", sum.deleted, sum.failed));
        // If a step was not allowed to look at anything, the next one would not be either.
        if position.is_none() || (sum.stopped.is_some() && report.examined == 0) {
            break;
        }
    }
    progress.end();
    printer.say(|| cleaned("cleaned up", &sum), &sum)?;
    Ok(if sum.stopped.is_some() || sum.failed > 0 { Exit::Failed } else { Exit::Done })
}

fn failed(error: impl std::fmt::Display) -> Trouble {
    Trouble::new(TroubleKind::Provider, error)
}
