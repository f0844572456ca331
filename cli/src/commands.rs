//! The commands, with one file and one function each. A command sends its requests, prints the result, and returns an
//! exit code.

mod cleanup;
mod completions;
mod delete;
mod deployment;
mod display;
mod figures;
mod files;
mod front;
mod fsck;
mod get;
mod list;
mod migrate;
mod progress;
mod put;
mod rebuild;
mod stats;
mod storage;
mod verify;
mod withdraw;

pub use cleanup::cleanup;
pub use completions::completions;
pub use delete::delete;
pub use files::files;
pub use front::front;
pub use fsck::fsck;
pub use get::get;
pub use list::list;
pub use migrate::migrate;
pub use put::put;
pub use rebuild::rebuild;
pub use stats::stats;
pub use storage::storage;
pub use verify::verify;
pub use withdraw::withdraw;
