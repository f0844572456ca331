//! A seat: what the server knows of one connection, and what that holds in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::network::Network;
use super::progress::{Direction, Progress};
use super::{ANSWERS_ON_A_CONNECTION, Room};
use crate::serve::memory::{Account, BODIES_ON_A_CONNECTION, of_all};

/// A connection as the server knows it.
pub struct Seat {
    pub(super) room: Arc<Room>,
    pub(super) network: Arc<Network>,
    progress: Progress,
    answers: Account,
    bodies: Account,
    /// `true` if it has a place of those that speak HTTP/2. It changes under the lock of [`Taken`](super::Taken).
    pub(super) is_http2: AtomicBool,
    /// `true` if it was told to leave, for somebody else.
    leaving: AtomicBool,
    leave: Notify,
}

/// A body or an answer that is on its way, until this is dropped.
pub struct Transfer {
    seat: Arc<Seat>,
    number: u64,
}

impl Seat {
    /// The seat of a connection that has just been opened.
    pub(super) fn new(room: &Arc<Room>, network: &Arc<Network>) -> Self {
        Self {
            room: Arc::clone(room),
            network: Arc::clone(network),
            progress: Progress::new(room.started),
            answers: Account::new(ANSWERS_ON_A_CONNECTION),
            bodies: Account::new(BODIES_ON_A_CONNECTION),
            is_http2: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            leave: Notify::new(),
        }
    }

    /// The progress of its connection.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The accounts of what it sends.
    pub fn answers(&self) -> [&Account; 3] {
        [&self.answers, &self.network.answers, &self.room.answers]
    }

    /// Takes room for so many bytes of a body that it receives.
    pub fn take_body(&self, bytes: usize) -> bool {
        of_all(self.bodies(), |account| account.take(bytes), |account| account.give(bytes))
    }

    /// Gives that room back.
    pub fn give_body(&self, bytes: usize) {
        self.bodies().iter().for_each(|account| account.give(bytes));
    }

    fn bodies(&self) -> [&Account; 3] {
        [&self.bodies, &self.network.bodies, &self.room.bodies]
    }

    /// Waits until it has to leave for somebody else.
    pub async fn has_to_leave(&self) {
        self.leave.notified().await;
    }

    /// Tells its connection to leave for somebody else.
    pub(super) fn tell_to_leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
        self.leave.notify_one();
    }

    /// Returns `true` if its connection was told to leave.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }
}

impl Transfer {
    /// Notes that a body or an answer of that connection is on its way.
    pub fn begin(seat: &Arc<Seat>, direction: Direction) -> Self {
        Self { seat: Arc::clone(seat), number: seat.progress.transfer_begins(direction) }
    }

    /// The seat of its connection.
    pub fn seat(&self) -> &Seat {
        &self.seat
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        if self.network.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            taken.networks.remove(&self.network.address);
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.seat.progress.transfer_ended(self.number);
    }
}
