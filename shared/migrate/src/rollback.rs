//! Rolling back: what this job made, and nobody has touched since, is deleted at the destination again. The ledger is
//! replayed backwards.
//!
//! A proof whose item was removed from the source stays: it is the only copy. What was begun and never finished is not
//! known well enough to be deleted; another run finishes it.
//!
//! The instant of a deletion is written down before it is asked for, and then the deletion has exactly that: whoever goes on
//! after a kill knows it as the job's.

#[cfg(test)]
mod tests;

use serde::Serialize;

use credlink_ports::Clock;
use credlink_ports::migration::ledger::{Entry, ItemState, JobName, Order};
use credlink_ports::migration::target::Target;
use credlink_ports::migration::{Destination, Ledger, Sleep, Source, Standing, Withdrawal};

use super::calls::{Calls, Wrote};
use super::parts::Migration;
use super::patience::{GivenUp, Patience};
use super::progress::Watch;
use super::records::Change;
use super::replay::replay;
use super::run::{RunError, hold, known, was_cancelled};
use super::verify::MAX_FINDINGS;

/// How to roll back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RollbackOptions {
    /// Proofs that are deleted at the same time.
    pub concurrency: usize,
    /// When to go on, and when to give up.
    pub patience: Patience,
}

impl Default for RollbackOptions {
    fn default() -> Self {
        Self { concurrency: 16, patience: Patience::default() }
    }
}

/// What a rollback came to. Each entry of the ledger counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rollback {
    /// Proofs that were deleted.
    pub withdrawn: u64,
    /// Proofs that an earlier rollback deleted.
    pub rolled_back: u64,
    /// Proofs that somebody replaced or deleted since: they are left alone.
    pub touched: u64,
    /// Proofs that are not there, and never were as far as the destination knows.
    pub absent: u64,
    /// Proofs that were there before this job, or that it made of another item.
    pub not_ours: u64,
    /// Proofs whose item was removed from the source: they stay, because they are the only copy.
    pub only_copy: u64,
    /// Items that were begun and not done, and may have left a proof: run the job once more, then roll back.
    pub unfinished: u64,
    /// Items of which nothing was made.
    pub not_copied: u64,
    /// Proofs that could not be deleted.
    pub failed: u64,
    /// What stays that this job made or may have made, at most [`MAX_FINDINGS`].
    pub kept: Vec<KeptProof>,
    /// Whether it was cancelled before its end.
    pub interrupted: bool,
}

/// A proof that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptProof {
    /// The item that it was made of.
    pub item: String,
    /// The proof; or what else it is, as a [`Target`] is written.
    pub proof: String,
    /// Why, in words.
    pub detail: String,
}

/// What became of one entry.
enum Fate {
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

/// Rolls a job back. `holder` names this rollback, unique for ever.
///
/// # Errors
/// See [`RunError`].
pub async fn rollback<S, D, L, C, T, W>(
    parts: Migration<'_, S, D, L, C, T>,
    name: &JobName,
    options: &RollbackOptions,
    holder: &str,
    watch: &W,
) -> Result<Rollback, RunError>
where
    S: Source,
    D: Destination,
    L: Ledger,
    C: Clock,
    T: Sleep,
    W: Watch,
{
    hold(parts, name, holder, async {
        known(parts, name).await?;
        let calls = Calls::new(parts, watch, options.patience, None);
        let mut outcome = Rollback::default();
        let note = |(item, fate)| {
            outcome.note(item, fate);
            outcome.withdrawn
        };
        let each = |entry| withdraw(&calls, entry);
        let end = replay(&calls, Order::Backward, options.concurrency, each, note).await;
        outcome.interrupted = was_cancelled(end)?;
        Ok(outcome)
    })
    .await
}

impl Rollback {
    fn note(&mut self, item: String, fate: Fate) {
        let (count, kept) = match fate {
            Fate::Withdrawn => (&mut self.withdrawn, None),
            Fate::RolledBack => (&mut self.rolled_back, None),
            Fate::NotOurs => (&mut self.not_ours, None),
            Fate::NotCopied => (&mut self.not_copied, None),
            Fate::Absent(proof) => (&mut self.absent, Some((proof, "it is not there".to_owned()))),
            Fate::Touched(proof) => (
                &mut self.touched,
                Some((proof, "somebody replaced or deleted it since, or stored it as well".to_owned())),
            ),
            Fate::OnlyCopy(proof) => (
                &mut self.only_copy,
                Some((proof, "its item was removed from the source: this is the only copy".to_owned())),
            ),
            Fate::Unfinished(proof) => (
                &mut self.unfinished,
                Some((proof, "it was begun and not done: run the job once more, then roll back".to_owned())),
            ),
            Fate::Failed(proof, why) => (&mut self.failed, Some((proof, why))),
        };
        *count += 1;
        if let Some((proof, detail)) = kept
            && self.kept.len() < MAX_FINDINGS
        {
            self.kept.push(KeptProof { item, proof, detail });
        }
    }
}

async fn withdraw<S: Source, D: Destination, L: Ledger, C: Clock, T: Sleep, W: Watch>(
    calls: &Calls<'_, S, D, L, C, T, W>,
    entry: Entry,
) -> Result<(String, Fate), GivenUp> {
    let key = entry.key.clone();
    let begun = entry.begun.as_ref().map(|begun| &begun.target);
    let target = entry.state.made().map(|copy| &copy.target).or(begun).cloned();
    match fate(calls, entry).await {
        Ok(fate) => Ok((key, fate)),
        Err(GivenUp::Item(failure)) => {
            let target = target.map(|target| target.to_string()).unwrap_or_default();
            Ok((key, Fate::Failed(target, failure.to_string())))
        }
        Err(end) => Err(end),
    }
}

async fn fate<S: Source, D: Destination, L: Ledger, C: Clock, T: Sleep, W: Watch>(
    calls: &Calls<'_, S, D, L, C, T, W>,
    entry: Entry,
) -> Result<Fate, GivenUp> {
    let copy = match &entry.state {
        ItemState::Copied(copy) | ItemState::Verified { copy, .. } | ItemState::Lost { copy, .. }
            if copy.created =>
        {
            copy.clone()
        }
        ItemState::Copied(_) | ItemState::Verified { .. } | ItemState::Lost { .. } => {
            return Ok(Fate::NotOurs);
        }
        ItemState::Deleted { copy, .. } if copy.created => {
            return Ok(Fate::OnlyCopy(copy.target.to_string()));
        }
        ItemState::Deleted { .. } => return Ok(Fate::NotOurs),
        ItemState::RolledBack { .. } => return Ok(Fate::RolledBack),
        ItemState::Planned
        | ItemState::Copying { .. }
        | ItemState::Failed { .. }
        | ItemState::Skipped { .. } => {
            let Some(begun) = entry.begun.as_ref() else { return Ok(Fate::NotCopied) };
            return Ok(match calls.find(&begun.target).await? {
                Standing::Live(_) => Fate::Unfinished(begun.target.to_string()),
                Standing::Absent | Standing::Deleted(_) => Fate::NotCopied,
            });
        }
    };
    let target = copy.target.clone();
    // An id that leads nowhere at the source any more, because its proof was removed from there, is kept by nobody else.
    if matches!(target, Target::Alias { .. }) && calls.look(&entry.key).await?.is_none() {
        return Ok(Fate::OnlyCopy(target.to_string()));
    }
    let at = entry.withdrawing.unwrap_or_else(|| calls.parts.clock.now());
    let intent = Change { withdrawing: Some(at), ..Change::to(entry.item(), entry.state.clone()) };
    let wrote = calls.record(vec![(intent, Some(entry))]).await?;
    let Some(entry) = wrote.first().map(Wrote::entry).filter(|entry| entry.withdrawing == Some(at)) else {
        // Another worker wrote of it meanwhile.
        return Ok(Fate::Unfinished(target.to_string()));
    };
    match calls.withdraw(&copy, at).await? {
        Withdrawal::Touched => Ok(Fate::Touched(target.to_string())),
        Withdrawal::Absent => Ok(Fate::Absent(target.to_string())),
        Withdrawal::Deleted(at) => {
            let change = Change::to(entry.item(), ItemState::RolledBack { target, at });
            calls.record(vec![(change, Some(entry.clone()))]).await?;
            Ok(Fate::Withdrawn)
        }
    }
}
