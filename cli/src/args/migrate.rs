//! The actions and options of `credlink migrate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, Args, Subcommand, ValueEnum};
use credlink_core::tenant::Tenant;
use credlink_deployment::migration::location::{LocationError, MigrationLocation};
use credlink_ports::migration::ledger::JobName;

/// The default folder of the ledgers of jobs.
pub const JOBS_DIR: &str = "./credlink-jobs";

/// The action of `credlink migrate` and its job.
#[derive(Debug, Args)]
pub struct Migrate {
    /// The action to take.
    #[command(subcommand)]
    pub action: Action,
    /// The job, its source and its destination.
    #[command(flatten)]
    pub job: JobArgs,
}

/// The job, its source and its destination. These options may be typed before or after the action.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which job")]
pub struct JobArgs {
    /// The source of the proofs: dir:PATH, jsonl:FILE, s3://BUCKET/PREFIX, r2://BUCKET/PREFIX or credlink:URL
    #[arg(long, global = true, value_parser = location, value_name = "SOURCE")]
    pub from: Option<MigrationLocation>,
    /// The destination, a CredLink: dir:PATH, s3://BUCKET, r2://BUCKET or credlink:URL
    #[arg(long, global = true, value_parser = location, value_name = "STORE")]
    pub to: Option<MigrationLocation>,
    /// The access token of a source credlink:URL; --token is that of the destination, or of the source if the
    /// destination needs none
    #[arg(long, global = true, env = "CREDLINK_FROM_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub from_token: Option<String>,
    /// The tenant at the source, a CredLink, whose proofs become those of --tenant, if its name differs there; other
    /// tenants' proofs are not copied
    #[arg(long, global = true, value_name = "NAME")]
    pub from_tenant: Option<Tenant>,
    /// The job, which remembers its source, its destination and the state of every item
    #[arg(long, global = true, default_value = "migration", value_name = "NAME")]
    pub job: JobName,
    /// The folder of the ledgers; the ledger of a queued job is in the index table
    #[arg(long, global = true, env = "CREDLINK_JOBS_DIR", default_value = JOBS_DIR, value_name = "DIR")]
    pub jobs_dir: PathBuf,
    /// The job's queue; its ledger is then in the table that CREDLINK_TABLE names
    #[arg(long, global = true, value_name = "URL")]
    pub queue: Option<String>,
    /// The number of items to work on at once
    #[arg(long, global = true, default_value_t = 64, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub concurrency: u16,
    /// The maximum number of items per second; no limit by default
    #[arg(long, global = true, value_name = "PER SECOND", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: Option<u32>,
}

/// The actions on a job.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Read and check everything, change nothing, and say what a run would do
    Plan,
    /// Copy what was not copied yet; after an interruption, the same command continues
    Run(Run),
    /// Check that everything that was copied is there; the exit code says whether all is well
    Verify(Verify),
    /// Record in the index of the destination where the source has each proof, for functions that serve beside it
    Catalogue,
    /// Print the progress of the job
    Status,
    /// Print the job's totals and each failure with its reason, in Markdown or with --json
    Report,
    /// Delete from the source what was verified long enough ago. This cannot be undone
    Cleanup(Cleanup),
    /// Delete from the destination what this job made and nobody has changed since
    Rollback(Confirm),
    /// Return the messages of the dead-letter queue to the queue
    Redrive(Redrive),
    /// Forget the job: delete its ledger and free its name; proofs stay. This cannot be undone
    Remove(Remove),
}

/// The options of `credlink migrate run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The number of items in one write to the ledger, or in one message of the queue
    #[arg(long, default_value_t = 100, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub batch_size: u16,
    /// Skip what the destination already has
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub skip_existing: bool,
    /// Delete each item from the source: never, or once it is copied and verified. This cannot be undone
    #[arg(long, value_enum, default_value = "never", value_name = "WHEN")]
    pub delete_after: DeleteAfter,
    /// The job's name, to confirm --delete-after
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<JobName>,
    /// The time to wait for a store that does not answer before the run ends: 15m, 1h, 7d
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = time)]
    pub patience: Duration,
}

/// The moment at which an item is deleted from the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeleteAfter {
    /// A run deletes nothing
    Never,
    /// Once the copy was read back
    Verified,
}

/// The options of `credlink migrate verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Compare the content of everything, even if the provider has a checksum
    #[arg(long)]
    pub deep: bool,
    /// Check only this percentage of the items, the same ones each time
    #[arg(long, default_value_t = 100.0, value_name = "PERCENT", value_parser = percent)]
    pub sample: f64,
}

/// The options of `credlink migrate cleanup`.
#[derive(Debug, Args)]
pub struct Cleanup {
    /// The minimum time since an item was verified
    #[arg(long, default_value = "30d", value_name = "TIME", value_parser = time)]
    pub keep: Duration,
    /// The confirmation.
    #[command(flatten)]
    pub confirm: Confirm,
}

/// The confirmation of an action that cannot be undone.
#[derive(Debug, Args)]
pub struct Confirm {
    /// The job's name, to confirm; a terminal asks for it
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<JobName>,
}

/// The options of `credlink migrate redrive`.
#[derive(Debug, Args)]
pub struct Redrive {
    /// The dead-letter queue; by default the one that the redrive policy of --queue names
    #[arg(long, value_name = "URL")]
    pub dead_letter_queue: Option<String>,
}

/// The options of `credlink migrate remove`.
#[derive(Debug, Args)]
pub struct Remove {
    /// Remove the job even if its source is not listed to the end, or items wait to be copied
    #[arg(long)]
    pub abandon: bool,
    /// The confirmation.
    #[command(flatten)]
    pub confirm: Confirm,
}

/// The help of `--tenant` for a migration.
const TENANT_HELP: &str = "The tenant whose proofs they become. Without it, each proof keeps its tenant, and legacy records \
                           become those of `default`; a job from or to credlink:URL, or with --from-tenant, is for `default`";
/// The help of `--data-dir` for a migration.
const DATA_DIR_HELP: &str = "The folder with the index of a store in a bucket, where CREDLINK_TABLE names no table; a folder \
                             to copy to is named with --to dir:PATH";

/// Returns the option with the help for a migration, if it is one of every command that means something else there.
pub(super) fn reworded(arg: &Arg) -> Option<Arg> {
    match arg.get_id().as_str() {
        "tenant" => Some(arg.clone().help(TENANT_HELP).hide_default_value(true)),
        "data_dir" => Some(arg.clone().help(DATA_DIR_HELP)),
        _ => None,
    }
}

/// Parses a location, with an absolute path: the next command of the same job may be typed in another folder.
fn location(text: &str) -> Result<MigrationLocation, LocationError> {
    text.parse::<MigrationLocation>()?.absolute()
}

/// Parses a time of at most a year; zero is allowed.
fn time(text: &str) -> Result<Duration, String> {
    super::time::time(text, 0..=31_536_000, "at most 365d")
}

fn percent(text: &str) -> Result<f64, String> {
    let wrong = || "a sample is more than 0 and at most 100 of a hundred, such as 1 or 0.5".to_owned();
    text.parse::<f64>().ok().filter(|percent| *percent > 0.0 && *percent <= 100.0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_samples_are_read() {
        assert_eq!(time("30d"), Ok(Duration::from_secs(2_592_000)));
        assert_eq!(time("0s"), Ok(Duration::ZERO));
        for wrong in ["", "366d", "1y", "-1s", "d"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert_eq!(percent("0.5"), Ok(0.5));
        for wrong in ["0", "101", "-1", "x", "NaN"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
