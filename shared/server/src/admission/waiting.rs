//! Waiting for a slot: for a while, and no longer than there is room to wait.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::queue::Ticket;
use super::{Entered, HeldSlot, Kind, Shared, Slot};

/// Longest time that a connection waits for a slot.
const WAIT: Duration = Duration::from_secs(10);
/// Time after which one that waits looks again, where nobody tells it that a slot is free.
const LOOK: Duration = Duration::from_millis(50);

/// A connection that waits for a slot, until this is dropped.
pub struct Waiting {
    shared: Arc<Shared>,
    kind: Kind,
    network: IpAddr,
    ticket: Ticket,
}

/// The reason why a connection got no slot.
pub enum Refused {
    /// None was free for too long. It has its place among those who wait until it has been told so.
    InVain(Waiting),
    /// Its place among those who wait is another network's.
    GaveWay,
}

impl Entered {
    /// Waits for a slot, if it has none.
    pub async fn slot(self) -> Result<HeldSlot, Refused> {
        match self {
            Self::Admitted(held_slot) => Ok(held_slot),
            Self::Waiting(waiting) => waiting.slot().await,
        }
    }
}

impl HeldSlot {
    /// Waits until it counts as a connection of HTTP/2. Returns `false` if there were as many as may be, in all or of its network, for
    /// too long. That time is the server's: its client is not silent meanwhile.
    pub async fn speaks_http2(&self) -> bool {
        let slot = self.slot();
        let _waiting = slot.progress().wait_for_place();
        let (shared, network) = (&slot.shared, slot.network.address);
        // Those who wait come first.
        let is_first = shared.taken().of_http2.queue.of(network) == 0;
        if is_first && shared.count_as_http2(slot) {
            return true;
        }
        match Waiting::enter(shared, Kind::Http2, network) {
            Some(waiting) => waiting.speak_http2(slot).await,
            None => false,
        }
    }
}

impl Waiting {
    /// A place among those who wait, if there is one.
    pub(super) fn enter(shared: &Arc<Shared>, kind: Kind, network: IpAddr) -> Option<Self> {
        let ticket = shared.taken().pool_mut(kind).queue.enter(network)?;
        Some(Self { shared: Arc::clone(shared), kind, network, ticket })
    }

    /// Waits for a slot.
    pub(super) async fn slot(mut self) -> Result<HeldSlot, Refused> {
        let admitted = tokio::select! {
            biased;
            admitted = self.until(|| self.shared.take_slot(self.network)) => admitted,
            () = self.ticket.given_up() => return Err(Refused::GaveWay),
        };
        if let Some(held_slot) = admitted {
            return Ok(held_slot);
        }
        self.shared.taken().pool_mut(Kind::Slot).queue.has_waited(&mut self.ticket);
        Err(Refused::InVain(self))
    }

    /// Waits for a slot of HTTP/2. Returns `false` if there was none.
    pub(super) async fn speak_http2(self, slot: &Slot) -> bool {
        tokio::select! {
            biased;
            counted = self.until(|| self.shared.count_as_http2(slot).then_some(())) => counted.is_some(),
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
            let _ = timeout(LOOK, self.shared.freed(self.kind).notified()).await;
        }
        None
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.taken().pool_mut(self.kind).queue.leave(&self.ticket);
    }
}
