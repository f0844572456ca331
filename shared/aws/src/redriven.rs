//! The outcome of a redrive: messages of a dead-letter queue that are back in their queue.

use serde::Serialize;

/// A queue's policy for messages that were delivered too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedrivePolicy {
    /// The dead-letter queue's ARN.
    pub dead_letter_arn: String,
    /// The number of deliveries before a message goes to the dead-letter queue.
    pub max_receives: u32,
}

/// The progress of a redrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Redriven {
    /// Messages that were moved back.
    pub moved: u64,
    /// The approximate number of messages that are not moved yet.
    pub left: u64,
}
