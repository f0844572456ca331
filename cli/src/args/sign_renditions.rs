//! The options of `credlink sign-renditions`, which a process of this program runs in another process.

use clap::Args;

/// The options of `credlink sign-renditions`.
#[derive(Debug, Args)]
pub struct SignRenditions {
    /// The maximum bytes of memory to use
    #[arg(long)]
    pub memory: u64,
}
