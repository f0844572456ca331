//! The in-memory cache: the cost of a hit, and the hit rate compared with the best possible cache.

use std::hint::black_box;
use std::time::Instant;

use credlink_cache::{MAX_ENTRIES, MemoryCache};
use credlink_core::hash::Digest;
use credlink_core::object::{Head, Object, ObjectKey, StoredTag, Verified};
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_ports::{Cache as _, Failure};

use crate::error::Error;
use crate::material::{MaterialKind, proof_id};
use crate::plan::Plan;
use crate::report::{Cell, Table};
use crate::spread::Spread;
use crate::traces::{self, Trace, least_recent_hits, optimal_hits};

/// Number of hits in one round.
const HITS: usize = 1_000_000;
/// Number of records that are read in turn.
const HOT: u64 = 64;

/// Measures both.
///
/// # Errors
/// Fails if a record is invalid.
pub fn run(plan: &Plan) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(Error::io("starting a runtime"))?;
    let nanoseconds = runtime.block_on(hits(plan.rounds))?;
    let mut table = Table::new(
        "A hit in L1 (`cache`)",
        "`MemoryCache::get_or_load` of a record that is held, 64 records in turn, one thread, in nanoseconds.",
        &["what", "ns"],
    );
    table.row(["hit".into(), Cell::from(nanoseconds)]);
    plan.printer.table(&table);

    let mut table = Table::new(
        "Hit rates of L1 (`cache`)",
        "Hits in percent, from an empty cache of 1,000 entries; the same traces for each cache. \"Zipf\": 100,000 reads of 10,000 \
         proofs, whose popularity follows Zipf's law with the exponent 1. \"Scan\": the same, while somebody else reads \
         20,000 other proofs once, one for each read in the middle fifth. \"Shift\": the same, but other proofs become \
         popular after each quarter.",
        &["cache", "Zipf", "scan", "shift"],
    );
    let traces = traces::all();
    let entries = usize::try_from(MAX_ENTRIES).unwrap_or(usize::MAX);
    let percent = |trace: &Trace, hits: usize| Cell::from(100.0 * hits as f64 / trace.reads.len() as f64);
    let mut ours = vec!["CredLink's L1".into()];
    for trace in &traces {
        ours.push(Cell::from(Spread::of(runtime.block_on(hit_rate(trace, plan.rounds))?)));
    }
    table.row(ours);
    let known = |name: &'static str, hits: fn(&[usize], usize) -> usize| {
        let rates = traces.iter().map(|trace| percent(trace, hits(&trace.reads, entries)));
        [Cell::from(name)].into_iter().chain(rates).collect::<Vec<Cell>>()
    };
    table.row(known("least recently used", least_recent_hits));
    table.row(known("best possible (Belady)", optimal_hits));
    plan.printer.table(&table);
    Ok(())
}

async fn hits(rounds: usize) -> Result<Spread, Error> {
    let cache = MemoryCache::new();
    let mut keys = Vec::new();
    for number in 0..HOT {
        let (key, record) = record(number)?;
        read(&cache, &key, &record).await?;
        keys.push((key, record));
    }
    let mut nanoseconds = Vec::new();
    for round in 0..=rounds {
        let started = Instant::now();
        for (key, _) in keys.iter().cycle().take(HITS) {
            let absent = async { Ok::<Option<Verified>, Failure>(None) };
            let found = cache.get_or_load(key, absent).await.map_err(|error| Error::wrong("a hit", error))?;
            black_box(found.ok_or_else(|| Error::wrong("a hit", "the record is not there"))?);
        }
        // The first round only warms up.
        if round > 0 {
            nanoseconds.push(started.elapsed().as_nanos() as f64 / HITS as f64);
        }
    }
    Ok(Spread::of(nanoseconds))
}

/// The hit rate in percent, in each round from an empty cache.
async fn hit_rate(trace: &Trace, rounds: usize) -> Result<Vec<f64>, Error> {
    let items = trace.reads.iter().max().map_or(0, |item| item + 1);
    let records: Vec<_> = (0..items as u64).map(record).collect::<Result<_, _>>()?;
    let mut shares = Vec::new();
    for _ in 0..rounds {
        let cache = MemoryCache::new();
        for item in &trace.reads {
            let (key, record) = &records[*item];
            read(&cache, key, record).await?;
        }
        let seen = cache.stats();
        if seen.hits + seen.misses != trace.reads.len() as u64 {
            return Err(Error::wrong("the cache's own count", format!("{seen:?}")));
        }
        shares.push(100.0 * seen.hits as f64 / trace.reads.len() as f64);
    }
    Ok(shares)
}

async fn read(cache: &MemoryCache, key: &ObjectKey, record: &Verified) -> Result<(), Error> {
    let load = async { Ok::<_, Failure>(Some(record.clone())) };
    cache.get_or_load(key, load).await.map(drop).map_err(|error| Error::wrong("a read", error))
}

/// The record of proof `number`, as a provider returns it.
fn record(number: u64) -> Result<(ObjectKey, Verified), Error> {
    let draft = Draft::parse(&MaterialKind::Json.body(number), Tenant::default(), None);
    let record =
        draft.map_err(|problem| Error::wrong("a draft", problem))?.record(1, Timestamp::from_milliseconds(0));
    let key = ObjectKey::Record(proof_id(number));
    let bytes = record.to_bytes();
    let (body, attributes) = record.stored(&bytes, Digest::of(&bytes), &key);
    let (size, tag) = (body.len() as u64, StoredTag(String::new()));
    let head = Head { attributes, size, tag, modified: Timestamp::from_milliseconds(0) };
    let verified = Verified::check(Object { head, body }).map_err(|error| Error::wrong("a record", error))?;
    Ok((key, verified))
}
