//! The actions on a queue: a run that workers carry out, and redrive.

use credlink_aws::sqs::SqsQueue;
use credlink_deployment::clients;
use credlink_deployment::configuration::{Configuration, QueueChoice};
use credlink_deployment::deployment::Surroundings;
use credlink_deployment::migration::location::MigrationLocation;
use credlink_migrate::enqueue::{EnqueueOptions, close, enqueue};
use credlink_migrate::error::RunError;
use credlink_migrate::job_spec::open as begin;
use credlink_migrate::lease::hold;
use credlink_migrate::progress::{Counts, Watch as _};
use credlink_ports::Clock as _;
use credlink_runtime::clock::SystemClock;
use serde_json::json;

use super::copy::spec;
use super::open::{self, Access, failed};
use super::progress_bar::Bar;
use super::{ended, tell, until_told};
use crate::args::Connection;
use crate::args::migrate::{DeleteAfter, JobArgs, Redrive, Run};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// Lists the source, and sends its items to the queue.
pub(super) async fn run(
    connection: &Connection,
    args: &JobArgs,
    run: &Run,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    if run.delete_after == DeleteAfter::Verified {
        let what = "a queued job deletes nothing from its source: verify it, then clean up";
        return Err(Trouble::new(TroubleKind::Usage, what));
    }
    if !matches!(
        (&args.from, &args.to),
        (Some(MigrationLocation::Bucket { .. }), Some(MigrationLocation::Bucket { .. }))
    ) {
        let what =
            "a queued job moves from a bucket to a bucket, which the functions can reach: s3://… or r2://…";
        return Err(Trouble::new(TroubleKind::Usage, what));
    }
    let (spec, queue) = (spec(connection, args)?, queue(args).await?);
    let ledger = open::ledger(args, Access::Make).await?;
    let source = open::source(connection, args, &spec.from, &spec.to).await?;
    let bar = Bar::new(printer.is_json());
    let holder = SystemClock.request_id();
    let options = EnqueueOptions { job: &spec.name, batch_size: run.batch_size.into(), request_id: &holder };
    let work = hold(&ledger, &SystemClock, &spec.name, &holder, async {
        begin(&ledger, &SystemClock, &spec).await?;
        let sent = enqueue(&source, &ledger, &queue, &SystemClock, options, None, |sent| {
            bar.progress(&Counts {
                listed: sent.listed,
                done: sent.done,
                copied: sent.sent,
                ..Counts::default()
            });
            !bar.is_cancelled()
        });
        let sent = sent.await?;
        if sent.resume.is_none() {
            close(&ledger, &SystemClock, &sent).await?;
        }
        Ok::<_, RunError>(sent)
    });
    let sent = until_told(&bar, work).await?.map_err(ended)?;
    tell::enqueued(&spec, &sent, printer)?;
    Ok(if sent.resume.is_none() { Exit::Done } else { Exit::Interrupted })
}

/// Returns the messages of the dead-letter queue to the queue.
pub(super) async fn redrive(args: &JobArgs, redrive: &Redrive, printer: &Printer) -> Result<Exit, Trouble> {
    let queue = queue(args).await?;
    let bar = Bar::new(printer.is_json());
    let work = queue.redrive(redrive.dead_letter_queue.as_deref(), |so_far| {
        bar.progress(&Counts { copied: so_far.moved, ..Counts::default() });
    });
    let moved = until_told(&bar, work).await?.map_err(failed)?;
    let words = || match moved.left {
        0 => format!("{} messages are back in the queue", moved.moved),
        left => format!("{} messages are back in the queue, {left} are still to come", moved.moved),
    };
    printer.say(words, &json!({ "moved": moved.moved, "left": moved.left }))?;
    Ok(Exit::Done)
}

/// Opens the queue that `--queue` names.
async fn queue(args: &JobArgs) -> Result<SqsQueue, Trouble> {
    let url = args.queue.clone().ok_or_else(|| {
        Trouble::new(
            TroubleKind::Usage,
            "--queue is missing: the URL of the queue that the function `migrate` works off",
        )
    })?;
    let configuration = Configuration::from_environment();
    let configuration = configuration.map_err(|error| Trouble::new(TroubleKind::Usage, error))?;
    let configuration = Configuration { queue: QueueChoice::Sqs(url.clone()), ..configuration };
    let surroundings = Surroundings::of(&configuration).await;
    let Surroundings { aws, sqs, .. } = surroundings;
    let queue = clients::queue(url, sqs, configuration.limits, &aws);
    queue.map_err(|error| Trouble::new(TroubleKind::Usage, error))
}
