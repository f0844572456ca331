//! Reads per second: hot reads, which L1 answers, and cold reads, which it never can.

use std::sync::OnceLock;

use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use tempfile::TempDir;

use crate::ceiling;
use crate::client::{Answer, Asked};
use crate::disk::forget_contents;
use crate::error::Error;
use crate::load::{self, Outcome};
use crate::material::MaterialKind;
use crate::plan::Plan;
use crate::report::{Cell, Table, progress};
use crate::server::Server;
use crate::spread::Spread;
use crate::stores::Numbers;
use crate::work::{Item, Reads, Wanted, Work};

/// Numbers of connections, each with its own measurement.
const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];
/// Number of hot records, far fewer than L1 holds.
const HOT: u64 = 64;
/// Number of cold records, each read once by a server that has just started: ten times what L1 holds.
const COLD: u64 = 10_000;

/// Learns the right answers, each of which is checked to the last byte against what was stored.
struct Lesson {
    wanted: Wanted,
    learnt: Vec<OnceLock<Item>>,
}

impl Work for Lesson {
    fn request(&self, number: u64) -> Asked {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = self.wanted.path(number).parse().unwrap_or_else(|_| Uri::from_static("/"));
        *request.headers_mut() = self.wanted.headers();
        request
    }

    fn check(&self, number: u64, answer: &Answer) -> Result<(), String> {
        let item = self.wanted.item(number, answer).map_err(|error| error.to_string())?;
        let place = usize::try_from(number).ok().and_then(|at| self.learnt.get(at));
        place.map(|place| place.get_or_init(|| item)).map(drop).ok_or_else(|| "a read too many".to_owned())
    }
}

/// The reads of proofs 0 to `count`, with their right answers.
///
/// # Errors
/// Fails if an answer differs from what was stored.
pub fn learn(server: &Server, wanted: Wanted, count: u64) -> Result<Reads, Error> {
    let learnt = (0..count).map(|_| OnceLock::new()).collect();
    let lesson = Lesson { wanted, learnt };
    load::run(server.address, 16, lesson.learnt.len(), &lesson)?;
    let items = lesson.learnt.into_iter().filter_map(OnceLock::into_inner).collect();
    Ok(Reads { items, headers: wanted.headers(), status: wanted.status() })
}

/// The ceiling's answer with the usual length of these reads.
fn constant(reads: &Reads) -> Result<(usize, Reads), Error> {
    let length = reads.items.first().map_or(0, Item::length);
    let item = Item::new(&format!("/{length}"), &ceiling::body(length))?;
    Ok((length, Reads { items: vec![item], headers: reads.headers.clone(), status: StatusCode::OK }))
}

/// Measures hot reads and cold ones.
///
/// # Errors
/// Fails if a read fails or is wrong, or if the cache was not in the state after which the figure is named.
pub fn run(plan: &Plan) -> Result<(), Error> {
    progress("reads: storing what is read");
    let (json, c2pa) = (stored(plan, MaterialKind::Json, COLD)?, stored(plan, MaterialKind::C2pa, HOT)?);
    let columns = ["what", "connections", "reads/s", "p50, ms", "p99, ms", "ceiling/s", "ratio"];
    let mut table = Table::new(
        "Hot reads (`reads`)",
        "64 objects in turn, all in L1. The ceiling is a hyper server that answers a constant of the same length.",
        &columns,
    );
    for (data, wanted) in [(&json, Wanted::Record), (&json, Wanted::RecordGzip), (&c2pa, Wanted::Manifest)] {
        progress(&format!("hot reads: {}", wanted.name()));
        hot(plan, data, wanted, &mut table)?;
    }
    plan.printer.table(&table);
    let mut table = Table::new(
        "Hot reads of C2PA manifests (`reads`)",
        "The same 64 manifests, read in each way in turn. A part is 4 KB, by `Range`. The ratio is to reads of the whole by a \
         client that does not accept gzip, in the same round.",
        &["what", "connections", "reads/s", "p50, ms", "p99, ms", "ratio"],
    );
    progress("hot reads: manifests in each way");
    manifests(plan, &c2pa, &mut table)?;
    plan.printer.table(&table);
    let mut table = Table::new(
        "Cold reads (`reads`)",
        "10,000 records of 4 KB, each read once from a server that has just started: L1 answers none of them. \"Memory\" \
         means that the operating system still has the files' contents, \"disk\" that it was told to forget them.",
        &["contents from", "connections", "reads/s", "p50, ms", "p99, ms"],
    );
    progress("cold reads");
    cold(plan, &json, &mut table)?;
    plan.printer.table(&table);
    Ok(())
}

/// A folder with `count` proofs.
fn stored(plan: &Plan, kind: MaterialKind, count: u64) -> Result<TempDir, Error> {
    let data = tempfile::tempdir_in(&plan.folder).map_err(Error::io("making a folder"))?;
    let server = Server::credlink(&plan.server, data.path())?;
    Numbers::default().store(&server, kind, 64, usize::try_from(count).unwrap_or(usize::MAX))?;
    server.stop()?;
    Ok(data)
}

fn hot(plan: &Plan, data: &TempDir, wanted: Wanted, table: &mut Table) -> Result<(), Error> {
    let server = Server::credlink(&plan.server, data.path())?;
    let reads = learn(&server, wanted, HOT)?;
    let (length, constant) = constant(&reads)?;
    let ceiling = Server::ceiling(&[length])?;
    let mut counts = Vec::new();
    for connections in CONNECTIONS {
        let count = plan.operations(0.0, connections) * 2;
        let ours = load::run(server.address, connections, count, &reads)?.per_second;
        let bare = load::run(ceiling.address, connections, count, &constant)?.per_second;
        counts.push((connections, plan.operations(ours, connections), plan.operations(bare, connections)));
    }
    let mut rounds = vec![Vec::new(); counts.len()];
    for _ in 0..plan.rounds {
        for ((connections, ours, bare), round) in counts.iter().zip(&mut rounds) {
            let bare = load::run(ceiling.address, *connections, *bare, &constant)?;
            round.push((load::run(server.address, *connections, *ours, &reads)?, bare));
        }
    }
    for ((connections, ..), round) in counts.iter().zip(&rounds) {
        let of = |value: fn(&(Outcome, Outcome)) -> f64| Spread::of(round.iter().map(value));
        table.row([
            wanted.name().into(),
            Cell::from(*connections),
            of(|(reads, _)| reads.per_second).into(),
            of(|(reads, _)| reads.p50).into(),
            of(|(reads, _)| reads.p99).into(),
            of(|(_, bare)| bare.per_second).into(),
            of(|(reads, bare)| reads.per_second / bare.per_second).into(),
        ]);
    }
    assert_hot(&server)?;
    server.stop()
}

/// Measures hot reads of the same manifests in each way, in turn.
fn manifests(plan: &Plan, data: &TempDir, table: &mut Table) -> Result<(), Error> {
    let server = Server::credlink(&plan.server, data.path())?;
    let ways = [Wanted::Manifest, Wanted::ManifestGzip, Wanted::ManifestPart];
    let ways = ways.into_iter().map(|way| Ok((way, learn(&server, way, HOT)?)));
    let ways = ways.collect::<Result<Vec<_>, Error>>()?;
    for connections in CONNECTIONS {
        let run =
            |reads, rate| load::run(server.address, connections, plan.operations(rate, connections), reads);
        let rates = ways.iter().map(|(_, reads)| Ok(run(reads, 0.0)?.per_second));
        let rates = rates.collect::<Result<Vec<_>, Error>>()?;
        let rounds = (0..plan.rounds).map(|_| {
            ways.iter().zip(&rates).map(|((_, reads), rate)| run(reads, *rate)).collect::<Result<Vec<_>, _>>()
        });
        let rounds = rounds.collect::<Result<Vec<_>, Error>>()?;
        for (at, (way, _)) in ways.iter().enumerate() {
            let of = |value: fn(&Outcome) -> f64| Spread::of(rounds.iter().map(|round| value(&round[at])));
            table.row([
                way.name().into(),
                Cell::from(connections),
                of(|reads| reads.per_second).into(),
                of(|reads| reads.p50).into(),
                of(|reads| reads.p99).into(),
                Spread::of(rounds.iter().map(|round| round[at].per_second / round[0].per_second)).into(),
            ]);
        }
    }
    assert_hot(&server)?;
    server.stop()
}

/// Fails unless L1 answered the reads.
fn assert_hot(server: &Server) -> Result<(), Error> {
    let seen = server.cache()?;
    // All records are loaded again every minute.
    if seen.misses * 100 > seen.hits {
        return Err(Error::wrong("hot reads", format!("L1 did not answer them: {seen:?}")));
    }
    Ok(())
}

fn cold(plan: &Plan, data: &TempDir, table: &mut Table) -> Result<(), Error> {
    let server = Server::credlink(&plan.server, data.path())?;
    let reads = learn(&server, Wanted::Record, COLD)?;
    server.stop()?;
    for (from, forget) in [("memory", false), ("disk", true)] {
        let mut rounds = vec![Vec::new(); CONNECTIONS.len()];
        for _ in 0..plan.rounds {
            for (connections, round) in CONNECTIONS.iter().zip(&mut rounds) {
                if forget {
                    forget_contents(data.path())?;
                }
                let server = Server::credlink(&plan.server, data.path())?;
                round.push(load::run(server.address, *connections, reads.items.len(), &reads)?);
                let seen = server.cache()?;
                if seen.hits > 0 {
                    return Err(Error::wrong("cold reads", format!("L1 answered some of them: {seen:?}")));
                }
                server.stop()?;
            }
        }
        for (connections, round) in CONNECTIONS.iter().zip(&rounds) {
            let of = |value: fn(&Outcome) -> f64| Spread::of(round.iter().map(value));
            table.row([
                from.into(),
                Cell::from(*connections),
                of(|reads| reads.per_second).into(),
                of(|reads| reads.p50).into(),
                of(|reads| reads.p99).into(),
            ]);
        }
    }
    Ok(())
}
