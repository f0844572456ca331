//! A dry run: reads and checks everything, and changes nothing.
//!
//! It takes 16 bytes of memory for each item: a short digest of its proof, and one of the proof's content.

mod existing;
mod planner;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use credlink_core::hash::Digest;
use credlink_ports::Clock as _;
use credlink_ports::migration::ledger::Reason;
use credlink_ports::migration::{MigrationPorts, Source as _};
use serde::Serialize;

use crate::copy::CopyOptions;
use crate::error::{RunError, was_cancelled};
use crate::progress::Watch;
use crate::report::ItemFailure;
use planner::Planner;

/// Maximum number of problems that are listed; all are counted.
pub const MAX_PROBLEMS: usize = 1_000;

/// The predicted result of a run. Whether a legacy ID or a manifest ID is taken only shows when it is written. Each
/// item counts in exactly one of `would_copy`, `already`, `behind`, `duplicates`, `skipped` and `invalid`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Plan {
    /// Items of the source.
    pub items: u64,
    /// Bytes of the items, as the source reports them.
    pub bytes: u64,
    /// Items that would be copied: new proofs, aliases and manifests.
    pub would_copy: u64,
    /// Bytes of the items that would be copied.
    pub would_copy_bytes: u64,
    /// Items whose proof the destination has with the same manifest and signature, or does not show.
    pub already: u64,
    /// Items whose proof the destination has in an earlier revision. The later revisions would be added.
    pub behind: u64,
    /// Items with the same content as an earlier item of the source.
    pub duplicates: u64,
    /// Items that need no copy, by reason.
    pub skipped: BTreeMap<Reason, u64>,
    /// Items that cannot be copied, by reason. An item that differs from the destination's proof of its media file, or
    /// from an earlier item of the same file, counts as [`Reason::Conflict`].
    pub invalid: BTreeMap<Reason, u64>,
    /// The first of the invalid items, at most [`MAX_PROBLEMS`].
    pub problems: Vec<ItemFailure>,
    /// The calls that a run and a verification after it would be billed for.
    pub calls: BilledCalls,
    /// Items that were read, checked and looked up at the destination per second.
    pub read_rate: f64,
    /// Duration of this dry run, in seconds. A run takes at least as long; the time for writing is not measured.
    pub estimated_seconds: u64,
    /// `true` if the dry run was cancelled before its end. The figures then cover what was read until then.
    pub interrupted: bool,
    /// A description of what cannot be read from the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<&'static str>,
}

impl Plan {
    /// Returns `true` if every item can be copied or needs no copy.
    #[must_use]
    pub fn is_well(&self) -> bool {
        !self.interrupted && self.invalid.is_empty()
    }
}

/// Calls by the kinds that providers bill. A folder bills none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BilledCalls {
    /// LIST calls to the source, of 1,000 items each.
    pub source_lists: u64,
    /// GET calls to the source, one for each item.
    pub source_gets: u64,
    /// PUT calls to the destination: records, their earlier revisions, and C2PA manifests.
    pub puts: u64,
    /// HEAD calls to the destination during a verification, one for each object.
    pub heads: u64,
    /// Reads of index rows.
    pub index_reads: u64,
    /// Writes of index rows.
    pub index_writes: u64,
}

/// Plans a job: predicts what a run with these options would do.
///
/// # Errors
/// Fails with [`RunError::Ended`] if a port is out of reach.
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

/// Returns a short digest of a key or a target.
pub(super) fn short(bytes: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *Digest::of(bytes).as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
