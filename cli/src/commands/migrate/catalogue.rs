//! `migrate catalogue`: records in the index of the destination where a legacy source has each proof.

use credlink_deployment::migration::destination::Making;
use credlink_deployment::migration::location::MigrationLocation;
use credlink_deployment::migration::source::AnySource;
use credlink_migrate::copy::CopyOptions;
use credlink_migrate::item_rows::write_item_rows;

use super::copy::{beside, count, spec};
use super::not_begun::Unbegun;
use super::open::{self, Parts};
use super::progress_bar::Bar;
use super::{ended, tell, until_told};
use crate::args::Connection;
use crate::args::migrate::JobArgs;
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// Reads every record of the source, and writes the rows that are missing.
pub(super) async fn catalogue(
    connection: &Connection,
    args: &JobArgs,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let spec = spec(connection, args)?;
    if let Some(MigrationLocation::Api(_)) = &args.to {
        let what = format!(
            "a catalogue is written into the index itself, and not over an API; name the store of {} as s3://BUCKET or \
             r2://BUCKET, with CREDLINK_TABLE, or as dir:PATH",
            spec.to
        );
        return Err(Trouble::new(TroubleKind::Usage, what));
    }
    let no_records = |what: &str| {
        let allowed =
            "a catalogue is of legacy records in dir:PATH, s3://BUCKET/PREFIX or r2://BUCKET/PREFIX";
        Trouble::new(TroubleKind::Usage, format!("{} {what}; {allowed}", spec.from))
    };
    match &args.from {
        Some(MigrationLocation::Lines(_)) => {
            return Err(no_records("is a dump, beside which no function serves"));
        }
        Some(MigrationLocation::Api(_)) => return Err(no_records("is the API of a CredLink")),
        Some(MigrationLocation::Folder(_) | MigrationLocation::Bucket { .. }) | None => {}
    }
    let source = open::source(connection, args, &spec.from, &spec.to).await?;
    if let AnySource::DataFolder(_) | AnySource::Layout(_) = &source {
        return Err(no_records("holds the data of a CredLink"));
    }
    let destination = open::destination(connection, &spec.to, &spec.tenant, Making::Allowed).await?;
    let parts = Parts { source, destination, ledger: Unbegun };
    let bar = Bar::without_failures(printer.is_json());
    let options = CopyOptions {
        concurrency: args.concurrency.into(),
        rate: args.rate.map(f64::from),
        ..CopyOptions::new(spec.owners())
    };
    let ports = parts.ports();
    let work = write_item_rows(&ports, &options, &bar);
    let done = until_told(&bar, beside(count(&parts.source, &bar), work)).await?;
    let finished = parts.destination.finish().await;
    let done = done.map_err(ended)?;
    finished.map_err(open::failed)?;
    tell::catalogue(&spec, &done, printer)?;
    Ok(match (done.interrupted, done.invalid.is_empty()) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Done,
        (false, false) => Exit::NotWell,
    })
}
