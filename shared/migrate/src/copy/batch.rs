//! Copies one batch of items, from the source to the ledger.

use std::collections::BTreeSet;

use credlink_ports::migration::ledger::{Begun, Entry, ItemState, Reason};
use credlink_ports::migration::target::Target;
use credlink_ports::migration::{ExistingState, Item, MigrationPorts};
use futures_util::stream::{self, StreamExt as _};

use super::Copier;
use super::item::{Decided, Prepared, Ready, Step, is_dealt_with, is_done};
use crate::incoming::NotCopied;
use crate::progress::{Counts, Watch};
use crate::records::Change;
use crate::retry_policy::GivenUp;
use crate::retrying_ports::Recorded;

impl<M: MigrationPorts, W: Watch> Copier<'_, M, W> {
    /// Copies a batch of distinct items, `concurrency` at a time. The counts are returned even if the batch is given
    /// up.
    pub(crate) async fn copy(&self, items: Vec<Item>, concurrency: usize) -> (Counts, Result<(), GivenUp>) {
        let mut counts = Counts::default();
        let end = self.copy_batch(items, concurrency.max(1), &mut counts).await;
        (counts, end)
    }

    async fn copy_batch(
        &self,
        items: Vec<Item>,
        concurrency: usize,
        counts: &mut Counts,
    ) -> Result<(), GivenUp> {
        let keys: Vec<String> = items.iter().map(|item| item.key.clone()).collect();
        let entries = self.ports.entries(&keys).await?;
        let (mut reads, mut decided) = (Vec::with_capacity(items.len()), Vec::new());
        for (item, entry) in items.into_iter().zip(entries) {
            match self.recall(entry).await {
                Ok(Some(entry)) if is_dealt_with(&entry, &item) => counts.done += 1,
                Ok(entry) => reads.push(self.prepare(item, entry)),
                Err((known, GivenUp::Item(failure))) => {
                    let state = NotCopied::new(Reason::Unavailable, failure).state();
                    decided.push(Decided { item, known, state, begun: None });
                }
                Err((_, end)) => return Err(end),
            }
        }
        let read: Vec<_> = stream::iter(reads).buffer_unordered(concurrency).collect().await;
        let (mut ready, mut end) = (Vec::new(), Ok(()));
        for outcome in read {
            match outcome {
                Ok(Prepared::Ready(item)) => ready.push(item),
                Ok(Prepared::Decided(item)) => decided.push(item),
                Err(given_up) => end = Err(given_up),
            }
        }
        counts.bytes += ready.iter().map(|ready| ready.item.size).sum::<u64>();
        counts.bytes += decided.iter().map(|decided| decided.item.size).sum::<u64>();
        self.settle(decided, counts).await?;
        end?;
        ready.sort_by(|one, other| one.item.key.cmp(&other.item.key));
        let targets: BTreeSet<Target> = ready.iter().map(|item| item.target.clone()).collect();
        let _taken = self.locks.lock(&targets).await;
        // Items of one proof are imported one after the other until the proof exists; after that none of them can
        // create it.
        let mut live = BTreeSet::new();
        while !ready.is_empty() {
            let mut now = BTreeSet::new();
            let (round, later): (Vec<_>, Vec<_>) = ready
                .into_iter()
                .partition(|item| live.contains(&item.target) || now.insert(item.target.clone()));
            self.round(round, concurrency, &mut live, counts).await?;
            ready = later;
        }
        Ok(())
    }

    /// Returns the ledger's entry of an item. If a rollback was about to delete the copy and recorded nothing further,
    /// it did delete it if the destination has exactly that deletion.
    async fn recall(&self, known: Option<Entry>) -> Result<Option<Entry>, (Option<Entry>, GivenUp)> {
        let Some((at, target)) =
            known.as_ref().and_then(|entry| Some((entry.withdrawing?, entry.state.made()?.target.clone())))
        else {
            return Ok(known);
        };
        let standing = match self.ports.find(&target).await {
            Ok(standing) => standing,
            Err(given_up) => return Err((known, given_up)),
        };
        let Some(entry) = known else { return Ok(known) };
        let state = match standing {
            ExistingState::Deleted(deleted) if deleted == at => ItemState::RolledBack { target, at },
            // Aliases and manifests do not tell when they were withdrawn.
            ExistingState::Absent if !matches!(target, Target::Proof(_)) => {
                ItemState::RolledBack { target, at }
            }
            ExistingState::Live(_) => entry.state.clone(),
            ExistingState::Absent | ExistingState::Deleted(_) => return Ok(Some(entry)),
        };
        let change = Change::to(entry.item(), state);
        match self.ports.record(vec![(change, Some(entry.clone()))]).await {
            Ok(wrote) => Ok(wrote.first().map(|wrote| wrote.entry().clone())),
            Err(given_up) => Err((Some(entry), given_up)),
        }
    }

    /// Imports items of which no two create the same proof.
    async fn round(
        &self,
        items: Vec<Ready>,
        concurrency: usize,
        live: &mut BTreeSet<Target>,
        counts: &mut Counts,
    ) -> Result<(), GivenUp> {
        let steps: Vec<_> = items.into_iter().map(|item| self.stand(item)).collect();
        let steps: Vec<_> = stream::iter(steps).buffer_unordered(concurrency).collect().await;
        let (mut begin, mut go, mut decided, mut end) = (Vec::new(), Vec::new(), Vec::new(), Ok(()));
        for step in steps {
            match step {
                Ok(Step::Begin(item, begun)) => begin.push((item, begun)),
                Ok(Step::Go(item)) => go.push(item),
                Ok(Step::Decided(item)) => decided.push(item),
                Err(given_up) => end = Err(given_up),
            }
        }
        end?;
        go.extend(self.begin(begin, counts).await?);
        let taken: Vec<_> = go.into_iter().map(|item| self.import(item)).collect();
        let taken: Vec<_> = stream::iter(taken).buffer_unordered(concurrency).collect().await;
        let mut end = Ok(());
        for outcome in taken {
            match outcome {
                Ok(item) => decided.push(item),
                Err(given_up) => end = Err(given_up),
            }
        }
        live.extend(decided.iter().filter_map(|item| item.state.copy()).map(|copy| copy.target.clone()));
        // Imported items are recorded even if another item ended the step.
        self.settle(decided, counts).await?;
        end
    }

    /// Looks up what the destination has of an item.
    async fn stand(&self, item: Ready) -> Result<Step, GivenUp> {
        if item.begun().is_some() {
            return Ok(Step::Go(item));
        }
        let target = item.target.clone();
        match self.ports.find(&target).await {
            Ok(ExistingState::Absent) => Ok(Step::Begin(item, Begun { target, restores: None })),
            Ok(ExistingState::Live(_)) => Ok(Step::Go(item)),
            Ok(ExistingState::Deleted(at)) => {
                let withdrawn = ItemState::RolledBack { target: target.clone(), at };
                if item.known.as_ref().is_some_and(|entry| entry.state == withdrawn) {
                    return Ok(Step::Begin(item, Begun { target, restores: Some(at) }));
                }
                let deleted = NotCopied::new(Reason::Deleted, format!("{target} was deleted there on {at}"));
                Ok(Step::Decided(item.decided(deleted.state())))
            }
            Err(GivenUp::Item(failure)) => {
                Ok(Step::Decided(item.decided(NotCopied::new(Reason::Unavailable, failure).state())))
            }
            Err(end) => Err(end),
        }
    }

    /// Records the start of items. Items that another worker has completed meanwhile are left out.
    async fn begin(&self, items: Vec<(Ready, Begun)>, counts: &mut Counts) -> Result<Vec<Ready>, GivenUp> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let changes = items.iter().map(|(ready, begun)| {
            let state = ItemState::Copying { target: begun.target.clone() };
            let change = Change { begun: Some(begun.clone()), ..Change::to(ready.item.clone(), state) };
            (change, ready.known.clone())
        });
        let wrote = self.ports.record(changes.collect()).await?;
        let mut ready = Vec::with_capacity(items.len());
        for ((item, _), wrote) in items.into_iter().zip(wrote) {
            if is_done(wrote.entry(), &item.item) {
                counts.done += 1;
            } else {
                ready.push(Ready { known: Some(wrote.entry().clone()), ..item });
            }
        }
        Ok(ready)
    }

    /// Records and counts the outcomes of items.
    async fn settle(&self, decided: Vec<Decided>, counts: &mut Counts) -> Result<(), GivenUp> {
        if decided.is_empty() {
            return Ok(());
        }
        let states: Vec<ItemState> = decided.iter().map(|item| item.state.clone()).collect();
        let changes = decided.into_iter().map(|Decided { item, known, state, begun }| {
            (Change { begun, ..Change::to(item, state) }, known)
        });
        let wrote = self.ports.record(changes.collect()).await?;
        for (wrote, state) in wrote.iter().zip(states) {
            match (wrote, state) {
                (Recorded::Unchanged(_), ItemState::Copied(_) | ItemState::Skipped { .. }) => {
                    counts.done += 1
                }
                (Recorded::Written(entry), ItemState::Copied(_)) => {
                    let created = entry.state.copy().is_some_and(|copy| copy.created);
                    *(if created { &mut counts.copied } else { &mut counts.duplicates }) += 1;
                }
                (_, ItemState::Failed { reason, detail }) => {
                    *counts.failed.entry(reason).or_default() += 1;
                    self.ports.watch.failed(&wrote.entry().key, reason, &detail);
                }
                (_, ItemState::Lost { detail, .. }) => {
                    *counts.failed.entry(Reason::Lost).or_default() += 1;
                    self.ports.watch.failed(&wrote.entry().key, Reason::Lost, &detail);
                }
                (_, ItemState::Skipped { reason, .. }) => *counts.skipped.entry(reason).or_default() += 1,
                // No other state is decided here.
                (_, _) => {}
            }
        }
        if self.options.delete_after {
            self.clear(wrote, counts).await?;
        }
        Ok(())
    }
}
