//! The state of each provider, where there are several.

use credlink_core::replica::Replica;

use crate::FailureKind;

/// The state of one of several providers, as far as it is known without asking the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderState {
    /// The provider's name.
    pub name: &'static str,
    /// The provider's role.
    pub replica: Replica,
    /// The state of the provider's circuit breaker.
    pub breaker: BreakerState,
    /// The time for which the breaker has been in that state, in milliseconds.
    pub for_ms: u64,
    /// The kind of the last failure, if the provider has not answered since.
    pub failure: Option<FailureKind>,
    /// The median latency of recent answers, in milliseconds.
    pub p50_ms: u64,
    /// The 95th percentile of the latency of recent answers, in milliseconds.
    pub p95_ms: u64,
    /// `true` if the provider recently missed writes, so that its objects are checked against the index.
    pub behind: bool,
}

/// The state of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// The provider is called.
    Closed,
    /// The provider failed too often and is not called.
    Open,
    /// One call tests whether the provider answers again.
    HalfOpen,
}
