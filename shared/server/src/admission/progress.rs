//! The progress of a connection: the server works for its client, or waits for it, and for how long.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::transfers::{Direction, Transfers};

/// Longest time that a admitted connection may wait for its client: for the next request, for the next piece of a body, or for
/// an answer to be read.
pub const SILENCE: Duration = Duration::from_secs(30);
/// Time for which a connection may wait for its client although others wait for a slot.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same, of a body or an answer that is on its way: whoever sends or reads a byte now and then is never silent. 10 MB take as long
/// over a line of 2.7 Mbit/s.
const PATIENCE_WITH_THE_SLOW: Duration = Duration::from_secs(30);
/// The same, of a connection that has asked for nothing yet.
const PATIENCE_WITH_THE_NEW: Duration = Duration::from_millis(250);

/// The work for a connection, and its transfers, as far as they have come.
pub struct Progress {
    /// The beginning of its clock.
    started: Instant,
    /// Requests that the server works for, and does not wait for the client.
    working: AtomicUsize,
    /// Answers that were not read to their end, and bodies that have not come to theirs.
    transfers: Transfers,
    /// Milliseconds from the start to the last sign of the client, or of the server's work for it.
    active: AtomicU64,
    has_asked: AtomicBool,
    /// `true` if something has come after the last request: a head that has not ended.
    has_begun: AtomicBool,
}

/// The loss of a client whose connection leaves for somebody else once what is on its way has ended, or has had its time. In this order
/// connections are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// A body or an answer that is on its way may be cut off.
    Transfer,
    /// A request that may be sent again, as its head has not ended, or the connection that another one could have used: it ends after an
    /// answer.
    Reuse,
    /// Nothing is on its way, or its client has been waited for as long as it may.
    Nothing,
}

/// A while in which the server works for a connection.
pub struct Working<'a>(&'a Progress);

/// A while in which that work waits for the client.
pub struct Waiting<'a>(&'a Progress);

impl Progress {
    /// That of a connection that has just been opened, with a clock that began at `started`.
    pub fn new(started: Instant) -> Self {
        let progress = Self {
            started,
            working: AtomicUsize::new(0),
            transfers: Transfers::default(),
            active: AtomicU64::new(0),
            has_asked: AtomicBool::new(false),
            has_begun: AtomicBool::new(false),
        };
        progress.is_active();
        progress
    }

    /// Milliseconds since the start.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes that the client has read or sent something.
    pub fn is_active(&self) {
        self.active.store(self.now(), Ordering::Relaxed);
    }

    /// Notes that a head has begun, if nothing is on its way.
    pub fn head_begins(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// Notes that the server works for it, until the value is dropped.
    pub fn work(&self) -> Working<'_> {
        self.has_begun.store(false, Ordering::Relaxed);
        self.has_asked.store(true, Ordering::Relaxed);
        self.working.fetch_add(1, Ordering::Relaxed);
        Working(self)
    }

    /// Notes that it waits for a place that the server has to give, until the value is dropped. That is no request.
    pub(super) fn wait_for_place(&self) -> Working<'_> {
        self.working.fetch_add(1, Ordering::Relaxed);
        Working(self)
    }

    /// Notes that a work waits for the client, until the value is dropped.
    pub fn wait_for_client(&self) -> Waiting<'_> {
        self.is_active();
        self.working.fetch_sub(1, Ordering::Relaxed);
        Waiting(self)
    }

    /// Notes a body or an answer that is on its way. Returns its number.
    pub(super) fn transfer_begins(&self, direction: Direction) -> u64 {
        self.transfers.begin(direction, self.now())
    }

    /// Notes that a body or an answer has come to its end, or is given up.
    pub(super) fn transfer_ended(&self, number: u64) {
        self.transfers.end(number);
        self.is_active();
    }

    /// Returns `true` if nothing is on its way.
    pub fn is_idle(&self) -> bool {
        self.working.load(Ordering::Relaxed) == 0 && self.transfers.is_empty()
    }

    /// Waits until the connection has waited for its client for [`SILENCE`], or until a body or an answer has been on its way for
    /// longer than it may be: for [`TRANSFER`](super::TRANSFER), and a body for a little longer, as its sender has an answer to get.
    pub async fn is_silent(&self) {
        loop {
            let left = self.patience_left(self.now());
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }

    /// The time for which it may still wait for its client.
    fn patience_left(&self, now: u64) -> Duration {
        let silence = SILENCE.saturating_sub(self.silent(now).unwrap_or_default());
        self.transfers.time_left(now).map_or(silence, |left| left.min(silence))
    }

    /// The time for which it has waited for its client, if it does.
    fn silent(&self, now: u64) -> Option<Duration> {
        if self.working.load(Ordering::Relaxed) > 0 {
            return None;
        }
        Some(Duration::from_millis(now.saturating_sub(self.active.load(Ordering::Relaxed))))
    }

    /// The time for which it has waited for its client, or for a body or an answer that is on its way, if that is long enough to give
    /// its place to somebody else.
    pub fn is_dispensable(&self) -> Option<Duration> {
        self.is_dispensable_at(self.now())
    }

    /// The same, of a connection whose network has far more places than one that waits: each may leave, those first that lose least.
    pub(super) fn is_dispensable_at_once(&self) -> (Loss, Duration) {
        let now = self.now();
        if let Some(age) = self.is_dispensable_at(now) {
            return (Loss::Nothing, age);
        }
        match self.transfers.oldest(now) {
            Some(age) => (Loss::Transfer, age),
            None => match self.silent(now) {
                Some(silent) if !self.has_begun.load(Ordering::Relaxed) => (Loss::Nothing, silent),
                silent => (Loss::Reuse, silent.unwrap_or_default()),
            },
        }
    }

    fn is_dispensable_at(&self, now: u64) -> Option<Duration> {
        let patience = if self.has_asked.load(Ordering::Relaxed) { PATIENCE } else { PATIENCE_WITH_THE_NEW };
        let silent = self.silent(now).filter(|silent| *silent >= patience);
        silent.or_else(|| self.transfers.oldest(now).filter(|age| *age >= PATIENCE_WITH_THE_SLOW))
    }

    /// Lets it look as if its client had been silent for so many milliseconds.
    #[cfg(test)]
    pub(super) fn was_silent_for(&self, milliseconds: u64) {
        self.active.store(self.now().saturating_sub(milliseconds), Ordering::Relaxed);
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        // What has come meanwhile was its body.
        self.0.has_begun.store(false, Ordering::Relaxed);
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
    use super::super::TRANSFER;
    use super::*;

    fn progress() -> Progress {
        Progress::new(Instant::now().checked_sub(Duration::from_secs(1_000)).unwrap())
    }

    /// Lets a byte have been read or sent at that time.
    fn is_active_at(progress: &Progress, now: u64) -> u64 {
        progress.active.store(now, Ordering::Relaxed);
        now
    }

    #[test]
    fn silence_is_measured_while_the_client_is_waited_for() {
        let progress = progress();
        let later = progress.now() + 60_000;
        let work = progress.work();
        assert_eq!(progress.silent(later), None, "the server works");
        let waiting = progress.wait_for_client();
        assert!(progress.silent(later).unwrap() >= SILENCE, "the client sends nothing");
        drop(waiting);
        assert_eq!(progress.silent(later), None);
        drop(work);
        let answer = progress.transfer_begins(Direction::Answer);
        assert!(!progress.is_idle());
        assert!(progress.silent(later).unwrap() >= SILENCE, "the client reads nothing");
        progress.transfer_ended(answer);
        assert!(progress.is_idle());
    }

    /// A client that sends or reads a byte now and then is never silent, and gives its slot to others all the same.
    #[test]
    fn what_takes_long_makes_room_too() {
        let progress = progress();
        let began = progress.now();
        let transfer = progress.transfer_begins(Direction::Body);
        let is_dispensable = |after: u64| {
            let now = is_active_at(&progress, began + after * 1_000);
            progress.is_dispensable_at(now).is_some()
        };
        assert!(!is_dispensable(29) && is_dispensable(31));
        progress.transfer_ended(transfer);
        assert!(!is_dispensable(60));
    }

    #[test]
    fn who_reads_a_little_now_and_then_has_an_end_too() {
        let progress = progress();
        let began = progress.now();
        let answer = || progress.transfer_begins(Direction::Answer);
        let (first, second) = (answer(), answer());
        let left = |after: u64| progress.patience_left(is_active_at(&progress, began + after * 1_000));
        assert_eq!(left(0), SILENCE);
        assert!((Duration::from_secs(8)..=Duration::from_secs(10)).contains(&left(230)));
        progress.transfer_ended(second);
        assert_eq!(left(250), Duration::ZERO, "the first is not read");
        progress.transfer_ended(first);
        assert_eq!(left(1_000), SILENCE, "a connection may stay as long as it is used");
    }

    /// A body has an end of its own, at which its sender is told: the connection is still there then.
    #[test]
    fn the_sender_of_a_body_that_takes_too_long_has_time_to_hear_of_it() {
        let progress = progress();
        let body = progress.transfer_begins(Direction::Body);
        let at_its_end =
            is_active_at(&progress, progress.now() + u64::try_from(TRANSFER.as_millis()).unwrap());
        assert!(progress.patience_left(at_its_end) >= Duration::from_secs(5));
        let long_after = is_active_at(&progress, at_its_end + 11_000);
        assert_eq!(progress.patience_left(long_after), Duration::ZERO, "it ends all the same");
        progress.transfer_ended(body);
    }
}
