//! Seats: a connection needs one to be served, and one of HTTP/2 a place of that kind as well. Of both there is a fixed number, and one
//! network cannot have them all. The same holds for the places in which connections wait for them.
//!
//! Where none is free, a connection that waits for its client longest gives up its own: it is idle, or its client reads
//! no answer or sends no request. A connection that the server works for is left alone, unless its network has far more
//! places than one that waits. What is free is first for the network that has fewest. A new connection that finds no place
//! waits a while, and is then told to come again.
//!
//! What a network holds in memory counts for as long as it is held. A change may hold its body longer than the connection that
//! brought it is open: who closes a connection and opens another one has no more room than before.
//!
//! | to find | look in |
//! |---|---|
//! | how many places there are, and whose they are | [`places`] |
//! | who waits for one, and who gives way there | [`queue`], [`waiting`] |
//! | who leaves for somebody else | [`leaving`] |
//! | a connection that is served | [`sitting`], [`seat`] |
//! | how long it may wait for its client | [`progress`] |
//! | who is behind an address | [`network`](mod@network) |

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, watch};

use leaving::Looks;
use network::{Network, network};
use places::{Places, Share};
use queue::Queue;

use super::memory::{Account, BODIES, Limit};

mod leaving;
mod network;
mod places;
mod progress;
mod queue;
mod seat;
mod sitting;
mod waiting;

pub use progress::{Direction, SILENCE, TRANSFER};
pub use seat::{Seat, Transfer};
pub use sitting::Sitting;
pub use waiting::{Unseated, Waiting};

/// Most connections that are served at once: with a body each that is under way, and room for files, below the usual 4,096
/// open files of a service.
pub const SEATS: usize = 2_048;
/// Three quarters of them are for one network, so that a proxy has enough and others have some.
const OF_SEATS: Share = Share { all: SEATS, of_a_network: 1_536 };
/// Those that wait for a seat: with those that have one below the usual 4,096 open files of a service.
const OF_WAITING: Share = Share { all: 1_024, of_a_network: 256 };

/// Connections of HTTP/2: each of them may have several requests at once.
const OF_HTTP2: Share = Share { all: 128, of_a_network: 96 };
/// Those that wait to be one of these. They have a seat.
const OF_WAITING_FOR_HTTP2: Share = Share { all: 256, of_a_network: 64 };

/// The memory that answers may hold: 72 MiB in all.
const ANSWERS: Limit = Limit { bytes: 75_497_472, for_small: 16_777_216 };
/// The memory that answers to one network may hold: two thirds of that.
const ANSWERS_TO_A_NETWORK: Limit = Limit { bytes: 50_331_648, for_small: 8_388_608 };
/// The memory that answers on one connection may hold: two of the largest manifests.
const ANSWERS_ON_A_CONNECTION: Limit = Limit { bytes: 20_971_520, for_small: 524_288 };

/// The seats of a server. Clones are the same.
#[derive(Clone)]
pub struct Seats(Arc<Room>);

/// A connection that has come in.
pub enum Entered {
    /// It has a seat.
    Seated(Sitting),
    /// It waits for one.
    Waiting(Waiting),
}

/// A kind of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The seats.
    Seat,
    /// The places that connections of HTTP/2 need beside their seats.
    Http2,
}

struct Room {
    started: Instant,
    answers: Account,
    bodies: Account,
    taken: Mutex<Taken>,
    count: watch::Sender<usize>,
    /// Told when a seat is free.
    seat_freed: Notify,
    /// Told when a place of HTTP/2 is free.
    http2_freed: Notify,
}

struct Taken {
    last: u64,
    seats: HashMap<u64, Arc<Seat>>,
    of_seats: Line,
    of_http2: Line,
    /// Those of which a [`Seat`] is left: with a connection, or with a body or an answer that outlives one. Their number is
    /// bounded, as each of them holds a place or some of the room.
    networks: HashMap<IpAddr, Arc<Network>>,
}

/// Places of a kind, and those who wait for them.
struct Line {
    places: Places,
    queue: Queue,
    looks: Looks,
}

impl Seats {
    /// Seats of which none is taken.
    pub fn new() -> Self {
        Self::since(Instant::now())
    }

    /// The same, with a clock that began at `started`.
    fn since(started: Instant) -> Self {
        Self(Arc::new(Room {
            started,
            answers: Account::new(ANSWERS),
            bodies: Account::new(BODIES),
            taken: Mutex::new(Taken {
                last: 0,
                seats: HashMap::new(),
                of_seats: Line::new(OF_SEATS, OF_WAITING),
                of_http2: Line::new(OF_HTTP2, OF_WAITING_FOR_HTTP2),
                networks: HashMap::new(),
            }),
            count: watch::Sender::new(0),
            seat_freed: Notify::new(),
            http2_freed: Notify::new(),
        }))
    }

    /// A seat for a connection from `peer`, or a place to wait for one. `None`: there is neither.
    pub fn enter(&self, peer: IpAddr) -> Option<Entered> {
        let network = network(peer);
        // Those who wait come first.
        let is_first = self.0.taken().of_seats.queue.of(network) == 0;
        let sitting = if is_first { self.0.sit_down(network) } else { None };
        match sitting {
            Some(sitting) => Some(Entered::Seated(sitting)),
            None => Waiting::enter(&self.0, Kind::Seat, network).map(Entered::Waiting),
        }
    }

    /// Returns the number of seats that are taken.
    pub fn taken(&self) -> usize {
        *self.0.count.borrow()
    }

    /// Waits until none is taken.
    pub async fn left(&self) {
        let _ = self.0.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Room {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn freed(&self, kind: Kind) -> &Notify {
        match kind {
            Kind::Seat => &self.seat_freed,
            Kind::Http2 => &self.http2_freed,
        }
    }

    /// A seat, if one is free. If none is, some are told to leave: as many as others wait.
    fn sit_down(self: &Arc<Self>, address: IpAddr) -> Option<Sitting> {
        let mut taken = self.taken();
        if !taken.take(Kind::Seat, address) {
            return None;
        }
        let network = taken.networks.entry(address).or_insert_with(|| Arc::new(Network::new(address)));
        network.left.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat::new(self, network));
        taken.last += 1;
        let number = taken.last;
        taken.seats.insert(number, Arc::clone(&seat));
        self.count.send_replace(taken.seats.len());
        Some(Sitting::new(number, seat))
    }

    /// A place of HTTP/2 for a connection that has a seat, if one is free. If none is, some are told to leave.
    fn count_as_http2(&self, seat: &Seat) -> bool {
        let mut taken = self.taken();
        let is_counted = taken.take(Kind::Http2, seat.network.address);
        if is_counted {
            seat.is_http2.store(true, Ordering::Relaxed);
        }
        is_counted
    }
}

impl Taken {
    fn line(&self, kind: Kind) -> &Line {
        match kind {
            Kind::Seat => &self.of_seats,
            Kind::Http2 => &self.of_http2,
        }
    }

    fn line_mut(&mut self, kind: Kind) -> &mut Line {
        match kind {
            Kind::Seat => &mut self.of_seats,
            Kind::Http2 => &mut self.of_http2,
        }
    }

    /// Takes a place of a kind, if one is free, and no other network waits for it that has fewer. If none is, it makes room.
    fn take(&mut self, kind: Kind, network: IpAddr) -> bool {
        if self.line(kind).is_for_others(network) {
            return false;
        }
        let taken = self.line_mut(kind).places.take(network);
        if let Err(full) = taken {
            self.make_room(kind, full, network);
        }
        taken.is_ok()
    }
}

impl Line {
    fn new(places: Share, waiting: Share) -> Self {
        Self { places: Places::new(places), queue: Queue::new(waiting), looks: Looks::default() }
    }

    /// Returns `true` if a place is free, and a network waits for it that has fewer than this one. It takes that as soon as it looks.
    fn is_for_others(&self, network: IpAddr) -> bool {
        let own = self.places.of(network);
        self.places.is_any_free() && self.queue.networks().any(|other| self.places.of(other) < own)
    }
}

#[cfg(test)]
mod tests;
