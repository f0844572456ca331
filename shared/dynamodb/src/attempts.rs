//! The conditions under which a call is retried.
//!
//! The SDK retries reads. Writes are retried here, because the possible effects of a failed attempt decide what the
//! answer of the next one means, and because the SDK does not retry conflicts.

use std::time::Duration;

use credlink_aws::{ErrorKind, Limits};
use credlink_runtime::deadline::at_most;
use tokio::time::Instant;

/// The longest pause before an attempt.
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

    /// Returns the deadline of every attempt.
    pub(crate) const fn until(&self) -> Instant {
        self.until
    }

    /// Waits until it is time for another attempt. Returns `false` if there is none after an error of this `kind`.
    ///
    /// Conflicts and throttling pass with time, so they are retried until the deadline. A service that is out of reach
    /// or does not answer is retried as often as the limits say.
    pub(crate) async fn again(&mut self, kind: ErrorKind) -> bool {
        let shortest = match kind {
            // The other transaction is done within milliseconds.
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
        // Full jitter, so that callers that conflicted once do not conflict again.
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
