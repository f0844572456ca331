//! A world in memory: a source, a destination and a ledger that enforce their contracts, and that fail or are killed at
//! any of their calls.

mod destination;
mod faults;
mod items;
mod ledger;
mod queue;
mod source;

use std::sync::Arc;
use std::time::Duration;

use credlink_core::hash::MediaHash;
use credlink_core::legacy::LegacyRecord;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_ports::Clock;
use credlink_ports::migration::{MigrationPorts, Sleep};
use tokio::time::Instant;

use crate::copy::CopyOptions;
use crate::error::RunError;
use crate::incoming::Owners;
use crate::job_spec::JobSpec;
use crate::run::{Run, run};

pub(super) use destination::{MemoryDestination, StoredProof};
pub(crate) use faults::{Fault, Faults};
pub(crate) use ledger::MemoryLedger;
pub(crate) use queue::Sent;
pub(super) use source::MemorySource;

/// 2026-01-01.
const START: i64 = 1_767_225_600_000;

/// The runtime's time, which advances while all tasks wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(Instant);

impl Time {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        Timestamp::from_milliseconds(START + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }

    fn monotonic_microseconds(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap()
    }

    fn request_id(&self) -> String {
        format!("{:?}", self.0.elapsed())
    }
}

impl Sleep for Time {
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// All the ports that a migration needs.
pub(crate) struct World {
    pub(super) source: MemorySource,
    pub(super) destination: MemoryDestination,
    pub(crate) ledger: MemoryLedger,
    pub(crate) time: Time,
    pub(crate) faults: Arc<Faults>,
}

impl MigrationPorts for World {
    type Source = MemorySource;
    type Destination = MemoryDestination;
    type Ledger = MemoryLedger;
    type Clock = Time;

    fn source(&self) -> &MemorySource {
        &self.source
    }

    fn destination(&self) -> &MemoryDestination {
        &self.destination
    }

    fn ledger(&self) -> &MemoryLedger {
        &self.ledger
    }

    fn clock(&self) -> &Time {
        &self.time
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let (faults, time) = (Arc::new(Faults::default()), Time::new());
        Self {
            source: MemorySource::new(faults.clone()),
            destination: MemoryDestination::new(faults.clone()),
            ledger: MemoryLedger::new(faults.clone(), time),
            time,
            faults,
        }
    }

    pub(super) async fn run(&self) -> Result<Run, RunError> {
        run(self, &spec(), &options(), "holder", &()).await
    }

    /// A world whose source has good items, two items of one proof, two that conflict, a broken one and an expired one.
    pub(super) fn mixed() -> Self {
        let world = Self::new();
        for number in 0..5 {
            world.source.put(&format!("good-{number}"), legacy(&format!("g{number}"), number, "{}"));
        }
        world.source.put("a-twice", legacy("t1", 100, r#"{"a":1}"#));
        world.source.put("a-twice-more", legacy("t2", 100, r#"{"a":1}"#));
        world.source.put("a-unlike", legacy("t3", 100, r#"{"a":2}"#));
        world.source.put("broken", "{".to_owned());
        let expired = legacy("x", 200, "{}").replace("}\n", r#","expiresAt":1767225600000}"#);
        world.source.put("expired", expired.trim_end().to_owned());
        world
    }
}

pub(crate) fn spec() -> JobSpec {
    JobSpec {
        name: "job".parse().unwrap(),
        from: "dir:a".to_owned(),
        to: "dir:b".to_owned(),
        tenant: Tenant::default(),
        keep_tenants: true,
        from_tenant: None,
    }
}

pub(super) fn options() -> CopyOptions {
    let owners = Owners { tenant: Tenant::default(), keep: true, from: None };
    CopyOptions { concurrency: 4, batch_size: 3, ..CopyOptions::new(owners) }
}

/// The record of the proof that a legacy record becomes.
pub(super) fn record(legacy: &str) -> String {
    let draft = LegacyRecord::parse(legacy.as_bytes()).unwrap().draft(Tenant::default());
    String::from_utf8(draft.record(1, Timestamp::from_milliseconds(0)).to_bytes().to_vec()).unwrap()
}

/// A legacy record of the file with this number.
pub(crate) fn legacy(id: &str, file: u64, manifest: &str) -> String {
    let hash = MediaHash::of(&file.to_be_bytes());
    format!(
        "{{\"proofId\":\"{id}\",\"imageHash\":\"{hash}\",\"manifest\":{manifest},\"signature\":\"c2ln\",\"timestamp\":1700000000000}}\n"
    )
}
