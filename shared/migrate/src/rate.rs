//! A limit on the number of items per second.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use credlink_ports::Clock;
use credlink_ports::migration::Sleep;

/// Spreads items evenly over time.
#[derive(Debug)]
pub(super) struct Pace {
    /// Microseconds between two items; 0 means no limit.
    gap: u64,
    /// The clock's microseconds at which the next item may begin.
    next: Mutex<u64>,
}

impl Pace {
    pub(super) fn new(rate: Option<f64>) -> Self {
        let gap =
            rate.filter(|rate| *rate > 0.0).and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok());
        let gap = gap.map_or(0, |gap| u64::try_from(gap.as_micros()).unwrap_or(u64::MAX));
        Self { gap, next: Mutex::new(0) }
    }

    /// Waits until one more item may begin.
    pub(super) async fn wait(&self, clock: &(impl Clock + Sleep)) {
        if self.gap == 0 {
            return;
        }
        let now = clock.monotonic_microseconds();
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(now);
            *next = turn.saturating_add(self.gap);
            turn
        };
        if turn > now {
            clock.sleep(Duration::from_micros(turn - now)).await;
        }
    }
}
