//! The state of each of several providers.

use credlink_core::replica::Replica;

use crate::FailureKind;

/// The state of one of several providers, as it is known without asking it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderState {
    /// Its name.
    pub name: &'static str,
    /// The role of the provider.
    pub replica: Replica,
    /// The state of its circuit breaker.
    pub breaker: BreakerState,
    /// Time for which the breaker has been in that state, in milliseconds.
    pub for_ms: u64,
    /// The kind of its last failure, if it failed since it last answered.
    pub failure: Option<FailureKind>,
    /// The median of its latest answers, in milliseconds.
    pub p50_ms: u64,
    /// The time within which 95 of 100 of its latest answers came, in milliseconds.
    pub p95_ms: u64,
    /// `true` if it missed writes lately, so that what it holds is checked against the index.
    pub behind: bool,
}

/// The state of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// The provider is called.
    Closed,
    /// It failed too often, and is not called.
    Open,
    /// One call tries whether it answers again.
    HalfOpen,
}
