//! The commands and their options.
//!
//! | to find | look in |
//! |---|---|
//! | how a command line is read, and which options exclude each other | [`parsing`] |
//! | the options of the commands about proofs and manifests | [`proofs`] |
//! | the options of `serve` | [`serve`] |
//! | the options of `fsck`, `cleanup` and `rebuild` | [`maintenance`] |
//! | the options of `storage` and `migrate` | [`storage`], [`migrate`] |
//! | the options of the process that reads one media file | [`read_media`] |

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

/// The default folder of a server or a check.
const DATA_DIR: &str = "./credlink-data";

/// Keep the proof of a picture or a video outside the file, and find it again
#[derive(Debug, Parser)]
#[command(name = "credlink", version, after_long_help = exit::HELP, max_term_width = 100)]
pub struct Cli {
    /// Print JSON: results on stdout, problems on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// The CredLink to work with.
    #[command(flatten)]
    pub connection: Connection,
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The CredLink that a command works with, and the identity that the command has there.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where")]
pub struct Connection {
    /// The server. Not for serve, fsck, cleanup, rebuild, storage and migrate
    #[arg(long, global = true, env = "CREDLINK_URL", default_value = "http://127.0.0.1:8787")]
    pub url: String,
    /// A folder to open directly, without a server
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The access token for the server
    #[arg(long, global = true, env = "CREDLINK_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// The tenant that owns the proofs: a proof ID is derived from the file and its tenant
    #[arg(long, global = true, env = "CREDLINK_TENANT", default_value = "default", value_name = "NAME")]
    pub tenant: Tenant,
    /// `true` if the tenant was named, by the option or its variable.
    #[arg(skip)]
    pub tenant_is_named: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service over a folder on this machine
    Serve(Serve),
    /// Store the proof of a file
    Put(Put),
    /// Print the record of a proof, or write its manifest
    Get(Get),
    /// Find the proof of a file and check everything that can be checked
    Verify(Verify),
    /// List proofs, oldest first
    List(List),
    /// Delete a proof
    Delete(Delete),
    /// Withdraw a manifest that was published by mistake, or publish it again; its proofs stay
    Withdraw(Withdraw),
    /// Show or decide which tenant's manifest a plain address serves
    Front(Front),
    /// Check every guarantee over a whole deployment; no server may be running on its folder
    Fsck(Fsck),
    /// Clean up now, as servers and functions do by themselves: remove what is due and what nothing refers to
    Cleanup(Cleanup),
    /// Rebuild the index from the objects, or update one that is older than they are
    Rebuild(Rebuild),
    /// Print counts, bytes and the cache's hit rate
    Stats,
    /// Work with the objects of a provider: S3, R2 or a folder
    Storage(storage::Storage),
    /// Copy everything from another store, and prove that nothing was lost
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
