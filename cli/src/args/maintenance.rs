//! The options of the commands that look after a deployment: fsck, cleanup and rebuild.

use std::path::PathBuf;

use clap::Args;
use credlink_core::time::Timestamp;

use super::DATA_DIR;

/// Check every guarantee over a whole deployment.
#[derive(Debug, Args)]
pub struct Fsck {
    /// The folder, where anything of the deployment is in one
    // The same id as the option of every command, whose place it takes here.
    #[arg(long, env = "CREDLINK_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Set right what can be, remove what a crash left over, then check again
    #[arg(long)]
    pub repair: bool,
    /// Bring back what cleanup has removed as left over in the last days, instead of checking
    #[arg(long, conflicts_with = "repair")]
    pub undo: bool,
    /// What was removed at or after this instant only, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "INSTANT", requires = "undo")]
    pub since: Option<Timestamp>,
}

/// Remove now what is due and what nothing names.
#[derive(Debug, Args)]
pub struct Cleanup {
    /// The folder, where anything of the deployment is in one
    // The same id as the option of every command, whose place it takes here.
    #[arg(long, env = "CREDLINK_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Let the collector go on that has stopped itself: somebody has looked at what it would remove
    #[arg(long)]
    pub go_on: bool,
    /// Take the clock as right that jumped: proofs that expired more than 7 days ago by it are destroyed at once, and nothing
    /// brings them back
    #[arg(long)]
    pub confirm_clock: bool,
}

/// Make the index anew from the objects, or bring one up to date that is older than they are.
#[derive(Debug, Args)]
pub struct Rebuild {
    /// The folder, where anything of the deployment is in one
    // The same id as the option of every command, whose place it takes here.
    #[arg(long, env = "CREDLINK_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Change rows of an index that has some, take as lost what only they know, and make a damaged mark of the store anew;
    /// without it, what would be changed is counted
    #[arg(long)]
    pub confirm: bool,
    /// Begin at the beginning, also where a rebuild was cut off
    #[arg(long)]
    pub anew: bool,
}
