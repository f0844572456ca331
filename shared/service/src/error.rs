//! The two ways in which a use case ends early, and their one conversion into HTTP.
//!
//! A [`Problem`] is an answer: the caller asked for something that is absent, not allowed or malformed. A [`Failure`]
//! is a fault of the service: it is logged in full, and the caller learns only whether to try again.

use credlink_core::http::problem::{Problem, ProblemKind};

use credlink_ports::{Failure, FailureKind};

/// The reason why a use case ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An answer for the caller.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// A fault of the service.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Seconds after which a client should try again when a provider is out of reach.
const RETRY_AFTER_SECONDS: u32 = 2;

/// Seconds after which a client should try again when storage is full: an operator has to free some space first.
const ROOM_AFTER_SECONDS: u32 = 30;

impl Error {
    /// Returns the problem that the caller is told of.
    #[must_use]
    pub fn problem(&self) -> Problem {
        match self {
            Self::Problem(problem) => problem.clone(),
            Self::Failure(failure) => match failure.kind {
                FailureKind::Unavailable | FailureKind::TimedOut | FailureKind::Throttled => {
                    Problem::unavailable(RETRY_AFTER_SECONDS)
                }
                FailureKind::OutOfSpace => Problem::out_of_space(ROOM_AFTER_SECONDS),
                FailureKind::AccessDenied => Problem::new(
                    ProblemKind::Internal,
                    "the service is misconfigured; the operator finds the reason in the log under the request id",
                ),
                FailureKind::Damaged => Problem::damaged(),
            },
        }
    }
}

/// The answer to a caller that lost too many races in a row.
pub fn contended() -> Error {
    Problem::new(ProblemKind::Contended, "other requests kept changing this during the request; try again")
        .into()
}

/// Describes a kind of failure without the provider's own words, because health is public.
pub(crate) const fn in_words(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Unavailable => "unavailable",
        FailureKind::TimedOut => "timed out",
        FailureKind::Throttled => "throttled",
        FailureKind::AccessDenied => "access denied",
        FailureKind::OutOfSpace => "out of space",
        FailureKind::Damaged => "damaged",
    }
}
