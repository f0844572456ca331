//! Failures of what a port stands for, by what has to be done about them.

/// A service that did not answer as it should: an opaque source, with who, what and how.
///
/// It says nothing about whether the operation took effect. Absence and lost races are never reported as this
/// (guarantee 7).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{provider}: {kind}: {message}")]
pub struct Failure {
    /// The provider, by the name that the operator knows it by.
    pub provider: &'static str,
    /// The kind of failure.
    pub kind: FailureKind,
    /// For the operator's log, never for a client.
    pub message: String,
}

/// The kinds of failure that lead to different answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FailureKind {
    /// Out of reach, or broken for now: worth a retry.
    #[error("unavailable")]
    Unavailable,
    /// It did not answer in time: worth a retry.
    #[error("timed out")]
    TimedOut,
    /// It asks to slow down: worth a retry, later.
    #[error("throttled")]
    Throttled,
    /// It does not let us: an operator has to act.
    #[error("access denied")]
    AccessDenied,
    /// No room left: an operator has to act.
    #[error("out of space")]
    OutOfSpace,
    /// Its content is not what was written: an operator has to act.
    #[error("damaged")]
    Damaged,
}
