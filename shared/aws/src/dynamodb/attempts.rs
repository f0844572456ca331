//! When a call is tried again, and when not.
//!
//! The SDK tries reads again by itself. Writes are tried here: what an attempt that failed may have left behind decides
//! what the answer of the next one means, and of a conflict the SDK knows nothing.

use std::time::Duration;

use tokio::time::Instant;

use credlink_runtime::deadline::at_most;

use crate::{ErrorKind, Limits};

/// Longest pause before an attempt.
const LONGEST_PAUSE: Duration = Duration::from_millis(1_000);

/// The attempts of one call.
#[derive(Debug)]
pub(crate) struct Attempts {
    until: Instant,
    made: u32,
    failures: u32,
    retries: u32,
}

impl Attempts {
    pub(crate) fn new(limits: &Limits) -> Self {
        let until = Instant::now() + at_most(limits.operation);
        Self { until, made: 0, failures: 0, retries: limits.retries }
    }

    /// The deadline of every attempt.
    pub(crate) const fn until(&self) -> Instant {
        self.until
    }

    /// Waits until it is time for another attempt. `false`: there is none after an error of this `kind`.
    ///
    /// Conflicts and throttling end by waiting, so they are tried until time is up; what is out of reach or silent, as
    /// often as the limits say.
    pub(crate) async fn again(&mut self, kind: ErrorKind) -> bool {
        let shortest = match kind {
            // The other one is done within milliseconds.
            ErrorKind::Conflict => 10,
            ErrorKind::Throttled => 50,
            ErrorKind::TimedOut | ErrorKind::Unavailable => {
                self.failures += 1;
                if self.failures > self.retries {
                    return false;
                }
                50
            }
            ErrorKind::NotFound
            | ErrorKind::PreconditionFailed
            | ErrorKind::AccessDenied
            | ErrorKind::QuotaExceeded
            | ErrorKind::Damaged
            | ErrorKind::Refused => return false,
        };
        // Full jitter: callers that met do not meet again.
        let longest = Duration::from_millis(shortest << self.made.min(10)).min(LONGEST_PAUSE);
        let pause = longest.mul_f64(fastrand::f64());
        self.made += 1;
        if Instant::now() + pause >= self.until {
            return false;
        }
        tokio::time::sleep(pause).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_ends_by_waiting_is_tried_until_time_is_up() {
        let limits = Limits { operation: Duration::from_secs(30), retries: 2, ..Limits::default() };
        let mut attempts = Attempts::new(&limits);
        let mut made = 0;
        while attempts.again(ErrorKind::Throttled).await {
            made += 1;
        }
        assert!(made > 25, "{made}");
        let mut attempts = Attempts::new(&limits);
        for expected in [true, true, false] {
            assert_eq!(attempts.again(ErrorKind::Unavailable).await, expected);
        }
        assert!(!Attempts::new(&limits).again(ErrorKind::Refused).await);
        let soon = Instant::now() + Duration::from_millis(1);
        credlink_runtime::deadline::within(soon, async {
            tokio::time::advance(Duration::from_millis(2)).await;
            assert!(!Attempts::new(&limits).again(ErrorKind::Conflict).await);
        })
        .await;
    }
}
