//! The in-memory cache: the cost of a hit, and the hit rate compared with the best possible cache.

use std::hint::black_box;
use std::time::Instant;

use credlink_cache::{MAX_ENTRIES, MokaCache};
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
use crate::zipf::{least_recent_hits, optimal_hits, trace};

/// Number of hits in one round.
const HITS: usize = 1_000_000;
/// Number of records that are read in turn.
const HOT: u64 = 64;
/// Number of reads in the trace.
const READS: usize = 100_000;
/// Number of proofs in the trace.
const ITEMS: usize = 10_000;

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
        "`MokaCache::get_or_load` of a record that is held, 64 records in turn, one thread, in nanoseconds.",
        &["what", "ns"],
    );
    table.row(["hit".into(), Cell::from(nanoseconds)]);
    plan.printer.table(&table);

    let trace = trace(READS, ITEMS);
    let entries = usize::try_from(MAX_ENTRIES).unwrap_or(usize::MAX);
    let percent = |hits: usize| 100.0 * hits as f64 / READS as f64;
    let best = percent(optimal_hits(&trace, entries));
    let ours = runtime.block_on(hit_rate(&trace, plan.rounds))?;
    let mut table = Table::new(
        "Hit rate on a Zipf(1.0) trace (`cache`)",
        "100,000 reads over 10,000 proofs, 1,000 entries, from an empty cache; the same trace for each.",
        &["cache", "hits, %", "of the best possible, %"],
    );
    let of_best = |share: f64| 100.0 * share / best;
    let spread = Spread::of(ours.iter().map(|hits| of_best(*hits)));
    table.row(["CredLink's L1".into(), Cell::from(Spread::of(ours)), spread.into()]);
    let least_recent = percent(least_recent_hits(&trace, entries));
    table.row(["least recently used".into(), Cell::from(least_recent), of_best(least_recent).into()]);
    table.row(["best possible (Belady)".into(), Cell::from(best), 100.0.into()]);
    plan.printer.table(&table);
    Ok(())
}

async fn hits(rounds: usize) -> Result<Spread, Error> {
    let cache = MokaCache::new();
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
async fn hit_rate(trace: &[usize], rounds: usize) -> Result<Vec<f64>, Error> {
    let records: Vec<_> = (0..ITEMS as u64).map(record).collect::<Result<_, _>>()?;
    let mut shares = Vec::new();
    for _ in 0..rounds {
        let cache = MokaCache::new();
        for item in trace {
            let (key, record) = &records[*item];
            read(&cache, key, record).await?;
        }
        let seen = cache.stats();
        if seen.hits + seen.misses != trace.len() as u64 {
            return Err(Error::wrong("the cache's own count", format!("{seen:?}")));
        }
        shares.push(100.0 * seen.hits as f64 / trace.len() as f64);
    }
    Ok(shares)
}

async fn read(cache: &MokaCache, key: &ObjectKey, record: &Verified) -> Result<(), Error> {
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
