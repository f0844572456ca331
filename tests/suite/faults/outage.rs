//! Two providers, one of which is unreachable for some calls.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use credlink_core::replica::Replica;
use credlink_core::time::Timestamp;
use credlink_ports::doubles::ManualClock;
use credlink_ports::doubles::faults::{FaultPlan, Faulty};
use credlink_ports::doubles::{MemoryIndex, MemoryObjects, MemoryQueue};
use credlink_ports::{
    Failure, FailureKind, LongObjects, Medium, Objects, forward_long_objects, forward_objects,
    forward_replicas, on_variant,
};
use credlink_replication::{Replicated, ReplicationSettings};
use credlink_runtime::circuit_breaker::BreakerSettings;
use std::time::Duration;

use super::gate::{Gate, Gated};

/// The calls for which a provider is unreachable. Clones are one outage, and the calls of both providers are counted
/// together.
#[derive(Debug, Clone, Default)]
pub struct Outage(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    calls: u64,
    dead: Option<(Replica, Range<u64>)>,
    how: How,
    failed: u64,
}

/// The way in which the calls of a provider fail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum How {
    /// No call takes effect.
    #[default]
    Lost,
    /// The first call takes effect all the same.
    Kept,
    /// The provider asks the caller to slow down, and does nothing.
    Throttled,
}

impl Outage {
    /// From now on, `replica` fails calls with these numbers, counted from 0.
    pub fn plan(&self, replica: Replica, calls: Range<u64>, how: How) {
        *self.0.lock().unwrap() = Plan { calls: 0, dead: Some((replica, calls)), how, failed: 0 };
    }

    /// From now on, `replica` is unreachable.
    pub fn of(&self, replica: Replica) {
        self.plan(replica, 0..u64::MAX, How::Lost);
    }

    /// Ends the outage. Returns the number of calls, and the number of those that failed.
    pub fn end(&self) -> (u64, u64) {
        let plan = std::mem::take(&mut *self.0.lock().unwrap());
        (plan.calls, plan.failed)
    }

    /// Returns the kind of failure if this call fails, and whether the call takes effect all the same.
    fn fails(&self, replica: Replica) -> Option<(FailureKind, bool)> {
        let mut plan = self.0.lock().unwrap();
        let number = plan.calls;
        plan.calls += 1;
        let fails =
            plan.dead.as_ref().is_some_and(|(dead, calls)| *dead == replica && calls.contains(&number));
        if !fails {
            return None;
        }
        plan.failed += 1;
        let kind = if plan.how == How::Throttled { FailureKind::Throttled } else { FailureKind::Unavailable };
        Some((kind, plan.how == How::Kept && plan.failed == 1))
    }
}

/// A provider that may be unreachable.
#[derive(Debug, Clone)]
pub struct Cut<T> {
    inner: T,
    replica: Replica,
    outage: Outage,
}

impl<T> Cut<T> {
    pub const fn new(inner: T, replica: Replica, outage: Outage) -> Self {
        Self { inner, replica, outage }
    }

    async fn call<A>(&self, call: impl Future<Output = Result<A, Failure>>) -> Result<A, Failure> {
        let Some((kind, is_kept)) = self.outage.fails(self.replica) else { return call.await };
        if is_kept {
            drop(call.await);
        }
        let message = format!("the {} does not do it", self.replica);
        Err(Failure { provider: "memory", kind, message })
    }
}

macro_rules! cut {
    (now $self:ident, $inner:ident => $call:expr) => {{
        let $inner = &$self.inner;
        $call
    }};
    ($kind:ident $self:ident, $inner:ident => $call:expr) => {{
        let $inner = &$self.inner;
        $self.call($call).await
    }};
}

forward_objects!(impl[T: Objects] for Cut<T>, by cut, one by one);
forward_long_objects!(impl[T: LongObjects] for Cut<T>, by cut);

/// Two providers, as a process sees them.
pub type Two = Replicated<Cut<Gated<MemoryObjects>>, Cut<Gated<MemoryObjects>>, MemoryQueue, MemoryIndex>;

/// The second provider of a world, and everything else that two providers need.
#[derive(Debug)]
pub struct Second {
    pub objects: MemoryObjects,
    pub queue: MemoryQueue,
    /// The clock of the queue.
    pub queue_clock: ManualClock,
    pub outage: Outage,
}

impl Second {
    pub fn new(clock: &ManualClock) -> Self {
        let queue_clock = ManualClock::at(Timestamp::from_milliseconds(0));
        Self {
            objects: MemoryObjects::with_clock(clock.clone()),
            queue: MemoryQueue::with_clock(queue_clock.clone()),
            queue_clock,
            outage: Outage::default(),
        }
    }

    /// Both providers, for one process. It checks with every read which provider is behind, and its circuit breakers
    /// stay closed, so that nothing here depends on time.
    pub fn store(
        &self,
        first: &MemoryObjects,
        index: &MemoryIndex,
        clock: &ManualClock,
        plan: &FaultPlan,
        gate: &Gate,
    ) -> Store {
        let cut = |objects: &MemoryObjects, replica| {
            Cut::new(Gated::new(objects.clone(), gate.clone()), replica, self.outage.clone())
        };
        let settings = ReplicationSettings {
            look_every: Duration::ZERO,
            breaker: BreakerSettings { failures: u32::MAX, ..BreakerSettings::default() },
            ..ReplicationSettings::default()
        };
        let (primary, fallback) = (cut(first, Replica::Primary), cut(&self.objects, Replica::Fallback));
        let queue = self.queue.clone();
        let two = Replicated::new(primary, fallback, queue, index.clone(), clock.clone(), settings);
        Store::Two(Box::new(Faulty::new(two, plan.clone())))
    }
}

/// One provider, or two.
#[derive(Debug)]
pub enum Store {
    One(Faulty<Gated<MemoryObjects>>),
    Two(Box<Faulty<Two>>),
}

macro_rules! chosen {
    (now $self:ident, $objects:ident => $call:expr) => {
        on_variant!($self, One | Two, $objects => $call)
    };
    ($kind:ident $self:ident, $objects:ident => $call:expr) => {
        on_variant!($self, One | Two, $objects => $call.await)
    };
}

forward_objects!(impl[] for Store, by chosen);
forward_replicas!(impl[] for Store, by chosen);

/// As that of a bucket.
impl Medium for Store {
    fn has_cheap_lookups(&self) -> bool {
        false
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        None
    }
}
