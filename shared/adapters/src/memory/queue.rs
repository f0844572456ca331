//! A queue in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use credlink_core::message::Message;
use credlink_core::time::Timestamp;
use credlink_service::ports::{Clock, Delivery, Failure, Queue};

use crate::clock::SystemClock;

/// A queue in memory, for tests. Clones share their messages.
#[derive(Clone)]
pub struct MemoryQueue {
    waiting: Arc<Mutex<(u64, Vec<Waiting>)>>,
    clock: Arc<dyn Clock + Send + Sync>,
}

#[derive(Debug)]
struct Waiting {
    receipt: u64,
    text: String,
    attempts: u32,
    hidden_until: Timestamp,
}

impl std::fmt::Debug for MemoryQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.waiting().1).finish()
    }
}

impl Default for MemoryQueue {
    fn default() -> Self {
        Self::with_clock(SystemClock)
    }
}

impl MemoryQueue {
    /// An empty queue whose delays run by `clock`.
    #[must_use]
    pub fn with_clock(clock: impl Clock + Send + Sync + 'static) -> Self {
        Self { waiting: Arc::default(), clock: Arc::new(clock) }
    }

    fn waiting(&self) -> MutexGuard<'_, (u64, Vec<Waiting>)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts in a text that is no message.
    pub fn push_text(&self, text: &str) {
        self.push(text.to_owned(), 0);
    }

    fn push(&self, text: String, delay_seconds: u32) {
        let hidden_until = self.clock.now().plus_seconds(delay_seconds.into());
        let mut waiting = self.waiting();
        waiting.0 += 1;
        let receipt = waiting.0;
        waiting.1.push(Waiting { receipt, text, attempts: 0, hidden_until });
    }
}

impl Queue for MemoryQueue {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn send(&self, message: &Message, delay_seconds: u32) -> Result<(), Failure> {
        assert!(delay_seconds <= 900, "a message waits for 900 seconds at most, not {delay_seconds}");
        self.push(message.to_string(), delay_seconds);
        Ok(())
    }

    async fn receive(&self, most: usize, hidden_seconds: u32) -> Result<Vec<Delivery>, Failure> {
        assert!((1..=10).contains(&most), "a receive hands out 1 to 10 messages, not {most}");
        let now = self.clock.now();
        let mut waiting = self.waiting();
        let (numbers, messages) = &mut *waiting;
        let due = messages.iter_mut().filter(|message| message.hidden_until <= now).take(most);
        let deliveries = due.map(|message| {
            *numbers += 1;
            message.receipt = *numbers;
            message.attempts += 1;
            message.hidden_until = now.plus_seconds(hidden_seconds.into());
            Delivery {
                receipt: message.receipt.to_string(),
                text: message.text.clone(),
                attempts: message.attempts,
            }
        });
        Ok(deliveries.collect())
    }

    async fn settle(&self, receipt: &str) -> Result<(), Failure> {
        self.waiting().1.retain(|message| message.receipt.to_string() != receipt);
        Ok(())
    }

    async fn depth(&self) -> Result<u64, Failure> {
        Ok(self.waiting().1.len() as u64)
    }
}
