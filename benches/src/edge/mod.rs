//! The Worker in Rust against the same Worker in JavaScript: processor time per request and requests per second, in
//! turn on the same workerd, and the time of each from its start to its first answer.
//!
//! | to find | look in |
//! |---|---|
//! | the Worker in JavaScript | `benches/edge/js` |
//! | workerd and its configuration | [`workerd`] |
//! | R2 and the Cache API, in a process of their own | [`backing`], [`objects`] |
//! | the requests | [`cases`] |
//! | the check that both Workers answer alike | [`alike`] |
//!
//! The processor time is that of all threads of the workerd process, from `/proc/PID/task/*/schedstat`: R2, the cache
//! and the load are other processes, and are not included.

pub mod alike;
pub mod backing;
pub mod cases;
pub mod objects;
pub mod workerd;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use crate::client::Connection;
use crate::edge::cases::Case;
use crate::edge::workerd::{Prepared, Worker, Workerd};
use crate::error::Error;
use crate::load;
use crate::plan::Plan;
use crate::report::{Cell, Table, progress};
use crate::server::Server;
use crate::spread::{Spread, quantile};
use crate::work::Work as _;

/// Number of connections of the load: enough that workerd is never idle, and fewer than there are objects.
const CONNECTIONS: usize = 8;
/// Number of requests before the first round, so that V8 has compiled the hot code. Fewer for long bodies.
const WARM_UP: usize = 6_000;
/// The most bytes that are requested before the first round.
const WARM_UP_BYTES: usize = 1 << 29;
/// Number of starts of each Worker.
const STARTS: usize = 20;

/// A Worker under load, and its measurements in one case, with a value for each round.
struct Subject {
    workerd: Workerd,
    _backing: Server,
}

/// A round of one case: microseconds of processor time per request, and requests per second.
#[derive(Clone, Copy)]
struct Measured {
    computed: f64,
    per_second: f64,
}

/// Measures the Worker in the folder `built` and the one in JavaScript: the cases whose name contains `only`, and the
/// starts if `only` is empty.
///
/// # Errors
/// Fails if a Worker does not start, if the two do not answer alike, or if an answer is wrong.
pub fn run(plan: &Plan, built: &Path, only: &str) -> Result<(), Error> {
    let (rust, javascript) = (Worker::built(built)?, Worker::javascript());
    progress("edge: comparing answers");
    let subjects = [Subject::start(plan, &rust)?, Subject::start(plan, &javascript)?];
    let objects = objects::all()?;
    let mut cases = cases::all(&objects)?;
    cases.retain(|case| case.name.contains(only));
    let runtime = tokio::runtime::Runtime::new().map_err(Error::io("starting a runtime"))?;
    for case in &cases {
        let [rust, javascript] = subjects.each_ref().map(|subject| subject.workerd.address);
        runtime.block_on(async {
            let (mut rust, mut javascript) =
                (Connection::open(rust).await?, Connection::open(javascript).await?);
            alike::compare(case, &mut rust, &mut javascript).await
        })?;
    }
    requests(plan, &cases, &subjects)?;
    drop(subjects);
    if !only.is_empty() {
        return Ok(());
    }
    progress("edge: starting Workers");
    starts(plan, &rust, &javascript, &cases)
}

fn requests(plan: &Plan, cases: &[Case], subjects: &[Subject; 2]) -> Result<(), Error> {
    progress("edge: warming up");
    let mut operations = Vec::new();
    for case in cases {
        let count = WARM_UP.min(WARM_UP_BYTES / case.length().max(1));
        let mut rate = f64::MAX;
        for subject in subjects {
            rate = load::run(subject.workerd.address, CONNECTIONS, count, case)?.per_second.min(rate);
        }
        operations.push(plan.operations(rate, CONNECTIONS));
    }
    let mut rounds: Vec<Vec<[Measured; 2]>> = vec![Vec::new(); cases.len()];
    for round in 0..plan.rounds {
        progress(&format!("edge: round {} of {}", round + 1, plan.rounds));
        for ((case, operations), rounds) in cases.iter().zip(&operations).zip(&mut rounds) {
            let [rust, javascript] = subjects;
            // The order alternates, so that a machine that becomes slower or faster favours neither.
            rounds.push(if round % 2 == 0 {
                let rust = rust.measure(case, *operations)?;
                [rust, javascript.measure(case, *operations)?]
            } else {
                let javascript = javascript.measure(case, *operations)?;
                [rust.measure(case, *operations)?, javascript]
            });
        }
    }
    let mut table = Table::new(
        "The edge in Rust and in JavaScript (`edge`)",
        "Processor time of workerd for a request, in µs, and requests a second over eight connections. The ratio is Rust over \
         JavaScript, of each round. \"From R2\": the Cache API has nothing, and is given the object; the object's SHA-256 is \
         checked before it is answered. A manifest is stored as it is, a record gzipped.",
        &["what", "Rust, µs", "JavaScript, µs", "ratio", "Rust, a second", "JavaScript, a second"],
    );
    for (case, rounds) in cases.iter().zip(&rounds) {
        let of = |value: fn(&[Measured; 2]) -> f64| Cell::from(Spread::of(rounds.iter().map(value)));
        table.row([
            case.name.into(),
            of(|[rust, _]| rust.computed),
            of(|[_, javascript]| javascript.computed),
            of(|[rust, javascript]| rust.computed / javascript.computed),
            of(|[rust, _]| rust.per_second),
            of(|[_, javascript]| javascript.per_second),
        ]);
    }
    plan.printer.table(&table);
    Ok(())
}

fn starts(plan: &Plan, rust: &Worker, javascript: &Worker, cases: &[Case]) -> Result<(), Error> {
    let backing = Server::backing()?;
    let Some(case) = cases.iter().find(|case| !case.hit && case.length() > 0) else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("starting a runtime"))?;
    let mut lives = [("Rust", rust, Vec::new()), ("JavaScript", javascript, Vec::new())];
    // The first round brings the binary into the page cache, and is not counted.
    for round in 0..=STARTS {
        for (_, worker, lives) in &mut lives {
            let life = first_answer(plan, worker, backing.address, case, &runtime)?;
            if round > 0 {
                lives.push(life);
            }
        }
    }
    let mut table = Table::new(
        "First answers of the edge (`edge`)",
        "From the start of the process to its first answer, a manifest of 4 KB from R2; 20 starts of each in turn. \"Computed\" \
         is the processor time of all threads until then.",
        &["Worker", "p50, ms", "p95, ms", "computed p50, ms"],
    );
    for (name, _, lives) in &lives {
        let at = |share, value: fn(&(f64, f64)) -> f64| {
            Cell::from(quantile(&lives.iter().map(value).collect::<Vec<_>>(), share))
        };
        table.row([(*name).into(), at(0.5, |life| life.0), at(0.95, |life| life.0), at(0.5, |life| life.1)]);
    }
    plan.printer.table(&table);
    Ok(())
}

/// The milliseconds from a start to the first answer, and the processor time until then.
fn first_answer(
    plan: &Plan,
    worker: &Worker,
    backing: SocketAddr,
    case: &Case,
    runtime: &tokio::runtime::Runtime,
) -> Result<(f64, f64), Error> {
    let prepared = Prepared::new(&plan.tools, worker, backing)?;
    let began = Instant::now();
    let workerd = prepared.start()?;
    let answer = runtime.block_on(async {
        let mut connection = Connection::open(workerd.address).await?;
        connection.ask(case.request(0)).await
    })?;
    let elapsed = began.elapsed().as_secs_f64() * 1e3;
    let computed = workerd.computed()?.as_secs_f64() * 1e3;
    case.check(0, &answer).map_err(Error::Wrong)?;
    Ok((elapsed, computed))
}

impl Subject {
    fn start(plan: &Plan, worker: &Worker) -> Result<Self, Error> {
        let backing = Server::backing()?;
        Ok(Self { workerd: Workerd::start(&plan.tools, worker, backing.address)?, _backing: backing })
    }

    fn measure(&self, case: &Case, operations: usize) -> Result<Measured, Error> {
        let before = self.workerd.computed()?;
        let outcome = load::run(self.workerd.address, CONNECTIONS, operations, case)?;
        let computed = self.workerd.computed()?.saturating_sub(before);
        Ok(Measured {
            computed: computed.as_secs_f64() * 1e6 / operations as f64,
            per_second: outcome.per_second,
        })
    }
}
