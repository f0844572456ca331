//! The status and the report of a job, both from the ledger alone.

mod markdown;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use credlink_core::time::Timestamp;
use credlink_ports::Failure;
use credlink_ports::migration::Ledger;
use credlink_ports::migration::ledger::{Entry, ItemState, Job, Order, Reason};
use serde::Serialize;

/// Maximum number of failures that a report lists; all are counted.
pub const MAX_FAILURES: usize = 10_000;

/// Number of entries in a page.
const PAGE: usize = 1_000;

/// The number of items in each state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct States {
    /// Sent to a queue.
    pub planned: u64,
    /// Started, and not done.
    pub copying: u64,
    /// Copied, and not verified.
    pub copied: u64,
    /// Copied and verified.
    pub verified: u64,
    /// Copied, verified, and removed from the source.
    pub deleted: u64,
    /// Copied, and deleted again at the destination.
    pub rolled_back: u64,
    /// Not copied, for a reason that needs attention.
    pub failed: u64,
    /// Not copied, because there was nothing to copy.
    pub skipped: u64,
}

/// The status of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The job.
    pub job: Job,
    /// Items in the ledger.
    pub items: u64,
    /// Bytes of the items, as the source reported them.
    pub bytes: u64,
    /// Items by state.
    pub states: States,
    /// Proofs, aliases and manifests that this job created and has not deleted again.
    pub created: u64,
    /// Items whose proof, alias or manifest was there already, from elsewhere or from another item.
    pub duplicates: u64,
    /// Failed items, by reason.
    pub failed: BTreeMap<Reason, u64>,
    /// Skipped items, by reason.
    pub skipped: BTreeMap<Reason, u64>,
    /// The instant of the latest write to the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
}

/// An item that was not copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ItemFailure {
    /// The key of the item.
    pub item: String,
    /// The reason.
    pub reason: Reason,
    /// The reason in detail, as text.
    pub detail: String,
}

/// The report of a job. Its members are named as in the reports of the old service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The name of the job.
    pub job: String,
    /// The source.
    pub from: String,
    /// The destination.
    pub to: String,
    /// Items in the ledger.
    pub total: u64,
    /// Items whose proof, alias or manifest this job created.
    pub migrated: u64,
    /// Items that could not be copied.
    pub failed: u64,
    /// Items that needed no copy: their proof was there already or had been deleted there, or they had expired.
    pub skipped: u64,
    /// Items that are not done yet, or were rolled back.
    pub open: u64,
    /// 100 × migrated / (total − skipped), in percent; 100 if there was nothing to migrate.
    pub success_rate: f64,
    /// Total duration of all runs, in milliseconds.
    pub duration: u64,
    /// Duration / migrated, in milliseconds; 0 if nothing was migrated.
    pub time_per_proof: f64,
    /// The first failures in order of their keys, at most [`MAX_FAILURES`].
    pub failures: Vec<ItemFailure>,
    /// Number of failures for each reason.
    pub failures_by_reason: BTreeMap<Reason, u64>,
    /// Number of skipped items for each reason, including duplicates.
    pub skipped_by_reason: BTreeMap<Reason, u64>,
    /// A description of what could not be read from the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<String>,
}

/// Returns the status of a job, or `None` if it was never started.
///
/// # Errors
/// Fails if the ledger does.
pub async fn status<L: Ledger>(ledger: &L) -> Result<Option<Status>, Failure> {
    Ok(read(ledger).await?.map(|(status, _)| status))
}

/// Returns the report of a job, or `None` if it was never started.
///
/// # Errors
/// Fails if the ledger does.
pub async fn report<L: Ledger>(ledger: &L) -> Result<Option<Report>, Failure> {
    Ok(read(ledger).await?.map(|(status, failures)| Report::of(&status, failures)))
}

async fn read<L: Ledger>(ledger: &L) -> Result<Option<(Status, Vec<ItemFailure>)>, Failure> {
    let Some(job) = ledger.job().await? else { return Ok(None) };
    let mut failures = Vec::new();
    let mut status = Status {
        job,
        items: 0,
        bytes: 0,
        states: States::default(),
        created: 0,
        duplicates: 0,
        failed: BTreeMap::new(),
        skipped: BTreeMap::new(),
        updated: None,
    };
    let mut after = None;
    loop {
        let page = ledger.list(Order::Forward, after.as_deref(), PAGE).await?;
        for entry in page.items {
            status.add(&entry);
            let (reason, detail) = match entry.state {
                ItemState::Failed { reason, detail } => (reason, detail),
                ItemState::Lost { detail, .. } => (Reason::Lost, detail),
                _ => continue,
            };
            if failures.len() < MAX_FAILURES {
                failures.push(ItemFailure { item: entry.key, reason, detail });
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(Some((status, failures)));
        }
    }
}

impl Status {
    fn add(&mut self, entry: &Entry) {
        self.items += 1;
        self.bytes = self.bytes.saturating_add(entry.size);
        self.updated = self.updated.max(Some(entry.updated));
        let states = &mut self.states;
        *match &entry.state {
            ItemState::Planned => &mut states.planned,
            ItemState::Copying { .. } => &mut states.copying,
            ItemState::Copied(_) => &mut states.copied,
            ItemState::Verified { .. } => &mut states.verified,
            ItemState::Deleted { .. } => &mut states.deleted,
            ItemState::RolledBack { .. } => &mut states.rolled_back,
            ItemState::Lost { .. } => {
                *self.failed.entry(Reason::Lost).or_default() += 1;
                &mut states.failed
            }
            ItemState::Failed { reason, .. } => {
                *self.failed.entry(*reason).or_default() += 1;
                &mut states.failed
            }
            ItemState::Skipped { reason, .. } => {
                *self.skipped.entry(*reason).or_default() += 1;
                &mut states.skipped
            }
        } += 1;
        if let Some(copy) = entry.state.copy() {
            *(if copy.created { &mut self.created } else { &mut self.duplicates }) += 1;
        }
    }
}

impl Report {
    fn of(status: &Status, failures: Vec<ItemFailure>) -> Self {
        let (migrated, total) = (status.created, status.items);
        let skipped = status.states.skipped + status.duplicates;
        let mut skipped_by_reason = status.skipped.clone();
        if status.duplicates > 0 {
            *skipped_by_reason.entry(Reason::Duplicate).or_default() += status.duplicates;
        }
        let wanted = total.saturating_sub(skipped);
        Self {
            job: status.job.name.to_string(),
            from: status.job.from.clone(),
            to: status.job.to.clone(),
            total,
            migrated,
            failed: status.states.failed,
            skipped,
            open: status.states.planned + status.states.copying + status.states.rolled_back,
            success_rate: if wanted == 0 { 100.0 } else { hundredths(100 * migrated, wanted) },
            duration: status.job.elapsed_ms,
            time_per_proof: if migrated == 0 { 0.0 } else { hundredths(status.job.elapsed_ms, migrated) },
            failures,
            failures_by_reason: status.failed.clone(),
            skipped_by_reason,
            left_behind: status.job.left_behind.clone(),
        }
    }
}

/// Returns a percentage to two decimals, rounded down: an incomplete job never shows 100 %.
fn hundredths(part: u64, whole: u64) -> f64 {
    let hundredths = u128::from(part) * 100 / u128::from(whole.max(1));
    #[expect(clippy::cast_precision_loss, reason = "a percentage, or milliseconds")]
    let hundredths = hundredths as f64;
    hundredths / 100.0
}
