//! Throttled writes: a provider that asks to slow down is in reach, and is asked again a second later.
//!
//! R2 takes one write a second of one key, and answers 429 `TooManyRequests` to the next (Cloudflare, R2 limits, error
//! 10058): a proof that is replaced or deleted within a second of its store meets that every time. The adapter of the
//! bucket makes such a write again, as long as its call may take. Whoever waits for the call and has less patience
//! learns by [`Noted`] that it is throttled, and not slow.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

tokio::task_local! {
    static NOTED: Noted;
}

/// The shortest pause before a throttled write is made again: what R2 asks for.
const PAUSE: Duration = Duration::from_secs(1);
/// The spread of that pause: writers that were throttled together do not come back together.
const SPREAD_MILLISECONDS: u64 = 500;
/// The time that the next attempt needs at least: one that is cut off by its limit may have taken effect.
const ATTEMPT: Duration = Duration::from_millis(500);

/// A note of whether a call was throttled. Clones share one note.
#[derive(Debug, Clone, Default)]
pub struct Noted(Arc<AtomicBool>);

impl Noted {
    /// Makes `call`, and notes whether it is throttled.
    pub async fn during<F: Future>(&self, call: F) -> F::Output {
        NOTED.scope(self.clone(), call).await
    }

    /// Returns `true` if the call was throttled so far.
    pub fn is_throttled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Notes that the call at hand was throttled.
pub fn note() {
    // Nobody may be waiting for it.
    let _ = NOTED.try_with(|noted| noted.0.store(true, Ordering::Relaxed));
}

/// The pause before the write is made again; `None` where what is `left` of its time is too little for that.
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
