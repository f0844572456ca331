//! Cleanup where every call takes as long as in a cloud: items per second, and the hours for twelve million items.
//!
//! The latency passes on tokio's own clock, which jumps to the next timer whenever nothing is left to do. A million
//! items take only processor time, and the time of all calls is counted separately.

use std::time::{Duration, Instant as ProcessorInstant};

use bytes::Bytes;
use credlink_auth::tokens::Trusted;
use credlink_cache::NoCache;
use credlink_core::bounds::EXPIRY_GRACE_SECONDS;
use credlink_core::time::Timestamp;
use credlink_metrics::counters::Counters;
use credlink_ports::doubles::ManualClock;
use credlink_ports::doubles::{MemoryIndex, MemoryObjects};
use credlink_ports::migration::jobs::NoJobs;
use credlink_ports::{
    Clock as _, FailureKind, Medium, Parts, SingleProvider, forward_index, forward_objects,
};
use credlink_service::cleanup::{Limits, cleanup};
use credlink_service::{Service, ServiceSettings};
use http::Request;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

use crate::error::Error;
use crate::plan::Plan;
use crate::report::{Cell, Table, progress};
use crate::spread::Spread;

/// Latency of a call to the object store: S3's usual time to the first byte.
const OBJECTS: Duration = Duration::from_millis(10);
/// Latency of a call to the index, as for DynamoDB.
const INDEX: Duration = Duration::from_millis(5);
/// Number of items in the store for which the hours are computed.
const LARGE: f64 = 12e6;
/// A lifetime that ends soon, in seconds, and one that does not.
const SHORT: u64 = 60;
const LONG: u64 = 31_536_000;

/// An adapter whose calls are delayed.
#[derive(Debug, Clone)]
struct Slow<T> {
    inner: T,
    time: Duration,
}

type Slowed = Service<Parts<Slow<MemoryObjects>, Slow<MemoryIndex>, NoCache, ManualClock, Counters, Trusted>>;

/// A part of a cleanup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Due,
    Intents,
    Walk,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Due => "expired proofs destroyed",
            Self::Intents => "intents of finished stores looked at",
            Self::Walk => "objects walked over",
        }
    }

    /// The lifetime of the proofs in seconds, which is short if the part deletes what is due.
    const fn lifetime(self) -> u64 {
        match self {
            Self::Due => SHORT,
            Self::Intents | Self::Walk => LONG,
        }
    }
}

/// Measures a run over expired proofs, a run over intents, and a walk.
///
/// # Errors
/// Fails if the service fails.
pub fn run(plan: &Plan, items: usize) -> Result<(), Error> {
    let mut table = Table::new(
        "Cleanup with the latency of a cloud (`cleanup`)",
        "Adapters in memory, each call to objects 10 ms late and each to the index 5 ms, 16 items at a time, JSON manifests. \
         The rate is that of the calls alone, by a clock that stands still while the processor works; the processor's time is \
         beside it. \"12 million\" is extrapolated from both.",
        &["what", "items", "items/s by calls", "processor, µs an item", "12 million, hours"],
    );
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(Error::io("a runtime"))?;
    for part in [Part::Due, Part::Intents, Part::Walk] {
        let mut costs = Vec::new();
        for round in 0..plan.rounds {
            progress(&format!("cleanup: {}, round {round}", part.name()));
            costs.push(runtime.block_on(cost(items, part))?);
        }
        let of = |value: fn(&Cost) -> f64| Spread::of(costs.iter().map(value));
        table.row([
            part.name().into(),
            items.into(),
            of(|cost| 1.0 / cost.calls).into(),
            of(|cost| cost.processor * 1e6).into(),
            Cell::from(of(|cost| LARGE * (cost.calls + cost.processor) / 3_600.0)),
        ]);
    }
    plan.printer.table(&table);
    Ok(())
}

/// The cost of one item, in seconds.
struct Cost {
    /// The wait for calls.
    calls: f64,
    /// The processor time.
    processor: f64,
}

/// Returns the cost of an item in this part of a run over a store of `items` proofs, some time after a short lifetime
/// is over.
async fn cost(items: usize, part: Part) -> Result<Cost, Error> {
    let lifetime = part.lifetime();
    let clock = ManualClock::at(Timestamp::from_milliseconds(1_800_000_000_000));
    let objects = MemoryObjects::with_clock(clock.clone());
    let index = MemoryIndex::new();
    let fast = service(&objects, &index, &clock, Duration::ZERO, Duration::ZERO);
    for number in 0..items {
        let body = format!(
            r#"{{"media_hash":"sha256:{number:064x}","manifest":{{"number":{number}}},"expires_in":{lifetime}}}"#
        );
        let request = Request::post("/v1/proofs").header("content-type", "application/json").body(());
        let (parts, ()) = request.map_err(|error| Error::wrong("a request", error))?.into_parts();
        let answer = fast.handle(&parts, async { Ok(Bytes::from(body)) }).await;
        if answer.status() != 201 {
            return Err(Error::Wrong(format!("a store was answered with {}", answer.status())));
        }
    }
    clock.advance_seconds(SHORT + EXPIRY_GRACE_SECONDS);
    let slow = service(&objects, &index, &clock, OBJECTS, INDEX);
    // For the other parts, the intents were handled long ago.
    let intents_from = (part != Part::Intents).then(|| clock.now().minus_seconds(3_600));
    let walk = part == Part::Walk;
    let limits = Limits { walk, intents_from, ..Limits::until(clock.now().plus_seconds(1_000_000)) };
    let (started, began) = (Instant::now(), ProcessorInstant::now());
    let report = cleanup(&slow, limits, None).await.map_err(|error| Error::wrong("a cleanup", error))?;
    let (calls, processor) = (started.elapsed().as_secs_f64(), began.elapsed().as_secs_f64());
    let wanted = items as u64;
    let wanted = match part {
        Part::Due => (wanted, wanted, 0),
        // Nothing is left to do.
        Part::Intents => (0, 0, 0),
        Part::Walk => (wanted, 0, 0),
    };
    if (report.examined, report.deleted, report.failed) != wanted || report.intents_from.is_none() {
        return Err(Error::Wrong(format!("a cleanup came to {report:?}")));
    }
    Ok(Cost { calls: calls / items as f64, processor: processor / items as f64 })
}

fn service(
    objects: &MemoryObjects,
    index: &MemoryIndex,
    clock: &ManualClock,
    objects_time: Duration,
    index_time: Duration,
) -> Slowed {
    let parts = Parts {
        objects: Slow { inner: objects.clone(), time: objects_time },
        index: Slow { inner: index.clone(), time: index_time },
        cache: NoCache,
        clock: clock.clone(),
        events: Counters::default(),
        authenticator: Trusted,
        jobs: NoJobs,
    };
    let public_url = "http://127.0.0.1".to_owned();
    let settings = ServiceSettings { public_url, ..ServiceSettings::default() };
    Service::new(parts, settings).unguarded()
}

impl<T> Slow<T> {
    async fn after(&self) -> &T {
        if !self.time.is_zero() {
            sleep(self.time).await;
        }
        &self.inner
    }
}

macro_rules! slowly {
    (now $self:ident, $inner:ident => $call:expr) => {{
        let $inner = &$self.inner;
        $call
    }};
    ($kind:ident $self:ident, $inner:ident => $call:expr) => {{
        let $inner = $self.after().await;
        $call.await
    }};
}

forward_objects!(impl[] for Slow<MemoryObjects>, by slowly, one by one);
forward_index!(impl[] for Slow<MemoryIndex>, by slowly);

impl SingleProvider for Slow<MemoryObjects> {}

impl Medium for Slow<MemoryObjects> {
    fn has_cheap_lookups(&self) -> bool {
        false
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        None
    }
}
