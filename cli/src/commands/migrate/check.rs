//! `migrate verify`: compares the copies with their source.

use credlink_deployment::migration::destination::Making;
use credlink_migrate::verify::{VerifyOptions, verify as compare};
use credlink_ports::Clock as _;
use credlink_runtime::clock::SystemClock;

use super::open::{self, Parts};
use super::progress_bar::Bar;
use super::{ended, tell, until_told};
use crate::args::Connection;
use crate::args::migrate::{JobArgs, Verify};
use crate::error::Trouble;
use crate::exit::Exit;
use crate::printer::Printer;

/// Checks that everything that was copied is there.
pub(super) async fn verify(
    connection: &Connection,
    args: &JobArgs,
    verify: &Verify,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let (ledger, job) = open::begun(args).await?;
    let parts = Parts::open(connection, args, &(&job).into(), Making::Refused, ledger).await?;
    let bar = Bar::new(printer.is_json());
    let options = VerifyOptions {
        deep: verify.deep,
        sample: verify.sample / 100.0,
        concurrency: args.concurrency.into(),
        rate: args.rate.map(f64::from),
        ..VerifyOptions::default()
    };
    let holder = SystemClock.request_id();
    let ports = parts.ports();
    let work = compare(&ports, &job.name, &options, &holder, &bar);
    let found = until_told(&bar, work).await?.map_err(ended)?;
    tell::verification(&job, &found, printer)?;
    Ok(match (found.interrupted, found.is_well()) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Done,
        (false, false) => Exit::NotWell,
    })
}
