//! What a job works with: source, store and ledger, each as it was named.

use credlink_aws::dynamodb::ledger::TableLedger;
use credlink_aws::dynamodb::{DynamoIndex, Settings};
use credlink_core::hash::MediaHash;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_deployment::configuration::{self, Configuration, IndexChoice};
use credlink_deployment::data_folder::note::Note;
use credlink_deployment::deployment::Surroundings;
use credlink_deployment::migration::destination::{AnyDestination, Making, Opening};
use credlink_deployment::migration::ledger::AnyLedger;
use credlink_deployment::migration::place::Place;
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
use crate::error::{Kind, Trouble};

/// Which ledger is opened how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// For a run: it is made if there is none.
    Make,
    /// For what changes the job: it has to be there.
    Change,
    /// For what only looks.
    Look,
}

/// What a step of a job works with.
pub(super) struct Parts<L, D = AnyDestination> {
    pub(super) source: AnySource,
    pub(super) destination: D,
    pub(super) ledger: L,
}

impl<L> Parts<L> {
    /// Opens source and store of a job, and asks both for something: who is not there at the start is more likely away for good than
    /// for a while.
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

    /// The same for what works on the store: the source may be gone.
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
    /// The ports of the job.
    pub(super) const fn ports(&self) -> MigrationParts<'_, AnySource, D, L, SystemClock> {
        MigrationParts {
            source: &self.source,
            destination: &self.destination,
            ledger: &self.ledger,
            clock: &SystemClock,
        }
    }
}

/// The ledger of the job: in the table for one with a queue, or for one that has no file here and a table to look in.
pub(super) async fn ledger(args: &JobArgs, access: Access) -> Result<AnyLedger, Trouble> {
    let path = ledger_path(&args.jobs_dir, &args.job);
    let has_file = is_there(&path).map_err(|error| Trouble::new(Kind::Job, error))?;
    let in_table = args.queue.is_some() || !has_file && access != Access::Make && has_table()?;
    if in_table {
        return Ok(AnyLedger::Table(TableLedger::new(&table().await?, &args.job, SystemClock)));
    }
    let opened = match access {
        Access::Change if !has_file => {
            let (job, folder) = (args.job.clone(), args.jobs_dir.clone());
            Err(LedgerError::NoSuchJob { job, folder })
        }
        Access::Make | Access::Change => FileLedger::open(&args.jobs_dir, &args.job, SystemClock),
        Access::Look => FileLedger::look(&args.jobs_dir, &args.job, SystemClock),
    };
    opened.map(AnyLedger::File).map_err(|error| Trouble::new(Kind::Job, error))
}

fn has_table() -> Result<bool, Trouble> {
    Ok(matches!(configuration()?.index, IndexChoice::DynamoDb(_)))
}

fn configuration() -> Result<Configuration, Trouble> {
    Configuration::from_environment().map_err(|error| Trouble::new(Kind::Usage, error))
}

/// The index whose table keeps the ledgers of queued jobs.
pub(super) async fn table() -> Result<DynamoIndex, Trouble> {
    let configuration = configuration()?;
    let IndexChoice::DynamoDb(table) = &configuration.index else {
        let what = "the ledger of a queued job is in the index's table: set CREDLINK_TABLE";
        return Err(Trouble::new(Kind::Usage, what));
    };
    let surroundings = Surroundings::of(&configuration).await;
    let settings =
        Settings { table: table.clone(), endpoint: surroundings.dynamodb, limits: configuration.limits };
    Ok(DynamoIndex::new(&surroundings.aws, settings))
}

/// A job that was begun: its ledger, and what that says of it. What was typed for its source and its store has to be the
/// same.
pub(super) async fn begun(args: &JobArgs) -> Result<(AnyLedger, Job), Trouble> {
    let ledger = ledger(args, Access::Change).await?;
    let job = ledger.job().await.map_err(failed)?;
    let job = job.ok_or_else(|| Trouble::new(Kind::Job, format!("there is no job `{}`", args.job)))?;
    check_places(args, &job)?;
    Ok((ledger, job))
}

/// Refuses a source or a store that was typed and is not the job's.
pub(super) fn check_places(args: &JobArgs, job: &Job) -> Result<(), Trouble> {
    for (option, typed, kept) in [("--from", &args.from, &job.from), ("--to", &args.to, &job.to)] {
        if let Some(typed) = typed
            && typed.to_string() != *kept
        {
            let what = format!("the job `{}` has {option} {kept}, not {typed}; leave it out", args.job);
            return Err(Trouble::new(Kind::Usage, what));
        }
    }
    Ok(())
}

/// Refuses to remove items from a dump.
pub(super) fn refuse_dump(from: &str) -> Result<(), Trouble> {
    match from.parse() {
        Ok(Place::Lines(path)) => {
            let what = format!(
                "nothing is removed from a dump: delete {} yourself when the job is verified",
                path.display()
            );
            Err(Trouble::new(Kind::Usage, what))
        }
        _ => Ok(()),
    }
}

/// One side that was not reached, before anything was begun.
fn unreached(failure: Failure) -> Trouble {
    Trouble::new(kind_of(&failure), format!("nothing was begun: {failure}"))
}

/// Asks a source for something.
pub(super) async fn reach_source(source: &AnySource) -> Result<(), Trouble> {
    source.sample(1).await.map(drop).map_err(unreached)
}

/// Asks a store for something.
async fn reach_destination(destination: &AnyDestination) -> Result<(), Trouble> {
    let nobody = Target::Proof(ProofId::derive(&Tenant::default(), &MediaHash::of(b"")));
    destination.find(&nobody).await.map(drop).map_err(unreached)
}

/// Asks both sides of a job who they are, and refuses one that cannot be meant: whose source is its store under another name, so that
/// whatever is deleted at the source is gone; or one with a credential of another tenant than the job's, or with more tenants than
/// the store has.
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
        return Err(Trouble::new(Kind::Usage, what));
    }
    reach_source(source).await?;
    reach_destination(destination).await?;
    let (from, to) = (source.side().await.map_err(unreached)?, destination.side().await.map_err(unreached)?);
    if from.store.is_some() && from.store == to.store {
        let what = format!(
            "{} and {} are one CredLink under two names, or one is a copy of the other: they have the same store id. Nothing is moved",
            job.from, job.to
        );
        return Err(Trouble::new(Kind::Usage, what));
    }
    check_credential(&job.to, to.tenant, &job.tenant)?;
    check_credential(&job.from, from.tenant, job.from_tenant.as_ref().unwrap_or(&job.tenant))?;
    let has_more = match job.from.parse() {
        Ok(Place::Folder(folder)) if job.keep_tenants => {
            Note::has_tenants(&folder).map_err(|error| Trouble::new(Kind::Source, error))?
        }
        _ => !job.keep_tenants && !job.tenant.is_default(),
    };
    if has_more && destination.has_tenants() == Some(false) {
        let what = format!(
            "{} has one tenant, `default`, and the job brings others; CREDLINK_TENANTS=several makes it one that has more",
            job.to
        );
        return Err(Trouble::new(Kind::Usage, what));
    }
    Ok(())
}

/// Refuses a credential of another tenant than `meant`. With none, and on a server without tokens, it is that of `default`.
fn check_credential(place: &str, shown: Option<Tenant>, meant: &Tenant) -> Result<(), Trouble> {
    match shown.filter(|shown| shown != meant) {
        None => Ok(()),
        Some(shown) => {
            let what = format!(
                "the token for {place} is one of the tenant `{shown}`, and the job is for `{meant}` there: give a token of `{meant}`. A \
                 new job names its tenant with --tenant, and the one of the source with --from-tenant"
            );
            Err(Trouble::new(Kind::Usage, what))
        }
    }
}

/// Where proofs come from. A token is shown to the one server that it is for.
pub(super) async fn source(
    connection: &Connection,
    args: &JobArgs,
    from: &str,
    to: &str,
) -> Result<AnySource, Trouble> {
    let place: Place = from.parse().map_err(|error| Trouble::new(Kind::Usage, error))?;
    let is_the_stores = matches!(to.parse(), Ok(Place::Api(_)));
    let own = connection.token.as_ref().filter(|_| !is_the_stores);
    let token = args.from_token.as_ref().or(own).map(String::as_str);
    let opened = AnySource::open(&place, &configuration::Source::environment(), token).await;
    opened.map_err(|error| Trouble::new(Kind::Source, error))
}

/// Where they go.
pub(super) async fn destination(
    connection: &Connection,
    to: &str,
    tenant: &Tenant,
    making: Making,
) -> Result<AnyDestination, Trouble> {
    let place: Place = to.parse().map_err(|error| Trouble::new(Kind::Usage, error))?;
    let opening = Opening {
        variables: &configuration::Source::environment(),
        token: connection.token.as_deref(),
        data_folder: connection.data_dir.as_deref(),
        tenant: Some(tenant.clone()),
        making,
        surroundings: None,
    };
    let opened = AnyDestination::open(&place, opening).await;
    opened.map_err(|error| Trouble::new(Kind::Folder, error))
}

/// A provider that failed.
pub(super) fn failed(error: impl std::fmt::Display) -> Trouble {
    Trouble::new(Kind::Provider, error)
}
