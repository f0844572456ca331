//! Opening of the source, the destination and the ledger that a job names.

use credlink_core::hash::MediaHash;
use credlink_core::job_name::JobName;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_deployment::clients;
use credlink_deployment::configuration::{self, Configuration, IndexChoice};
use credlink_deployment::data_folder::note::Note;
use credlink_deployment::deployment::Surroundings;
use credlink_deployment::migration::destination::{AnyDestination, Making, Opening};
use credlink_deployment::migration::ledger::{AnyLedger, TableLedger};
use credlink_deployment::migration::location::MigrationLocation;
use credlink_deployment::migration::source::AnySource;
use credlink_disk::presence::is_there;
use credlink_embedded::ledger::{FileLedger, LedgerError, ledger_path};
use credlink_migrate::job_spec::JobSpec;
use credlink_ports::Failure;
use credlink_ports::migration::ledger::Job;
use credlink_ports::migration::target::Target;
use credlink_ports::migration::{Destination as _, Ledger as _, MigrationParts, Source as _};
use credlink_runtime::clock::SystemClock;

use super::kind_of;
use crate::args::Connection;
use crate::args::migrate::JobArgs;
use crate::error::{Trouble, TroubleKind};

/// The purpose for which a ledger is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// For a run. A missing ledger is created.
    Make,
    /// For an action that changes the job. The ledger must exist.
    Change,
    /// For an action that only reads the ledger.
    Look,
}

/// The source, the destination and the ledger of a job.
pub(super) struct Parts<L, D = AnyDestination> {
    pub(super) source: AnySource,
    pub(super) destination: D,
    pub(super) ledger: L,
}

impl<L> Parts<L> {
    /// Opens the source and the destination of a job, and sends a request to both: a side that does not answer at the
    /// start is more likely gone for good than away for a while.
    pub(super) async fn open(
        connection: &Connection,
        args: &JobArgs,
        job: &JobSpec,
        making: Making,
        ledger: L,
    ) -> Result<Self, Trouble> {
        let parts = Self::open_at_store(connection, args, job, making, ledger).await?;
        check_sides(&parts.source, &parts.destination, job).await?;
        Ok(parts)
    }

    /// Opens the source and the destination of a job, and sends a request to the destination only, because the source
    /// may be gone.
    pub(super) async fn open_at_store(
        connection: &Connection,
        args: &JobArgs,
        job: &JobSpec,
        making: Making,
        ledger: L,
    ) -> Result<Self, Trouble> {
        let source = source(connection, args, &job.from, &job.to).await?;
        let destination = destination(connection, &job.to, &job.tenant, making).await?;
        reach_destination(&destination).await?;
        check_credential(&job.to, destination.side().await.map_err(unreached)?.tenant, &job.tenant)?;
        Ok(Self { source, destination, ledger })
    }
}

impl<L, D> Parts<L, D> {
    /// Returns the ports of the job.
    pub(super) const fn ports(&self) -> MigrationParts<'_, AnySource, D, L, SystemClock> {
        MigrationParts {
            source: &self.source,
            destination: &self.destination,
            ledger: &self.ledger,
            clock: &SystemClock,
        }
    }
}

/// Opens the ledger of the job. It is in the table if the job has a queue, or if it has no file here and there is a
/// table to look in.
pub(super) async fn ledger(args: &JobArgs, access: Access) -> Result<AnyLedger, Trouble> {
    let path = ledger_path(&args.jobs_dir, &args.job);
    let has_file = is_there(&path).map_err(|error| Trouble::new(TroubleKind::Job, error))?;
    let in_table = args.queue.is_some() || !has_file && access != Access::Make && has_table()?;
    if in_table {
        return Ok(AnyLedger::Table(table_ledger(&args.job).await?));
    }
    let opened = match access {
        Access::Change if !has_file => {
            let (job, folder) = (args.job.clone(), args.jobs_dir.clone());
            Err(LedgerError::NoSuchJob { job, folder })
        }
        Access::Make | Access::Change => FileLedger::open(&args.jobs_dir, &args.job, SystemClock),
        Access::Look => FileLedger::look(&args.jobs_dir, &args.job, SystemClock),
    };
    opened.map(AnyLedger::File).map_err(|error| Trouble::new(TroubleKind::Job, error))
}

fn has_table() -> Result<bool, Trouble> {
    Ok(matches!(configuration()?.index, IndexChoice::DynamoDb(_)))
}

fn configuration() -> Result<Configuration, Trouble> {
    Configuration::from_environment().map_err(|error| Trouble::new(TroubleKind::Usage, error))
}

/// Opens the ledger of a queued job, which is in the table of the index.
async fn table_ledger(job: &JobName) -> Result<TableLedger<SystemClock>, Trouble> {
    let configuration = configuration()?;
    let IndexChoice::DynamoDb(table) = &configuration.index else {
        let what = "the ledger of a queued job is in the index's table: set CREDLINK_TABLE";
        return Err(Trouble::new(TroubleKind::Usage, what));
    };
    let surroundings = Surroundings::of(&configuration).await;
    let Surroundings { aws, dynamodb, .. } = surroundings;
    let index = clients::table(table.clone(), dynamodb, configuration.limits, &aws);
    let index = index.map_err(|error| Trouble::new(TroubleKind::Usage, error))?;
    Ok(TableLedger::new(&index, job, SystemClock))
}

/// Opens the ledger of an existing job, and returns the job that it describes. A source or a destination that was typed
/// must be that of the job.
pub(super) async fn begun(args: &JobArgs) -> Result<(AnyLedger, Job), Trouble> {
    let ledger = ledger(args, Access::Change).await?;
    let job = ledger.job().await.map_err(failed)?;
    let job = job.ok_or_else(|| Trouble::new(TroubleKind::Job, format!("there is no job `{}`", args.job)))?;
    check_locations(args, &job)?;
    Ok((ledger, job))
}

/// Refuses a source or a destination that was typed and is not that of the job.
pub(super) fn check_locations(args: &JobArgs, job: &Job) -> Result<(), Trouble> {
    for (option, typed, kept) in [("--from", &args.from, &job.from), ("--to", &args.to, &job.to)] {
        if let Some(typed) = typed
            && typed.to_string() != *kept
        {
            let what = format!("the job `{}` has {option} {kept}, not {typed}; leave it out", args.job);
            return Err(Trouble::new(TroubleKind::Usage, what));
        }
    }
    Ok(())
}

/// Refuses to remove items from a dump.
pub(super) fn refuse_dump(from: &str) -> Result<(), Trouble> {
    match from.parse() {
        Ok(MigrationLocation::Lines(path)) => {
            let what = format!(
                "nothing is removed from a dump: delete {} yourself when the job is verified",
                path.display()
            );
            Err(Trouble::new(TroubleKind::Usage, what))
        }
        _ => Ok(()),
    }
}

/// Returns the problem of a side that did not answer before anything was begun.
fn unreached(failure: Failure) -> Trouble {
    Trouble::new(kind_of(&failure), format!("nothing was begun: {failure}"))
}

/// Sends a request to the source.
pub(super) async fn reach_source(source: &AnySource) -> Result<(), Trouble> {
    source.sample(1).await.map(drop).map_err(unreached)
}

/// Sends a request to the destination.
async fn reach_destination(destination: &AnyDestination) -> Result<(), Trouble> {
    let nobody = Target::Proof(ProofId::derive(&Tenant::default(), &MediaHash::of(b"")));
    destination.find(&nobody).await.map(drop).map_err(unreached)
}

/// Asks both sides of a job for their identity, and refuses a pair that cannot be meant: a source that is the
/// destination under another name, because an item that is deleted at the source would be lost; a credential of a
/// tenant other than the job's; or more tenants than the destination has.
pub(super) async fn check_sides(
    source: &AnySource,
    destination: &AnyDestination,
    job: &JobSpec,
) -> Result<(), Trouble> {
    if job.from_tenant.is_some() && matches!(source, AnySource::Folder(_) | AnySource::Lines(_)) {
        let what = format!(
            "{} holds legacy records, which have no tenant: --tenant says whose they become",
            job.from
        );
        return Err(Trouble::new(TroubleKind::Usage, what));
    }
    reach_source(source).await?;
    reach_destination(destination).await?;
    let (from, to) = (source.side().await.map_err(unreached)?, destination.side().await.map_err(unreached)?);
    if from.store.is_some() && from.store == to.store {
        let what = format!(
            "{} and {} are one CredLink under two names, or one is a copy of the other: they have the same store id. Nothing is moved",
            job.from, job.to
        );
        return Err(Trouble::new(TroubleKind::Usage, what));
    }
    check_credential(&job.to, to.tenant, &job.tenant)?;
    check_credential(&job.from, from.tenant, job.from_tenant.as_ref().unwrap_or(&job.tenant))?;
    let has_more = match job.from.parse() {
        Ok(MigrationLocation::Folder(folder)) if job.keep_tenants => {
            Note::has_tenants(&folder).map_err(|error| Trouble::new(TroubleKind::Source, error))?
        }
        _ => !job.keep_tenants && !job.tenant.is_default(),
    };
    if has_more && destination.has_tenants() == Some(false) {
        let what = format!(
            "{} has one tenant, `default`, and the job brings others; CREDLINK_TENANTS=several makes it one that has more",
            job.to
        );
        return Err(Trouble::new(TroubleKind::Usage, what));
    }
    Ok(())
}

/// Refuses a credential of a tenant other than `meant`. A caller without a credential, and every caller of a server
/// without tokens, is `default`.
fn check_credential(location: &str, shown: Option<Tenant>, meant: &Tenant) -> Result<(), Trouble> {
    match shown.filter(|shown| shown != meant) {
        None => Ok(()),
        Some(shown) => {
            let what = format!(
                "the token for {location} is one of the tenant `{shown}`, and the job is for `{meant}` there: give a token of `{meant}`. A \
                 new job names its tenant with --tenant, and the one of the source with --from-tenant"
            );
            Err(Trouble::new(TroubleKind::Usage, what))
        }
    }
}

/// Opens the source of the proofs. A token is sent only to the server that it is for.
pub(super) async fn source(
    connection: &Connection,
    args: &JobArgs,
    from: &str,
    to: &str,
) -> Result<AnySource, Trouble> {
    let location: MigrationLocation =
        from.parse().map_err(|error| Trouble::new(TroubleKind::Usage, error))?;
    let is_the_stores = matches!(to.parse(), Ok(MigrationLocation::Api(_)));
    let own = connection.token().filter(|_| !is_the_stores);
    let token = args.from_token.as_deref().or(own);
    let opened = AnySource::open(&location, &configuration::Variables::environment(), token).await;
    opened.map_err(|error| Trouble::new(TroubleKind::Source, error))
}

/// Opens the destination of the proofs.
pub(super) async fn destination(
    connection: &Connection,
    to: &str,
    tenant: &Tenant,
    making: Making,
) -> Result<AnyDestination, Trouble> {
    let location: MigrationLocation = to.parse().map_err(|error| Trouble::new(TroubleKind::Usage, error))?;
    let opening = Opening {
        variables: &configuration::Variables::environment(),
        token: connection.token(),
        data_folder: connection.data_dir.as_deref(),
        tenant: Some(tenant.clone()),
        making,
        surroundings: None,
    };
    let opened = AnyDestination::open(&location, opening).await;
    opened.map_err(|error| Trouble::new(TroubleKind::Folder, error))
}

/// Returns the problem of a provider that failed.
pub(super) fn failed(error: impl std::fmt::Display) -> Trouble {
    Trouble::new(TroubleKind::Provider, error)
}
