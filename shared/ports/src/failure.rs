//! Failures of the services behind the ports, classified by how to react to them.

/// A failure of a service to answer as it should: the provider, the kind, and a message.
///
/// It does not say whether the operation took effect. Absence and lost races are never reported as a failure (guarantee
/// 7).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{provider}: {kind}: {message}")]
pub struct Failure {
    /// The name by which operators know the provider.
    pub provider: &'static str,
    /// The kind of failure.
    pub kind: FailureKind,
    /// A message for the operator's log, never for a client.
    pub message: String,
}

/// The kinds of failure, each of which calls for a different reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FailureKind {
    /// The provider is out of reach, or broken for now. A retry is worthwhile.
    #[error("unavailable")]
    Unavailable,
    /// The provider did not answer in time. A retry is worthwhile.
    #[error("timed out")]
    TimedOut,
    /// The provider asks the caller to slow down. A retry is worthwhile, but later.
    #[error("throttled")]
    Throttled,
    /// The provider denies access. An operator must act.
    #[error("access denied")]
    AccessDenied,
    /// The provider has no room left. An operator must act.
    #[error("out of space")]
    OutOfSpace,
    /// The provider's content is not what was written. An operator must act.
    #[error("damaged")]
    Damaged,
}
