//! The options of `credlink read-media`, which a process of this program runs in another process.

use std::path::PathBuf;

use clap::Args;

/// The options of `credlink read-media`.
#[derive(Debug, Args)]
pub struct ReadMedia {
    /// The file
    pub file: PathBuf,
    /// The format to read it as
    #[arg(long)]
    pub format: String,
    /// The maximum bytes of memory to use
    #[arg(long)]
    pub memory: u64,
    /// Validate the manifest on standard input with the file
    #[arg(long)]
    pub validate: bool,
}
