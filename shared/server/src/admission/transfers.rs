//! Transfers: the bodies and answers that are under way on a connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Maximum time for a whole body, and for a whole answer: 13 MB at 0.5 Mbit/s. An answer that is longer than that has as much
/// time again for each further stretch of 13 MB, once the one before was written.
pub const TRANSFER: Duration = Duration::from_secs(240);
/// The bytes that are transferred in [`TRANSFER`] at the lowest speed.
const SLOWEST_BYTES: u64 = 13_000_000;
/// Maximum time in which nothing is written of any answer. On a connection with several, one may be left unread for longer, because
/// its end would be that of the others.
const STALL: Duration = Duration::from_secs(60);
/// Time for which a connection stays after the deadline of a body, so that the sender learns of it.
const FAREWELL: Duration = Duration::from_secs(10);

/// The direction of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A body, from the client. Its reader ends it in time.
    Body,
    /// An answer, to the client. It ends with the connection at the latest.
    Answer,
}

/// The bodies and answers that are under way on a connection. Times are milliseconds of the connection's clock.
#[derive(Default)]
pub struct Transfers {
    under_way: Mutex<Vec<Transfer>>,
    last: AtomicU64,
}

struct Transfer {
    number: u64,
    direction: Direction,
    /// The beginning of the present stretch.
    began: u64,
    /// The last write, or the beginning.
    moved: u64,
    /// Number of bytes of the present stretch that were written.
    bytes: u64,
}

impl Transfers {
    /// Records the beginning of a transfer, and returns its number.
    pub fn begin(&self, direction: Direction, now: u64) -> u64 {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        self.under_way().push(Transfer { number, direction, began: now, moved: now, bytes: 0 });
        number
    }

    /// Records that so many bytes of an answer were written.
    pub fn moved(&self, number: u64, bytes: u64, now: u64) {
        let mut under_way = self.under_way();
        let Some(transfer) = under_way.iter_mut().find(|transfer| transfer.number == number) else { return };
        transfer.moved = now;
        transfer.bytes += bytes;
        if transfer.bytes >= SLOWEST_BYTES {
            (transfer.began, transfer.bytes) = (now, 0);
        }
    }

    /// Records that a transfer has ended, or is given up.
    pub fn end(&self, number: u64) {
        self.under_way().retain(|transfer| transfer.number != number);
    }

    /// Returns `true` if no transfer is under way.
    pub fn is_empty(&self) -> bool {
        self.under_way().is_empty()
    }

    /// Returns the age of the oldest transfer.
    pub fn oldest(&self, now: u64) -> Option<Duration> {
        self.under_way().iter().map(|transfer| transfer.age(now)).max()
    }

    /// Returns the shortest time that is left for a transfer.
    pub fn time_left(&self, now: u64) -> Option<Duration> {
        let under_way = self.under_way();
        let answers = under_way.iter().filter(|transfer| transfer.direction == Direction::Answer);
        let stalled = answers.map(|transfer| now.saturating_sub(transfer.moved)).min();
        let stall = stalled.map(|stalled| STALL.saturating_sub(Duration::from_millis(stalled)));
        under_way.iter().map(|transfer| transfer.time_left(now)).chain(stall).min()
    }

    fn under_way(&self) -> MutexGuard<'_, Vec<Transfer>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transfer {
    fn age(&self, now: u64) -> Duration {
        Duration::from_millis(now.saturating_sub(self.began))
    }

    fn time_left(&self, now: u64) -> Duration {
        let longest = match self.direction {
            Direction::Body => TRANSFER + FAREWELL,
            Direction::Answer => TRANSFER,
        };
        longest.saturating_sub(self.age(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000;

    #[test]
    fn an_answer_has_time_for_each_stretch_and_is_not_left_unread() {
        let transfers = Transfers::default();
        let left = |now: u64| transfers.time_left(now * SECOND).map(|left| left.as_secs());
        let number = transfers.begin(Direction::Answer, 0);
        assert_eq!([left(0), left(59), left(60), left(500)], [Some(60), Some(1), Some(0), Some(0)]);
        for now in (10..=230).step_by(10) {
            transfers.moved(number, 1, now * SECOND);
        }
        assert_eq!([left(230), left(240)], [Some(10), Some(0)], "it is too slow");
        transfers.moved(number, SLOWEST_BYTES, 239 * SECOND);
        assert_eq!(left(239), Some(60));
        transfers.moved(number, 1, 470 * SECOND);
        assert_eq!([left(470), left(479)], [Some(9), Some(0)]);
        transfers.end(number);
        assert_eq!(left(480), None);
        // One of two answers may be left unread while the other is read.
        let (unread, read) = (transfers.begin(Direction::Answer, 0), transfers.begin(Direction::Answer, 0));
        transfers.moved(read, 1, 100 * SECOND);
        assert_eq!([left(100), left(160), left(239)], [Some(60), Some(0), Some(0)]);
        transfers.moved(read, 1, 230 * SECOND);
        assert_eq!([left(230), left(240)], [Some(10), Some(0)]);
        transfers.end(unread);
        transfers.end(read);
        // The time of a body does not depend on its reader, who counts the bytes.
        transfers.begin(Direction::Body, 0);
        assert_eq!([left(0), left(240)], [Some(250), Some(10)]);
    }
}
