//! A circuit breaker: a server that does not answer is not called for a while, so that it does not cost every request
//! its timeout.
//!
//! While closed, the breaker counts failures in a row. At the limit it opens for a pause; then one call, the trial, is
//! let through and decides: closed again, or open for twice as long. Time and chance are arguments; [`SharedBreaker`]
//! supplies both by itself.

mod shared;
#[cfg(test)]
mod tests;

use std::time::Duration;

use credlink_ports::BreakerState;
use tokio::time::Instant;

pub use shared::SharedBreaker;

/// The settings of a breaker: when it opens, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerSettings {
    /// The number of failures in a row that open it.
    pub failures: u32,
    /// The first pause.
    pub pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// The time after which a trial without an outcome counts as abandoned, so that another call is let through: this
    /// many times the pause before it, and at most [`longest_pause`](Self::longest_pause).
    pub trial_pauses: u32,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures: 5,
            pause: Duration::from_secs(2),
            longest_pause: Duration::from_secs(60),
            trial_pauses: 2,
        }
    }
}

/// The circuit breaker of one server.
#[derive(Debug)]
pub struct CircuitBreaker {
    settings: BreakerSettings,
    state: BreakerState,
    since: Instant,
    /// While closed: the failures in a row.
    failures: u32,
    /// While open or half open: the current pause. While closed: the pause of the next opening.
    pause: Duration,
    /// While open or half open: the instant at which the next call is let through. Another trial follows an abandoned
    /// one.
    next_trial: Instant,
}

impl CircuitBreaker {
    /// Returns a closed breaker.
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

    /// Returns the state, and the instant at which it began.
    #[must_use]
    pub const fn state(&self) -> (BreakerState, Instant) {
        (self.state, self.since)
    }

    /// Returns `true` if the next call would be a trial.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.state != BreakerState::Closed && now >= self.next_trial
    }

    /// Returns `true` if a call may be made now. At the end of a pause, that is one caller's call: the trial.
    pub fn admit(&mut self, now: Instant) -> bool {
        if self.state == BreakerState::Closed {
            return true;
        }
        if now < self.next_trial {
            return false;
        }
        self.enter(BreakerState::HalfOpen, now);
        self.next_trial = now + (self.pause * self.settings.trial_pauses).min(self.settings.longest_pause);
        true
    }

    /// Records that a call was answered. Returns `true` if that closes the breaker.
    pub fn succeeded(&mut self, now: Instant) -> bool {
        let closes = self.state != BreakerState::Closed;
        self.failures = 0;
        self.pause = self.settings.pause;
        self.enter(BreakerState::Closed, now);
        closes
    }

    /// Records that a call failed. Returns `true` if that opens a closed breaker. `chance`, from 0 to 1, spreads the
    /// ends of pauses, so that processes that failed together do not come back together.
    pub fn failed(&mut self, now: Instant, chance: f64) -> bool {
        self.failures = self.failures.saturating_add(1);
        let opens = match self.state {
            BreakerState::Closed if self.failures < self.settings.failures => return false,
            // The call began before the breaker opened.
            BreakerState::Open => return false,
            BreakerState::Closed => true,
            BreakerState::HalfOpen => {
                self.pause = (self.pause * 2).min(self.settings.longest_pause);
                false
            }
        };
        self.enter(BreakerState::Open, now);
        self.next_trial = now + self.pause.mul_f64(0.75 + chance.clamp(0.0, 1.0) / 2.0);
        opens
    }

    fn enter(&mut self, state: BreakerState, now: Instant) {
        if self.state != state {
            self.state = state;
            self.since = now;
        }
    }
}
