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
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::memory::{Account, BODIES, BODIES_FROM_A_NETWORK, BODIES_ON_A_CONNECTION, Limit, of_all};

/// Most connections that are served at once: with a body each that is under way, and room for files, below the usual 4,096
/// open files of a service.
pub const SEATS: usize = 2_048;
/// Most of them for one network: three quarters, so that a proxy has enough and others have some.
const SEATS_OF_A_NETWORK: usize = 1_536;

/// Longest time that a connection waits for a seat.
const WAIT: Duration = Duration::from_secs(10);
/// Time after which one that waits looks again, where nobody tells it that a seat is free.
const LOOK: Duration = Duration::from_millis(50);
/// Longest time that a seated connection may wait for its client: for the next request, for the next piece of a body, or for
/// an answer to be read.
pub const SILENCE: Duration = Duration::from_secs(30);
/// Longest time for the answers on a connection, from the first that is not read to its end until there is none: 10 MB over a
/// line of 0.4 Mbit/s, as for a body on its way in.
const READING: Duration = Duration::from_secs(240);
/// Time for which a connection may wait for its client although others wait for a seat.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same, of a connection that has asked for nothing yet.
const PATIENCE_WITH_THE_NEW: Duration = Duration::from_millis(250);

/// What answers may hold in memory: 72 MiB in all.
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
    freed: Notify,
}

#[derive(Default)]
struct Taken {
    last: u64,
    seats: HashMap<u64, Arc<Seat>>,
    /// Those of which a [`Seat`] is left: with a connection, or with a body or an answer that outlives one. Their number is
    /// bounded, as each of them holds a place or some of the room.
    networks: HashMap<IpAddr, Arc<Network>>,
}

/// Who is behind an address.
struct Network {
    address: IpAddr,
    /// Connections that are open.
    seats: AtomicUsize,
    /// Seats that are not dropped yet: of connections that are open, and of those that a body or an answer outlives. It changes under the lock of [`Taken`].
    left: AtomicUsize,
    answers: Account,
    bodies: Account,
}

/// What the server knows of a connection.
pub struct Seat {
    room: Arc<Room>,
    network: Arc<Network>,
    answers: Account,
    bodies: Account,
    /// Requests that the server works for, and does not wait for the client.
    working: AtomicUsize,
    /// Answers that were not read to their end, in the order in which they began: the number of each, and when that was, in
    /// milliseconds from the server's start.
    unread: Mutex<Vec<(u64, u64)>>,
    /// The number of the last answer.
    answered: AtomicU64,
    /// Milliseconds from the server's start to the last sign of the client, or of the server's work for it.
    active: AtomicU64,
    has_asked: AtomicBool,
    /// Whether it was told to leave, for somebody else.
    leaving: AtomicBool,
    leave: Notify,
}

/// A seat that is taken, until this is dropped.
pub struct Sitting {
    number: u64,
    seat: Arc<Seat>,
}

/// A while in which the server works for a connection.
pub struct Working<'a>(&'a Seat);

/// A while in which that work waits for the client.
pub struct Waiting<'a>(&'a Seat);

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
            freed: Notify::new(),
        }))
    }

    /// Waits for a seat for a connection from `peer`. `None`: there was none in time.
    pub async fn take(&self, peer: IpAddr) -> Option<Sitting> {
        let network = network(peer);
        let started = Instant::now();
        while started.elapsed() < WAIT {
            if let Some(sitting) = self.sit_down(network) {
                return Some(sitting);
            }
            // Who is told to leave does so at once; others may be faster.
            let _ = timeout(LOOK, self.0.freed.notified()).await;
        }
        None
    }

    /// A seat, if one is free. If none is, somebody is told to leave.
    fn sit_down(&self, address: IpAddr) -> Option<Sitting> {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_network = taken.networks.get(&address).map_or(0, |network| network.seats());
        if of_network >= SEATS_OF_A_NETWORK {
            taken.make_room(&self.0, address);
            return None;
        }
        if taken.seats.len() >= SEATS {
            let largest = taken.networks.values().max_by_key(|network| network.seats())?.address;
            taken.make_room(&self.0, largest);
            return None;
        }
        let network = taken.networks.entry(address).or_insert_with(|| Arc::new(Network::new(address)));
        network.seats.fetch_add(1, Ordering::Relaxed);
        network.left.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat {
            room: Arc::clone(&self.0),
            network: Arc::clone(network),
            answers: Account::new(ANSWERS_ON_A_CONNECTION),
            bodies: Account::new(BODIES_ON_A_CONNECTION),
            working: AtomicUsize::new(0),
            unread: Mutex::default(),
            answered: AtomicU64::new(0),
            active: AtomicU64::new(self.0.now()),
            has_asked: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            leave: Notify::new(),
        });
        taken.last += 1;
        let number = taken.last;
        taken.seats.insert(number, Arc::clone(&seat));
        self.0.count.send_replace(taken.seats.len());
        Some(Sitting { number, seat })
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
    /// Tells the connection of a network to leave that has waited for its client longest, if one has for long enough.
    fn make_room(&self, room: &Room, of: IpAddr) {
        let now = room.now();
        let waiting = self.seats.values().filter(|seat| seat.network.address == of);
        let longest =
            waiting.filter_map(|seat| Some((seat.is_dispensable(now)?, seat))).max_by_key(|(age, _)| *age);
        if let Some((_, seat)) = longest {
            seat.leaving.store(true, Ordering::Relaxed);
            seat.leave.notify_one();
        }
    }
}

impl Room {
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
            left: AtomicUsize::new(0),
            answers: Account::new(ANSWERS_TO_A_NETWORK),
            bodies: Account::new(BODIES_FROM_A_NETWORK),
        }
    }

    fn seats(&self) -> usize {
        self.seats.load(Ordering::Relaxed)
    }
}

impl Seat {
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

    /// Notes that the client has read or sent something.
    pub fn is_active(&self) {
        self.active.store(self.room.now(), Ordering::Relaxed);
    }

    /// Notes that the server works for it, until the value is dropped.
    pub fn work(&self) -> Working<'_> {
        self.has_asked.store(true, Ordering::Relaxed);
        self.working.fetch_add(1, Ordering::Relaxed);
        Working(self)
    }

    /// Notes that a work waits for the client, until the value is dropped.
    pub fn wait_for_client(&self) -> Waiting<'_> {
        self.is_active();
        self.working.fetch_sub(1, Ordering::Relaxed);
        Waiting(self)
    }

    /// Notes an answer that is on its way. Returns its number.
    pub fn answer_begins(&self) -> u64 {
        let number = self.answered.fetch_add(1, Ordering::Relaxed);
        self.unread().push((number, self.room.now()));
        number
    }

    /// Notes that an answer was read to its end, or is given up.
    pub fn answer_ended(&self, number: u64) {
        self.unread().retain(|(other, _)| *other != number);
        self.is_active();
    }

    fn unread(&self) -> MutexGuard<'_, Vec<(u64, u64)>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `true` if all answers were read.
    pub fn is_idle(&self) -> bool {
        self.working.load(Ordering::Relaxed) == 0 && self.unread().is_empty()
    }

    /// Waits until it has waited for its client for [`SILENCE`], or for [`READING`] for an answer to be read to its end.
    pub async fn is_silent(&self) {
        loop {
            let left = self.patience_left(self.room.now());
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }

    /// How long it may still wait for its client.
    fn patience_left(&self, now: u64) -> Duration {
        let silence = SILENCE.saturating_sub(self.silent(now).unwrap_or_default());
        let oldest = self.unread().first().map(|(_, began)| now.saturating_sub(*began));
        let reading = oldest.map(|age| READING.saturating_sub(Duration::from_millis(age)));
        reading.map_or(silence, |reading| silence.min(reading))
    }

    /// Waits until it has to leave for somebody else.
    pub async fn has_to_leave(&self) {
        self.leave.notified().await;
    }

    /// How long it has waited for its client, if it does.
    fn silent(&self, now: u64) -> Option<Duration> {
        if self.working.load(Ordering::Relaxed) > 0 {
            return None;
        }
        Some(Duration::from_millis(now.saturating_sub(self.active.load(Ordering::Relaxed))))
    }

    /// How long it has waited for its client, if that is long enough to give its seat to somebody else.
    fn is_dispensable(&self, now: u64) -> Option<Duration> {
        let patience = if self.has_asked.load(Ordering::Relaxed) { PATIENCE } else { PATIENCE_WITH_THE_NEW };
        let is_leaving = self.leaving.load(Ordering::Relaxed);
        self.silent(now).filter(|silent| !is_leaving && *silent >= patience)
    }
}

impl Sitting {
    /// The seat.
    pub fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        let room = &self.seat.room;
        let mut taken = room.taken.lock().unwrap_or_else(PoisonError::into_inner);
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

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.is_active();
        self.0.working.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.working.fetch_add(1, Ordering::Relaxed);
        self.0.is_active();
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

    const HERE: &str = "192.0.2.1";

    fn sit(seats: &Seats, address: &str) -> Option<Sitting> {
        seats.sit_down(network(address.parse().unwrap()))
    }

    /// Lets a seat look as if its client had been silent for so many milliseconds.
    fn silence(seats: &Seats, seat: &Seat, milliseconds: u64) {
        seat.active.store(seats.0.now().saturating_sub(milliseconds), Ordering::Relaxed);
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
        let leaving = || {
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

    #[tokio::test]
    async fn silence_is_measured_while_the_client_is_waited_for() {
        let seats = Seats::new();
        let sitting = sit(&seats, HERE).unwrap();
        let seat = sitting.seat();
        let work = seat.work();
        assert_eq!(seat.silent(seats.0.now() + 60_000), None, "the server works");
        let waiting = seat.wait_for_client();
        assert!(seat.silent(seats.0.now() + 60_000).unwrap() >= SILENCE, "the client sends nothing");
        drop(waiting);
        assert_eq!(seat.silent(seats.0.now() + 60_000), None);
        drop(work);
        let answer = seat.answer_begins();
        assert!(!seat.is_idle());
        assert!(seat.silent(seats.0.now() + 60_000).unwrap() >= SILENCE, "the client reads nothing");
        seat.answer_ended(answer);
        assert!(seat.is_idle());
    }

    #[tokio::test]
    async fn who_reads_a_little_now_and_then_has_an_end_too() {
        let ages_ago = Instant::now().checked_sub(Duration::from_secs(1_000)).unwrap();
        let seats = Seats::since(ages_ago);
        let sitting = sit(&seats, HERE).unwrap();
        let seat = sitting.seat();
        let (first, second) = (seat.answer_begins(), seat.answer_begins());
        let began = seats.0.now();
        let left = |after: u64| {
            // A byte was read just now.
            seat.active.store(began + after * 1_000, Ordering::Relaxed);
            seat.patience_left(began + after * 1_000)
        };
        assert_eq!(left(0), SILENCE);
        assert!((Duration::from_secs(8)..=Duration::from_secs(10)).contains(&left(230)));
        seat.answer_ended(second);
        assert_eq!(left(250), Duration::ZERO, "the first is not read");
        seat.answer_ended(first);
        assert_eq!(left(1_000), SILENCE, "a connection may stay as long as it is used");
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
