//! The port for a queue of messages.

use std::future::Future;

use credlink_core::message::Message;

use crate::Failure;

/// A message as a queue hands it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Names this delivery to [`Queue::settle`].
    pub receipt: String,
    /// The message's text: what is no message of CredLink has to be dealt with too.
    pub text: String,
    /// Number of times that it was handed out, this time included.
    pub attempts: u32,
}

/// Work that waits: SQS, or a file of this machine.
///
/// * **Durability.** What `send` answered `Ok` for is handed out until it is settled, or until the queue's operator
///   takes it out (a dead-letter queue).
/// * **At least once.** A message may be handed out more often than once, and in any order.
/// * **Failure.** After an `Err` of `send` the message may be there or not.
pub trait Queue {
    /// The name that operators know the queue by.
    fn name(&self) -> &'static str;

    /// Takes `message`, and hands it out `delay_seconds` (0 to 900) from now at the earliest.
    fn send(&self, message: &Message, delay_seconds: u32) -> impl Future<Output = Result<(), Failure>>;

    /// Hands out at most `most` (1 to 10) messages, and hides each for `hidden_seconds` from every other call. It does
    /// not wait for messages.
    fn receive(
        &self,
        most: usize,
        hidden_seconds: u32,
    ) -> impl Future<Output = Result<Vec<Delivery>, Failure>>;

    /// Takes a delivered message out for good. That it is gone already is no failure.
    fn settle(&self, receipt: &str) -> impl Future<Output = Result<(), Failure>>;

    /// Returns the number of messages that wait or are handed out, roughly.
    fn depth(&self) -> impl Future<Output = Result<u64, Failure>>;
}
