//! Waiting for a place: for a while, and no longer than there is room to wait.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::queue::Ticket;
use super::{Entered, Kind, Room, Seat, Sitting};

/// Longest time that a connection waits for a place.
const WAIT: Duration = Duration::from_secs(10);
/// Time after which one that waits looks again, where nobody tells it that a place is free.
const LOOK: Duration = Duration::from_millis(50);

/// A connection that waits for a place, until this is dropped.
pub struct Waiting {
    room: Arc<Room>,
    kind: Kind,
    network: IpAddr,
    ticket: Ticket,
}

/// The reason why a connection got no seat.
pub enum Unseated {
    /// None was free for too long. It has its place among those who wait until it has been told so.
    InVain(Waiting),
    /// Its place among those who wait is another network's.
    GaveWay,
}

impl Entered {
    /// Waits for a seat, if it has none.
    pub async fn sit(self) -> Result<Sitting, Unseated> {
        match self {
            Self::Seated(sitting) => Ok(sitting),
            Self::Waiting(waiting) => waiting.sit().await,
        }
    }
}

impl Waiting {
    /// A place among those who wait, if there is one.
    pub(super) fn enter(room: &Arc<Room>, kind: Kind, network: IpAddr) -> Option<Self> {
        let ticket = room.taken().line_mut(kind).queue.enter(network)?;
        Some(Self { room: Arc::clone(room), kind, network, ticket })
    }

    /// Waits for a seat.
    pub(super) async fn sit(mut self) -> Result<Sitting, Unseated> {
        let seated = tokio::select! {
            biased;
            seated = self.until(|| self.room.sit_down(self.network)) => seated,
            () = self.ticket.given_up() => return Err(Unseated::GaveWay),
        };
        if let Some(sitting) = seated {
            return Ok(sitting);
        }
        self.room.taken().line_mut(Kind::Seat).queue.has_waited(&mut self.ticket);
        Err(Unseated::InVain(self))
    }

    /// Waits for a place of HTTP/2. Returns `false` if there was none.
    pub(super) async fn speak_http2(self, seat: &Seat) -> bool {
        tokio::select! {
            biased;
            counted = self.until(|| self.room.count_as_http2(seat).then_some(())) => counted.is_some(),
            () = self.ticket.given_up() => false,
        }
    }

    /// Waits until there is something to take.
    async fn until<T>(&self, take: impl Fn() -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + WAIT;
        while Instant::now() < deadline {
            if let Some(taken) = take() {
                return Some(taken);
            }
            // Who is told to leave does so at once; others may be faster.
            let _ = timeout(LOOK, self.room.freed(self.kind).notified()).await;
        }
        None
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.room.taken().line_mut(self.kind).queue.leave(&self.ticket);
    }
}
