//! Seats: a connection needs one to be served. There is a fixed number, and one network cannot have them all.
//!
//! Where no seat is free, a connection that waits for its client longest gives up its own: it is idle, or its client reads
//! no answer or sends no request. A connection that the server works for is left alone. A new connection that finds
//! neither waits a while, and is then told to come again.
//!
//! What a network holds in memory counts for as long as it is held. A change may hold its body longer than the connection that
//! brought it is open: who closes a connection and opens another one has no more room than before.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::memory::{Account, BODIES, BODIES_FROM_A_NETWORK, Limit};

mod seat;

pub use seat::{SILENCE, Seat};

/// Most connections that are served at once: with a body each that is under way, and room for files, below the usual 4,096
/// open files of a service.
pub const SEATS: usize = 2_048;
/// Most of them for one network: three quarters, so that a proxy has enough and others have some.
const SEATS_OF_A_NETWORK: usize = 1_536;

/// Most connections of HTTP/2: each of them may have several requests at once.
pub const SEATS_OF_HTTP2: usize = 128;
/// Most of them for one network.
const SEATS_OF_HTTP2_OF_A_NETWORK: usize = 96;

/// Longest time that a connection waits for a seat.
const WAIT: Duration = Duration::from_secs(10);
/// Time after which one that waits looks again, where nobody tells it that a seat is free.
const LOOK: Duration = Duration::from_millis(50);
/// Time after which the seats of a network, or all of them, are looked through again for those that have to leave.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The memory that answers may hold: 72 MiB in all.
const ANSWERS: Limit = Limit { bytes: 75_497_472, for_small: 16_777_216 };
/// What answers to one network may hold: two thirds of that.
const ANSWERS_TO_A_NETWORK: Limit = Limit { bytes: 50_331_648, for_small: 8_388_608 };
/// What answers on one connection may hold: two of the largest manifests.
const ANSWERS_ON_A_CONNECTION: Limit = Limit { bytes: 20_971_520, for_small: 524_288 };

/// The seats of a server. Clones are the same.
#[derive(Clone)]
pub struct Seats(Arc<Room>);

struct Room {
    started: Instant,
    answers: Account,
    bodies: Account,
    taken: Mutex<Taken>,
    count: watch::Sender<usize>,
    /// Connections of HTTP/2.
    http2: AtomicUsize,
    freed: Notify,
}

#[derive(Default)]
struct Taken {
    last: u64,
    seats: HashMap<u64, Arc<Seat>>,
    /// Connections that wait for a seat, by their network.
    queuing: HashMap<IpAddr, usize>,
    /// The time at which room was last made because all seats were taken.
    looked: Option<Instant>,
    /// Those of which a [`Seat`] is left: with a connection, or with a body or an answer that outlives one. Their number is
    /// bounded, as each of them holds a place or some of the room.
    networks: HashMap<IpAddr, Arc<Network>>,
}

/// Who is behind an address.
struct Network {
    address: IpAddr,
    /// Connections that are open.
    seats: AtomicUsize,
    /// Those of HTTP/2.
    http2: AtomicUsize,
    /// Seats that are not dropped yet: of connections that are open, and of those that a body or an answer outlives. It changes
    /// under the lock of [`Taken`].
    left: AtomicUsize,
    /// The time at which room was last made because the network had its share of the seats.
    looked: Mutex<Option<Instant>>,
    answers: Account,
    bodies: Account,
}

/// A connection that waits for a seat, until this is dropped.
struct Queuing<'a> {
    room: &'a Room,
    network: IpAddr,
}

/// A seat that is taken, until this is dropped.
pub struct Sitting {
    number: u64,
    seat: Arc<Seat>,
    /// `true` if it counts as one of HTTP/2.
    is_http2: AtomicBool,
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
            taken: Mutex::default(),
            count: watch::Sender::new(0),
            http2: AtomicUsize::new(0),
            freed: Notify::new(),
        }))
    }

    /// Waits for a seat for a connection from `peer`. `None`: there was none in time.
    pub async fn take(&self, peer: IpAddr) -> Option<Sitting> {
        let network = network(peer);
        let started = Instant::now();
        let mut queuing = None;
        while started.elapsed() < WAIT {
            if let Some(sitting) = self.sit_down(network) {
                return Some(sitting);
            }
            queuing.get_or_insert_with(|| Queuing::new(&self.0, network));
            // Who is told to leave does so at once; others may be faster.
            let _ = timeout(LOOK, self.0.freed.notified()).await;
        }
        None
    }

    /// A seat, if one is free. If none is, some are told to leave: as many as others wait.
    fn sit_down(&self, address: IpAddr) -> Option<Sitting> {
        let mut taken = self.0.taken();
        let of_network = taken.networks.get(&address).map_or(0, |network| network.seats());
        if of_network >= SEATS_OF_A_NETWORK {
            let wanted = taken.queuing.get(&address).copied().unwrap_or_default();
            taken.make_room(&self.0, Some(address), wanted.max(1));
            return None;
        }
        if taken.seats.len() >= SEATS {
            let wanted = taken.queuing.values().sum::<usize>();
            taken.make_room(&self.0, None, wanted.max(1));
            return None;
        }
        let network = taken.networks.entry(address).or_insert_with(|| Arc::new(Network::new(address)));
        network.seats.fetch_add(1, Ordering::Relaxed);
        network.left.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat::new(&self.0, network));
        taken.last += 1;
        let number = taken.last;
        taken.seats.insert(number, Arc::clone(&seat));
        self.0.count.send_replace(taken.seats.len());
        Some(Sitting { number, seat, is_http2: AtomicBool::new(false) })
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

impl Taken {
    /// Tells connections to leave until `wanted` are about to: those first that have waited for their client longest, of those that
    /// have for long enough. They are those of a network; without one all of them, those of the network first that has most.
    ///
    /// That takes a look at every seat, while nobody else can take one. So what has just been done is not done again, however many
    /// ask for it.
    fn make_room(&mut self, room: &Room, address: Option<IpAddr>, wanted: usize) {
        let network = address.and_then(|address| self.networks.get(&address)).cloned();
        let looked = match &network {
            Some(network) => &mut *network.looked.lock().unwrap_or_else(PoisonError::into_inner),
            None => &mut self.looked,
        };
        if looked.is_some_and(|looked| looked.elapsed() < LOOK_AGAIN) {
            return;
        }
        *looked = Some(Instant::now());
        let now = room.now();
        let mut leaving = 0;
        let mut waiting = Vec::new();
        for seat in self.seats.values().filter(|seat| address.is_none_or(|of| seat.network.address == of)) {
            leaving += usize::from(seat.is_leaving());
            waiting.extend(seat.is_dispensable(now).map(|age| ((seat.network.seats(), age), seat)));
        }
        waiting.sort_unstable_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        for (_, seat) in waiting.into_iter().take(wanted.saturating_sub(leaving)) {
            seat.tell_to_leave();
        }
    }
}

impl<'a> Queuing<'a> {
    fn new(room: &'a Room, network: IpAddr) -> Self {
        *room.taken().queuing.entry(network).or_default() += 1;
        Self { room, network }
    }
}

impl Drop for Queuing<'_> {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        if let Some(queuing) = taken.queuing.get_mut(&self.network) {
            *queuing -= 1;
            if *queuing == 0 {
                taken.queuing.remove(&self.network);
            }
        }
    }
}

impl Room {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the start.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Network {
    fn new(address: IpAddr) -> Self {
        Self {
            address,
            seats: AtomicUsize::new(0),
            http2: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
            looked: Mutex::default(),
            answers: Account::new(ANSWERS_TO_A_NETWORK),
            bodies: Account::new(BODIES_FROM_A_NETWORK),
        }
    }

    fn seats(&self) -> usize {
        self.seats.load(Ordering::Relaxed)
    }
}

impl Sitting {
    /// The seat.
    pub fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }

    /// Counts it as a connection of HTTP/2. Returns `false` if there are as many as may be, in all or of its network.
    pub fn speaks_http2(&self) -> bool {
        let take = |count: &AtomicUsize, most: usize| {
            let more = |now: usize| (now < most).then_some(now + 1);
            count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
        };
        let (all, own) = (&self.seat.room.http2, &self.seat.network.http2);
        let mut is_counted = take(all, SEATS_OF_HTTP2);
        if is_counted && !take(own, SEATS_OF_HTTP2_OF_A_NETWORK) {
            all.fetch_sub(1, Ordering::Relaxed);
            is_counted = false;
        }
        self.is_http2.store(is_counted, Ordering::Relaxed);
        is_counted
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        let room = &self.seat.room;
        if self.is_http2.load(Ordering::Relaxed) {
            room.http2.fetch_sub(1, Ordering::Relaxed);
            self.seat.network.http2.fetch_sub(1, Ordering::Relaxed);
        }
        let mut taken = room.taken();
        // Not the last one of this seat, whose end would wait for the lock.
        taken.seats.remove(&self.number);
        self.seat.network.seats.fetch_sub(1, Ordering::Relaxed);
        room.count.send_replace(taken.seats.len());
        drop(taken);
        room.freed.notify_one();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.room.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if self.network.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            taken.networks.remove(&self.network.address);
        }
    }
}

/// Who is behind an address: itself, or of IPv6 its first 64 bits, as one customer has that many addresses at least
/// (RFC 6177).
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    pub(super) const HERE: &str = "192.0.2.1";

    pub(super) fn sit(seats: &Seats, address: &str) -> Option<Sitting> {
        seats.sit_down(network(address.parse().unwrap()))
    }

    /// Lets a seat look as if its client had been silent for so many milliseconds.
    fn silence(seats: &Seats, seat: &Seat, milliseconds: u64) {
        seat.was_active_at(seats.0.now().saturating_sub(milliseconds));
    }

    /// Lets the time pass after which seats are looked through again.
    fn forget_looks(seats: &Seats) {
        let mut taken = seats.0.taken();
        taken.looked = None;
        taken.networks.values().for_each(|network| *network.looked.lock().unwrap() = None);
    }

    #[test]
    fn a_network_is_an_address_or_64_bits_of_it() {
        for (peer, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
            ("::1", "::"),
        ] {
            assert_eq!(network(peer.parse().unwrap()).to_string(), expected, "{peer}");
        }
    }

    #[tokio::test]
    async fn one_network_does_not_get_all_seats() {
        let seats = Seats::new();
        let taken: Vec<Sitting> = std::iter::from_fn(|| sit(&seats, HERE)).collect();
        assert_eq!((taken.len(), seats.taken()), (SEATS_OF_A_NETWORK, SEATS_OF_A_NETWORK));
        let other = sit(&seats, "192.0.2.2");
        assert!(other.is_some(), "others find one");
        drop((taken, other));
        assert_eq!(seats.taken(), 0);
        seats.left().now_or_never().unwrap();
        assert!(seats.0.taken.lock().unwrap().networks.is_empty(), "nothing is kept of who is gone");
    }

    #[tokio::test]
    async fn who_waits_for_its_client_longest_leaves_for_others() {
        let seats = Seats::since(Instant::now().checked_sub(Duration::from_secs(60)).unwrap());
        let taken: Vec<Sitting> = std::iter::from_fn(|| sit(&seats, HERE)).collect();
        let has_to_leave = |at: usize| taken[at].seat().has_to_leave().now_or_never().is_some();
        assert!(sit(&seats, HERE).is_none() && (0..taken.len()).all(|at| !has_to_leave(at)), "nobody waits");
        // The server works for the first; the others have asked for nothing yet.
        let work = taken[3].seat().work();
        for (at, milliseconds) in [(3, 9_000), (5, 8_000), (7, 7_000)] {
            silence(&seats, taken[at].seat(), milliseconds);
        }
        let mut queuing = Vec::new();
        let mut leaving = || {
            // Who was told to leave has not left yet, so that it takes another one who waits.
            queuing.push(Queuing::new(&seats.0, network(HERE.parse().unwrap())));
            forget_looks(&seats);
            assert!(sit(&seats, HERE).is_none());
            (0..taken.len()).filter(|at| has_to_leave(*at)).collect::<Vec<usize>>()
        };
        assert_eq!(leaving(), [5]);
        assert_eq!(leaving(), [7], "the next one, and nobody twice");
        drop(work);
        silence(&seats, taken[3].seat(), 1_000);
        assert!(!leaving().contains(&3), "between two requests more is allowed");
        silence(&seats, taken[3].seat(), 10_000);
        assert_eq!(leaving(), [3]);
    }

    /// A network that has most of the seats may work or be worked for at all of them: then others make room.
    #[tokio::test]
    async fn whoever_waits_longest_leaves_where_all_seats_are_taken() {
        let seats = Seats::since(Instant::now().checked_sub(Duration::from_secs(60)).unwrap());
        let (most, fewer) = ("192.0.2.2", "192.0.2.3");
        let large: Vec<Sitting> = (0..1_200).map(|_| sit(&seats, most).unwrap()).collect();
        let small: Vec<Sitting> = (0..SEATS - 1_200).map(|_| sit(&seats, fewer).unwrap()).collect();
        let work: Vec<_> = large.iter().map(|sitting| sitting.seat().work()).collect();
        silence(&seats, small[7].seat(), 9_000);
        forget_looks(&seats);
        assert!(sit(&seats, HERE).is_none());
        assert!(small[7].seat().is_leaving());
        drop(work);
        // Of two that wait, the one of the larger network leaves.
        silence(&seats, large[3].seat(), 5_000);
        silence(&seats, small[8].seat(), 9_000);
        let _queuing: Vec<_> =
            (0..2).map(|_| Queuing::new(&seats.0, network(HERE.parse().unwrap()))).collect();
        forget_looks(&seats);
        assert!(sit(&seats, HERE).is_none());
        assert!(large[3].seat().is_leaving() && !small[8].seat().is_leaving());
    }

    #[tokio::test]
    async fn one_look_makes_room_for_all_who_wait() {
        let seats = Seats::since(Instant::now().checked_sub(Duration::from_secs(60)).unwrap());
        let taken: Vec<Sitting> = std::iter::from_fn(|| sit(&seats, HERE)).collect();
        for sitting in &taken[..100] {
            silence(&seats, sitting.seat(), 9_000);
        }
        let leaving = || taken.iter().filter(|sitting| sitting.seat().is_leaving()).count();
        let address = network(HERE.parse().unwrap());
        let waiting: Vec<Queuing<'_>> = (0..30).map(|_| Queuing::new(&seats.0, address)).collect();
        forget_looks(&seats);
        for _ in 0..100 {
            assert!(sit(&seats, HERE).is_none());
            assert_eq!(leaving(), 30, "however many ask");
        }
        // They have not gone yet: nobody else has to.
        forget_looks(&seats);
        assert!(sit(&seats, HERE).is_none());
        assert_eq!(leaving(), 30);
        drop(waiting);
        assert!(seats.0.taken().queuing.is_empty());
    }

    #[test]
    fn bodies_have_limits_for_a_connection_and_a_network() {
        let seats = Seats::new();
        let (one, two, three) =
            (sit(&seats, HERE).unwrap(), sit(&seats, HERE).unwrap(), sit(&seats, "192.0.2.2").unwrap());
        let largest = credlink_core::bounds::MAX_BODY_BYTES;
        let of = |sitting: &Sitting| {
            std::iter::repeat_with(|| sitting.seat().take_body(largest)).take_while(|is| *is).count()
        };
        assert_eq!(of(&one), 2, "on a connection");
        assert_eq!(of(&two), 1, "on another one, as a network has room for three");
        let four = sit(&seats, HERE).unwrap();
        assert_eq!(of(&four), 0, "a network's is used up");
        assert!(four.seat().take_body(1_000), "what is small finds room");
        assert_eq!(of(&three), 2, "others' is not");
        one.seat().give_body(largest);
        assert_eq!(of(&four), 1);
    }

    #[test]
    fn what_a_network_holds_counts_after_its_connections_too() {
        let seats = Seats::new();
        let largest = credlink_core::bounds::MAX_BODY_BYTES;
        // A change holds its body until it ends, whatever becomes of the connection that brought it.
        let changes: Vec<Arc<Seat>> = (0..3)
            .map(|_| {
                let sitting = sit(&seats, HERE).unwrap();
                assert!(sitting.seat().take_body(largest));
                Arc::clone(sitting.seat())
            })
            .collect();
        assert_eq!(seats.taken(), 0, "all connections are closed");
        let again = sit(&seats, HERE).unwrap();
        assert!(!again.seat().take_body(largest), "it comes again, and its room is still used up");
        assert!(sit(&seats, "192.0.2.2").unwrap().seat().take_body(largest), "others' is not");
        changes[0].give_body(largest);
        assert!(again.seat().take_body(largest));
        changes[1..].iter().for_each(|change| change.give_body(largest));
        again.seat().give_body(largest);
        drop((again, changes));
        assert!(seats.0.taken.lock().unwrap().networks.is_empty(), "nothing is kept of who holds nothing");
    }
}
