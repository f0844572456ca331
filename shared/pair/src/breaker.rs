//! A circuit breaker: a provider that does not answer is not asked for a while, so that it does not cost every request
//! its time-out.
//!
//! Closed, it counts failures in a row. At the limit it opens for a pause; then one call is let through, and decides:
//! closed again, or open for twice as long. Time and chance are arguments.

use std::time::Duration;

use credlink_ports::{BreakerState, FailureKind};
use tokio::time::Instant;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerSettings {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it is open at first.
    pub pause: Duration,
    /// How long it is open at most.
    pub longest_pause: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { failures: 5, pause: Duration::from_secs(2), longest_pause: Duration::from_secs(60) }
    }
}

/// Whether a failure says that the provider cannot be reached at all. Refusals, a full disk and damage are answered at
/// once: they cost no time-out, and concern some calls only. Who asks to slow down answers too, and most often speaks of
/// one key: R2 takes one write a second of each.
#[must_use]
pub const fn counts(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Unavailable | FailureKind::TimedOut => true,
        FailureKind::Throttled
        | FailureKind::AccessDenied
        | FailureKind::OutOfSpace
        | FailureKind::Damaged => false,
    }
}

/// The breaker of one provider.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    state: BreakerState,
    since: Instant,
    /// Closed: failures in a row.
    failures: u32,
    /// The present pause, or the one of the next opening.
    pause: Duration,
    /// Open, or half open: when the next call is let through. A trial that was given up is followed by another.
    next_trial: Instant,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub const fn new(settings: BreakerSettings, now: Instant) -> Self {
        Self {
            settings,
            state: BreakerState::Closed,
            since: now,
            failures: 0,
            pause: settings.pause,
            next_trial: now,
        }
    }

    /// The state, and since when.
    #[must_use]
    pub const fn state(&self) -> (BreakerState, Instant) {
        (self.state, self.since)
    }

    /// Whether the next call would be a trial.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.state != BreakerState::Closed && now >= self.next_trial
    }

    /// Whether a call may be made now.
    pub fn admit(&mut self, now: Instant) -> bool {
        if self.state == BreakerState::Closed {
            return true;
        }
        if now < self.next_trial {
            return false;
        }
        self.enter(BreakerState::HalfOpen, now);
        self.next_trial = now + self.pause;
        true
    }

    /// A call was answered.
    pub fn succeeded(&mut self, now: Instant) {
        self.failures = 0;
        self.pause = self.settings.pause;
        self.enter(BreakerState::Closed, now);
    }

    /// A call failed. `chance`, from 0 to 1, spreads the ends of pauses of many processes.
    pub fn failed(&mut self, now: Instant, chance: f64) {
        self.failures = self.failures.saturating_add(1);
        match self.state {
            BreakerState::Closed if self.failures < self.settings.failures => return,
            // A call that began before the breaker opened.
            BreakerState::Open => return,
            BreakerState::Closed | BreakerState::HalfOpen => {}
        }
        self.enter(BreakerState::Open, now);
        self.next_trial = now + self.pause.mul_f64(0.75 + chance.clamp(0.0, 1.0) / 2.0);
        self.pause = (self.pause * 2).min(self.settings.longest_pause);
    }

    fn enter(&mut self, state: BreakerState, now: Instant) {
        if self.state != state {
            self.state = state;
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_states_follow_on_each_other() {
        let start = Instant::now();
        let mut breaker = Breaker::new(BreakerSettings::default(), start);
        for _ in 0..4 {
            breaker.failed(start, 0.5);
        }
        breaker.succeeded(start);
        // Failures count in a row only.
        for _ in 0..4 {
            breaker.failed(start, 0.5);
            assert!(breaker.admit(start));
        }
        breaker.failed(start, 0.5);
        let mut now = start;
        for pause in [2_u32, 4, 8, 16, 32, 60, 60] {
            assert_eq!(breaker.state(), (BreakerState::Open, now));
            assert!(!breaker.admit(now) && !breaker.admit(now + pause * SECOND - SECOND / 10), "{pause}");
            assert!(!breaker.is_due(now));
            now += pause * SECOND;
            assert!(breaker.is_due(now) && breaker.admit(now), "{pause}");
            assert_eq!(breaker.state(), (BreakerState::HalfOpen, now));
            // One trial at a time; one that was given up is followed by another.
            assert!(!breaker.admit(now + SECOND));
            breaker.failed(now, 0.5);
        }
        now += 60 * SECOND;
        assert!(breaker.admit(now));
        breaker.succeeded(now);
        assert_eq!(breaker.state(), (BreakerState::Closed, now));
        assert!(breaker.admit(now));
        // The next outage begins with the short pause.
        (0..5).for_each(|_| breaker.failed(now, 0.5));
        assert!(breaker.admit(now + 2 * SECOND));
    }

    #[test]
    fn a_trial_that_was_given_up_is_followed_by_another() {
        let start = Instant::now();
        let mut breaker = Breaker::new(BreakerSettings::default(), start);
        (0..5).for_each(|_| breaker.failed(start, 0.5));
        assert!(breaker.admit(start + 2 * SECOND));
        assert!(breaker.admit(start + 6 * SECOND));
    }

    #[test]
    fn pauses_are_spread() {
        let start = Instant::now();
        for (chance, milliseconds) in [(0.0, 1_500), (1.0, 2_500)] {
            let mut breaker = Breaker::new(BreakerSettings::default(), start);
            (0..5).for_each(|_| breaker.failed(start, chance));
            assert!(!breaker.is_due(start + Duration::from_millis(milliseconds - 1)));
            assert!(breaker.is_due(start + Duration::from_millis(milliseconds)));
        }
    }

    #[test]
    fn what_is_answered_at_once_does_not_open_it() {
        for kind in [FailureKind::Unavailable, FailureKind::TimedOut] {
            assert!(counts(kind));
        }
        for kind in
            [FailureKind::Throttled, FailureKind::AccessDenied, FailureKind::OutOfSpace, FailureKind::Damaged]
        {
            assert!(!counts(kind));
        }
    }
}
