//! A connection that is served.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{ConnectionKind, Slot};

/// A slot that is taken until this is dropped.
pub struct HeldSlot {
    number: u64,
    slot: Arc<Slot>,
}

impl HeldSlot {
    pub(super) fn new(number: u64, slot: Arc<Slot>) -> Self {
        Self { number, slot }
    }

    /// Returns the slot.
    pub fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }
}

impl Drop for HeldSlot {
    fn drop(&mut self) {
        let (shared, network) = (&self.slot.shared, self.slot.network.address);
        let mut taken = shared.taken();
        // This is not the last reference to the slot, whose end would wait for the lock.
        taken.slots.remove(&self.number);
        taken.of_slots.quota.give(network);
        let was_http2 = self.slot.is_http2.load(Ordering::Relaxed);
        if was_http2 {
            taken.of_http2.quota.give(network);
        }
        shared.count.send_replace(taken.slots.len());
        drop(taken);
        shared.freed(ConnectionKind::Slot).notify_one();
        if was_http2 {
            shared.freed(ConnectionKind::Http2).notify_one();
        }
    }
}
