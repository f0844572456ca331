//! Admission: a connection needs a slot to be served, and a connection of HTTP/2 needs an HTTP/2 place as well. The
//! number of both is fixed, and no network can have all of them. The same holds for the queues in which connections
//! wait for them.
//!
//! If no slot is free, the connection that has waited longest for its client gives up its own: it is idle, or its
//! client reads no answer or sends no request. A connection that the server works for is left alone, unless its network
//! has far more slots than one that waits. A free slot goes to the network that has fewest. A new connection that finds
//! no slot waits a while, and is then told to come again.
//!
//! The memory that a network holds counts for as long as it is held. A change may hold its body longer than its
//! connection is open: a client that closes a connection and opens another one has no more room than before.
//!
//! | to find | look in |
//! |---|---|
//! | the number of slots, and the share of one network | [`quota`] |
//! | the connections that wait for a slot, and those that lose their place | [`queue`], [`waiting`] |
//! | the connections that leave to make room | [`eviction`] |
//! | a connection that is served | [`held_slot`], [`slot`] |
//! | the time that a connection may wait for its client, and that its bodies and answers may take | [`progress`], [`transfers`] |
//! | the network of an address | [`network`](mod@network) |

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use credlink_core::http::peer::customer_network;
use tokio::sync::{Notify, watch};

use eviction::Looks;
use network::Network;
use queue::Queue;
use quota::{Quota, Share};

use crate::memory::{Account, BODIES, Limit};

mod eviction;
mod held_slot;
mod network;
mod progress;
mod queue;
mod quota;
mod slot;
mod transfers;
mod waiting;

pub use held_slot::HeldSlot;
pub use progress::SILENCE;
pub use slot::{Slot, Transfer};
pub use transfers::{Direction, TRANSFER};
pub use waiting::{Refused, Waiting};

/// Maximum number of connections that are served at once. Each may have a body under way, and with room for files they
/// stay below the usual limit of 4,096 open files for a service.
pub const MAX_CONNECTIONS: usize = 2_048;
/// The slots. One network may have three quarters of them, so that a proxy has enough and others have some.
const OF_SLOTS: Share = Share { all: MAX_CONNECTIONS, of_a_network: 1_536 };
/// The connections that wait for a slot. Together with those that have one, they stay below the usual 4,096 open files.
const OF_WAITING: Share = Share { all: 1_024, of_a_network: 256 };

/// The HTTP/2 connections, each of which may have several requests at once.
const OF_HTTP2: Share = Share { all: 128, of_a_network: 96 };
/// The connections that wait for an HTTP/2 place. They have a slot.
const OF_WAITING_FOR_HTTP2: Share = Share { all: 256, of_a_network: 64 };

/// The memory that all answers may hold: 72 MiB.
const ANSWERS: Limit = Limit { bytes: 75_497_472, for_small: 16_777_216 };
/// The memory that answers to one network may hold: two thirds of that of all answers.
const ANSWERS_TO_A_NETWORK: Limit = Limit { bytes: 50_331_648, for_small: 8_388_608 };
/// The memory that answers on one connection may hold: two of the largest manifests.
const ANSWERS_ON_A_CONNECTION: Limit = Limit { bytes: 20_971_520, for_small: 524_288 };

/// The connections that a server has admitted, and those that wait. Clones share them.
#[derive(Clone)]
pub struct Admission(Arc<Shared>);

/// A connection that has been accepted.
pub enum Entered {
    /// The connection has a slot.
    Admitted(HeldSlot),
    /// The connection waits for a slot.
    Waiting(Waiting),
}

/// A kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConnectionKind {
    /// The slot that every connection needs.
    Slot,
    /// The place that an HTTP/2 connection needs besides.
    Http2,
}

struct Shared {
    started: Instant,
    answers: Account,
    bodies: Account,
    taken: Mutex<Taken>,
    count: watch::Sender<usize>,
    /// Notified when a slot becomes free.
    slot_freed: Notify,
    /// Notified when an HTTP/2 place becomes free.
    http2_freed: Notify,
}

struct Taken {
    last: u64,
    slots: HashMap<u64, Arc<Slot>>,
    of_slots: Pool,
    of_http2: Pool,
    /// The networks with at least one [`Slot`] left, of a connection, or of a body or an answer that outlives one.
    /// Their number is bounded, because each of them holds a place or some of the memory.
    networks: HashMap<IpAddr, Arc<Network>>,
}

/// The places of a kind, and the connections that wait for one.
struct Pool {
    quota: Quota,
    queue: Queue,
    looks: Looks,
}

impl Admission {
    /// Creates the admission of a server without connections.
    pub fn new() -> Self {
        Self::since(Instant::now())
    }

    /// Creates the admission of a server without connections, with a clock that began at `started`.
    fn since(started: Instant) -> Self {
        Self(Arc::new(Shared {
            started,
            answers: Account::new(ANSWERS),
            bodies: Account::new(BODIES),
            taken: Mutex::new(Taken {
                last: 0,
                slots: HashMap::new(),
                of_slots: Pool::new(OF_SLOTS, OF_WAITING),
                of_http2: Pool::new(OF_HTTP2, OF_WAITING_FOR_HTTP2),
                networks: HashMap::new(),
            }),
            count: watch::Sender::new(0),
            slot_freed: Notify::new(),
            http2_freed: Notify::new(),
        }))
    }

    /// Gives a connection from `peer` a slot, or a place in the queue for one. Returns `None` if there is neither.
    pub fn enter(&self, peer: IpAddr) -> Option<Entered> {
        let network = customer_network(peer);
        // Connections of the same network that already wait come first.
        let is_first = self.0.taken().of_slots.queue.of(network) == 0;
        let admitted = if is_first { self.0.take_slot(network) } else { None };
        match admitted {
            Some(held_slot) => Some(Entered::Admitted(held_slot)),
            None => Waiting::enter(&self.0, ConnectionKind::Slot, network).map(Entered::Waiting),
        }
    }

    /// Returns the number of slots that are taken.
    pub fn taken(&self) -> usize {
        *self.0.count.borrow()
    }

    /// Waits until no slot is taken.
    pub async fn left(&self) {
        let _ = self.0.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn freed(&self, kind: ConnectionKind) -> &Notify {
        match kind {
            ConnectionKind::Slot => &self.slot_freed,
            ConnectionKind::Http2 => &self.http2_freed,
        }
    }

    /// Takes a slot, if one is free. Otherwise tells some connections to leave: as many as others wait.
    fn take_slot(self: &Arc<Self>, address: IpAddr) -> Option<HeldSlot> {
        let mut taken = self.taken();
        if !taken.take(ConnectionKind::Slot, address) {
            return None;
        }
        let network = taken.networks.entry(address).or_insert_with(|| Arc::new(Network::new(address)));
        network.left.fetch_add(1, Ordering::Relaxed);
        let slot = Arc::new(Slot::new(self, network));
        taken.last += 1;
        let number = taken.last;
        taken.slots.insert(number, Arc::clone(&slot));
        self.count.send_replace(taken.slots.len());
        Some(HeldSlot::new(number, slot))
    }

    /// Takes an HTTP/2 place for a connection that has a slot, if one is free. Otherwise tells some connections to
    /// leave.
    fn count_as_http2(&self, slot: &Slot) -> bool {
        let mut taken = self.taken();
        let is_counted = taken.take(ConnectionKind::Http2, slot.network.address);
        if is_counted {
            slot.is_http2.store(true, Ordering::Relaxed);
        }
        is_counted
    }
}

impl Taken {
    fn pool(&self, kind: ConnectionKind) -> &Pool {
        match kind {
            ConnectionKind::Slot => &self.of_slots,
            ConnectionKind::Http2 => &self.of_http2,
        }
    }

    fn pool_mut(&mut self, kind: ConnectionKind) -> &mut Pool {
        match kind {
            ConnectionKind::Slot => &mut self.of_slots,
            ConnectionKind::Http2 => &mut self.of_http2,
        }
    }

    /// Takes a place of a kind, if one is free and no network that has fewer waits for it. If none is free, makes room.
    fn take(&mut self, kind: ConnectionKind, network: IpAddr) -> bool {
        if self.pool(kind).is_for_others(network) {
            return false;
        }
        let taken = self.pool_mut(kind).quota.take(network);
        if let Err(full) = taken {
            self.make_room(kind, full, network);
        }
        taken.is_ok()
    }
}

impl Pool {
    fn new(slots: Share, waiting: Share) -> Self {
        Self { quota: Quota::new(slots), queue: Queue::new(waiting), looks: Looks::default() }
    }

    /// Returns `true` if a place is free, and a network that has fewer than this one waits for it and will take it.
    fn is_for_others(&self, network: IpAddr) -> bool {
        let own = self.quota.of(network);
        self.quota.is_any_free() && self.queue.networks().any(|other| self.quota.of(other) < own)
    }
}

#[cfg(test)]
mod tests;
