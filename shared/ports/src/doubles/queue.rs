//! A queue in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use credlink_core::message::Message;
use credlink_core::time::Timestamp;

use super::clock::WallClock;
use crate::limits::MAX_DELIVERIES;
use crate::{Clock, Delivery, Failure, Queue};

/// A queue in memory. Clones share their messages.
///
/// # Panics
/// Panics if a caller breaks the contract: more than 10 messages at once or none, or a delay of more than 900 seconds.
#[derive(Clone)]
pub struct MemoryQueue {
    clock: Arc<dyn Clock + Send + Sync>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    sent: u64,
    waiting: BTreeMap<u64, Waiting>,
    dead: Vec<String>,
}

#[derive(Debug)]
struct Waiting {
    text: String,
    from: Timestamp,
    attempts: u32,
}

impl std::fmt::Debug for MemoryQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.state().waiting).finish()
    }
}

impl Default for MemoryQueue {
    fn default() -> Self {
        Self::with_clock(WallClock)
    }
}

impl MemoryQueue {
    /// Creates an empty queue whose delays follow `clock`.
    #[must_use]
    pub fn with_clock(clock: impl Clock + Send + Sync + 'static) -> Self {
        Self { clock: Arc::new(clock), state: Arc::default() }
    }

    /// Adds a text that is not a message.
    pub fn push_text(&self, text: &str) {
        let from = self.clock.now();
        self.push(text.to_owned(), from);
    }

    fn push(&self, text: String, from: Timestamp) {
        let mut state = self.state();
        state.sent += 1;
        let number = state.sent;
        state.waiting.insert(number, Waiting { text, from, attempts: 0 });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the texts of the dead letters.
    #[must_use]
    pub fn dead(&self) -> Vec<String> {
        self.state().dead.clone()
    }
}

impl Queue for MemoryQueue {
    fn name(&self) -> &'static str {
        "memory queue"
    }

    async fn send(&self, message: &Message, delay_seconds: u32) -> Result<(), Failure> {
        assert!(delay_seconds <= 900, "a message is delayed by 900 seconds at most, not {delay_seconds}");
        let from = self.clock.now().plus_seconds(delay_seconds.into());
        self.push(message.to_string(), from);
        Ok(())
    }

    async fn receive(&self, most: usize, hidden_seconds: u32) -> Result<Vec<Delivery>, Failure> {
        assert!((1..=10).contains(&most), "1 to 10 messages are handed out at once, not {most}");
        let now = self.clock.now();
        let mut state = self.state();
        let given_up: Vec<u64> = state
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.from <= now && waiting.attempts >= MAX_DELIVERIES)
            .map(|(number, _)| *number)
            .collect();
        for number in given_up {
            let waiting = state.waiting.remove(&number);
            state.dead.extend(waiting.map(|waiting| waiting.text));
        }
        let ready = state.waiting.iter_mut().filter(|(_, waiting)| waiting.from <= now).take(most);
        Ok(ready
            .map(|(number, waiting)| {
                waiting.attempts += 1;
                waiting.from = now.plus_seconds(hidden_seconds.into());
                Delivery {
                    receipt: number.to_string(),
                    text: waiting.text.clone(),
                    attempts: waiting.attempts,
                }
            })
            .collect())
    }

    async fn settle(&self, receipt: &str) -> Result<(), Failure> {
        let number: Option<u64> = receipt.parse().ok();
        assert!(number.is_some(), "`{receipt}` is no receipt");
        number.and_then(|number| self.state().waiting.remove(&number));
        Ok(())
    }

    async fn depth(&self) -> Result<u64, Failure> {
        Ok(self.state().waiting.len() as u64)
    }
}
