//! Retries calls, and distinguishes an outage from a single unavailable item.
//!
//! A call that fails in a transient way is retried with growing waits. If it keeps failing, the retrier looks for the
//! cause. If other items get through meanwhile, the item is the cause. If others fail in the same way and no item is
//! known to get through, or the port does not even answer a simple probe, it is an outage: all calls wait while one
//! retries, and when that gets through, all continue. An outage marks no item as failed; a long one ends the step,
//! which can be resumed.

mod outage;
#[cfg(test)]
mod tests;

use std::future::{Future, Ready};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use credlink_core::hash::Digest;
use credlink_ports::migration::Sleep;
use credlink_ports::{Clock, Failure, FailureKind};

use crate::progress::Watch;
use crate::retry_policy::{GivenUp, RetryPolicy};
use outage::{Pause, State};

/// This many consecutive failed items count as an outage, whatever else gets through.
const MAX_GIVEN_UP: usize = 100;

/// A probe of a port, to find the cause of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// Tests that the port answers at all.
    Liveness,
    /// Tests that the port completes the same operation for another item, if that is possible without side effects.
    SameOperation,
}

/// Makes the calls of one step, with retries.
pub(super) struct Retrier<'a, C, W> {
    clock: &'a C,
    watch: &'a W,
    retry_policy: RetryPolicy,
    state: Mutex<State>,
}

impl<'a, C: Clock + Sleep, W: Watch> Retrier<'a, C, W> {
    pub(super) fn new(clock: &'a C, watch: &'a W, retry_policy: RetryPolicy) -> Self {
        Self { clock, watch, retry_policy, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call for an item until it gets through, or until it is clear that it will not. `probe` tests the same
    /// port: it returns `Ok(true)` if the port answers, and `Ok(false)` if this probe is not possible.
    pub(super) async fn for_item<R, F, P>(
        &self,
        operation: &'static str,
        call: impl Fn() -> F,
        probe: impl Fn(Probe) -> P,
    ) -> Result<R, GivenUp>
    where
        F: Future<Output = Result<R, Failure>>,
        P: Future<Output = Result<bool, Failure>>,
    {
        self.retry(operation, call, Some(&probe)).await
    }

    /// Makes a call that the whole step depends on: if it keeps failing, that is an outage.
    pub(super) async fn for_step<R, F>(
        &self,
        operation: &'static str,
        call: impl Fn() -> F,
    ) -> Result<R, GivenUp>
    where
        F: Future<Output = Result<R, Failure>>,
    {
        self.retry(operation, call, None::<&fn(Probe) -> Ready<Result<bool, Failure>>>).await
    }

    async fn retry<R, F, P>(
        &self,
        operation: &'static str,
        call: impl Fn() -> F,
        probe: Option<&impl Fn(Probe) -> P>,
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
        let _leave = Leave { retrier: self, operation, number };
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
                    >= u64::try_from(self.retry_policy.outage.as_micros()).unwrap_or(u64::MAX)
                {
                    return Err(GivenUp::Step(failure));
                }
                // The calls that take turns may all belong to items that are unavailable for good.
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
            self.clock.sleep(self.wait(tries.unwrap_or(attempts))).await;
            if tries.is_some() && self.pause_of(number).is_some() {
                self.state().hand_over();
            }
        }
    }

    /// Returns the number of attempts. A throttling port does answer, so neither it nor the item is blamed for a long
    /// time.
    const fn limit(&self, kind: FailureKind) -> u32 {
        match kind {
            FailureKind::Throttled => self.retry_policy.attempts.saturating_mul(4),
            _ => self.retry_policy.attempts,
        }
    }

    async fn is_outage<P: Future<Output = Result<bool, Failure>>>(
        &self,
        operation: &'static str,
        kind: FailureKind,
        successes: u64,
        probe: &impl Fn(Probe) -> P,
    ) -> bool {
        let others_fail = {
            let mut state = self.state();
            let known = state.operations.entry(operation).or_default();
            if known.successes > successes {
                return false;
            }
            known.failing.len() + known.given_up >= self.retry_policy.items
        };
        if others_fail {
            !self.others_get_through(operation, kind, probe).await
        } else {
            probe(Probe::Liveness).await.is_err()
        }
    }

    /// Returns `true` if the failing items may be unavailable by themselves, because another item gets through. Many
    /// such items, or a port that throttles, count as a partial outage.
    async fn others_get_through<P: Future<Output = Result<bool, Failure>>>(
        &self,
        operation: &'static str,
        kind: FailureKind,
        probe: &impl Fn(Probe) -> P,
    ) -> bool {
        let given_up = self.state().operations.entry(operation).or_default().given_up;
        kind != FailureKind::Throttled
            && given_up < MAX_GIVEN_UP
            && matches!(probe(Probe::SameOperation).await, Ok(true))
    }

    /// Waits while another call tests if the outage is over. Returns `true` if there was an outage.
    async fn wait_for_others(&self, operation: &'static str, number: u64) -> Result<bool, GivenUp> {
        let mut waited = false;
        while self.state().pause.is_some_and(|pause| pause.who != number) {
            self.state().operations.entry(operation).or_default().waiting.insert(number);
            if self.watch.is_cancelled() {
                return Err(GivenUp::Cancelled);
            }
            self.clock.sleep(self.retry_policy.first_wait).await;
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
            state.pause = Some(Pause { began, operation, who, tries: self.retry_policy.attempts });
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

    /// Returns the wait before the next attempt: doubled with each attempt up to the longest wait, and jittered between
    /// half of that and all of it.
    fn wait(&self, attempts: u32) -> Duration {
        let doubled =
            self.retry_policy.first_wait.saturating_mul(1_u32 << attempts.saturating_sub(1).min(16));
        let wait = doubled.min(self.retry_policy.longest_wait);
        let [random, ..] = *Digest::of(self.clock.request_id().as_bytes()).as_bytes();
        wait / 2 + (wait / 2).mul_f64(f64::from(random) / 255.0)
    }
}

/// Deregisters a call when it ends, however it ends: it no longer counts as failing, and no other call waits for it.
struct Leave<'b, 'a, C, W> {
    retrier: &'b Retrier<'a, C, W>,
    operation: &'static str,
    number: u64,
}

impl<C, W> Drop for Leave<'_, '_, C, W> {
    fn drop(&mut self) {
        let mut state = self.retrier.state.lock().unwrap_or_else(PoisonError::into_inner);
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
