//! An SQS queue, or a queue in a file of this machine.

use credlink_core::message::Message;
use credlink_ports::{Delivery, Failure, FailureKind, Queue};

use credlink_aws::Error;
use credlink_aws::sqs::SqsQueue;
use credlink_runtime::clock::SystemClock;

use crate::embedded::EmbeddedQueue;

/// The queue that was chosen. Clones share one queue.
#[derive(Debug, Clone)]
pub enum AnyQueue {
    /// An SQS queue.
    Sqs(SqsQueue),
    /// A file of this machine.
    Embedded(EmbeddedQueue<SystemClock>),
    /// No queue: there is one provider, and nothing to repair.
    Nothing,
}

impl AnyQueue {
    /// Checks that the queue can be used.
    ///
    /// # Errors
    /// Returns an error that says what is wrong and how to mend it.
    pub async fn check(&self) -> Result<(), Error> {
        match self {
            Self::Sqs(queue) => queue.check().await,
            Self::Embedded(_) | Self::Nothing => Ok(()),
        }
    }
}

impl Queue for AnyQueue {
    fn name(&self) -> &'static str {
        match self {
            Self::Sqs(queue) => queue.name(),
            Self::Embedded(queue) => queue.name(),
            Self::Nothing => "none",
        }
    }

    async fn send(&self, message: &Message, delay_seconds: u32) -> Result<(), Failure> {
        match self {
            Self::Sqs(queue) => Box::pin(queue.send(message, delay_seconds)).await,
            Self::Embedded(queue) => Box::pin(queue.send(message, delay_seconds)).await,
            Self::Nothing => Err(Failure {
                provider: self.name(),
                kind: FailureKind::Unavailable,
                message: "there is no queue: set CREDLINK_QUEUE_URL".to_owned(),
            }),
        }
    }

    async fn receive(&self, most: usize, hidden_seconds: u32) -> Result<Vec<Delivery>, Failure> {
        match self {
            Self::Sqs(queue) => Box::pin(queue.receive(most, hidden_seconds)).await,
            Self::Embedded(queue) => Box::pin(queue.receive(most, hidden_seconds)).await,
            Self::Nothing => Ok(Vec::new()),
        }
    }

    async fn settle(&self, receipt: &str) -> Result<(), Failure> {
        match self {
            Self::Sqs(queue) => Box::pin(queue.settle(receipt)).await,
            Self::Embedded(queue) => Box::pin(queue.settle(receipt)).await,
            Self::Nothing => Ok(()),
        }
    }

    async fn depth(&self) -> Result<u64, Failure> {
        match self {
            Self::Sqs(queue) => Box::pin(queue.depth()).await,
            Self::Embedded(queue) => Box::pin(queue.depth()).await,
            Self::Nothing => Ok(0),
        }
    }
}
