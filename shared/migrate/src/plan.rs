//! A dry run: everything is read and checked, and nothing is changed.
//!
//! What is kept of an item is 16 bytes: a short digest of its proof, and one of what the proof says.

mod existing;
mod planner;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use credlink_core::hash::Digest;
use serde::Serialize;

use credlink_ports::Clock as _;
use credlink_ports::migration::ledger::Reason;
use credlink_ports::migration::{MigrationPorts, Source as _};
use planner::Planner;

use super::copy::CopyOptions;
use super::error::{RunError, was_cancelled};
use super::progress::Watch;
use super::report::ItemFailure;

/// Most items that are listed with what is wrong with them; all are counted.
pub const MAX_PROBLEMS: usize = 1_000;

/// What a run would do, as far as it can be told: whether a legacy id or a manifest id is taken is found out by writing.
/// Each item counts in exactly one of `would_copy`, `already`, `behind`, `duplicates`, `skipped` and `invalid`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Plan {
    /// Items of the source.
    pub items: u64,
    /// Their bytes, as the source tells them.
    pub bytes: u64,
    /// Items that would be copied: proofs that would be made, other names, manifests.
    pub would_copy: u64,
    /// Their bytes.
    pub would_copy_bytes: u64,
    /// Items whose proof the destination has, with the same manifest and signature; or does not show.
    pub already: u64,
    /// Items of whose proof the destination has an earlier revision: the later ones would be added.
    pub behind: u64,
    /// Items that say the same as an earlier item of the source.
    pub duplicates: u64,
    /// Items of which nothing is to be copied, by reason.
    pub skipped: BTreeMap<Reason, u64>,
    /// Items that cannot be copied, by reason. What differs from the proof that the destination has of this media file, or
    /// from an earlier item of it, is [`Reason::Conflict`].
    pub invalid: BTreeMap<Reason, u64>,
    /// The first of the last kind, at most [`MAX_PROBLEMS`].
    pub problems: Vec<ItemFailure>,
    /// The calls that a run and a verification after it would be billed for.
    pub calls: BilledCalls,
    /// Items a second that were read, checked and looked for at the destination.
    pub read_rate: f64,
    /// How long that took, in seconds: a run takes as long at least. What it takes to write is not measured.
    pub estimated_seconds: u64,
    /// Whether it was cancelled before its end: the figures are of what was read by then.
    pub interrupted: bool,
    /// What the source has that cannot be read from there, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<&'static str>,
}

impl Plan {
    /// Whether every item can be copied or needs no copy.
    #[must_use]
    pub fn is_well(&self) -> bool {
        !self.interrupted && self.invalid.is_empty()
    }
}

/// Calls by the kinds that providers bill. A folder bills none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BilledCalls {
    /// LIST of the source, 1,000 items each.
    pub source_lists: u64,
    /// GET of the source, once an item.
    pub source_gets: u64,
    /// PUT of the destination: records, their earlier revisions, C2PA manifests.
    pub puts: u64,
    /// HEAD of the destination, when it is verified: once an object.
    pub heads: u64,
    /// Reads of the index's rows.
    pub index_reads: u64,
    /// Writes of the index's rows.
    pub index_writes: u64,
}

/// Plans a job: what a run with these options would do.
///
/// # Errors
/// [`RunError::Ended`]: somebody is out of reach.
pub async fn plan<M: MigrationPorts, W: Watch>(
    ports: &M,
    options: &CopyOptions,
    watch: &W,
) -> Result<Plan, RunError> {
    let mut planner = Planner::new(ports, options, watch);
    let began = ports.clock().monotonic_microseconds();
    let end = planner.walk().await;
    let elapsed = ports.clock().monotonic_microseconds().saturating_sub(began).max(1);
    let mut plan = planner.plan;
    plan.left_behind = ports.source().left_behind();
    #[expect(clippy::cast_precision_loss, reason = "a rate, of which nobody needs the sixteenth digit")]
    {
        plan.read_rate = plan.items as f64 * 1e6 / elapsed as f64;
    }
    plan.estimated_seconds = elapsed.div_ceil(1_000_000);
    plan.calls.source_lists = plan.items.div_ceil(1_000).max(1);
    plan.calls.source_gets = plan.items;
    plan.interrupted = was_cancelled(end)?;
    Ok(plan)
}

/// A short name of a key or a target.
pub(super) fn short(bytes: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *Digest::of(bytes).as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
