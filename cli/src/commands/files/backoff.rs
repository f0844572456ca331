//! The time between two attempts.

use std::time::Duration;

/// The most failures in a row. With the waits between them, that is about two minutes.
const MOST: u32 = 10;

/// The first wait. Each following one is twice as long.
const FIRST: Duration = Duration::from_millis(500);

/// The longest wait that is chosen here.
const LONGEST: Duration = Duration::from_secs(30);

/// The longest wait that a server may ask for. If it asks for more, the user decides when to try again.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// The failures in a row of one request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts a failure. Returns the time to wait before the next attempt, or `None` if there shall be none. A server that
    /// asks for a time gets at least that; otherwise the wait is drawn from the upper half of the time that is due, by
    /// `random`, so that requests which failed together are not sent together again.
    pub(super) fn failed(&mut self, asked: Option<Duration>, random: u8) -> Option<Duration> {
        self.failures += 1;
        if self.failures > MOST {
            return None;
        }
        let due = FIRST.saturating_mul(1 << (self.failures - 1)).min(LONGEST);
        match asked {
            Some(asked) if asked > LONGEST_ASKED => None,
            Some(asked) => Some(asked.max(FIRST)),
            None => Some(due / 2 + due * u32::from(random) / 510),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let waits = |random: u8| {
            let mut backoff = Backoff::default();
            std::iter::from_fn(|| backoff.failed(None, random))
                .map(|wait| wait.as_millis())
                .collect::<Vec<_>>()
        };
        assert_eq!(waits(255), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]);
        assert_eq!(waits(0), [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000, 15_000]);
    }

    #[test]
    fn a_server_says_how_long_within_reason() {
        let wait = |seconds| Backoff::default().failed(Some(Duration::from_secs(seconds)), 0);
        assert_eq!(wait(7), Some(Duration::from_secs(7)));
        assert_eq!(wait(0), Some(FIRST), "a server that asks for no time is not asked without end");
        assert_eq!(wait(300), Some(LONGEST_ASKED));
        assert_eq!(wait(301), None);
        let mut backoff = Backoff { failures: MOST };
        assert_eq!(backoff.failed(Some(FIRST), 0), None);
    }
}
