//! Objects and an index in memory, with processes that can be stopped at any call.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use credlink_auth::tokens::Trusted;
use credlink_cache::NoCache;
use credlink_core::identity::Mark;
use credlink_core::object::ObjectKey;
use credlink_core::row::{Row, RowKey, StoreRow};
use credlink_core::rules::guard::{Doubt, Standing};
use credlink_metrics::counters::Counters;
use credlink_ports::doubles::ManualClock;
use credlink_ports::doubles::faults::{FaultPlan, Faulty};
use credlink_ports::doubles::{MemoryIndex, MemoryObjects};
use credlink_ports::migration::jobs::NoJobs;
use credlink_ports::{Clock as _, Index as _, Objects as _, Parts};
use credlink_service::cleanup::{Limits, Report, cleanup};
use credlink_service::{Service, ServiceSettings};
use http::{Method, Request, Response};
use serde_json::{Value, json};

use crate::faults::gate::{Gate, Gated};
use crate::http::ask;

/// A process.
pub type Process = Service<
    Parts<Faulty<Gated<MemoryObjects>>, Faulty<Gated<MemoryIndex>>, NoCache, ManualClock, Counters, Trusted>,
>;

/// Number of grounds created so far.
static GROUNDS: AtomicU64 = AtomicU64::new(0);

/// The objects, the index and the clock that processes share.
#[derive(Clone)]
pub struct Ground {
    pub objects: MemoryObjects,
    pub index: MemoryIndex,
    pub clock: ManualClock,
    /// Set if several machines share the index, so that reads do not consult it.
    pub is_shared: bool,
}

impl Ground {
    /// An empty ground, at noon on the first day of 2026.
    pub fn new() -> Self {
        let clock = ManualClock::at("2026-01-01T12:00:00Z".parse().unwrap());
        // The identity of a store is derived from the next request ID, so each ground begins with a different one.
        (0..GROUNDS.fetch_add(1, Ordering::Relaxed)).for_each(|_| drop(clock.request_id()));
        Self {
            objects: MemoryObjects::with_clock(clock.clone()),
            index: MemoryIndex::new(),
            clock,
            is_shared: false,
        }
    }

    /// An empty ground whose index is shared by several machines, and consulted by no read.
    pub fn shared() -> Self {
        Self { is_shared: true, ..Self::new() }
    }

    /// A copy of the present state, which shares only the clock with the original.
    pub fn snapshot(&self) -> Self {
        Self { objects: self.objects.snapshot(), index: self.index.snapshot(), ..self.clone() }
    }

    /// A process without faults.
    pub fn process(&self) -> Process {
        self.process_with(&FaultPlan::none(), &Gate::open())
    }

    /// A process whose calls fail according to this plan, and stop at this gate.
    pub fn process_with(&self, plan: &FaultPlan, gate: &Gate) -> Process {
        let parts = Parts {
            objects: Faulty::new(Gated::new(self.objects.clone(), gate.clone()), plan.clone()),
            index: Faulty::new(Gated::new(self.index.clone(), gate.clone()), plan.clone()),
            cache: NoCache,
            clock: self.clock.clone(),
            events: Counters::default(),
            authenticator: Trusted,
            jobs: NoJobs,
        };
        let public_url = "http://127.0.0.1".to_owned();
        let notice_on_read = !self.is_shared;
        Service::new(
            parts,
            ServiceSettings {
                public_url,
                link_keys: None,
                count_reads: true,
                notice_on_read,
                has_tenants: false,
            },
        )
    }

    /// The same objects and clock with another index.
    pub fn beside(&self, index: MemoryIndex) -> Self {
        Self { index, ..self.clone() }
    }

    /// The store's mark.
    pub async fn mark(&self) -> Option<Mark> {
        let object = self.objects.get(&ObjectKey::Identity).await.unwrap()?;
        Some(Mark::parse(&object.body).unwrap())
    }

    /// The row of the store in the index.
    pub async fn row(&self) -> Option<StoreRow> {
        self.index.get(&RowKey::Store).await.unwrap().and_then(Row::store)
    }

    /// Asserts that the mark is at most one epoch behind the index, and never ahead, and that both belong to one store.
    /// Returns the epoch of the index.
    pub async fn assert_in_step(&self, when: &str) -> u64 {
        match (self.mark().await, self.row().await) {
            (None, None) => 0,
            (None, Some(row)) => row.epoch,
            (Some(mark), Some(row)) => {
                assert_eq!(mark.identity, row.identity, "{when}");
                assert!((mark.epoch..=mark.epoch + 1).contains(&row.epoch), "{when}: {mark:?} {row:?}");
                row.epoch
            }
            (Some(mark), None) => panic!("{when}: {mark:?} without a row"),
        }
    }

    /// Every stored object, by key, except the mark.
    pub async fn tree(&self) -> BTreeMap<String, Bytes> {
        let mut tree = BTreeMap::new();
        for listed in self.objects.list("", None, 1_000).await.unwrap().items {
            let key: ObjectKey = listed.key.parse().unwrap();
            if key != ObjectKey::Identity {
                tree.insert(listed.key, self.objects.get(&key).await.unwrap().unwrap().body);
            }
        }
        tree
    }

    /// Cleans up as the schedule does, including orphans of any age.
    pub async fn clean_up(&self, process: &Process) -> Report {
        let deadline = self.clock.now().plus_seconds(1_000_000);
        cleanup(process, Limits { any_age: true, ..Limits::until(deadline) }, None).await.unwrap()
    }
}

/// Answers a request.
pub async fn answer(process: &Process, request: Request<Bytes>) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    process.handle(&parts, async { Ok(body) }).await
}

/// Stores a file's proof.
pub fn store(name: &str) -> Request<Bytes> {
    let body = json!({"media_hash": ask::media(name).to_string(), "manifest": {"name": name}});
    ask::json(Method::POST, "/v1/proofs", &body)
}

/// Replaces a file's proof.
pub fn replace(name: &str, number: u32) -> Request<Bytes> {
    let body = json!({"manifest": {"name": name, "number": number}});
    let request = ask::json(Method::PUT, &ask::proof_path(name), &body);
    ask::with(request, http::header::IF_MATCH, "*")
}

/// Sends a request, and asserts that it succeeds.
pub async fn done(process: &Process, request: Request<Bytes>) {
    let answered = answer(process, request).await;
    assert!(answered.status().is_success(), "{answered:?}");
}

/// The JSON of an answer.
pub fn body(answered: &Response<Bytes>) -> Value {
    serde_json::from_slice(answered.body()).unwrap()
}

/// The labels of the doubts that stand in the way.
pub fn labels(standing: &Standing) -> Vec<&'static str> {
    standing.doubts.iter().map(Doubt::label).collect()
}

/// The output of a future that stops at no gate.
pub fn ready<F: Future>(future: F) -> F::Output {
    run(&Gate::open(), std::pin::pin!(future)).expect("an open gate stops nothing")
}

/// Runs `future` until it ends or stops at `gate`.
pub fn run<F: Future>(gate: &Gate, future: Pin<&mut F>) -> Option<F::Output> {
    gate.run(future)
}
