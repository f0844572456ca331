//! One of the two providers: its calls, with a timeout, behind a circuit breaker, and measured.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use credlink_core::replica::Replica;
use credlink_ports::{BreakerState, Failure, FailureKind, Objects, ProviderState};
use credlink_runtime::circuit_breaker::{BreakerSettings, CircuitBreaker};
use credlink_runtime::deadline;
use tokio::time::Instant;

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

    /// Makes a call, if the circuit breaker admits it.
    pub(crate) async fn call<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Missed> {
        let began = Instant::now();
        if !self.health().breaker.admit(began) {
            let message = "it failed too often, and is not asked for a while".to_owned();
            let failure = Failure { provider: self.objects.name(), kind: FailureKind::Unavailable, message };
            return Err(Missed { failure, attempted: false });
        }
        let limit = deadline::at_most(self.limit);
        // Boxed: otherwise the future of a caller that makes calls in parallel would be as large as all of them
        // together.
        match tokio::time::timeout(limit, Box::pin(within(began, limit, call))).await {
            Ok(Ok(answer)) => {
                self.answered(operation, began);
                Ok(answer)
            }
            Ok(Err(failure)) => {
                self.failed(failure.kind);
                // A throttled write did not take effect.
                let attempted = failure.kind != FailureKind::Throttled;
                Err(Missed { failure, attempted })
            }
            Err(_) => {
                // If the request has run out of time, that is not the provider's fault.
                if limit == self.limit {
                    self.failed(FailureKind::TimedOut);
                }
                Err(self.too_slow(limit))
            }
        }
    }

    /// Records that a call was abandoned, long after the other provider was done.
    pub(crate) fn gave_up(&self, after: Duration) -> Missed {
        self.failed(FailureKind::TimedOut);
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

    fn failed(&self, kind: FailureKind) {
        {
            let mut health = self.health();
            health.failure = Some(kind);
            if counts(kind) {
                health.breaker.failed(Instant::now(), fastrand::f64());
            } else {
                // The provider answers.
                health.breaker.succeeded(Instant::now());
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

/// Returns `true` if a failure means that the provider cannot be reached at all, and therefore counts against it.
/// Refusals, a full disk and damage are answered at once: they cost no timeout, and concern only some calls. A provider
/// that asks to slow down also answers, and usually means one key: R2 accepts one write per second for each.
const fn counts(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Unavailable | FailureKind::TimedOut => true,
        FailureKind::Throttled
        | FailureKind::AccessDenied
        | FailureKind::OutOfSpace
        | FailureKind::Damaged => false,
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
            side.failed(FailureKind::TimedOut);
        });
        let names = names.0.lock().unwrap();
        let expected =
            ["credlink_breaker_state", "credlink_provider_failures", "credlink_provider_latency_ms"];
        assert!(names.iter().eq(expected), "{names:?}");
        assert!(names.iter().all(|name| catalogue::find(name).is_some()));
    }

    #[test]
    fn what_is_answered_at_once_does_not_open_the_breaker() {
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
