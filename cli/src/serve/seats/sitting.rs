//! A connection that is served.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Kind, Seat, Waiting};

/// A seat that is taken, until this is dropped.
pub struct Sitting {
    number: u64,
    seat: Arc<Seat>,
}

impl Sitting {
    pub(super) fn new(number: u64, seat: Arc<Seat>) -> Self {
        Self { number, seat }
    }

    /// The seat.
    pub fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }

    /// Waits until it counts as a connection of HTTP/2. Returns `false` if there were as many as may be, in all or of its network, for
    /// too long. That time is the server's: its client is not silent meanwhile.
    pub async fn speaks_http2(&self) -> bool {
        let _waiting = self.seat.progress().wait_for_place();
        let (room, network) = (&self.seat.room, self.seat.network.address);
        // Those who wait come first.
        let is_first = room.taken().of_http2.queue.of(network) == 0;
        if is_first && room.count_as_http2(&self.seat) {
            return true;
        }
        match Waiting::enter(room, Kind::Http2, network) {
            Some(waiting) => waiting.speak_http2(&self.seat).await,
            None => false,
        }
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        let (room, network) = (&self.seat.room, self.seat.network.address);
        let mut taken = room.taken();
        // Not the last one of this seat, whose end would wait for the lock.
        taken.seats.remove(&self.number);
        taken.of_seats.places.give(network);
        let was_http2 = self.seat.is_http2.load(Ordering::Relaxed);
        if was_http2 {
            taken.of_http2.places.give(network);
        }
        room.count.send_replace(taken.seats.len());
        drop(taken);
        room.freed(Kind::Seat).notify_one();
        if was_http2 {
            room.freed(Kind::Http2).notify_one();
        }
    }
}
