//! One of the two providers: its calls, with a timeout, behind a circuit breaker, and measured.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use credlink_core::object::{Attributes, Object, ObjectKey};
use credlink_core::replica::Replica;
use credlink_ports::{BreakerState, Condition, Failure, FailureKind, Objects, ProviderState, Put};
use credlink_runtime::circuit_breaker::{BreakerSettings, CircuitBreaker};
use credlink_runtime::deadline;
use credlink_runtime::in_flight::SHORT_BYTES;
use credlink_runtime::pace::{self, Expected};
use tokio::time::{Instant, timeout};

use crate::latency::Latency;

/// A provider, with its circuit breaker and measurements.
#[derive(Debug)]
pub(crate) struct Side<O> {
    pub(crate) objects: O,
    pub(crate) replica: Replica,
    limit: Duration,
    health: Mutex<Health>,
}

#[derive(Debug)]
struct Health {
    breaker: CircuitBreaker,
    latency: Latency,
    failure: Option<FailureKind>,
}

/// The bytes that a call moves.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    /// The bytes that it sends.
    sent: u64,
    /// The most bytes that it receives, if they may be many.
    received: u64,
}

/// A call that was not answered.
#[derive(Debug, Clone)]
pub(crate) struct Missed {
    pub(crate) failure: Failure,
    /// `true` if the call may have taken effect, because it was made and not refused.
    pub(crate) attempted: bool,
}

impl<O: Objects> Side<O> {
    pub(crate) fn new(objects: O, replica: Replica, limit: Duration, breaker: BreakerSettings) -> Self {
        let health = Health {
            breaker: CircuitBreaker::new(breaker, Instant::now()),
            latency: Latency::default(),
            failure: None,
        };
        Self { objects, replica, limit, health: Mutex::new(health) }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `true` if the next call is a trial that tests whether the provider is back.
    pub(crate) fn is_on_trial(&self) -> bool {
        self.health().breaker.is_due(Instant::now())
    }

    /// Makes a call that moves few bytes, if the circuit breaker admits it.
    pub(crate) async fn call<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Missed> {
        self.call_for(operation, Load::default(), call).await
    }

    /// Reads an object, in the time that its length takes. The length is not known before the answer begins.
    pub(crate) async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Missed> {
        let received = if key.holds_file_bytes() { key.max_bytes() } else { 0 };
        self.call_for("get", Load { received, ..Load::default() }, self.objects.get(key)).await
    }

    /// Writes an object, in the time that its length takes.
    pub(crate) async fn put(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> Result<Put, Missed> {
        let sent = body.len() as u64;
        let put = self.objects.put(key, body, attributes, condition);
        self.call_for("put", Load { sent, ..Load::default() }, put).await
    }

    async fn call_for<T>(
        &self,
        operation: &'static str,
        load: Load,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Missed> {
        let began = Instant::now();
        if !self.health().breaker.admit(began) {
            let message = "it failed too often, and is not asked for a while".to_owned();
            let failure = Failure { provider: self.objects.name(), kind: FailureKind::Unavailable, message };
            return Err(Missed { failure, attempted: false });
        }
        let own = self.limit.saturating_add(pace::time_for(load.sent));
        let most = own.saturating_add(pace::time_for(load.received));
        let expected = Expected::default();
        // Boxed: otherwise the future of a caller that makes calls in parallel would be as large as all of them
        // together.
        let mut call = Box::pin(expected.during(within(began, deadline::at_most(most), call)));
        let mut limit = deadline::at_most(own);
        let mut answer = timeout(limit, &mut call).await;
        let received = expected.bytes().min(load.received);
        if answer.is_err() && received > 0 {
            // The answer has begun.
            limit = limit.saturating_add(deadline::at_most(pace::time_for(received)));
            answer = timeout(limit.saturating_sub(began.elapsed()), &mut call).await;
        }
        let is_long = load.sent.max(received) > SHORT_BYTES as u64;
        match answer {
            Ok(Ok(answer)) => {
                self.answered(operation, began);
                Ok(answer)
            }
            Ok(Err(failure)) => {
                self.failed(failure.kind, is_long);
                // A throttled write did not take effect.
                let attempted = failure.kind != FailureKind::Throttled;
                Err(Missed { failure, attempted })
            }
            Err(_) => {
                // If the request has run out of time, that is not the provider's fault.
                if limit == own.saturating_add(pace::time_for(received)) {
                    self.failed(FailureKind::TimedOut, is_long);
                }
                Err(self.too_slow(limit))
            }
        }
    }

    /// Records that a write of so many bytes was abandoned, long after the other provider was done.
    pub(crate) fn gave_up(&self, after: Duration, sent: u64) -> Missed {
        self.failed(FailureKind::TimedOut, sent > SHORT_BYTES as u64);
        self.too_slow(after)
    }

    fn too_slow(&self, after: Duration) -> Missed {
        let message = format!("no answer within {} ms", after.as_millis());
        let failure = Failure { provider: self.objects.name(), kind: FailureKind::TimedOut, message };
        Missed { failure, attempted: true }
    }

    fn answered(&self, operation: &'static str, began: Instant) {
        let now = Instant::now();
        let took = now - began;
        {
            let mut health = self.health();
            health.breaker.succeeded(now);
            health.failure = None;
            if operation == "get" {
                health.latency.record(took);
            }
        }
        self.show();
        metrics::histogram!(
            "credlink_provider_latency_ms", "provider" => self.replica.to_string(), "operation" => operation
        )
        .record(took.as_secs_f64() * 1_000.0);
    }

    fn failed(&self, kind: FailureKind, is_long: bool) {
        {
            let mut health = self.health();
            health.failure = Some(kind);
            match tells(kind, is_long) {
                Some(true) => {
                    health.breaker.failed(Instant::now(), fastrand::f64());
                }
                Some(false) => {
                    health.breaker.succeeded(Instant::now());
                }
                None => {}
            }
        }
        self.show();
        metrics::counter!(
            "credlink_provider_failures", "provider" => self.replica.to_string(), "kind" => kind.to_string()
        )
        .increment(1);
    }

    /// Publishes the breaker's state: 0 closed, 1 half open, 2 open.
    fn show(&self) {
        let state = match self.health().breaker.state().0 {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        };
        metrics::gauge!("credlink_breaker_state", "provider" => self.replica.to_string()).set(state);
    }

    /// Returns the time after which a read is slow enough to ask the other provider: the 95th percentile, but at least
    /// `least`. `None` if too few reads were measured.
    pub(crate) fn patience(&self, samples: usize, least: Duration) -> Option<Duration> {
        let health = self.health();
        (health.latency.count() >= samples).then(|| health.latency.percentile(95).max(least))
    }

    /// Returns the known state of the provider.
    pub(crate) fn state(&self, behind: bool) -> ProviderState {
        let health = self.health();
        let (breaker, since) = health.breaker.state();
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        ProviderState {
            name: self.objects.name(),
            replica: self.replica,
            breaker,
            for_ms: milliseconds(since.elapsed()),
            failure: health.failure,
            p50_ms: milliseconds(health.latency.percentile(50)),
            p95_ms: milliseconds(health.latency.percentile(95)),
            behind,
        }
    }
}

/// Returns `true` if a failure means that the provider cannot be reached at all, and therefore counts against it; `false`
/// if it means that the provider answers; `None` if it says neither.
///
/// Refusals, a full disk and damage are answered at once: they cost no timeout, and concern only some calls. A provider
/// that asks to slow down also answers, and usually means one key: R2 accepts one write per second for each. A transfer
/// that takes too long may just be slow, and short calls find out whether the provider is there.
const fn tells(kind: FailureKind, is_long: bool) -> Option<bool> {
    match kind {
        FailureKind::TimedOut if is_long => None,
        FailureKind::Unavailable | FailureKind::TimedOut => Some(true),
        FailureKind::Throttled
        | FailureKind::AccessDenied
        | FailureKind::OutOfSpace
        | FailureKind::Damaged => Some(false),
    }
}

/// Runs the call with a deadline that it knows of, so that its retries end before it is cut off.
async fn within<T>(began: Instant, limit: Duration, call: impl Future<Output = T>) -> T {
    match began.checked_add(limit) {
        Some(until) => deadline::within(until, call).await,
        None => call.await,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use metrics::{
        Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit, with_local_recorder,
    };

    use super::*;
    use credlink_metrics::catalogue;
    use credlink_ports::doubles::MemoryObjects;

    /// Records the names of metrics.
    #[derive(Default)]
    struct Names(Arc<Mutex<BTreeSet<String>>>);

    impl Names {
        fn note(&self, key: &Key) {
            self.0.lock().unwrap().insert(key.name().to_owned());
        }
    }

    impl Recorder for Names {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            self.note(key);
            Counter::noop()
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            self.note(key);
            Gauge::noop()
        }

        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            self.note(key);
            Histogram::noop()
        }
    }

    #[test]
    fn metrics_have_the_names_of_the_catalogue() {
        let names = Names::default();
        let side =
            Side::new(MemoryObjects::new(), Replica::Primary, Duration::MAX, BreakerSettings::default());
        with_local_recorder(&names, || {
            side.answered("get", Instant::now());
            side.failed(FailureKind::TimedOut, false);
        });
        let names = names.0.lock().unwrap();
        let expected =
            ["credlink_breaker_state", "credlink_provider_failures", "credlink_provider_latency_ms"];
        assert!(names.iter().eq(expected), "{names:?}");
        assert!(names.iter().all(|name| catalogue::find(name).is_some()));
    }

    #[test]
    fn what_is_answered_at_once_does_not_open_the_breaker() {
        for is_long in [false, true] {
            assert_eq!(tells(FailureKind::Unavailable, is_long), Some(true));
            for kind in [
                FailureKind::Throttled,
                FailureKind::AccessDenied,
                FailureKind::OutOfSpace,
                FailureKind::Damaged,
            ] {
                assert_eq!(tells(kind, is_long), Some(false));
            }
        }
        assert_eq!(tells(FailureKind::TimedOut, false), Some(true));
        assert_eq!(tells(FailureKind::TimedOut, true), None);
    }
}
