//! Clocks for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use credlink_core::time::Timestamp;

use crate::Clock;

/// A clock for tests, which stands still until it is set, and numbers the requests. Clones share one clock.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<(AtomicI64, AtomicU64)>);

impl ManualClock {
    /// Creates a clock that stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new((AtomicI64::new(now.milliseconds()), AtomicU64::new(0))))
    }

    /// Moves the clock to `now`, forward or back.
    pub fn set(&self, now: Timestamp) {
        self.0.0.store(now.milliseconds(), Ordering::SeqCst);
    }

    /// Moves the clock forward.
    pub fn advance_seconds(&self, seconds: u64) {
        self.set(self.now().plus_seconds(seconds));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_milliseconds(self.0.0.load(Ordering::SeqCst))
    }

    /// Follows the clock's time, so that durations are as long as a test makes them.
    fn monotonic_microseconds(&self) -> u64 {
        self.now().milliseconds().unsigned_abs() * 1_000
    }

    fn request_id(&self) -> String {
        format!("request-{}", self.0.1.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

/// The system's clock, for doubles in tests that wait in real time.
#[derive(Debug, Clone, Copy, Default)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_milliseconds(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic_microseconds(&self) -> u64 {
        self.now().milliseconds().unsigned_abs() * 1_000
    }

    fn request_id(&self) -> String {
        format!("request-{}", self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_still() {
        let clock = ManualClock::at(Timestamp::from_milliseconds(1_000));
        let same = clock.clone();
        clock.advance_seconds(2);
        assert_eq!(same.now().milliseconds(), 3_000);
        assert_eq!((clock.request_id(), same.request_id()), ("request-1".to_owned(), "request-2".to_owned()));
    }
}
