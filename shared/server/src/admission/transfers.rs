//! Transfers: the bodies and answers that are under way on a connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Maximum time for a whole body, and for a whole answer: 13 MB at 0.5 Mbit/s.
pub const TRANSFER: Duration = Duration::from_secs(240);
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
    began: u64,
    /// Maximum time that the connection may take for the transfer.
    longest: Duration,
}

impl Transfers {
    /// Records the beginning of a transfer, and returns its number.
    pub fn begin(&self, direction: Direction, now: u64) -> u64 {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let longest = match direction {
            Direction::Body => TRANSFER + FAREWELL,
            Direction::Answer => TRANSFER,
        };
        self.under_way().push(Transfer { number, began: now, longest });
        number
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
        self.under_way().iter().map(|transfer| transfer.longest.saturating_sub(transfer.age(now))).min()
    }

    fn under_way(&self) -> MutexGuard<'_, Vec<Transfer>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transfer {
    fn age(&self, now: u64) -> Duration {
        Duration::from_millis(now.saturating_sub(self.began))
    }
}
