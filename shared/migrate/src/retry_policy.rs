//! The limits of a step's retries, and the reasons for giving up.

use std::time::Duration;

use credlink_ports::Failure;

/// Limits for retrying and for giving up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Number of attempts at a call before the cause of its failure is examined.
    pub attempts: u32,
    /// The wait before the second attempt. Each later wait is twice as long, and all are jittered.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
    /// Number of items that must fail at the same time, while none gets through, to count as an outage.
    pub items: usize,
    /// The longest outage that a step waits out.
    pub outage: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 8,
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(30),
            items: 3,
            outage: Duration::from_secs(3_600),
        }
    }
}

/// The reason why a call was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// The item is the cause.
    Item(Failure),
    /// No call gets through, or an operator has to act: the step ends.
    Step(Failure),
    /// The caller has cancelled the step.
    Cancelled,
}
