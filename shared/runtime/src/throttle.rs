//! Throttled writes: a provider that asks to slow down is reachable, and the write is retried a second later.
//!
//! R2 accepts one write a second for each key, and answers 429 `TooManyRequests` to the next (Cloudflare, R2 limits,
//! error 10058). A proof that is replaced or deleted within a second of its store meets that every time. The bucket's
//! adapter retries such a write as long as its call may take. A caller with less patience learns from [`Noted`] that
//! the call is throttled, and not slow.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

tokio::task_local! {
    static NOTED: Noted;
}

/// The shortest pause before a throttled write is retried: the interval that R2 requires.
const PAUSE: Duration = Duration::from_secs(1);
/// The spread of that pause, so that writers that were throttled together do not come back together.
const SPREAD_MILLISECONDS: u64 = 500;
/// The minimum time for the next attempt: an attempt that is cut off by its limit may have taken effect.
const ATTEMPT: Duration = Duration::from_millis(500);

/// A record of whether a call was throttled. Clones share one record.
#[derive(Debug, Clone, Default)]
pub struct Noted(Arc<AtomicBool>);

impl Noted {
    /// Makes `call`, and records whether it is throttled.
    pub async fn during<F: Future>(&self, call: F) -> F::Output {
        NOTED.scope(self.clone(), call).await
    }

    /// Returns `true` if the call has been throttled so far.
    pub fn is_throttled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Records that the current call was throttled.
pub fn note() {
    // The call may be made without a [`Noted`].
    let _ = NOTED.try_with(|noted| noted.0.store(true, Ordering::Relaxed));
}

/// Returns the pause before the write is retried, or `None` if the time that is `left` is too short for that.
pub fn pause(left: Duration) -> Option<Duration> {
    let pause = PAUSE + Duration::from_millis(fastrand::u64(..=SPREAD_MILLISECONDS));
    (pause + ATTEMPT <= left).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_throttled_call_is_noted() {
        note();
        let (one, other) = (Noted::default(), Noted::default());
        one.during(async { note() }).await;
        other.during(async {}).await;
        assert!(one.is_throttled() && !other.is_throttled());
    }

    #[test]
    fn a_pause_takes_a_second_and_leaves_time_for_the_attempt() {
        for _ in 0..100 {
            let pause = pause(Duration::from_secs(5)).unwrap();
            assert!((1_000..=1_500).contains(&pause.as_millis()), "{pause:?}");
        }
        assert_eq!(pause(Duration::from_millis(1_499)), None);
        assert!(pause(Duration::from_secs(2)).is_some());
    }
}
