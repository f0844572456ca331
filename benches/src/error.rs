//! The reasons why a benchmark did not finish. None of them ever becomes a figure.

use std::io;

/// A failure of a benchmark.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system reported an error.
    #[error("{doing}: {source}")]
    Io {
        /// The activity that failed.
        doing: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// An answer was wrong or missing.
    #[error("{0}")]
    Wrong(String),
}

impl Error {
    /// An error of the operating system while `doing` something.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        |source| Self::Io { doing, source }
    }

    /// A failure while `doing` something that is not an error of the operating system.
    pub fn wrong(doing: &str, why: impl std::fmt::Display) -> Self {
        Self::Wrong(format!("{doing}: {why}"))
    }
}
