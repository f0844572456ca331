//! A circuit breaker that many callers share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::{BreakerSettings, CircuitBreaker};

/// A breaker behind a lock, with Tokio's clock and random chances.
#[derive(Debug)]
pub struct SharedBreaker(Mutex<CircuitBreaker>);

impl SharedBreaker {
    /// Returns a closed breaker.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        Self(Mutex::new(CircuitBreaker::new(settings, Instant::now())))
    }

    /// Returns `true` if a call may be made now: see [`CircuitBreaker::admit`].
    pub fn admit(&self) -> bool {
        self.lock().admit(Instant::now())
    }

    /// Records that a call was answered: see [`CircuitBreaker::succeeded`].
    pub fn succeeded(&self) -> bool {
        self.lock().succeeded(Instant::now())
    }

    /// Records that a call failed: see [`CircuitBreaker::failed`].
    pub fn failed(&self) -> bool {
        self.lock().failed(Instant::now(), fastrand::f64())
    }

    fn lock(&self) -> MutexGuard<'_, CircuitBreaker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
