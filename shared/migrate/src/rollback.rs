//! Rollback: deletes at the destination what this job created and nobody has touched since. The ledger is replayed
//! backwards.
//!
//! A proof whose item was removed from the source is kept, because it is the only copy. An item that was started and
//! never finished is not known well enough to delete its proof; another run finishes it.
//!
//! The instant of a deletion is recorded before the deletion is requested, and the deletion then has exactly that
//! instant. A rollback that resumes after a kill recognises the deletion by it.

#[cfg(test)]
mod tests;

use credlink_ports::Clock;
use credlink_ports::migration::ledger::{Entry, ItemState, JobName, Order};
use credlink_ports::migration::target::Target;
use credlink_ports::migration::{ExistingState, MigrationPorts, Withdrawal};
use serde::Serialize;

use crate::error::{RunError, was_cancelled};
use crate::job_spec::known;
use crate::lease::hold;
use crate::progress::Watch;
use crate::records::Change;
use crate::replay::replay;
use crate::retry_policy::{GivenUp, RetryPolicy};
use crate::retrying_ports::{Recorded, RetryingPorts};
use crate::verify::MAX_FINDINGS;

/// Options of a rollback.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RollbackOptions {
    /// Number of proofs that are deleted concurrently.
    pub concurrency: usize,
    /// Retries, and the point at which to give up.
    pub retry_policy: RetryPolicy,
}

impl Default for RollbackOptions {
    fn default() -> Self {
        Self { concurrency: 16, retry_policy: RetryPolicy::default() }
    }
}

/// The result of a rollback. Each entry of the ledger counts exactly once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rollback {
    /// Proofs that were deleted.
    pub withdrawn: u64,
    /// Proofs that an earlier rollback deleted.
    pub rolled_back: u64,
    /// Proofs that were replaced or deleted by somebody else since. They are left alone.
    pub touched: u64,
    /// Proofs that are absent, and never existed as far as the destination knows.
    pub absent: u64,
    /// Proofs that were there before this job, or that it created from another item.
    pub not_ours: u64,
    /// Proofs whose item was removed from the source. They are kept, because they are the only copy.
    pub only_copy: u64,
    /// Items that were started and not done, and may have left a proof. Run the job once more, then roll back.
    pub unfinished: u64,
    /// Items that were not copied.
    pub not_copied: u64,
    /// Proofs that could not be deleted.
    pub failed: u64,
    /// Proofs that this job created or may have created and that are kept, at most [`MAX_FINDINGS`].
    pub kept: Vec<KeptProof>,
    /// `true` if the rollback was cancelled before its end.
    pub interrupted: bool,
}

/// A proof that was not deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptProof {
    /// The item that the proof was created from.
    pub item: String,
    /// The ID of the proof; for an alias or a manifest, its [`Target`] as text.
    pub proof: String,
    /// The reason, as text.
    pub detail: String,
}

/// The outcome for one entry.
enum EntryOutcome {
    Withdrawn,
    RolledBack,
    NotOurs,
    NotCopied,
    Absent(String),
    Touched(String),
    OnlyCopy(String),
    Unfinished(String),
    Failed(String, String),
}

/// Rolls a job back. `holder` identifies this rollback and must never be reused.
///
/// # Errors
/// Fails as described at [`RunError`].
pub async fn rollback<M: MigrationPorts, W: Watch>(
    ports: &M,
    name: &JobName,
    options: &RollbackOptions,
    holder: &str,
    watch: &W,
) -> Result<Rollback, RunError> {
    hold(ports.ledger(), ports.clock(), name, holder, async {
        known(ports.ledger(), name).await?;
        let retrying = RetryingPorts::new(ports, watch, options.retry_policy, None);
        let mut undone = Rollback::default();
        let note = |(item, outcome)| {
            undone.note(item, outcome);
            undone.withdrawn
        };
        let each = |entry| withdraw(&retrying, entry);
        let end = replay(&retrying, Order::Backward, options.concurrency, each, note).await;
        undone.interrupted = was_cancelled(end)?;
        Ok(undone)
    })
    .await
}

impl Rollback {
    fn note(&mut self, item: String, outcome: EntryOutcome) {
        let (count, kept) = match outcome {
            EntryOutcome::Withdrawn => (&mut self.withdrawn, None),
            EntryOutcome::RolledBack => (&mut self.rolled_back, None),
            EntryOutcome::NotOurs => (&mut self.not_ours, None),
            EntryOutcome::NotCopied => (&mut self.not_copied, None),
            EntryOutcome::Absent(proof) => (&mut self.absent, Some((proof, "it is not there".to_owned()))),
            EntryOutcome::Touched(proof) => (
                &mut self.touched,
                Some((proof, "it was replaced or deleted since, or somebody else stored it too".to_owned())),
            ),
            EntryOutcome::OnlyCopy(proof) => (
                &mut self.only_copy,
                Some((proof, "its item was removed from the source: this is the only copy".to_owned())),
            ),
            EntryOutcome::Unfinished(proof) => (
                &mut self.unfinished,
                Some((proof, "it was begun and not done: run the job once more, then roll back".to_owned())),
            ),
            EntryOutcome::Failed(proof, why) => (&mut self.failed, Some((proof, why))),
        };
        *count += 1;
        if let Some((proof, detail)) = kept
            && self.kept.len() < MAX_FINDINGS
        {
            self.kept.push(KeptProof { item, proof, detail });
        }
    }
}

async fn withdraw<M: MigrationPorts, W: Watch>(
    ports: &RetryingPorts<'_, M, W>,
    entry: Entry,
) -> Result<(String, EntryOutcome), GivenUp> {
    let key = entry.key.clone();
    let begun = entry.begun.as_ref().map(|begun| &begun.target);
    let target = entry.state.made().map(|copy| &copy.target).or(begun).cloned();
    match roll_back_entry(ports, entry).await {
        Ok(outcome) => Ok((key, outcome)),
        Err(GivenUp::Item(failure)) => {
            let target = target.map(|target| target.to_string()).unwrap_or_default();
            Ok((key, EntryOutcome::Failed(target, failure.to_string())))
        }
        Err(end) => Err(end),
    }
}

async fn roll_back_entry<M: MigrationPorts, W: Watch>(
    ports: &RetryingPorts<'_, M, W>,
    entry: Entry,
) -> Result<EntryOutcome, GivenUp> {
    let copy = match &entry.state {
        ItemState::Copied(copy) | ItemState::Verified { copy, .. } | ItemState::Lost { copy, .. }
            if copy.created =>
        {
            copy.clone()
        }
        ItemState::Copied(_) | ItemState::Verified { .. } | ItemState::Lost { .. } => {
            return Ok(EntryOutcome::NotOurs);
        }
        ItemState::Deleted { copy, .. } if copy.created => {
            return Ok(EntryOutcome::OnlyCopy(copy.target.to_string()));
        }
        ItemState::Deleted { .. } => return Ok(EntryOutcome::NotOurs),
        ItemState::RolledBack { .. } => return Ok(EntryOutcome::RolledBack),
        ItemState::Planned
        | ItemState::Copying { .. }
        | ItemState::Failed { .. }
        | ItemState::Skipped { .. } => {
            let Some(begun) = entry.begun.as_ref() else { return Ok(EntryOutcome::NotCopied) };
            return Ok(match ports.find(&begun.target).await? {
                ExistingState::Live(_) => EntryOutcome::Unfinished(begun.target.to_string()),
                ExistingState::Absent | ExistingState::Deleted(_) => EntryOutcome::NotCopied,
            });
        }
    };
    let target = copy.target.clone();
    // The alias leads nowhere at the source, because its proof was removed from there: the destination has the only
    // copy.
    if matches!(target, Target::Alias { .. }) && ports.look(&entry.key).await?.is_none() {
        return Ok(EntryOutcome::OnlyCopy(target.to_string()));
    }
    let at = entry.withdrawing.unwrap_or_else(|| ports.clock().now());
    let intent = Change { withdrawing: Some(at), ..Change::to(entry.item(), entry.state.clone()) };
    let wrote = ports.record(vec![(intent, Some(entry))]).await?;
    let Some(entry) = wrote.first().map(Recorded::entry).filter(|entry| entry.withdrawing == Some(at)) else {
        // Another worker has changed the entry meanwhile.
        return Ok(EntryOutcome::Unfinished(target.to_string()));
    };
    match ports.withdraw(&copy, at).await? {
        Withdrawal::Touched => Ok(EntryOutcome::Touched(target.to_string())),
        Withdrawal::Absent => Ok(EntryOutcome::Absent(target.to_string())),
        Withdrawal::Deleted(at) => {
            let change = Change::to(entry.item(), ItemState::RolledBack { target, at });
            ports.record(vec![(change, Some(entry.clone()))]).await?;
            Ok(EntryOutcome::Withdrawn)
        }
    }
}
