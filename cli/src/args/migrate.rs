//! What can be typed behind `credlink migrate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, Args, Subcommand, ValueEnum};
use credlink_core::tenant::Tenant;
use credlink_deployment::migration::place::{Place, PlaceError};
use credlink_ports::migration::ledger::JobName;

/// The folder of the ledgers of jobs that were not told another.
pub const JOBS_DIR: &str = "./credlink-jobs";

/// Move everything that another store has, and show that nothing was lost.
#[derive(Debug, Args)]
pub struct Migrate {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
    /// Which job, from where to where.
    #[command(flatten)]
    pub job: JobArgs,
}

/// Which job, from where to where. The options may be typed before or behind the action.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which job")]
pub struct JobArgs {
    /// Where proofs come from: dir:PATH, jsonl:FILE, s3://BUCKET/PREFIX, r2://BUCKET/PREFIX or credlink:URL
    #[arg(long, global = true, value_parser = place, value_name = "SOURCE")]
    pub from: Option<Place>,
    /// The CredLink that they go to: dir:PATH, s3://BUCKET, r2://BUCKET or credlink:URL
    #[arg(long, global = true, value_parser = place, value_name = "STORE")]
    pub to: Option<Place>,
    /// The access token of a source that is a CredLink; --token is the store's, or the source's where the store needs none
    #[arg(long, global = true, env = "CREDLINK_FROM_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub from_token: Option<String>,
    /// The tenant whose proofs of a CredLink become --tenant's, where it has another name there; what is other tenants' is left
    #[arg(long, global = true, value_name = "NAME")]
    pub from_tenant: Option<Tenant>,
    /// The job: it remembers its source, its store and the state of every item
    #[arg(long, global = true, default_value = "migration", value_name = "NAME")]
    pub job: JobName,
    /// The folder of the ledgers; that of a queued job is in the index table
    #[arg(long, global = true, env = "CREDLINK_JOBS_DIR", default_value = JOBS_DIR, value_name = "DIR")]
    pub jobs_dir: PathBuf,
    /// The job's queue; its ledger is then in the table that CREDLINK_TABLE names
    #[arg(long, global = true, value_name = "URL")]
    pub queue: Option<String>,
    /// Items that are under way at once
    #[arg(long, global = true, default_value_t = 64, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub concurrency: u16,
    /// So many items a second at most; no limit by default
    #[arg(long, global = true, value_name = "PER SECOND", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: Option<u32>,
}

/// What can be done with a job.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Read and check everything, change nothing, and say what a run would do
    Plan,
    /// Copy what was not copied yet; the same command goes on where it was cut off
    Run(Run),
    /// Check that everything that was copied is there; the exit code says whether all is well
    Verify(Verify),
    /// Write into the store's index where the source has each proof, for functions that serve beside it
    Catalogue,
    /// Print how far the job is
    Status,
    /// Print the job's totals and each failure with its reason, in Markdown or with --json
    Report,
    /// Delete from the source what was verified long enough ago. It cannot be undone
    Cleanup(Cleanup),
    /// Delete from the store what this job made and nobody has touched since
    Rollback(Confirm),
    /// Put the messages of the dead-letter queue back into the queue
    Redrive(Redrive),
    /// Forget the job: its ledger goes, its name is free again, and proofs stay. It cannot be undone
    Remove(Remove),
}

/// Copy what was not copied yet.
#[derive(Debug, Args)]
pub struct Run {
    /// Items that the ledger, or a message of the queue, takes at once
    #[arg(long, default_value_t = 100, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub batch_size: u16,
    /// Leave alone what the store has already
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub skip_existing: bool,
    /// Delete each item from the source: never, or once it is copied and verified. It cannot be undone
    #[arg(long, value_enum, default_value = "never", value_name = "WHEN")]
    pub delete_after: DeleteAfter,
    /// Confirms --delete-after: the job's name
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<JobName>,
    /// How long to wait for a store that does not answer, before the run ends: 15m, 1h, 7d
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = time)]
    pub patience: Duration,
}

/// When an item is deleted from the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeleteAfter {
    /// Not by a run.
    Never,
    /// Once it was read back.
    Verified,
}

/// Check that everything that was copied is there.
#[derive(Debug, Args)]
pub struct Verify {
    /// Compare the content of everything, also where the provider holds a checksum
    #[arg(long)]
    pub deep: bool,
    /// Check so many of a hundred items only, the same ones each time
    #[arg(long, default_value_t = 100.0, value_name = "PERCENT", value_parser = percent)]
    pub sample: f64,
}

/// Delete from the source what was verified.
#[derive(Debug, Args)]
pub struct Cleanup {
    /// How long ago it has to have been verified
    #[arg(long, default_value = "30d", value_name = "TIME", value_parser = time)]
    pub keep: Duration,
    /// The job's name once more.
    #[command(flatten)]
    pub confirm: Confirm,
}

/// The job's name once more.
#[derive(Debug, Args)]
pub struct Confirm {
    /// Confirms it: the job's name. In a terminal it is asked for
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<JobName>,
}

/// Put the messages of the dead-letter queue back.
#[derive(Debug, Args)]
pub struct Redrive {
    /// The dead-letter queue; by default the one that --queue names in its redrive policy
    #[arg(long, value_name = "URL")]
    pub dead_letter_queue: Option<String>,
}

/// Forget the job.
#[derive(Debug, Args)]
pub struct Remove {
    /// Remove it although its source is not listed to the end, or items wait to be copied
    #[arg(long)]
    pub abandon: bool,
    /// The job's name once more.
    #[command(flatten)]
    pub confirm: Confirm,
}

/// The help of --tenant for a migration.
const TENANT_HELP: &str = "The tenant whose proofs they become. Without it, each proof keeps its tenant, and legacy records \
                           become those of `default`; a job from or to credlink:URL, or with --from-tenant, is for `default`";
/// The help of --data-dir for a migration.
const DATA_DIR_HELP: &str = "The folder with the index of a store in a bucket, where CREDLINK_TABLE names no table; a folder \
                             to copy to is named with --to dir:PATH";

/// Returns an option of every command with the help that is true of a migration, if it means something else there.
pub(super) fn reworded(arg: &Arg) -> Option<Arg> {
    match arg.get_id().as_str() {
        "tenant" => Some(arg.clone().help(TENANT_HELP).hide_default_value(true)),
        "data_dir" => Some(arg.clone().help(DATA_DIR_HELP)),
        _ => None,
    }
}

/// A place, wherever the next command of its job is typed.
fn place(text: &str) -> Result<Place, PlaceError> {
    text.parse::<Place>()?.absolute()
}

/// A time of a year at most; none at all, too.
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
