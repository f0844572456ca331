//! The commands, and the options that can be typed behind them.
//!
//! | to find | look in |
//! |---|---|
//! | how a command line is read, and what does not go together | [`parsing`] |
//! | the options of the commands about proofs and manifests | [`proofs`] |
//! | of `serve` | [`serve`] |
//! | of `fsck`, `cleanup` and `rebuild` | [`maintenance`] |
//! | of `storage` and `migrate` | [`storage`], [`migrate`] |
//! | of the process that reads one media file | [`read_media`] |

mod maintenance;
pub mod migrate;
mod parsing;
mod proofs;
mod read_media;
mod serve;
pub mod storage;
mod time;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use credlink_core::tenant::Tenant;

pub use maintenance::{Cleanup, Fsck, Rebuild};
pub use proofs::{Delete, Front, Get, List, Put, Verify, Withdraw};
pub use read_media::ReadMedia;
pub use serve::Serve;

use crate::exit;

/// The folder of a server or a check that was not told another.
const DATA_DIR: &str = "./credlink-data";

/// Keeps the proof of a picture or a video outside the file, and finds it again.
#[derive(Debug, Parser)]
#[command(name = "credlink", version, after_long_help = exit::HELP, max_term_width = 100)]
pub struct Cli {
    /// Print JSON: results on stdout, problems on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Which CredLink to work with.
    #[command(flatten)]
    pub connection: Connection,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Which CredLink a command works with, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where")]
pub struct Connection {
    /// The server; serve, fsck, cleanup, rebuild, storage and migrate take none
    #[arg(long, global = true, env = "CREDLINK_URL", default_value = "http://127.0.0.1:8787")]
    pub url: String,
    /// A folder to work on directly, without a server
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The access token that the server knows you by
    #[arg(long, global = true, env = "CREDLINK_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Whose proofs: proof ids are derived from the file and its owner
    #[arg(long, global = true, env = "CREDLINK_TENANT", default_value = "default", value_name = "NAME")]
    pub tenant: Tenant,
    /// Whether that was said, with the option or its variable.
    #[arg(skip)]
    pub tenant_is_named: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service over a folder of this machine
    Serve(Serve),
    /// Store the proof of a file
    Put(Put),
    /// Print the record of a proof, or write its manifest
    Get(Get),
    /// Find the proof of a file, and check everything that can be checked
    Verify(Verify),
    /// List proofs, oldest first
    List(List),
    /// Delete a proof
    Delete(Delete),
    /// Withdraw a manifest that was published by mistake, or publish it again; its proofs stay
    Withdraw(Withdraw),
    /// Print which tenant's manifest a plain address serves, or decide it
    Front(Front),
    /// Check every guarantee over a whole deployment; in a folder, over one that no server is running on
    Fsck(Fsck),
    /// Remove now what is due and what nothing names, as servers and functions do by themselves
    Cleanup(Cleanup),
    /// Make the index anew from the objects, or bring one up to date that is older than they are
    Rebuild(Rebuild),
    /// Print counts, bytes and the cache's hit rate
    Stats,
    /// Work with the objects of a provider: S3, R2 or a folder
    Storage(storage::Storage),
    /// Move everything that another store has, and show that nothing was lost
    Migrate(migrate::Migrate),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Read one media file, for another process of this program
    #[command(hide = true)]
    ReadMedia(ReadMedia),
}

#[cfg(test)]
mod tests;
