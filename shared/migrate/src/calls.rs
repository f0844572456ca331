//! The calls of a step, each made until it gets through or is given up.

use std::collections::BTreeSet;
use std::time::Duration;

use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

use credlink_ports::migration::ledger::{Copy, Entry, Order};
use credlink_ports::migration::target::{Parcel, Target};
use credlink_ports::migration::{
    Content, Depth, Destination, Item, Ledger, Removal, Sleep, Source, Standing, TakenOver, Verdict,
    Withdrawal,
};
use credlink_ports::{Clock, Failure, FailureKind, Page};

use super::parts::Migration;
use super::patience::{GivenUp, Patience, Question, Steady};
use super::progress::Watch;
use super::rate::Pace;
use super::records::{Change, merged};

/// Items, entries or proofs of one page.
const PAGE: usize = 1_000;

/// The first items of a source, of which one is read to find out whether any can be.
const SAMPLE: usize = 8;

/// How often a write to the ledger is tried again because others wrote.
const MAX_ATTEMPTS: usize = 32;

/// What a write to the ledger came to.
#[derive(Debug)]
pub(super) enum Wrote {
    /// It was written.
    Written(Entry),
    /// The ledger says as much already, or more.
    Left(Entry),
}

impl Wrote {
    pub(super) const fn entry(&self) -> &Entry {
        match self {
            Self::Written(entry) | Self::Left(entry) => entry,
        }
    }
}

/// Who makes them.
pub(super) struct Calls<'a, S, D, L, C, T, W> {
    pub(super) parts: Migration<'a, S, D, L, C, T>,
    pub(super) watch: &'a W,
    pub(super) steady: Steady<'a, C, T, W>,
    pace: Pace,
}

impl<'a, S: Source, D: Destination, L: Ledger, C: Clock, T: Sleep, W: Watch> Calls<'a, S, D, L, C, T, W> {
    pub(super) fn new(
        parts: Migration<'a, S, D, L, C, T>,
        watch: &'a W,
        patience: Patience,
        rate: Option<f64>,
    ) -> Self {
        let steady = Steady::new(parts.clock, parts.sleep, watch, patience);
        Self { parts, watch, steady, pace: Pace::new(rate) }
    }

    async fn ask_source(&self, question: Question) -> Result<bool, Failure> {
        match question {
            Question::Anything => self.parts.source.sample(1).await.map(|_| true),
            Question::TheSame => Ok(false),
        }
    }

    /// The same of readings: whether any of the first items can be read.
    async fn ask_source_to_read(&self, question: Question) -> Result<bool, Failure> {
        if question == Question::Anything {
            return self.ask_source(question).await;
        }
        for key in self.parts.source.sample(SAMPLE).await? {
            if self.parts.source.read(&key).await.is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Nothing is written to find out whether that can be done.
    pub(super) async fn ask_destination(&self, question: Question) -> Result<bool, Failure> {
        let nobody = ProofId::derive(&Tenant::default(), &credlink_core::hash::MediaHash::of(b""));
        match question {
            Question::Anything => self.parts.destination.find(&Target::Proof(nobody)).await.map(|_| true),
            Question::TheSame => Ok(false),
        }
    }

    /// A page of the source.
    pub(super) async fn page(&self, after: Option<&str>) -> Result<Page<Item>, GivenUp> {
        self.steady.need("source list", || self.parts.source.list(after, PAGE)).await
    }

    pub(super) async fn read(&self, key: &str) -> Result<Option<Content>, GivenUp> {
        self.pace.wait(self.parts.clock, self.parts.sleep).await;
        let probe = |question| self.ask_source_to_read(question);
        match self.steady.call("source read", || self.parts.source.read(key), probe).await {
            // One item that nobody may read is no reason to end everything, as long as the source can be listed.
            Err(GivenUp::Step(failure))
                if failure.kind == FailureKind::AccessDenied
                    && self.ask_source(Question::Anything).await.is_ok() =>
            {
                Err(GivenUp::Item(failure))
            }
            outcome => outcome,
        }
    }

    pub(super) async fn look(&self, key: &str) -> Result<Option<Item>, GivenUp> {
        self.steady
            .call("source look", || self.parts.source.look(key), |question| self.ask_source(question))
            .await
    }

    pub(super) async fn remove(&self, item: &Item) -> Result<Removal, GivenUp> {
        self.steady
            .call("source remove", || self.parts.source.remove(item), |question| self.ask_source(question))
            .await
    }

    pub(super) async fn find(&self, target: &Target) -> Result<Standing, GivenUp> {
        self.steady
            .call(
                "destination find",
                || self.parts.destination.find(target),
                |question| self.ask_destination(question),
            )
            .await
    }

    pub(super) async fn admits(&self, parcel: &Parcel) -> Result<(), GivenUp> {
        self.steady
            .call(
                "destination admits",
                || self.parts.destination.admits(parcel),
                |question| self.ask_destination(question),
            )
            .await
    }

    /// Takes a parcel over; where proofs keep their tenants, with what the source says of the plain addresses of its manifests.
    pub(super) async fn take_over(&self, parcel: &Parcel, keeps_tenants: bool) -> Result<TakenOver, GivenUp> {
        let Migration { source, destination, .. } = self.parts;
        let mut fronts = Vec::new();
        let ids: BTreeSet<_> = parcel.manifest_ids().filter(|_| keeps_tenants).collect();
        for id in ids {
            let front = self
                .steady
                .call("source front", || source.front(id), |question| self.ask_source(question))
                .await?;
            fronts.extend(front);
        }
        self.steady
            .call(
                "destination take_over",
                || destination.take_over_with(parcel, &fronts),
                |question| self.ask_destination(question),
            )
            .await
    }

    pub(super) async fn verify(&self, copy: &Copy, depth: Depth) -> Result<Verdict, GivenUp> {
        self.steady
            .call(
                "destination verify",
                || self.parts.destination.verify(copy, depth),
                |question| self.ask_destination(question),
            )
            .await
    }

    pub(super) async fn entries(&self, keys: &[String]) -> Result<Vec<Option<Entry>>, GivenUp> {
        self.steady.need("ledger entries", || self.parts.ledger.entries(keys)).await
    }

    /// A page of the ledger.
    pub(super) async fn listed(&self, order: Order, after: Option<&str>) -> Result<Page<Entry>, GivenUp> {
        self.steady.need("ledger list", || self.parts.ledger.list(order, after, PAGE)).await
    }

    /// A page of the destination's proofs.
    pub(super) async fn proofs(&self, after: Option<&str>) -> Result<Page<ProofId>, GivenUp> {
        self.steady.need("destination list", || self.parts.destination.list(after, PAGE)).await
    }

    pub(super) async fn withdraw(&self, copy: &Copy, at: Timestamp) -> Result<Withdrawal, GivenUp> {
        self.steady
            .call(
                "destination withdraw",
                || self.parts.destination.withdraw(copy, at),
                |question| self.ask_destination(question),
            )
            .await
    }

    /// Brings changes into the ledger, from what was known of the items: in one write, if nobody else writes. `None`: there
    /// was and is no entry.
    pub(super) async fn record(&self, changes: Vec<(Change, Option<Entry>)>) -> Result<Vec<Wrote>, GivenUp> {
        let now = self.parts.clock.now();
        let mut wrote: Vec<Option<Wrote>> = Vec::new();
        wrote.resize_with(changes.len(), || None);
        let mut open: Vec<(usize, Change, Option<Entry>)> =
            changes.into_iter().enumerate().map(|(at, (change, known))| (at, change, known)).collect();
        for attempt in 0..MAX_ATTEMPTS {
            let mut proposed = Vec::with_capacity(open.len());
            let mut entries = Vec::with_capacity(open.len());
            for (at, change, known) in open {
                match merged(known.as_ref(), &change, now) {
                    Some(entry) => {
                        entries.push(entry);
                        proposed.push((at, change));
                    }
                    None => {
                        if let Some(place) = wrote.get_mut(at) {
                            *place = known.map(Wrote::Left);
                        }
                    }
                }
            }
            if entries.is_empty() {
                break;
            }
            if attempt > 0 {
                // Others write the same entries: whoever waits a little meets them less.
                self.parts.sleep.sleep(Duration::from_millis(10)).await;
            }
            let held = self.steady.need("ledger write", || self.parts.ledger.write(&entries)).await?;
            let mut lost = Vec::new();
            for (((at, change), entry), held) in proposed.into_iter().zip(entries).zip(held) {
                if held {
                    if let Some(place) = wrote.get_mut(at) {
                        *place = Some(Wrote::Written(entry));
                    }
                } else {
                    lost.push((at, change, entry));
                }
            }
            let keys: Vec<String> = lost.iter().map(|(.., entry)| entry.key.clone()).collect();
            let current = if keys.is_empty() { Vec::new() } else { self.entries(&keys).await? };
            open = Vec::with_capacity(lost.len());
            for ((at, change, entry), current) in lost.into_iter().zip(current) {
                // A write that failed may have been done all the same.
                match (current == Some(entry), current) {
                    (true, Some(current)) => {
                        if let Some(place) = wrote.get_mut(at) {
                            *place = Some(Wrote::Written(current));
                        }
                    }
                    (_, current) => open.push((at, change, current)),
                }
            }
            if open.is_empty() {
                break;
            }
        }
        let count = wrote.len();
        let wrote: Vec<Wrote> = wrote.into_iter().flatten().collect();
        if wrote.len() == count {
            return Ok(wrote);
        }
        Err(GivenUp::Step(Failure {
            provider: self.parts.ledger.name(),
            kind: FailureKind::Unavailable,
            message: "others kept writing the same entries".to_owned(),
        }))
    }
}
