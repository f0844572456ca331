//! The states of a breaker, alone and shared.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_states_follow_on_each_other() {
    let start = Instant::now();
    let mut breaker = CircuitBreaker::new(BreakerSettings::default(), start);
    for _ in 0..4 {
        breaker.failed(start, 0.5);
    }
    assert!(!breaker.succeeded(start));
    // Only failures in a row count.
    for _ in 0..4 {
        assert!(!breaker.failed(start, 0.5));
        assert!(breaker.admit(start));
    }
    assert!(breaker.failed(start, 0.5));
    let mut now = start;
    for pause in [2_u32, 4, 8, 16, 32, 60, 60] {
        assert_eq!(breaker.state(), (BreakerState::Open, now));
        assert!(!breaker.admit(now) && !breaker.admit(now + pause * SECOND - SECOND / 10), "{pause}");
        assert!(!breaker.is_due(now));
        now += pause * SECOND;
        assert!(breaker.is_due(now) && breaker.admit(now), "{pause}");
        assert_eq!(breaker.state(), (BreakerState::HalfOpen, now));
        // There is one trial at a time, and another follows an abandoned one.
        assert!(!breaker.admit(now + SECOND));
        assert!(!breaker.failed(now, 0.5));
    }
    now += 60 * SECOND;
    assert!(breaker.admit(now));
    assert!(breaker.succeeded(now));
    assert_eq!(breaker.state(), (BreakerState::Closed, now));
    assert!(breaker.admit(now));
    // The next outage begins with the short pause.
    (0..5).for_each(|_| {
        breaker.failed(now, 0.5);
    });
    assert!(breaker.admit(now + 2 * SECOND));
}

#[test]
fn a_trial_that_was_given_up_is_followed_by_another() {
    for (trial_pauses, first, second) in [(1, 2, 2), (2, 4, 4)] {
        let start = Instant::now();
        let settings = BreakerSettings { failures: 1, trial_pauses, ..BreakerSettings::default() };
        let mut breaker = CircuitBreaker::new(settings, start);
        breaker.failed(start, 0.5);
        let mut now = start + 2 * SECOND;
        for pause in [first, second] {
            assert!(breaker.admit(now));
            now += pause * SECOND;
            assert!(!breaker.is_due(now - SECOND / 10), "{trial_pauses} {pause}");
        }
        assert!(breaker.admit(now));
        // The trials had no outcome, so the pause is doubled once.
        breaker.failed(now, 0.5);
        assert!(!breaker.is_due(now + 4 * SECOND - SECOND / 10) && breaker.is_due(now + 4 * SECOND));
    }
}

#[test]
fn pauses_are_spread() {
    let start = Instant::now();
    for (chance, milliseconds) in [(0.0, 1_500), (1.0, 2_500)] {
        let mut breaker = CircuitBreaker::new(BreakerSettings::default(), start);
        (0..5).for_each(|_| {
            breaker.failed(start, chance);
        });
        assert!(!breaker.is_due(start + Duration::from_millis(milliseconds - 1)));
        assert!(breaker.is_due(start + Duration::from_millis(milliseconds)));
    }
}

/// Returns a shared breaker that three failures in a row have opened.
fn broken() -> SharedBreaker {
    let breaker = SharedBreaker::new(BreakerSettings { failures: 3, ..BreakerSettings::default() });
    for failure in 1..=3 {
        assert!(breaker.admit());
        assert_eq!(breaker.failed(), failure == 3);
    }
    breaker
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_begin_a_pause() {
    let breaker = broken();
    assert!(!breaker.admit());
    tokio::time::advance(SECOND).await;
    assert!(!breaker.admit());
    tokio::time::advance(2 * SECOND).await;
    assert!(breaker.admit(), "one call tries it");
    assert!(!breaker.admit(), "and only one");
    assert!(breaker.succeeded());
    assert!(breaker.admit() && breaker.admit());
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_together_count_once() {
    let breaker = broken();
    for _ in 0..50 {
        assert!(!breaker.failed());
    }
    tokio::time::advance((2 * SECOND).mul_f64(1.26)).await;
    assert!(breaker.admit());
}

#[tokio::test(start_paused = true)]
async fn an_answer_between_starts_the_count_again() {
    let breaker = SharedBreaker::new(BreakerSettings { failures: 3, ..BreakerSettings::default() });
    for _ in 0..10 {
        assert!(!breaker.failed() && !breaker.failed());
        assert!(!breaker.succeeded());
        assert!(breaker.admit());
    }
}

#[tokio::test(start_paused = true)]
async fn pauses_double_up_to_a_minute() {
    let breaker = broken();
    for seconds in [2_u64, 4, 8, 16, 32, 60, 60] {
        let pause = Duration::from_secs(seconds);
        tokio::time::advance(pause.mul_f64(0.74)).await;
        assert!(!breaker.admit(), "{seconds}");
        tokio::time::advance(pause.mul_f64(0.52)).await;
        assert!(breaker.admit(), "{seconds}");
        assert!(!breaker.failed(), "it is said once");
    }
}
