//! The circuit breaker of Redis and of the edge.

use std::time::Duration;

use credlink_runtime::circuit_breaker::{BreakerSettings, SharedBreaker};

/// Returns the circuit breaker of Redis or of the edge: three failures in a row open it, for a pause of `rest` that
/// doubles up to `longest_rest`.
pub(crate) fn breaker(rest: Duration, longest_rest: Duration) -> SharedBreaker {
    let settings = BreakerSettings { failures: 3, pause: rest, longest_pause: longest_rest, trial_pauses: 1 };
    SharedBreaker::new(settings)
}
