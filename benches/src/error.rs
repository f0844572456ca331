//! Why a benchmark could not be run to its end. None of these ever becomes a figure.

use std::io;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What it said.
        source: io::Error,
    },
    /// An answer was not the right one, or there was none.
    #[error("{0}")]
    Wrong(String),
}

impl Error {
    /// An error of the operating system while `doing` something.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        |source| Self::Io { doing, source }
    }

    /// Something that should not be, and is no error of the operating system.
    pub fn wrong(doing: &str, why: impl std::fmt::Display) -> Self {
        Self::Wrong(format!("{doing}: {why}"))
    }
}
