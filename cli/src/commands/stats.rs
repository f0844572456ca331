//! `credlink stats`: counts, bytes and the cache's hit rate.

use credlink_core::row::Totals;
use serde::Deserialize;
use serde_json::Value;

use crate::args::Connection;
use crate::client::{Client, Purpose};
use crate::error::Trouble;
use crate::exit::Exit;
use crate::printer::Printer;

#[derive(Deserialize)]
struct Stats {
    #[serde(flatten)]
    totals: Totals,
    cache: Cache,
}

#[derive(Deserialize)]
struct Cache {
    hits: u64,
    misses: u64,
    hit_rate: f64,
    entries: u64,
    bytes: u64,
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    layer: String,
    hits: u64,
    misses: u64,
    errors: u64,
    entries: Option<u64>,
    bytes: Option<u64>,
}

/// Prints statistics.
pub fn stats(connection: &Connection, printer: &Printer) -> Result<Exit, Trouble> {
    let answer = Client::open(connection, Purpose::Read)?.stats()?;
    let stats: Stats = answer.read()?;
    printer.say(|| words(&stats), &answer.read::<Value>()?)?;
    Ok(Exit::Done)
}

fn words(stats: &Stats) -> Vec<String> {
    let Stats { totals, cache } = stats;
    let mut lines = vec![
        format!("proofs     {}, and {} deleted ones that are remembered", totals.proofs, totals.deleted),
        format!("manifests  {} C2PA; {} bytes with the JSON ones", totals.manifests, totals.manifest_bytes),
        format!(
            "cache      {:.1} % of {} reads; {} entries, {} bytes",
            cache.hit_rate * 100.0,
            cache.hits + cache.misses,
            cache.entries,
            cache.bytes
        ),
    ];
    lines.extend(cache.layers.iter().map(layer));
    lines
}

fn layer(layer: &Layer) -> String {
    let held = match (layer.entries, layer.bytes) {
        (Some(entries), Some(bytes)) => format!("; {entries} entries, {bytes} bytes"),
        _ => String::new(),
    };
    let Layer { layer, hits, misses, errors, .. } = layer;
    format!("  {layer:<8} {hits} of {}; {errors} errors{held}", hits + misses)
}
