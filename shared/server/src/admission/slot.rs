//! A slot: the state of one connection, and the memory that it holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::network::Network;
use super::progress::Progress;
use super::transfers::Direction;
use super::{ANSWERS_ON_A_CONNECTION, Shared};
use crate::memory::{Account, BODIES_ON_A_CONNECTION, of_all};

/// The state of a connection.
pub struct Slot {
    pub(super) shared: Arc<Shared>,
    pub(super) network: Arc<Network>,
    progress: Progress,
    answers: Account,
    bodies: Account,
    /// `true` if the connection also has an HTTP/2 place. It changes under the lock of [`Taken`](super::Taken).
    pub(super) is_http2: AtomicBool,
    /// `true` if the connection was told to leave, to make room for another.
    leaving: AtomicBool,
    leave: Notify,
}

/// A body or an answer that is in transfer until this is dropped.
pub struct Transfer {
    slot: Arc<Slot>,
    number: u64,
}

impl Slot {
    /// Creates the slot of a connection that has just been opened.
    pub(super) fn new(shared: &Arc<Shared>, network: &Arc<Network>) -> Self {
        Self {
            shared: Arc::clone(shared),
            network: Arc::clone(network),
            progress: Progress::new(shared.started),
            answers: Account::new(ANSWERS_ON_A_CONNECTION),
            bodies: Account::new(BODIES_ON_A_CONNECTION),
            is_http2: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            leave: Notify::new(),
        }
    }

    /// Returns the progress of the connection.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Returns the accounts of the memory that answers hold.
    pub fn answers(&self) -> [&Account; 3] {
        [&self.answers, &self.network.answers, &self.shared.answers]
    }

    /// Takes room for so many bytes of a body that arrives.
    pub fn take_body(&self, bytes: usize) -> bool {
        of_all(self.bodies(), |account| account.take(bytes), |account| account.give(bytes))
    }

    /// Gives the room of a body back.
    pub fn give_body(&self, bytes: usize) {
        self.bodies().iter().for_each(|account| account.give(bytes));
    }

    fn bodies(&self) -> [&Account; 3] {
        [&self.bodies, &self.network.bodies, &self.shared.bodies]
    }

    /// Waits until the connection has to leave to make room for another.
    pub async fn evicted(&self) {
        self.leave.notified().await;
    }

    /// Tells the connection to leave to make room for another.
    pub(super) fn evict(&self) {
        self.leaving.store(true, Ordering::Relaxed);
        self.leave.notify_one();
    }

    /// Returns `true` if the connection was told to leave.
    pub(super) fn is_evicted(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }
}

impl Transfer {
    /// Records that a body or an answer of the connection is in transfer.
    pub fn begin(slot: &Arc<Slot>, direction: Direction) -> Self {
        Self { slot: Arc::clone(slot), number: slot.progress.transfer_begins(direction) }
    }

    /// Records that so many bytes of an answer were written.
    pub fn moved(&self, bytes: usize) {
        self.slot.progress.transfer_moved(self.number, bytes as u64);
    }

    /// Returns the slot of the connection.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.shared.taken();
        if self.network.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            taken.networks.remove(&self.network.address);
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.slot.progress.transfer_ended(self.number);
    }
}
