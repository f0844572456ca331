//! Works through a queue: receive, work, settle. A message that fails stays in the queue and is delivered again.

use credlink_core::message::Message;
use credlink_ports::request::within_request;
use credlink_ports::{Clock, Delivery, Failure, Index, LongObjects, Queue};
use serde::Serialize;

use super::{Dispatcher, Migrations, WorkError};

/// The number of messages received at a time: the most that a queue hands out at once.
const BATCH: usize = 10;

/// The limits of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The maximum number of messages.
    pub messages: u64,
    /// The time that a message is hidden from other workers while it is worked on, in seconds: longer than 20 copies
    /// take.
    pub hidden_seconds: u32,
    /// The number of deliveries after which a message is left with an error in the log. A queue with a dead-letter
    /// queue has its own limit and needs none here.
    pub attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { messages: 1_000, hidden_seconds: 120, attempts: u32::MAX }
    }
}

/// The results of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Messages that were received.
    pub received: u64,
    /// Messages that were worked and removed.
    pub done: u64,
    /// Messages that stay in the queue and are delivered again.
    pub left: u64,
    /// Messages among `left` that need an operator: those that are not messages of CredLink, and those about lost
    /// objects.
    pub poisoned: u64,
}

/// The fate of a message whose work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// The message is delivered again, without intervention.
    ForLater,
    /// The message needs an operator.
    Poisoned,
}

impl<A: LongObjects, B: LongObjects, I: Index, K: Clock, M: Migrations> Dispatcher<'_, A, B, I, K, M> {
    /// Works through the queue until it hands out nothing, or `limits` are reached.
    ///
    /// # Errors
    /// Returns an error if the queue fails. Messages that were settled before that are done.
    pub async fn drain(&self, queue: &impl Queue, limits: Limits) -> Result<Report, Failure> {
        let mut report = Report::default();
        while report.received < limits.messages {
            let most = usize::try_from(limits.messages - report.received).unwrap_or(BATCH).min(BATCH);
            let deliveries = queue.receive(most, limits.hidden_seconds).await?;
            if deliveries.is_empty() {
                break;
            }
            for delivery in deliveries {
                report.received += 1;
                match self.deliver(&delivery, limits).await {
                    None => {
                        queue.settle(&delivery.receipt).await?;
                        report.done += 1;
                    }
                    Some(left) => {
                        report.left += 1;
                        report.poisoned += u64::from(left == Left::Poisoned);
                    }
                }
            }
        }
        Ok(report)
    }

    /// Works one message, and logs why it is left. Returns `None` if it is done.
    async fn deliver(&self, delivery: &Delivery, limits: Limits) -> Option<Left> {
        let message: Message = match delivery.text.parse() {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(%error, attempts = delivery.attempts, "the queue holds what cannot be read");
                return Some(Left::Poisoned);
            }
        };
        let work = self.work(&message, delivery.attempts);
        let done = within_request(message.request_id.as_str().into(), work).await;
        done.err().map(|error| leave(&error, &message.request_id, delivery.attempts, limits))
    }
}

/// Logs why a message is left.
fn leave(error: &WorkError, request_id: &str, attempts: u32, limits: Limits) -> Left {
    let mut left = Left::ForLater;
    match error {
        WorkError::Unrepaired(failed) => {
            for (key, error) in failed {
                if error.is_worth_a_retry() && attempts < limits.attempts {
                    tracing::warn!(%key, %error, request_id, attempts, "not repaired yet");
                } else {
                    tracing::error!(%key, %error, request_id, attempts, "cannot be repaired");
                    left = Left::Poisoned;
                }
            }
        }
        WorkError::RepairMark(failure) => {
            tracing::warn!(%failure, request_id, "repaired, and the provider still counts as behind");
        }
        WorkError::NoMigrations => {
            tracing::error!(request_id, attempts, "{error}");
            left = Left::Poisoned;
        }
        error if error.is_worth_a_retry() && attempts < limits.attempts => {
            tracing::warn!(%error, request_id, attempts, "not done yet");
        }
        error => {
            tracing::error!(%error, request_id, attempts, "cannot be done");
            left = Left::Poisoned;
        }
    }
    left
}
