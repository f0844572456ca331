//! The options of the commands that look after a deployment: fsck, cleanup and rebuild.

use std::path::PathBuf;

use clap::Args;
use credlink_core::time::Timestamp;

use super::DATA_DIR;

/// The options of `credlink fsck`.
#[derive(Debug, Args)]
pub struct Fsck {
    /// The folder of the deployment, if it keeps anything in one
    // This ID replaces the option of the same name that every command has.
    #[arg(long, env = "CREDLINK_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Repair what can be repaired, remove what a crash left behind, then check again
    #[arg(long)]
    pub repair: bool,
    /// Instead of checking, restore the orphans that cleanup removed in the last 7 days
    #[arg(long, conflicts_with = "repair")]
    pub undo: bool,
    /// Restore only what was removed at or after this time, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "INSTANT", requires = "undo")]
    pub since: Option<Timestamp>,
}

/// The options of `credlink cleanup`.
#[derive(Debug, Args)]
pub struct Cleanup {
    /// The folder of the deployment, if it keeps anything in one
    // This ID replaces the option of the same name that every command has.
    #[arg(long, env = "CREDLINK_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Let a cleanup that stopped itself continue, after you have looked at what it would remove
    #[arg(long)]
    pub go_on: bool,
    /// Accept a clock that jumped as correct: proofs that expired more than 7 days ago by that clock are destroyed at
    /// once, permanently
    #[arg(long)]
    pub confirm_clock: bool,
}

/// The options of `credlink rebuild`.
#[derive(Debug, Args)]
pub struct Rebuild {
    /// The folder of the deployment, if it keeps anything in one
    // This ID replaces the option of the same name that every command has.
    #[arg(long, env = "CREDLINK_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Change the rows of an index that already has some, accept as lost what only they know, and rewrite a damaged
    /// mark of the store; without it, the changes are only counted
    #[arg(long)]
    pub confirm: bool,
    /// Start from the beginning, even if a rebuild was interrupted
    #[arg(long)]
    pub anew: bool,
}
