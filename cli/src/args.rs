//! The commands and their options.
//!
//! | to find | look in |
//! |---|---|
//! | how a command line is read, and which options exclude each other | [`parsing`] |
//! | the options of the commands about proofs and manifests | [`proofs`] |
//! | the options of `files` | [`files`] |
//! | the options of `serve` | [`serve`] |
//! | the options of `fsck`, `cleanup` and `rebuild` | [`maintenance`] |
//! | the options of `storage` and `migrate` | [`storage`], [`migrate`] |
//! | the options of the processes that read one media file, and that sign renditions | [`read_media`], `sign_renditions` |

pub mod files;
mod maintenance;
pub mod migrate;
mod parsing;
mod proofs;
mod read_media;
mod serve;
#[cfg(feature = "sign")]
mod sign_renditions;
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
#[cfg(feature = "sign")]
pub use sign_renditions::SignRenditions;

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

/// The server, where none is named: `credlink serve` on this machine.
const DEFAULT_URL: &str = "http://127.0.0.1:8787";

/// The CredLink that a command works with, and the identity that the command has there. A variable that is set to nothing
/// counts as not set.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where")]
pub struct Connection {
    /// The server. Not for serve, fsck, cleanup, rebuild, storage and migrate
    #[arg(long, global = true, env = "CREDLINK_URL", default_value = DEFAULT_URL)]
    url: String,
    /// A folder to open directly, without a server
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The access token for the server
    #[arg(long, global = true, env = "CREDLINK_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The tenant that owns the proofs: a proof ID is derived from the file and its tenant
    #[arg(long, global = true, env = "CREDLINK_TENANT", default_value = "default", value_name = "NAME")]
    pub tenant: Tenant,
    /// `true` if the tenant was named, by the option or its variable.
    #[arg(skip)]
    pub tenant_is_named: bool,
}

impl Connection {
    /// Returns the URL of the server.
    pub fn url(&self) -> &str {
        if self.url.is_empty() { DEFAULT_URL } else { &self.url }
    }

    /// Returns the access token for the server, if there is one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref().filter(|token| !token.is_empty())
    }
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
    /// Upload, read and arrange files: pictures with their renditions, and documents
    Files(files::Files),
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
    /// Sign the renditions of one picture, for another process of this program
    #[cfg(feature = "sign")]
    #[command(hide = true)]
    SignRenditions(SignRenditions),
}

impl Command {
    /// Returns `true` for a command that only another process of this program runs.
    pub const fn is_hidden(&self) -> bool {
        #[cfg(feature = "sign")]
        if matches!(self, Self::SignRenditions(_)) {
            return true;
        }
        matches!(self, Self::ReadMedia(_))
    }
}

#[cfg(test)]
mod tests;
