//! The pure functions of the core on hot paths, as cases that both this program and `cargo bench` run.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use credlink_core::c2pa::ManifestStore;
use credlink_core::encoding::Coding;
use credlink_core::encoding::{as_it_came, at_rest, decode};
use credlink_core::hash::Digest;
use credlink_core::http::route::Route;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use http::Method;

use crate::error::Error;
use crate::material::{
    C2PA_BYTES, MaterialKind, c2pa_manifest, json_manifest, media_hash, noise, proof_id, unsigned_manifest,
};
use crate::plan::Plan;
use crate::report::{Cell, Table};
use crate::spread::Spread;

/// The approximate time for which one function is called in a round.
const ROUND: Duration = Duration::from_millis(100);

/// A function with its argument.
pub struct Case {
    /// A description of the work.
    pub name: &'static str,
    /// The number of bytes processed, if that is meaningful.
    pub bytes: Option<usize>,
    /// Makes one call.
    pub call: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    let case = |name, bytes, call: Box<dyn Fn() + Send + Sync>| Case { name, bytes, call };
    let (small, large) = (c2pa_manifest(1), unsigned_manifest(1, 1_000_000));
    let again = small.clone();
    let framed = as_it_came(&small, 1).bytes.into_owned();
    let json = json_manifest(1);
    let packed = at_rest(json.as_bytes()).bytes.into_owned();
    let body = MaterialKind::Json.body(1);
    let record = Draft::parse(&body, Tenant::default(), None)
        .map_or_else(|_| Bytes::new(), |draft| draft.record(1, Timestamp::from_milliseconds(0)).to_bytes());
    let (sixty_four, hash, path) = (noise(1, 65_536), media_hash(1), format!("/v1/proofs/{}", proof_id(1)));
    vec![
        case(
            "SHA-256 of 64 KB (baseline)",
            Some(65_536),
            Box::new(move || sink(Digest::of(black_box(&sixty_four)))),
        ),
        case(
            "JUMBF parse of a 66 KB store",
            Some(small.len()),
            Box::new(move || sink(ManifestStore::parse(black_box(&small)))),
        ),
        case(
            "JUMBF parse of a 1 MB store",
            Some(large.len()),
            Box::new(move || sink(ManifestStore::parse(black_box(&large)))),
        ),
        case(
            "Draft::parse of a store of 4 KB JSON",
            Some(body.len()),
            Box::new(move || {
                sink(Draft::parse(black_box(&body), Tenant::default(), None));
            }),
        ),
        case(
            "at_rest (gzip) of 4 KB JSON",
            Some(json.len()),
            Box::new(move || sink(at_rest(black_box(json.as_bytes())))),
        ),
        case(
            "as_it_came (frame) of a 66 KB C2PA store that is stored again",
            Some(again.len()),
            Box::new(move || sink(as_it_came(black_box(&again), 1))),
        ),
        case(
            "decode of that frame, for each cold read and each read without gzip",
            Some(C2PA_BYTES),
            Box::new(move || {
                sink(decode(black_box(&framed), Some(Coding::Gzip), C2PA_BYTES));
            }),
        ),
        case(
            "decode (gunzip) to 4 KB JSON",
            Some(4_096),
            Box::new(move || {
                sink(decode(black_box(&packed), Some(Coding::Gzip), 10_000));
            }),
        ),
        case(
            "Record::parse of 4 KB JSON",
            Some(record.len()),
            Box::new(move || sink(Record::parse(black_box(&record)))),
        ),
        case(
            "Route::parse of a read",
            None,
            Box::new(move || sink(Route::parse(&Method::GET, black_box(&path), ""))),
        ),
        case(
            "ProofId::derive",
            None,
            Box::new(move || sink(ProofId::derive(&Tenant::default(), black_box(&hash)))),
        ),
    ]
}

fn sink<T>(value: T) {
    drop(black_box(value));
}

/// Measures every case.
///
/// # Errors
/// Never fails. The result type is that of the other benchmarks.
pub fn run(plan: &Plan) -> Result<(), Error> {
    let mut table = Table::new(
        "Pure functions (`functions`)",
        "One call after the other on one thread.",
        &["function", "µs", "MB/s"],
    );
    for case in cases() {
        // The first round only warms up.
        let rounds: Vec<f64> = (0..=plan.rounds).map(|_| seconds(&case)).skip(1).collect();
        let speed = |bytes: usize| Spread::of(rounds.iter().map(|seconds| bytes as f64 / 1e6 / seconds));
        table.row([
            case.name.into(),
            Cell::from(Spread::of(rounds.iter().map(|seconds| seconds * 1e6))),
            case.bytes.map_or(Cell::None, |bytes| speed(bytes).into()),
        ]);
    }
    plan.printer.table(&table);
    Ok(())
}

/// The seconds that one call takes, averaged over a round.
fn seconds(case: &Case) -> f64 {
    let (started, mut calls) = (Instant::now(), 0.0);
    while started.elapsed() < ROUND {
        // A look at the clock takes some 30 ns, so it is not taken for every call.
        for _ in 0..16 {
            (case.call)();
        }
        calls += 16.0;
    }
    started.elapsed().as_secs_f64() / calls
}
