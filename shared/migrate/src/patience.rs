//! Telling an outage from an item that cannot be had.
//!
//! A call that fails in a way that passes is made again, later and later. When it fails time and again, the question is
//! whose fault that is. If other items get through meanwhile, it is the item's. If others fail in the same way and no item
//! is known to get through, or the port does not even answer a simple question, it is an outage: everybody waits, one call
//! tries again, and when it gets through everybody goes on. No item fails of an outage; a long one ends the step, which can
//! be resumed.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, Ready};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use credlink_core::hash::Digest;

use credlink_ports::migration::Sleep;
use credlink_ports::{Clock, Failure, FailureKind};

use super::progress::Watch;

/// When to go on, and when to give up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often a call is made before it is asked whose fault it is.
    pub attempts: u32,
    /// The wait before the second attempt; every later one is twice as long, and each is jittered.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
    /// How many items that fail at the same time, while none gets through, are an outage.
    pub items: usize,
    /// The longest outage that is waited for.
    pub outage: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 8,
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(30),
            items: 3,
            outage: Duration::from_secs(3_600),
        }
    }
}

/// So many items that fail one after the other are an outage, whatever else gets through.
const MAX_GIVEN_UP: usize = 100;

/// Why a call was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// It is the item's fault.
    Item(Failure),
    /// Nobody gets through, or an operator has to act: the step ends.
    Step(Failure),
    /// Whoever watches wants it to end.
    Cancelled,
}

/// What a port is asked to find out whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Whether it answers at all.
    Anything,
    /// Whether it does the same for an item that it may do without harm.
    TheSame,
}

/// What is known of one operation.
#[derive(Debug, Default)]
struct Operation {
    /// Calls that got through.
    successes: u64,
    /// Who fails at this moment.
    failing: BTreeSet<u64>,
    /// Who waits for the end of an outage.
    waiting: BTreeSet<u64>,
    /// Items that were given up since a call got through.
    given_up: usize,
}

/// An outage.
#[derive(Debug, Clone, Copy)]
struct Pause {
    /// Since when everybody waits, by the clock's microseconds.
    began: u64,
    /// The operation that does not get through.
    operation: &'static str,
    /// The call whose turn it is to try.
    who: u64,
    /// How often it was tried.
    tries: u32,
}

#[derive(Debug, Default)]
struct State {
    operations: BTreeMap<&'static str, Operation>,
    pause: Option<Pause>,
    /// Names the calls.
    calls: u64,
}

/// Makes the calls of one step.
pub(super) struct Steady<'a, C, T, W> {
    clock: &'a C,
    sleep: &'a T,
    watch: &'a W,
    patience: Patience,
    state: Mutex<State>,
}

impl State {
    /// Lets the next call of the operation try: the one that tried may be of an item that never comes.
    fn hand_over(&mut self) {
        let Some(pause) = &mut self.pause else { return };
        pause.tries = pause.tries.saturating_add(1);
        let Some(known) = self.operations.get(pause.operation) else { return };
        let calls = || known.failing.union(&known.waiting).copied();
        if let Some(next) = calls().find(|call| *call > pause.who).or_else(|| calls().next()) {
            pause.who = next;
        }
    }
}

impl<'a, C: Clock, T: Sleep, W: Watch> Steady<'a, C, T, W> {
    pub(super) fn new(clock: &'a C, sleep: &'a T, watch: &'a W, patience: Patience) -> Self {
        Self { clock, sleep, watch, patience, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call for an item until it gets through, or until it is clear that it does not. `probe` asks the same port:
    /// `Ok(true)` if it answers, `Ok(false)` where it cannot be asked this.
    pub(super) async fn call<R, F, P>(
        &self,
        operation: &'static str,
        call: impl Fn() -> F,
        probe: impl Fn(Question) -> P,
    ) -> Result<R, GivenUp>
    where
        F: Future<Output = Result<R, Failure>>,
        P: Future<Output = Result<bool, Failure>>,
    {
        self.insist(operation, call, Some(&probe)).await
    }

    /// Makes a call without which nothing goes on: when it fails time and again, that is an outage.
    pub(super) async fn need<R, F>(&self, operation: &'static str, call: impl Fn() -> F) -> Result<R, GivenUp>
    where
        F: Future<Output = Result<R, Failure>>,
    {
        self.insist(operation, call, None::<&fn(Question) -> Ready<Result<bool, Failure>>>).await
    }

    async fn insist<R, F, P>(
        &self,
        operation: &'static str,
        call: impl Fn() -> F,
        probe: Option<&impl Fn(Question) -> P>,
    ) -> Result<R, GivenUp>
    where
        F: Future<Output = Result<R, Failure>>,
        P: Future<Output = Result<bool, Failure>>,
    {
        let number = {
            let mut state = self.state();
            state.calls += 1;
            state.calls
        };
        let _leave = Leave { steady: self, operation, number };
        let (mut attempts, mut successes) = (0_u32, 0);
        loop {
            if self.wait_for_others(operation, number).await? {
                attempts = 0;
            }
            let failure = match call().await {
                Ok(answer) => {
                    self.got_through(operation);
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            match failure.kind {
                FailureKind::Unavailable | FailureKind::TimedOut | FailureKind::Throttled => {}
                FailureKind::AccessDenied | FailureKind::OutOfSpace => return Err(GivenUp::Step(failure)),
                FailureKind::Damaged if probe.is_none() => return Err(GivenUp::Step(failure)),
                FailureKind::Damaged => return Err(GivenUp::Item(failure)),
            }
            attempts += 1;
            if attempts == 1 {
                let mut state = self.state();
                let known = state.operations.entry(operation).or_default();
                known.failing.insert(number);
                successes = known.successes;
            }
            if let Some(Pause { began, .. }) = self.pause_of(number) {
                if self.clock.monotonic_microseconds().saturating_sub(began)
                    >= u64::try_from(self.patience.outage.as_micros()).unwrap_or(u64::MAX)
                {
                    return Err(GivenUp::Step(failure));
                }
                // Those that try may all be of items that never come.
                if let Some(probe) = probe
                    && self.others_get_through(operation, failure.kind, probe).await
                {
                    self.got_through(operation);
                    attempts = 0;
                }
            } else if attempts >= self.limit(failure.kind) && self.state().pause.is_none() {
                if let Some(probe) = probe
                    && !self.is_outage(operation, failure.kind, successes, probe).await
                {
                    self.state().operations.entry(operation).or_default().given_up += 1;
                    return Err(GivenUp::Item(failure));
                }
                self.pause(operation, number, &failure);
            }
            if self.watch.is_cancelled() {
                return Err(GivenUp::Cancelled);
            }
            let tries = self.pause_of(number).map(|pause| pause.tries);
            self.sleep.sleep(self.wait(tries.unwrap_or(attempts))).await;
            if tries.is_some() && self.pause_of(number).is_some() {
                self.state().hand_over();
            }
        }
    }

    /// Whoever asks to slow down answers: that is nobody's fault for a long time.
    const fn limit(&self, kind: FailureKind) -> u32 {
        match kind {
            FailureKind::Throttled => self.patience.attempts.saturating_mul(4),
            _ => self.patience.attempts,
        }
    }

    async fn is_outage<P: Future<Output = Result<bool, Failure>>>(
        &self,
        operation: &'static str,
        kind: FailureKind,
        successes: u64,
        probe: &impl Fn(Question) -> P,
    ) -> bool {
        let others_fail = {
            let mut state = self.state();
            let known = state.operations.entry(operation).or_default();
            if known.successes > successes {
                return false;
            }
            known.failing.len() + known.given_up >= self.patience.items
        };
        if others_fail {
            !self.others_get_through(operation, kind, probe).await
        } else {
            probe(Question::Anything).await.is_err()
        }
    }

    /// Whether those that fail may be items that never come, because another one gets through. Many of them, or who is asked to
    /// slow down, are an outage of a part.
    async fn others_get_through<P: Future<Output = Result<bool, Failure>>>(
        &self,
        operation: &'static str,
        kind: FailureKind,
        probe: &impl Fn(Question) -> P,
    ) -> bool {
        let given_up = self.state().operations.entry(operation).or_default().given_up;
        kind != FailureKind::Throttled
            && given_up < MAX_GIVEN_UP
            && matches!(probe(Question::TheSame).await, Ok(true))
    }

    /// Waits while another call tries whether the outage is over. Whether there was one.
    async fn wait_for_others(&self, operation: &'static str, number: u64) -> Result<bool, GivenUp> {
        let mut waited = false;
        while self.state().pause.is_some_and(|pause| pause.who != number) {
            self.state().operations.entry(operation).or_default().waiting.insert(number);
            if self.watch.is_cancelled() {
                return Err(GivenUp::Cancelled);
            }
            self.sleep.sleep(self.patience.first_wait).await;
            waited = true;
        }
        if waited {
            self.state().operations.entry(operation).or_default().waiting.remove(&number);
        }
        Ok(waited)
    }

    fn pause_of(&self, number: u64) -> Option<Pause> {
        self.state().pause.filter(|pause| pause.who == number)
    }

    fn pause(&self, operation: &'static str, who: u64, failure: &Failure) {
        let mut state = self.state();
        if state.pause.is_none() {
            let began = self.clock.monotonic_microseconds();
            state.pause = Some(Pause { began, operation, who, tries: self.patience.attempts });
            drop(state);
            self.watch.paused(failure);
        }
    }

    fn got_through(&self, operation: &'static str) {
        let mut state = self.state();
        let known = state.operations.entry(operation).or_default();
        known.successes += 1;
        known.given_up = 0;
        let resumed = state.pause.take_if(|pause| pause.operation == operation).is_some();
        drop(state);
        if resumed {
            self.watch.resumed();
        }
    }

    /// Twice as long with each attempt, at most the longest wait, and between half of that and all of it.
    fn wait(&self, attempts: u32) -> Duration {
        let doubled = self.patience.first_wait.saturating_mul(1_u32 << attempts.saturating_sub(1).min(16));
        let wait = doubled.min(self.patience.longest_wait);
        let [random, ..] = *Digest::of(self.clock.request_id().as_bytes()).as_bytes();
        wait / 2 + (wait / 2).mul_f64(f64::from(random) / 255.0)
    }
}

/// A call that ended, in whichever way, fails no longer, and lets nobody wait for it.
struct Leave<'b, 'a, C, T, W> {
    steady: &'b Steady<'a, C, T, W>,
    operation: &'static str,
    number: u64,
}

impl<C, T, W> Drop for Leave<'_, '_, C, T, W> {
    fn drop(&mut self) {
        let mut state = self.steady.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = state.operations.get_mut(self.operation) {
            known.failing.remove(&self.number);
            known.waiting.remove(&self.number);
        }
        if state.pause.is_some_and(|pause| pause.who == self.number) {
            state.hand_over();
            state.pause.take_if(|pause| pause.who == self.number);
        }
    }
}
