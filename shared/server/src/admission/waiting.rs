//! Waiting for a slot, for a limited time, and only while there is room to wait.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::queue::Ticket;
use super::{ConnectionKind, Entered, HeldSlot, Shared, Slot};

/// Maximum time that a connection waits for a slot.
const WAIT: Duration = Duration::from_secs(10);
/// Time after which a waiting connection looks again if it is not notified of a free slot.
const LOOK: Duration = Duration::from_millis(50);

/// A connection that waits for a slot until this is dropped.
pub struct Waiting {
    shared: Arc<Shared>,
    kind: ConnectionKind,
    network: IpAddr,
    ticket: Ticket,
}

/// The reason why a connection got no slot.
pub enum Refused {
    /// No slot became free in time. The connection keeps its place in the queue until it has been told so.
    InVain(Waiting),
    /// The place in the queue was given to another network.
    GaveWay,
}

impl Entered {
    /// Waits for a slot, if the connection has none.
    pub async fn slot(self) -> Result<HeldSlot, Refused> {
        match self {
            Self::Admitted(held_slot) => Ok(held_slot),
            Self::Waiting(waiting) => waiting.slot().await,
        }
    }
}

impl HeldSlot {
    /// Waits for an HTTP/2 place. Returns `false` if all places, or all of its network, were taken for too long. That
    /// time is the server's: the client does not count as silent meanwhile.
    pub async fn speaks_http2(&self) -> bool {
        let slot = self.slot();
        let _waiting = slot.progress().wait_for_place();
        let (shared, network) = (&slot.shared, slot.network.address);
        // Connections of the same network that already wait come first.
        let is_first = shared.taken().of_http2.queue.of(network) == 0;
        if is_first && shared.count_as_http2(slot) {
            return true;
        }
        match Waiting::enter(shared, ConnectionKind::Http2, network) {
            Some(waiting) => waiting.speak_http2(slot).await,
            None => false,
        }
    }
}

impl Waiting {
    /// Takes a place in a queue, if there is one.
    pub(super) fn enter(shared: &Arc<Shared>, kind: ConnectionKind, network: IpAddr) -> Option<Self> {
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
        self.shared.taken().pool_mut(ConnectionKind::Slot).queue.has_waited(&mut self.ticket);
        Err(Refused::InVain(self))
    }

    /// Waits for an HTTP/2 place. Returns `false` if none became free.
    pub(super) async fn speak_http2(self, slot: &Slot) -> bool {
        tokio::select! {
            biased;
            counted = self.until(|| self.shared.count_as_http2(slot).then_some(())) => counted.is_some(),
            () = self.ticket.given_up() => false,
        }
    }

    /// Waits until `take` succeeds.
    async fn until<T>(&self, take: impl Fn() -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + WAIT;
        while Instant::now() < deadline {
            if let Some(taken) = take() {
                return Some(taken);
            }
            // A connection that is told to leave does so at once, but another may be faster to take its place.
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
