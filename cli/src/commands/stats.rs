//! `credlink stats`: counts, bytes and the cache's hit rate.

use credlink_core::file::CollectionName;
use credlink_core::row::{CollectionTotals, FileTotals, Totals, UploadTotals};
use credlink_core::time::Timestamp;
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
    oldest_pending: Option<Timestamp>,
    oldest_received: Option<Timestamp>,
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
    let Stats { totals, oldest_pending, oldest_received, cache } = stats;
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
    if !totals.files.is_nothing() {
        lines.extend(files(&totals.files));
    }
    let since = |what: &str, since: Option<Timestamp>| since.map(|since| format!("  {what} {since}"));
    lines.extend(since("oldest upload that waits for bytes: announced", *oldest_pending));
    lines.extend(since("oldest upload that waits for its file: since", *oldest_received));
    lines
}

fn files(files: &FileTotals) -> Vec<String> {
    let FileTotals { count, bytes, collections, blobs, blob_bytes, saved_bytes, .. } = files;
    let FileTotals { renditions, rendition_bytes, uploads, .. } = files;
    let mut lines = vec![format!("files      {count}; {bytes} bytes")];
    let collection = |(name, sums): (&CollectionName, &CollectionTotals)| {
        format!("  {:<22} {}; {} bytes", name.as_str(), sums.count, sums.bytes)
    };
    lines.extend(collections.iter().map(collection));
    lines.extend([
        format!("  contents               {blobs}; {blob_bytes} bytes, and {saved_bytes} saved because files share them"),
        format!("  renditions             {renditions}; {rendition_bytes} bytes"),
    ]);
    let UploadTotals { open, open_bytes, ready, expired, rejected } = uploads;
    let all_rejected: u64 = rejected.values().sum();
    lines.push(format!(
        "uploads    {open} under way ({open_bytes} bytes), {ready} became files, {expired} expired, {all_rejected} rejected"
    ));
    lines.extend(rejected.iter().map(|(reason, number)| format!("  {:<22} {number}", reason.name())));
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
