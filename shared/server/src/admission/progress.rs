//! The progress of a connection: whether the server works for its client or waits for it, and for how long.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::transfers::{Direction, Transfers};

/// Maximum time that an admitted connection may wait for its client: for the next request, for the next piece of a
/// body, or for an answer to be read.
pub const SILENCE: Duration = Duration::from_secs(30);
/// Time for which a connection may wait for its client although others wait for a slot.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time for which a body or an answer may be in transfer although others wait for a slot. A client that sends or reads
/// a byte now and then is never silent. 10 MB take this long at 2.7 Mbit/s.
const PATIENCE_WITH_THE_SLOW: Duration = Duration::from_secs(30);
/// Time for which a connection without a request so far may wait for its client although others wait for a slot.
const PATIENCE_WITH_THE_NEW: Duration = Duration::from_millis(250);

/// The work for a connection, and the progress of its transfers.
pub struct Progress {
    /// The beginning of the connection's clock.
    started: Instant,
    /// Number of requests that the server works for without waiting for the client.
    working: AtomicUsize,
    /// Answers that were not read to their end, and bodies that were not received to theirs.
    transfers: Transfers,
    /// Milliseconds from the start to the last sign of the client, or of the server's work for it.
    active: AtomicU64,
    has_asked: AtomicBool,
    /// `true` if bytes have arrived after the last request, which are a head that is not complete.
    has_begun: AtomicBool,
}

/// The loss of a client whose connection makes room for another, once what is in transfer has ended or used up its
/// time. The order is that in which connections are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// A body or an answer in transfer may be cut off.
    Transfer,
    /// A request whose head is not complete has to be sent again; or the next request needs another connection, because
    /// this one ends after its answer.
    Reuse,
    /// Nothing is in transfer, or the connection has waited for its client for as long as it may.
    Nothing,
}

/// A period in which the server works for a connection.
pub struct Working<'a>(&'a Progress);

/// A period in which that work waits for the client.
pub struct Waiting<'a>(&'a Progress);

impl Progress {
    /// Creates the progress of a connection that has just been opened, with a clock that began at `started`.
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

    /// Returns the milliseconds since the start.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Records that the client has read or sent something.
    pub fn is_active(&self) {
        self.active.store(self.now(), Ordering::Relaxed);
    }

    /// Records that a head has begun, if nothing else is in transfer.
    pub fn head_begins(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// Records that the server works for the connection, until the value is dropped.
    pub fn work(&self) -> Working<'_> {
        self.has_begun.store(false, Ordering::Relaxed);
        self.has_asked.store(true, Ordering::Relaxed);
        self.working.fetch_add(1, Ordering::Relaxed);
        Working(self)
    }

    /// Records that the connection waits for a place that the server has to give, until the value is dropped. That is
    /// not a request.
    pub(super) fn wait_for_place(&self) -> Working<'_> {
        self.working.fetch_add(1, Ordering::Relaxed);
        Working(self)
    }

    /// Records that the work waits for the client, until the value is dropped.
    pub fn wait_for_client(&self) -> Waiting<'_> {
        self.is_active();
        self.working.fetch_sub(1, Ordering::Relaxed);
        Waiting(self)
    }

    /// Records the beginning of a transfer, and returns its number.
    pub(super) fn transfer_begins(&self, direction: Direction) -> u64 {
        self.transfers.begin(direction, self.now())
    }

    /// Records that so many bytes of an answer were written.
    pub(super) fn transfer_moved(&self, number: u64, bytes: u64) {
        self.transfers.moved(number, bytes, self.now());
        self.is_active();
    }

    /// Records that a transfer has ended, or is given up.
    pub(super) fn transfer_ended(&self, number: u64) {
        self.transfers.end(number);
        self.is_active();
    }

    /// Returns `true` if the server works for no request and nothing is in transfer.
    pub fn is_idle(&self) -> bool {
        self.working.load(Ordering::Relaxed) == 0 && self.transfers.is_empty()
    }

    /// Waits until the connection has waited for its client for [`SILENCE`], or until a transfer has taken longer than
    /// it may: [`TRANSFER`](super::TRANSFER), and for a body a little longer, because its sender is still owed an
    /// answer.
    pub async fn is_silent(&self) {
        loop {
            let left = self.patience_left(self.now());
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }

    /// Returns the time for which the connection may still wait for its client.
    fn patience_left(&self, now: u64) -> Duration {
        let silence = SILENCE.saturating_sub(self.silent(now).unwrap_or_default());
        self.transfers.time_left(now).map_or(silence, |left| left.min(silence))
    }

    /// Returns the time for which the connection has waited for its client, and `None` if it does not wait.
    fn silent(&self, now: u64) -> Option<Duration> {
        if self.working.load(Ordering::Relaxed) > 0 {
            return None;
        }
        Some(Duration::from_millis(now.saturating_sub(self.active.load(Ordering::Relaxed))))
    }

    /// Returns the time for which the connection has waited for its client, or for a transfer, if that is long enough
    /// to give its place to another.
    pub fn is_dispensable(&self) -> Option<Duration> {
        self.is_dispensable_at(self.now())
    }

    /// Returns what the client of a connection would lose, in a network that has far more places than one that waits.
    /// Any of its connections may leave, and those that lose least leave first.
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

    /// Makes the client look as if it had been silent for so many milliseconds.
    #[cfg(test)]
    pub(super) fn was_silent_for(&self, milliseconds: u64) {
        self.active.store(self.now().saturating_sub(milliseconds), Ordering::Relaxed);
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        // The bytes that have arrived meanwhile belong to the body.
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

    /// Makes it look as if a byte had been read or sent at that time.
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

    /// A client that sends or reads a byte now and then is never silent, but it still gives its slot to others.
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
        let left = |after: u64| {
            let now = is_active_at(&progress, began + after * 1_000);
            [first, second].into_iter().for_each(|answer| progress.transfers.moved(answer, 1, now));
            progress.patience_left(now)
        };
        assert_eq!(left(0), SILENCE);
        assert!((Duration::from_secs(8)..=Duration::from_secs(10)).contains(&left(230)));
        progress.transfer_ended(second);
        assert_eq!(left(250), Duration::ZERO, "the first is not read");
        progress.transfer_ended(first);
        assert_eq!(left(1_000), SILENCE, "a connection may stay as long as it is used");
    }

    #[test]
    fn a_long_answer_has_the_time_that_a_slow_client_takes() {
        let progress = progress();
        let began = progress.now();
        let answer = progress.transfer_begins(Direction::Answer);
        let left = |after: u64, bytes| {
            let now = is_active_at(&progress, began + after * 1_000);
            progress.transfers.moved(answer, bytes, now);
            progress.patience_left(now)
        };
        for stretch in 1..=8 {
            assert_eq!(left(stretch * 239, 13_000_000), SILENCE);
        }
        assert_eq!(left(8 * 239 + 241, 1), Duration::ZERO);
    }

    /// A body has a deadline of its own, at which its sender is told. The connection must still be there then.
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
