//! How long a step has patience, and what it gives up.

use std::time::Duration;

use credlink_ports::Failure;

/// When to go on, and when to give up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often a call is made before it is asked whose fault it is.
    pub attempts: u32,
    /// The wait before the second attempt; every later one is twice as long, and each is jittered.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
    /// How many items that fail at the same time, while none gets through, are an outage.
    pub items: usize,
    /// The longest outage that is waited for.
    pub outage: Duration,
}

impl Default for Patience {
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

/// Why a call was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// It is the item's fault.
    Item(Failure),
    /// Nobody gets through, or an operator has to act: the step ends.
    Step(Failure),
    /// Whoever watches wants it to end.
    Cancelled,
}
