//! The time limits of calls to AWS.

use std::time::Duration;

/// The time limits of calls, and the number of retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The time until a connection is established.
    pub connect: Duration,
    /// The time until one attempt is answered.
    pub attempt: Duration,
    /// The time until the call is answered, including all attempts and the pauses between them.
    pub operation: Duration,
    /// The number of attempts after the first.
    pub retries: u32,
}

impl Default for Limits {
    /// Returns limits within the 30 s that an API Gateway waits for its Lambda: a call should not take more than a
    /// third of that.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            attempt: Duration::from_secs(5),
            operation: Duration::from_secs(10),
            retries: 2,
        }
    }
}
