//! A world with one store in memory, and the processes that serve it.

use std::sync::Arc;

use bytes::Bytes;
use credlink_auth::tokens::Trusted;
use credlink_cache::{MemoryCache, NoCache};
use credlink_core::object::{ObjectKey, Verified};
use credlink_core::time::Timestamp;
use credlink_metrics::counters::Counters;
use credlink_ports::doubles::ManualClock;
use credlink_ports::doubles::faults::{FaultPlan, Faulty};
use credlink_ports::doubles::{MemoryIndex, MemoryObjects};
use credlink_ports::migration::jobs::NoJobs;
use credlink_ports::{Cache, CacheStats, Clock as _, Failure, Parts};
use credlink_service::cleanup::{Limits, cleanup};
use credlink_service::{Service, ServiceSettings};
use http::{Request, Response};

use super::act::{Act, Outcome};
use super::gate::{Gate, Gated};
use super::model::Known;
use super::outage::{Second, Store};
use super::request::{Asked, handle, send};

/// The ports of one process.
pub type Ports = Parts<Store, Faulty<Gated<MemoryIndex>>, Memory, ManualClock, Counters, Trusted>;

/// A process.
pub type Process = Service<Ports>;

/// The cache of a process, if it has one.
#[derive(Debug, Clone)]
pub enum Memory {
    None,
    Cached(Arc<MemoryCache>),
}

impl Memory {
    pub fn cached() -> Self {
        Self::Cached(Arc::new(MemoryCache::new()))
    }
}

impl Cache for Memory {
    async fn get_or_load<L>(&self, key: &ObjectKey, load: L) -> Result<Option<Arc<Verified>>, Failure>
    where
        L: Future<Output = Result<Option<Verified>, Failure>>,
    {
        match self {
            Self::None => NoCache.get_or_load(key, load).await,
            Self::Cached(cache) => cache.get_or_load(key, load).await,
        }
    }

    async fn invalidate(&self, key: &ObjectKey) {
        if let Self::Cached(cache) = self {
            cache.invalidate(key).await;
        }
    }

    fn stats(&self) -> CacheStats {
        CacheStats::default()
    }
}

/// The store, and the knowledge of it.
#[derive(Debug)]
pub struct World {
    objects: MemoryObjects,
    pub index: MemoryIndex,
    pub clock: ManualClock,
    /// The second provider, if there are two.
    pub second: Option<Second>,
    memory: Memory,
    /// The process that reads for the checks.
    reader: Process,
    pub known: Known,
}

/// A step towards an interesting world.
#[derive(Debug, Clone)]
pub enum Step {
    /// Does an act, which must not fail.
    Do(Act),
    /// Does an act, with the process ending before its write of this number.
    Crash(Act, u64),
    /// Lets half a minute pass.
    Wait,
    /// Lets eight days pass, so that every orphan and every expired proof is due.
    WaitDays,
}

impl World {
    /// A world after some steps, with nothing in its cache.
    pub fn after(steps: &[Step], memory: Memory) -> Self {
        Self::over(steps, memory, |_| None)
    }

    /// Like [`after`](Self::after), over two providers.
    pub fn over_two(steps: &[Step]) -> Self {
        Self::over(steps, Memory::None, |clock| Some(Second::new(clock)))
    }

    fn over(steps: &[Step], memory: Memory, second: impl Fn(&ManualClock) -> Option<Second>) -> Self {
        let clock = ManualClock::at(Timestamp::from_milliseconds(1_800_000_000_000));
        let objects = MemoryObjects::with_clock(clock.clone());
        let index = MemoryIndex::new();
        let second = second(&clock);
        let store = store(&objects, second.as_ref(), &index, &clock, &FaultPlan::none(), &Gate::open());
        let reader = process(store, &index, &clock, &memory, &FaultPlan::none(), &Gate::open());
        let mut world = Self { objects, index, clock, second, memory, reader, known: Known::nothing() };
        for step in steps {
            match step {
                Step::Do(act) => {
                    let outcome = world.act(act, FaultPlan::none());
                    assert!(matches!(outcome, Outcome::Done(_)), "{act:?}: {outcome:?}");
                }
                Step::Crash(act, write) => {
                    let plan = FaultPlan::from(*write, credlink_ports::doubles::faults::Flavour::Lost);
                    let outcome = world.act(act, plan);
                    assert!(matches!(outcome, Outcome::Failed(_)), "{act:?}: {outcome:?}");
                }
                Step::Wait => world.wait(30),
                Step::WaitDays => world.wait_days(),
            }
            world.tick();
        }
        world
    }

    pub const fn has_cache(&self) -> bool {
        matches!(self.memory, Memory::Cached(_))
    }

    /// Lets a millisecond pass.
    pub fn tick(&self) {
        self.clock.set(Timestamp::from_milliseconds(self.clock.now().milliseconds() + 1));
    }

    fn wait(&mut self, seconds: u64) {
        self.clock.advance_seconds(seconds);
        self.known.wait();
    }

    fn wait_days(&mut self) {
        self.clock.advance_seconds(8 * 86_400);
        self.known.wait_days();
    }

    /// A process of this world. All processes of a world share its cache.
    pub fn process(&self, plan: &FaultPlan, gate: &Gate) -> Process {
        let store = store(&self.objects, self.second.as_ref(), &self.index, &self.clock, plan, gate);
        process(store, &self.index, &self.clock, &self.memory, plan, gate)
    }

    /// The first provider.
    pub const fn objects(&self) -> &MemoryObjects {
        &self.objects
    }

    /// A process without faults.
    pub fn calm(&self) -> Process {
        self.process(&FaultPlan::none(), &Gate::open())
    }

    /// Reads through a process without faults.
    pub fn get(&self, path: &str) -> Response<Bytes> {
        let request = Request::get(path).body(Bytes::new()).unwrap();
        ready(handle(&self.reader, &request))
    }

    /// Does an act under `plan`, and records what is known afterwards.
    pub fn act(&mut self, act: &Act, plan: FaultPlan) -> Outcome {
        let asked = self.request(act);
        let outcome = ready(send(&self.process(&plan, &Gate::open()), &asked));
        self.note(&asked, outcome);
        outcome
    }

    /// Records an outcome.
    pub fn note(&mut self, asked: &Asked, outcome: Outcome) {
        let known = self.known.after(&asked.act, asked.place, outcome);
        let known = known.unwrap_or_else(|| panic!("{:?} came to {outcome:?}: {:#?}", asked.act, self.known));
        self.known = known;
    }

    /// Runs cleanup over a store that has not been written to for longer than any request takes.
    pub fn clean(&mut self) {
        self.wait(1_000);
        self.known.look_around();
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

fn store(
    objects: &MemoryObjects,
    second: Option<&Second>,
    index: &MemoryIndex,
    clock: &ManualClock,
    plan: &FaultPlan,
    gate: &Gate,
) -> Store {
    match second {
        None => Store::One(Faulty::new(Gated::new(objects.clone(), gate.clone()), plan.clone())),
        Some(second) => second.store(objects, index, clock, plan, gate),
    }
}

fn process(
    objects: Store,
    index: &MemoryIndex,
    clock: &ManualClock,
    memory: &Memory,
    plan: &FaultPlan,
    gate: &Gate,
) -> Process {
    Service::new(
        Parts {
            objects,
            index: Faulty::new(Gated::new(index.clone(), gate.clone()), plan.clone()),
            cache: memory.clone(),
            clock: clock.clone(),
            events: Counters::default(),
            authenticator: Trusted,
            jobs: NoJobs,
        },
        ServiceSettings {
            public_url: "http://127.0.0.1".to_owned(),
            count_reads: true,
            notice_on_read: true,
            ..ServiceSettings::default()
        },
    )
    .unguarded()
}

/// The limits of a cleanup that takes as long as it needs.
pub fn limits(clock: &ManualClock, any_age: bool) -> Limits {
    Limits { any_age, ..Limits::until(clock.now().plus_seconds(3_600)) }
}

/// The output of a future that never waits.
pub fn ready<F: Future>(future: F) -> F::Output {
    let gate = Gate::open();
    gate.run(std::pin::pin!(future)).expect("an open gate stops nothing")
}
