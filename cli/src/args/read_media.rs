//! The options of `credlink read-media`, which one process of this program runs in another one.

use std::path::PathBuf;

use clap::Args;

/// Read one media file, for another process of this program.
#[derive(Debug, Args)]
pub struct ReadMedia {
    /// The file
    pub file: PathBuf,
    /// What it is read as
    #[arg(long)]
    pub format: String,
    /// Bytes of memory that this may take
    #[arg(long)]
    pub memory: u64,
    /// Validate the manifest on standard input with it
    #[arg(long)]
    pub validate: bool,
}
