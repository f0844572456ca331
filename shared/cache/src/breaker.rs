//! Keeps a server that is out of order from costing every request its time-out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row after which no calls are made for a while.
const FAILURES: u32 = 3;

/// Lets calls through until three in a row have failed. Then one call is let through at the end of each rest; rests
/// double while those fail.
#[derive(Debug)]
pub(super) struct Breaker {
    shortest: Duration,
    longest: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    rest: Option<(Duration, Instant)>,
    /// Whether the one call is under way that was let through at the end of a rest.
    trying: bool,
}

impl Breaker {
    pub(super) fn new(shortest: Duration, longest: Duration) -> Self {
        Self { shortest, longest, state: Mutex::default() }
    }

    /// Whether a call may be made now. At the end of a rest one caller is told so; the others rest on.
    pub(super) fn admits(&self) -> bool {
        let mut state = self.lock();
        let Some((rest, until)) = state.rest else { return true };
        let now = Instant::now();
        if now < until {
            return false;
        }
        state.rest = Some((rest, now + rest));
        state.trying = true;
        true
    }

    /// Takes note of an answer; whether it ends a rest.
    pub(super) fn answered(&self) -> bool {
        std::mem::take(&mut *self.lock()).rest.is_some()
    }

    /// Takes note of a failure; whether it begins the first rest.
    pub(super) fn failed(&self) -> bool {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures < FAILURES {
            return false;
        }
        let first = state.rest.is_none();
        // What was under way when the rest began says nothing new.
        if !first && !std::mem::take(&mut state.trying) {
            return false;
        }
        let rest = state.rest.map_or(self.shortest, |(rest, _)| (rest * 2).min(self.longest));
        // Three quarters to five quarters of it: processes that failed together do not come back together.
        let until = Instant::now() + rest.mul_f64(0.75 + fastrand::f64() / 2.0);
        state.rest = Some((rest, until));
        first
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORTEST: Duration = Duration::from_secs(2);

    fn broken() -> Breaker {
        let breaker = Breaker::new(SHORTEST, Duration::from_secs(60));
        for failure in 1..=3 {
            assert!(breaker.admits());
            assert_eq!(breaker.failed(), failure == 3);
        }
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn three_failures_in_a_row_begin_a_rest() {
        let breaker = broken();
        assert!(!breaker.admits());
        tokio::time::advance(SHORTEST / 2).await;
        assert!(!breaker.admits());
        tokio::time::advance(SHORTEST).await;
        assert!(breaker.admits(), "one call tries it");
        assert!(!breaker.admits(), "and only one");
        assert!(breaker.answered());
        assert!(breaker.admits() && breaker.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_fail_together_count_once() {
        let breaker = broken();
        for _ in 0..50 {
            assert!(!breaker.failed());
        }
        tokio::time::advance(SHORTEST.mul_f64(1.26)).await;
        assert!(breaker.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_between_starts_the_count_again() {
        let breaker = Breaker::new(SHORTEST, SHORTEST);
        for _ in 0..10 {
            assert!(!breaker.failed() && !breaker.failed());
            assert!(!breaker.answered());
            assert!(breaker.admits());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn rests_double_up_to_a_minute() {
        let breaker = broken();
        for seconds in [2_u64, 4, 8, 16, 32, 60, 60] {
            let rest = Duration::from_secs(seconds);
            tokio::time::advance(rest.mul_f64(0.74)).await;
            assert!(!breaker.admits(), "{seconds}");
            tokio::time::advance(rest.mul_f64(0.52)).await;
            assert!(breaker.admits(), "{seconds}");
            assert!(!breaker.failed(), "it is said once");
        }
    }
}
