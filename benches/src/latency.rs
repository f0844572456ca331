//! Latency at 1,000 connections compared with that at 100.
//!
//! In a closed loop, ten times as many connections wait ten times as long if the machine is busy all the time. More
//! than that would mean that something breaks down under them.

use crate::error::Error;
use crate::load::{self, Outcome};
use crate::material::MaterialKind;
use crate::plan::Plan;
use crate::reads::learn;
use crate::report::{Cell, Table, progress};
use crate::server::Server;
use crate::spread::Spread;
use crate::stores::Numbers;
use crate::work::Wanted;

/// Numbers of connections, few and many.
const CONNECTIONS: [usize; 2] = [100, 1_000];
/// Number of stores before the first round.
const WARM_UP: usize = 4_000;
/// Number of hot records.
const HOT: u64 = 64;

/// Measures stores and hot reads.
///
/// # Errors
/// Fails if an operation does.
pub fn run(plan: &Plan) -> Result<(), Error> {
    let mut table = Table::new(
        "Latency at 100 and at 1,000 connections (`latency`)",
        "Each connection asks again as soon as it is answered. Proofs with JSON manifests of 4 KB; the reads are hot. The \
         last column is the p99 over that at 100.",
        &["what", "connections", "a second", "p50, ms", "p99, ms", "p99 over p99 at 100"],
    );
    let data = tempfile::tempdir_in(&plan.folder).map_err(Error::io("making a folder"))?;
    let server = Server::credlink(&plan.server, data.path())?;
    let mut numbers = Numbers::default();
    numbers.store(&server, MaterialKind::Json, 64, WARM_UP)?;
    let reads = learn(&server, Wanted::Record, HOT)?;

    progress("latency: stores");
    let rounds =
        measure(plan, |connections, count| numbers.store(&server, MaterialKind::Json, connections, count))?;
    rows("stores", &rounds, &mut table);
    progress("latency: reads");
    let rounds = measure(plan, |connections, count| load::run(server.address, connections, count, &reads))?;
    rows("reads", &rounds, &mut table);
    plan.printer.table(&table);
    server.stop()
}

/// Measures rounds with both numbers of connections.
fn measure(
    plan: &Plan,
    mut load: impl FnMut(usize, usize) -> Result<Outcome, Error>,
) -> Result<Vec<[Outcome; 2]>, Error> {
    let [few, many] = CONNECTIONS;
    let rate = load(few, plan.operations(0.0, many))?.per_second;
    load(many, plan.operations(0.0, many))?;
    let count = plan.operations(rate, many);
    (0..plan.rounds).map(|_| Ok([load(few, count)?, load(many, count)?])).collect()
}

fn rows(what: &str, rounds: &[[Outcome; 2]], table: &mut Table) {
    for (index, connections) in CONNECTIONS.iter().enumerate() {
        let of = |value: fn(&Outcome) -> f64| Spread::of(rounds.iter().map(|round| value(&round[index])));
        let ratio = Spread::of(rounds.iter().map(|[few, many]| many.p99 / few.p99));
        table.row([
            what.into(),
            Cell::from(*connections),
            of(|load| load.per_second).into(),
            of(|load| load.p50).into(),
            of(|load| load.p99).into(),
            if index == 0 { Cell::None } else { ratio.into() },
        ]);
    }
}
