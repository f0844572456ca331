//! A world of one store in memory, and the processes that serve it.

use std::sync::Arc;

use bytes::Bytes;
use credlink_adapters::cache::{MokaCache, NoCache};
use credlink_adapters::clock::ManualClock;
use credlink_adapters::counters::Counters;
use credlink_adapters::faults::{FaultPlan, Faulty};
use credlink_adapters::memory::{MemoryIndex, MemoryObjects};
use credlink_adapters::tokens::Trusted;
use credlink_core::object::{ObjectKey, Verified};
use credlink_core::time::Timestamp;
use credlink_service::cleanup::{Limits, cleanup};
use credlink_service::ports::{Cache, CacheStats, Clock as _, Failure, Parts};
use credlink_service::{Service, Settings};
use http::{Method, Request, Response};
use serde_json::Value;

use super::act::{Act, Outcome, c2pa_id, proof_id};
use super::check::expected;
use super::gate::{Gate, Gated};
use super::model::{Known, Place};

/// One process's ports.
pub type Ports =
    Parts<Faulty<Gated<MemoryObjects>>, Faulty<Gated<MemoryIndex>>, Memory, ManualClock, Counters, Trusted>;

/// One process.
pub type Process = Service<Ports>;

/// The cache of a process, or of none.
#[derive(Debug, Clone)]
pub enum Memory {
    None,
    Moka(Arc<MokaCache>),
}

impl Memory {
    pub fn moka() -> Self {
        Self::Moka(Arc::new(MokaCache::new()))
    }
}

impl Cache for Memory {
    async fn get_or_load<L>(&self, key: &ObjectKey, load: L) -> Result<Option<Arc<Verified>>, Failure>
    where
        L: Future<Output = Result<Option<Verified>, Failure>>,
    {
        match self {
            Self::None => NoCache.get_or_load(key, load).await,
            Self::Moka(cache) => cache.get_or_load(key, load).await,
        }
    }

    fn invalidate(&self, key: &ObjectKey) {
        if let Self::Moka(cache) = self {
            cache.invalidate(key);
        }
    }

    fn stats(&self) -> CacheStats {
        CacheStats::default()
    }
}

/// The store, and what is known of it.
#[derive(Debug)]
pub struct World {
    objects: MemoryObjects,
    index: MemoryIndex,
    clock: ManualClock,
    memory: Memory,
    /// Reads for the checks.
    reader: Process,
    pub known: Known,
}

/// A request that is made, and waits to be sent.
#[derive(Debug)]
pub struct Asked {
    pub act: Act,
    /// The record that its `If-Match` names.
    pub place: Option<Place>,
    request: Option<Request<Bytes>>,
}

/// A step on the way to an interesting world.
#[derive(Debug, Clone)]
pub enum Step {
    /// Does something, which must not fail.
    Do(Act),
    /// Does something, with the process ending before its write of this number.
    Crash(Act, u64),
    /// Half a minute goes by.
    Wait,
    /// Two days go by: every orphan is due.
    WaitDays,
}

impl World {
    /// A world after some steps, with nothing in its cache.
    pub fn after(steps: &[Step], memory: Memory) -> Self {
        let clock = ManualClock::at(Timestamp::from_milliseconds(1_800_000_000_000));
        let objects = MemoryObjects::with_clock(clock.clone());
        let index = MemoryIndex::new();
        let reader = process(&objects, &index, &clock, &memory, &FaultPlan::none(), &Gate::open());
        let mut world = Self { objects, index, clock, memory, reader, known: Known::nothing() };
        for step in steps {
            match step {
                Step::Do(act) => {
                    let outcome = world.act(act, FaultPlan::none());
                    assert!(matches!(outcome, Outcome::Done(_)), "{act:?}: {outcome:?}");
                }
                Step::Crash(act, write) => {
                    let plan = FaultPlan::from(*write, credlink_adapters::faults::Flavour::Lost);
                    let outcome = world.act(act, plan);
                    assert!(matches!(outcome, Outcome::Failed(_)), "{act:?}: {outcome:?}");
                }
                Step::Wait => world.wait(30),
                Step::WaitDays => world.wait(200_000),
            }
            world.tick();
        }
        world
    }

    pub const fn has_cache(&self) -> bool {
        matches!(self.memory, Memory::Moka(_))
    }

    /// A millisecond goes by.
    pub fn tick(&self) {
        self.clock.set(Timestamp::from_milliseconds(self.clock.now().milliseconds() + 1));
    }

    fn wait(&mut self, seconds: u64) {
        self.clock.advance_seconds(seconds);
        self.known.wait();
    }

    /// A process on this world. All processes of a world share its cache.
    pub fn process(&self, plan: &FaultPlan, gate: &Gate) -> Process {
        process(&self.objects, &self.index, &self.clock, &self.memory, plan, gate)
    }

    /// A process that nothing happens to.
    pub fn calm(&self) -> Process {
        self.process(&FaultPlan::none(), &Gate::open())
    }

    /// Makes a request; `If-Match` names the record that is current now.
    pub fn request(&self, act: &Act) -> Asked {
        let asked = |method: Method, path: String, kind: &str, body: Bytes| {
            let request = Request::builder().method(method).uri(path).header("content-type", kind);
            request.body(body).unwrap()
        };
        let json = "application/json";
        let proof = |file| format!("/v1/proofs/{}", proof_id(file));
        let manifest = |name| format!("/v1/manifests/{}", c2pa_id(name));
        let mut place = None;
        let request = match act {
            Act::Store(file, what) => {
                asked(Method::POST, "/v1/proofs".into(), json, what.body(file, 31_536_000))
            }
            Act::StoreShortly(file, what) => {
                asked(Method::POST, "/v1/proofs".into(), json, what.body(file, 10))
            }
            Act::Supersede(file, what) => {
                let served = self.served(file, "before a replacement");
                let model = self.known.0.iter().find(|model| expected(model, file) == served);
                place = model.and_then(|model| model.place(file));
                let tag = self.get(&proof(file)).headers().get("etag").cloned();
                let mut request = asked(Method::PUT, proof(file), json, what.body(file, 31_536_000));
                let tag = tag.unwrap_or_else(|| http::HeaderValue::from_static("\"none\""));
                request.headers_mut().insert("if-match", tag);
                request
            }
            Act::Delete(file) => asked(Method::DELETE, proof(file), json, Bytes::new()),
            Act::Batch(files) => {
                let ids: Vec<String> = files.iter().map(|file| format!("\"{}\"", proof_id(file))).collect();
                let body = format!(r#"{{"ids":[{}]}}"#, ids.join(","));
                asked(Method::POST, "/v1/proofs/batch-delete".into(), json, body.into())
            }
            Act::StoreManifest(name) => {
                let bytes = super::act::What::C2pa(name).bytes();
                asked(Method::POST, "/v1/manifests".into(), "application/c2pa", bytes)
            }
            Act::DeleteManifest(name) => asked(Method::DELETE, manifest(name), json, Bytes::new()),
            Act::Cleanup => return Asked { act: act.clone(), place, request: None },
        };
        Asked { act: act.clone(), place, request: Some(request) }
    }

    /// A read by a process that nothing happens to.
    pub fn get(&self, path: &str) -> Response<Bytes> {
        let request = Request::get(path).body(Bytes::new()).unwrap();
        ready(handle(&self.reader, &request))
    }

    /// Does something under `plan`, and takes note of what is known afterwards.
    pub fn act(&mut self, act: &Act, plan: FaultPlan) -> Outcome {
        let asked = self.request(act);
        let outcome = ready(send(&self.process(&plan, &Gate::open()), &asked));
        self.note(&asked, outcome);
        outcome
    }

    /// Takes note of an outcome.
    pub fn note(&mut self, asked: &Asked, outcome: Outcome) {
        let known = self.known.after(&asked.act, asked.place, outcome);
        let known = known.unwrap_or_else(|| panic!("{:?} came to {outcome:?}: {:#?}", asked.act, self.known));
        self.known = known;
    }

    /// A run of cleanup over a store that nobody else writes to.
    pub fn clean(&mut self) {
        let report = ready(cleanup(&self.calm(), self.limits(true), None)).unwrap();
        assert_eq!((report.failed, report.resume), (0, None));
        self.known.0.iter_mut().for_each(|model| {
            model.apply(&Act::Cleanup, None);
        });
    }

    fn limits(&self, any_age: bool) -> Limits {
        limits(&self.clock, any_age)
    }
}

fn process(
    objects: &MemoryObjects,
    index: &MemoryIndex,
    clock: &ManualClock,
    memory: &Memory,
    plan: &FaultPlan,
    gate: &Gate,
) -> Process {
    Service::new(
        Parts {
            objects: Faulty::new(Gated::new(objects.clone(), gate.clone()), plan.clone()),
            index: Faulty::new(Gated::new(index.clone(), gate.clone()), plan.clone()),
            cache: memory.clone(),
            clock: clock.clone(),
            events: Counters::default(),
            authenticator: Trusted,
        },
        Settings { public_url: "http://127.0.0.1".to_owned(), link_keys: None },
    )
}

fn limits(clock: &ManualClock, any_age: bool) -> Limits {
    Limits { deadline: clock.now().plus_seconds(3_600), any_age }
}

async fn handle(process: &Process, request: &Request<Bytes>) -> Response<Bytes> {
    let (parts, body) = request.clone().into_parts();
    process.handle(&parts, async { Ok(body) }).await
}

/// Sends a request to a process.
pub async fn send(process: &Process, asked: &Asked) -> Outcome {
    let Some(request) = &asked.request else {
        let limits = limits(&process.ports().clock, false);
        return match cleanup(process, limits, None).await {
            Ok(report) if report.failed == 0 => Outcome::Done(None),
            Ok(_) | Err(_) => Outcome::Failed(503),
        };
    };
    let response = handle(process, request).await;
    let reply: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let status = response.status().as_u16();
    match (&asked.act, status) {
        (Act::Batch(_), 200) if reply["failed"].as_array().is_some_and(|failed| !failed.is_empty()) => {
            Outcome::Failed(503)
        }
        (_, 200 | 201 | 204) => Outcome::Done(reply["identical"].as_bool()),
        (_, 400..500) => Outcome::Refused(status),
        _ => Outcome::Failed(status),
    }
}

/// The output of a future that never has to wait.
pub fn ready<F: Future>(future: F) -> F::Output {
    let gate = Gate::open();
    gate.run(std::pin::pin!(future)).expect("an open gate stops nothing")
}
