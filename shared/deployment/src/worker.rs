//! Working a queue off: receive, do, settle. What fails stays in the queue, and comes again.

use credlink_core::message::{Message, Work};
use credlink_core::object::ObjectKey;
use serde::Serialize;

use credlink_pair::repair_mark::lower;
use credlink_pair::replicate::run;
use credlink_ports::{Clock, Delivery, Failure, Index, Objects, Queue};

/// Messages of one receive: as many as a queue hands out at once.
const BATCH: usize = 10;

/// How much one run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most messages.
    pub messages: u64,
    /// How long a message is hidden from others while it is worked on, in seconds: longer than 20 copies take.
    pub hidden_seconds: u32,
    /// Deliveries after which a message is left alone with a loud reason. A queue with a dead-letter queue has its own
    /// limit, and needs none here.
    pub attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { messages: 1_000, hidden_seconds: 120, attempts: u32::MAX }
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Messages that were received.
    pub received: u64,
    /// Messages that were done, and taken out.
    pub done: u64,
    /// Messages that stay in the queue and come again.
    pub left: u64,
    /// Messages among those that need an operator: what is no message of CredLink, and objects that are lost.
    pub poisoned: u64,
}

/// Works the queue off until it hands out nothing, or `limits` are reached. `changed` is told what is another object at a
/// provider now.
///
/// # Errors
/// The queue failed. What was settled is done.
pub async fn drain(
    queue: &impl Queue,
    primary: &impl Objects,
    fallback: &impl Objects,
    index: &impl Index,
    clock: &impl Clock,
    limits: Limits,
    mut changed: impl FnMut(&ObjectKey),
) -> Result<Report, Failure> {
    let mut report = Report::default();
    while report.received < limits.messages {
        let most = usize::try_from(limits.messages - report.received).unwrap_or(BATCH).min(BATCH);
        let deliveries = queue.receive(most, limits.hidden_seconds).await?;
        if deliveries.is_empty() {
            break;
        }
        for delivery in deliveries {
            report.received += 1;
            match work(&delivery, primary, fallback, index, clock, limits, &mut changed).await {
                Ok(()) => {
                    queue.settle(&delivery.receipt).await?;
                    report.done += 1;
                }
                Err(poisoned) => {
                    report.left += 1;
                    report.poisoned += u64::from(poisoned);
                }
            }
        }
    }
    Ok(report)
}

/// Does one message. `Err`: it stays; whether it needs an operator.
async fn work(
    delivery: &Delivery,
    primary: &impl Objects,
    fallback: &impl Objects,
    index: &impl Index,
    clock: &impl Clock,
    limits: Limits,
    changed: &mut impl FnMut(&ObjectKey),
) -> Result<(), bool> {
    let message: Message = match delivery.text.parse() {
        Ok(message) => message,
        Err(error) => {
            tracing::error!(%error, attempts = delivery.attempts, "the queue holds what cannot be read");
            return Err(true);
        }
    };
    let Work::Replicate { to, keys, mark } = &message.work else {
        tracing::error!(
            request_id = message.request_id,
            attempts = delivery.attempts,
            "the queue of one machine runs no migration that was queued; `credlink migrate run` without `--queue` does it here"
        );
        return Err(true);
    };
    let (mut left, mut poisoned) = (false, false);
    for (key, done) in run(*to, keys, primary, fallback, index, clock.now()).await {
        let request_id = &message.request_id;
        match done {
            Ok(outcome) => {
                tracing::debug!(%key, ?outcome, request_id, "repaired");
                if outcome.is_a_change() {
                    changed(&key);
                }
            }
            Err(error) if error.is_worth_a_retry() && delivery.attempts < limits.attempts => {
                tracing::warn!(%key, %error, request_id, attempts = delivery.attempts, "not repaired yet");
                left = true;
            }
            Err(error) => {
                tracing::error!(%key, %error, request_id, attempts = delivery.attempts, "cannot be repaired");
                (left, poisoned) = (true, true);
            }
        }
    }
    if left {
        return Err(poisoned);
    }
    match mark {
        None => Ok(()),
        Some(mark) => lower(index, *to, *mark).await.map_err(|failure| {
            let request_id = &message.request_id;
            tracing::warn!(%failure, request_id, "repaired, and the provider still counts as behind");
            false
        }),
    }
}
