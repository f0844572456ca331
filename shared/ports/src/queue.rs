//! The port for a message queue.

use std::future::Future;

use credlink_core::message::Message;

use crate::Failure;

/// A message as the queue delivers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The name of this delivery, for [`Queue::settle`].
    pub receipt: String,
    /// The message's text. It may not be one of CredLink's messages; the receiver must handle that, too.
    pub text: String,
    /// The number of deliveries of this message so far, including this one.
    pub attempts: u32,
}

/// A queue of work to be done later: SQS, or a file on this machine.
///
/// * **Durability.** Once `send` has returned `Ok`, the message is delivered until it is settled, or until the queue
///   moves it to its dead-letter queue or an operator takes it out.
/// * **At least once.** A message may be delivered more than once, and messages may come in any order.
/// * **Failure.** After an `Err` of `send`, the message may or may not be in the queue.
pub trait Queue {
    /// Returns the name by which operators know the queue.
    fn name(&self) -> &'static str;

    /// Adds `message` to the queue, to be delivered no earlier than `delay_seconds` (0 to 900) from now.
    fn send(&self, message: &Message, delay_seconds: u32) -> impl Future<Output = Result<(), Failure>>;

    /// Delivers at most `most` messages (1 to 10), and hides each from all other calls for `hidden_seconds`. Does not
    /// wait for messages to arrive.
    fn receive(
        &self,
        most: usize,
        hidden_seconds: u32,
    ) -> impl Future<Output = Result<Vec<Delivery>, Failure>>;

    /// Removes a delivered message for good. If it is already gone, that is not a failure.
    fn settle(&self, receipt: &str) -> impl Future<Output = Result<(), Failure>>;

    /// Returns the approximate number of messages that are waiting or being processed.
    fn depth(&self) -> impl Future<Output = Result<u64, Failure>>;
}
