use std::sync::{Arc, Mutex};

use credlink_core::message::{Message, Work};
use credlink_ports::{Delivery, Failure, FailureKind, Queue};

use super::Faults;

/// A queue that keeps the sent messages, and refuses them from the `refuses`th on.
#[derive(Default)]
pub(crate) struct Sent {
    pub(crate) messages: Mutex<Vec<Message>>,
    pub(crate) refuses: Option<usize>,
    pub(crate) faults: Arc<Faults>,
}

impl Sent {
    pub(crate) fn lots(&self) -> Vec<Vec<String>> {
        let lot = |message: &Message| match &message.work {
            Work::Migrate { keys, .. } => Some(keys.clone()),
            Work::Replicate { .. } | Work::Enumerate { .. } | Work::Finalise { .. } => None,
        };
        self.messages.lock().unwrap().iter().filter_map(lot).collect()
    }
}

impl Queue for Sent {
    fn name(&self) -> &'static str {
        "queue"
    }

    async fn send(&self, message: &Message, _delay_seconds: u32) -> Result<(), Failure> {
        if self.refuses.is_some_and(|from| self.messages.lock().unwrap().len() >= from) {
            let message = "no more".to_owned();
            return Err(Failure { provider: "queue", kind: FailureKind::Unavailable, message });
        }
        self.faults.call("queue send", "", || self.messages.lock().unwrap().push(message.clone())).await
    }

    async fn receive(&self, _most: usize, _hidden_seconds: u32) -> Result<Vec<Delivery>, Failure> {
        Ok(Vec::new())
    }

    async fn settle(&self, _receipt: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn depth(&self) -> Result<u64, Failure> {
        Ok(0)
    }
}
