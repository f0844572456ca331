//! Admission: a connection needs a slot to be served, and one of HTTP/2 a slot of that kind as well. Of both there is a fixed number,
//! and one network cannot have them all. The same holds for the queues in which connections wait for them.
//!
//! Where none is free, a connection that waits for its client longest gives up its own: it is idle, or its client reads
//! no answer or sends no request. A connection that the server works for is left alone, unless its network has far more
//! slots than one that waits. What is free is first for the network that has fewest. A new connection that finds no slot
//! waits a while, and is then told to come again.
//!
//! What a network holds in memory counts for as long as it is held. A change may hold its body longer than the connection that
//! brought it is open: who closes a connection and opens another one has no more room than before.
//!
//! | to find | look in |
//! |---|---|
//! | how many slots there are, and how many of them a network has | [`quota`] |
//! | who waits for one, and who gives way there | [`queue`], [`waiting`] |
//! | who leaves for somebody else | [`eviction`] |
//! | a connection that is served | [`held_slot`], [`slot`] |
//! | how long it may wait for its client, and its bodies and answers take | [`progress`], [`transfers`] |
//! | who is behind an address | [`network`](mod@network) |

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, watch};

use eviction::Looks;
use network::{Network, network};
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

/// Most connections that are served at once: with a body each that is under way, and room for files, below the usual 4,096
/// open files of a service.
pub const MAX_CONNECTIONS: usize = 2_048;
/// Three quarters of them are for one network, so that a proxy has enough and others have some.
const OF_SLOTS: Share = Share { all: MAX_CONNECTIONS, of_a_network: 1_536 };
/// Those that wait for a slot: with those that have one below the usual 4,096 open files of a service.
const OF_WAITING: Share = Share { all: 1_024, of_a_network: 256 };

/// Connections of HTTP/2: each of them may have several requests at once.
const OF_HTTP2: Share = Share { all: 128, of_a_network: 96 };
/// Those that wait to be one of these. They have a slot.
const OF_WAITING_FOR_HTTP2: Share = Share { all: 256, of_a_network: 64 };

/// The memory that answers may hold: 72 MiB in all.
const ANSWERS: Limit = Limit { bytes: 75_497_472, for_small: 16_777_216 };
/// The memory that answers to one network may hold: two thirds of that.
const ANSWERS_TO_A_NETWORK: Limit = Limit { bytes: 50_331_648, for_small: 8_388_608 };
/// The memory that answers on one connection may hold: two of the largest manifests.
const ANSWERS_ON_A_CONNECTION: Limit = Limit { bytes: 20_971_520, for_small: 524_288 };

/// The connections that a server has admitted, and those that wait. Clones share them.
#[derive(Clone)]
pub struct Admission(Arc<Shared>);

/// A connection that has come in.
pub enum Entered {
    /// It has a slot.
    Admitted(HeldSlot),
    /// It waits for one.
    Waiting(Waiting),
}

/// A kind of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// What every connection needs.
    Slot,
    /// What connections of HTTP/2 need besides.
    Http2,
}

struct Shared {
    started: Instant,
    answers: Account,
    bodies: Account,
    taken: Mutex<Taken>,
    count: watch::Sender<usize>,
    /// Told when a slot is free.
    slot_freed: Notify,
    /// Told when a place of HTTP/2 is free.
    http2_freed: Notify,
}

struct Taken {
    last: u64,
    slots: HashMap<u64, Arc<Slot>>,
    of_slots: Pool,
    of_http2: Pool,
    /// Those of which a [`Slot`] is left: with a connection, or with a body or an answer that outlives one. Their number is
    /// bounded, as each of them holds a place or some of the room.
    networks: HashMap<IpAddr, Arc<Network>>,
}

/// The slots of a kind, and those who wait for one.
struct Pool {
    quota: Quota,
    queue: Queue,
    looks: Looks,
}

impl Admission {
    /// The admission of a server without connections.
    pub fn new() -> Self {
        Self::since(Instant::now())
    }

    /// The same, with a clock that began at `started`.
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

    /// A slot for a connection from `peer`, or a place to wait for one. `None`: there is neither.
    pub fn enter(&self, peer: IpAddr) -> Option<Entered> {
        let network = network(peer);
        // Those who wait come first.
        let is_first = self.0.taken().of_slots.queue.of(network) == 0;
        let admitted = if is_first { self.0.take_slot(network) } else { None };
        match admitted {
            Some(held_slot) => Some(Entered::Admitted(held_slot)),
            None => Waiting::enter(&self.0, Kind::Slot, network).map(Entered::Waiting),
        }
    }

    /// Returns the number of slots that are taken.
    pub fn taken(&self) -> usize {
        *self.0.count.borrow()
    }

    /// Waits until none is taken.
    pub async fn left(&self) {
        let _ = self.0.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn freed(&self, kind: Kind) -> &Notify {
        match kind {
            Kind::Slot => &self.slot_freed,
            Kind::Http2 => &self.http2_freed,
        }
    }

    /// A slot, if one is free. If none is, some are told to leave: as many as others wait.
    fn take_slot(self: &Arc<Self>, address: IpAddr) -> Option<HeldSlot> {
        let mut taken = self.taken();
        if !taken.take(Kind::Slot, address) {
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

    /// A place of HTTP/2 for a connection that has a slot, if one is free. If none is, some are told to leave.
    fn count_as_http2(&self, slot: &Slot) -> bool {
        let mut taken = self.taken();
        let is_counted = taken.take(Kind::Http2, slot.network.address);
        if is_counted {
            slot.is_http2.store(true, Ordering::Relaxed);
        }
        is_counted
    }
}

impl Taken {
    fn pool(&self, kind: Kind) -> &Pool {
        match kind {
            Kind::Slot => &self.of_slots,
            Kind::Http2 => &self.of_http2,
        }
    }

    fn pool_mut(&mut self, kind: Kind) -> &mut Pool {
        match kind {
            Kind::Slot => &mut self.of_slots,
            Kind::Http2 => &mut self.of_http2,
        }
    }

    /// Takes a place of a kind, if one is free, and no other network waits for it that has fewer. If none is, it makes room.
    fn take(&mut self, kind: Kind, network: IpAddr) -> bool {
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

    /// Returns `true` if a place is free, and a network waits for it that has fewer than this one. It takes that as soon as it looks.
    fn is_for_others(&self, network: IpAddr) -> bool {
        let own = self.quota.of(network);
        self.quota.is_any_free() && self.queue.networks().any(|other| self.quota.of(other) < own)
    }
}

#[cfg(test)]
mod tests;
