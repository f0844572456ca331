//! What the server knows of one connection: whether it waits for its client, and what it holds.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::{ANSWERS_ON_A_CONNECTION, Network, Room};
use crate::serve::memory::{Account, BODIES_ON_A_CONNECTION, of_all};

/// Longest time that a seated connection may wait for its client: for the next request, for the next piece of a body, or for
/// an answer to be read.
pub const SILENCE: Duration = Duration::from_secs(30);
/// Longest time for the answers and bodies on a connection, from the first that has not come to its end until there is none: 10 MB
/// over a line of 0.4 Mbit/s.
const READING: Duration = Duration::from_secs(240);
/// Time for which a connection may wait for its client although others wait for a seat.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same, of a body or an answer that is on its way: whoever sends or reads a byte now and then is never silent. 10 MB take as long
/// over a line of 2.7 Mbit/s.
const PATIENCE_WITH_THE_SLOW: Duration = Duration::from_secs(30);
/// The same, of a connection that has asked for nothing yet.
const PATIENCE_WITH_THE_NEW: Duration = Duration::from_millis(250);

/// A connection as the server knows it.
pub struct Seat {
    pub(super) room: Arc<Room>,
    pub(super) network: Arc<Network>,
    answers: Account,
    bodies: Account,
    /// Requests that the server works for, and does not wait for the client.
    working: AtomicUsize,
    /// Answers that were not read to their end, and bodies that have not come to theirs, in the order in which they began: the number
    /// of each, and when that was, in milliseconds from the server's start.
    transfers: Mutex<Vec<(u64, u64)>>,
    /// The number of the last of these.
    transferred: AtomicU64,
    /// Milliseconds from the server's start to the last sign of the client, or of the server's work for it.
    active: AtomicU64,
    has_asked: AtomicBool,
    /// `true` if it was told to leave, for somebody else.
    leaving: AtomicBool,
    leave: Notify,
}

/// A while in which the server works for a connection.
pub struct Working<'a>(&'a Seat);

/// A while in which that work waits for the client.
pub struct Waiting<'a>(&'a Seat);

impl Seat {
    /// The seat of a connection that has just been opened.
    pub(super) fn new(room: &Arc<Room>, network: &Arc<Network>) -> Self {
        Self {
            room: Arc::clone(room),
            network: Arc::clone(network),
            answers: Account::new(ANSWERS_ON_A_CONNECTION),
            bodies: Account::new(BODIES_ON_A_CONNECTION),
            working: AtomicUsize::new(0),
            transfers: Mutex::default(),
            transferred: AtomicU64::new(0),
            active: AtomicU64::new(room.now()),
            has_asked: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            leave: Notify::new(),
        }
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

    /// Notes an answer or a body that is on its way. Returns its number.
    pub fn transfer_begins(&self) -> u64 {
        let number = self.transferred.fetch_add(1, Ordering::Relaxed);
        self.transfers().push((number, self.room.now()));
        number
    }

    /// Notes that an answer or a body has come to its end, or is given up.
    pub fn transfer_ended(&self, number: u64) {
        self.transfers().retain(|(other, _)| *other != number);
        self.is_active();
    }

    fn transfers(&self) -> MutexGuard<'_, Vec<(u64, u64)>> {
        self.transfers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `true` if nothing is on its way.
    pub fn is_idle(&self) -> bool {
        self.working.load(Ordering::Relaxed) == 0 && self.transfers().is_empty()
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

    /// The time for which it may still wait for its client.
    fn patience_left(&self, now: u64) -> Duration {
        let silence = SILENCE.saturating_sub(self.silent(now).unwrap_or_default());
        let reading = self.transferring(now).map(|age| READING.saturating_sub(age));
        reading.map_or(silence, |reading| silence.min(reading))
    }

    /// Waits until it has to leave for somebody else.
    pub async fn has_to_leave(&self) {
        self.leave.notified().await;
    }

    /// The time for which it has waited for its client, if it does.
    fn silent(&self, now: u64) -> Option<Duration> {
        if self.working.load(Ordering::Relaxed) > 0 {
            return None;
        }
        Some(Duration::from_millis(now.saturating_sub(self.active.load(Ordering::Relaxed))))
    }

    #[cfg(test)]
    pub(super) fn was_active_at(&self, milliseconds: u64) {
        self.active.store(milliseconds, Ordering::Relaxed);
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

    /// The time for which it has waited for its client, or for a body or an answer that is on its way, if that is long enough to give
    /// its seat to somebody else.
    pub(super) fn is_dispensable(&self, now: u64) -> Option<Duration> {
        if self.is_leaving() {
            return None;
        }
        let patience = if self.has_asked.load(Ordering::Relaxed) { PATIENCE } else { PATIENCE_WITH_THE_NEW };
        let silent = self.silent(now).filter(|silent| *silent >= patience);
        silent.or_else(|| self.transferring(now).filter(|age| *age >= PATIENCE_WITH_THE_SLOW))
    }

    /// The age of the oldest body or answer that is on its way.
    fn transferring(&self, now: u64) -> Option<Duration> {
        let oldest = self.transfers().first().map(|(_, began)| now.saturating_sub(*began));
        oldest.map(Duration::from_millis)
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::Seats;
    use super::super::tests::{HERE, sit};
    use super::*;

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
        let answer = seat.transfer_begins();
        assert!(!seat.is_idle());
        assert!(seat.silent(seats.0.now() + 60_000).unwrap() >= SILENCE, "the client reads nothing");
        seat.transfer_ended(answer);
        assert!(seat.is_idle());
    }

    /// Who sends or reads a byte now and then is never silent, and gives its seat to others all the same.
    #[tokio::test]
    async fn what_takes_long_makes_room_too() {
        let seats = Seats::since(Instant::now().checked_sub(Duration::from_secs(1_000)).unwrap());
        let sitting = sit(&seats, HERE).unwrap();
        let (seat, began) = (sitting.seat(), seats.0.now());
        let transfer = seat.transfer_begins();
        let is_dispensable = |after: u64| {
            seat.was_active_at(began + after * 1_000);
            seat.is_dispensable(began + after * 1_000).is_some()
        };
        assert!(!is_dispensable(29) && is_dispensable(31));
        seat.transfer_ended(transfer);
        assert!(!is_dispensable(60));
    }

    #[tokio::test]
    async fn who_reads_a_little_now_and_then_has_an_end_too() {
        let ages_ago = Instant::now().checked_sub(Duration::from_secs(1_000)).unwrap();
        let seats = Seats::since(ages_ago);
        let sitting = sit(&seats, HERE).unwrap();
        let seat = sitting.seat();
        let (first, second) = (seat.transfer_begins(), seat.transfer_begins());
        let began = seats.0.now();
        let left = |after: u64| {
            // A byte was read just now.
            seat.active.store(began + after * 1_000, Ordering::Relaxed);
            seat.patience_left(began + after * 1_000)
        };
        assert_eq!(left(0), SILENCE);
        assert!((Duration::from_secs(8)..=Duration::from_secs(10)).contains(&left(230)));
        seat.transfer_ended(second);
        assert_eq!(left(250), Duration::ZERO, "the first is not read");
        seat.transfer_ended(first);
        assert_eq!(left(1_000), SILENCE, "a connection may stay as long as it is used");
    }
}
