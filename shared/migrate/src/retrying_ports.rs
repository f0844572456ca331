//! The ports of a step. Every call is retried until it gets through or is given up.

use std::collections::BTreeSet;
use std::time::Duration;

use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_ports::migration::import_with_fronts;
use credlink_ports::migration::ledger::{CopiedItem, Entry, Order};
use credlink_ports::migration::target::{Payload, Target};
use credlink_ports::migration::{
    Content, Depth, Destination as _, ExistingState, Imported, Item, Ledger as _, MigrationPorts, Removal,
    Sleep as _, Source as _, Verdict, Withdrawal,
};
use credlink_ports::{Clock, Failure, FailureKind, Page};

use crate::progress::Watch;
use crate::rate::Pace;
use crate::records::{Change, merged};
use crate::retrier::{Probe, Retrier};
use crate::retry_policy::{GivenUp, RetryPolicy};

/// Number of items, entries or proofs in a page.
const PAGE: usize = 1_000;

/// Number of a source's first items that a probe tries to read.
const SAMPLE: usize = 8;

/// Maximum number of attempts at a write to the ledger while others write.
const MAX_ATTEMPTS: usize = 32;

/// The result of a write to the ledger.
#[derive(Debug)]
pub(super) enum Recorded {
    /// The entry was written.
    Written(Entry),
    /// The ledger says as much already, or more.
    Unchanged(Entry),
}

impl Recorded {
    pub(super) const fn entry(&self) -> &Entry {
        match self {
            Self::Written(entry) | Self::Unchanged(entry) => entry,
        }
    }
}

/// The ports of one step, with the state of their outages.
pub(super) struct RetryingPorts<'a, M: MigrationPorts, W> {
    ports: &'a M,
    pub(super) watch: &'a W,
    pub(super) retrier: Retrier<'a, M::Clock, W>,
    pace: Pace,
}

impl<'a, M: MigrationPorts, W: Watch> RetryingPorts<'a, M, W> {
    pub(super) fn new(ports: &'a M, watch: &'a W, retry_policy: RetryPolicy, rate: Option<f64>) -> Self {
        let retrier = Retrier::new(ports.clock(), watch, retry_policy);
        Self { ports, watch, retrier, pace: Pace::new(rate) }
    }

    /// Returns the source, for methods that make no call.
    pub(super) fn source(&self) -> &'a M::Source {
        self.ports.source()
    }

    /// Returns the destination, for calls that only one step makes.
    pub(super) fn destination(&self) -> &'a M::Destination {
        self.ports.destination()
    }

    /// Returns the ledger, for calls that only one step makes.
    pub(super) fn ledger(&self) -> &'a M::Ledger {
        self.ports.ledger()
    }

    /// Returns the clock.
    pub(super) fn clock(&self) -> &'a M::Clock {
        self.ports.clock()
    }

    async fn ask_source(&self, question: Probe) -> Result<bool, Failure> {
        match question {
            Probe::Liveness => self.source().sample(1).await.map(|_| true),
            Probe::SameOperation => Ok(false),
        }
    }

    /// Probes reads from the source: tests that any of the first items can be read.
    async fn ask_source_to_read(&self, question: Probe) -> Result<bool, Failure> {
        if question == Probe::Liveness {
            return self.ask_source(question).await;
        }
        for key in self.source().sample(SAMPLE).await? {
            if self.source().read(&key).await.is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Probes the destination. A probe never writes.
    pub(super) async fn ask_destination(&self, question: Probe) -> Result<bool, Failure> {
        let nobody = ProofId::derive(&Tenant::default(), &credlink_core::hash::MediaHash::of(b""));
        match question {
            Probe::Liveness => self.destination().find(&Target::Proof(nobody)).await.map(|_| true),
            Probe::SameOperation => Ok(false),
        }
    }

    /// Returns a page of the source.
    pub(super) async fn page(&self, after: Option<&str>) -> Result<Page<Item>, GivenUp> {
        self.retrier.for_step("source list", || self.source().list(after, PAGE)).await
    }

    pub(super) async fn read(&self, key: &str) -> Result<Option<Content>, GivenUp> {
        self.pace.wait(self.clock()).await;
        let probe = |question| self.ask_source_to_read(question);
        match self.retrier.for_item("source read", || self.source().read(key), probe).await {
            // If access to a single item is denied, the step continues, as long as the source can be listed.
            Err(GivenUp::Step(failure))
                if failure.kind == FailureKind::AccessDenied
                    && self.ask_source(Probe::Liveness).await.is_ok() =>
            {
                Err(GivenUp::Item(failure))
            }
            outcome => outcome,
        }
    }

    pub(super) async fn look(&self, key: &str) -> Result<Option<Item>, GivenUp> {
        self.retrier
            .for_item("source look", || self.source().look(key), |question| self.ask_source(question))
            .await
    }

    pub(super) async fn remove(&self, item: &Item) -> Result<Removal, GivenUp> {
        self.retrier
            .for_item("source remove", || self.source().remove(item), |question| self.ask_source(question))
            .await
    }

    pub(super) async fn find(&self, target: &Target) -> Result<ExistingState, GivenUp> {
        self.retrier
            .for_item(
                "destination find",
                || self.destination().find(target),
                |question| self.ask_destination(question),
            )
            .await
    }

    pub(super) async fn admits(&self, payload: &Payload) -> Result<(), GivenUp> {
        self.retrier
            .for_item(
                "destination admits",
                || self.destination().admits(payload),
                |question| self.ask_destination(question),
            )
            .await
    }

    /// Imports a payload. If proofs keep their tenants, the fronts of its manifests at the source are passed on as
    /// well.
    pub(super) async fn import(&self, payload: &Payload, keeps_tenants: bool) -> Result<Imported, GivenUp> {
        let (source, destination) = (self.source(), self.destination());
        let mut fronts = Vec::new();
        let ids: BTreeSet<_> = payload.manifest_ids().filter(|_| keeps_tenants).collect();
        for id in ids {
            let front = self
                .retrier
                .for_item("source front", || source.front(id), |question| self.ask_source(question))
                .await?;
            fronts.extend(front);
        }
        self.retrier
            .for_item(
                "destination import",
                || import_with_fronts(destination, payload, &fronts),
                |question| self.ask_destination(question),
            )
            .await
    }

    pub(super) async fn verify(&self, copy: &CopiedItem, depth: Depth) -> Result<Verdict, GivenUp> {
        self.retrier
            .for_item(
                "destination verify",
                || self.destination().verify(copy, depth),
                |question| self.ask_destination(question),
            )
            .await
    }

    pub(super) async fn entries(&self, keys: &[String]) -> Result<Vec<Option<Entry>>, GivenUp> {
        self.retrier.for_step("ledger entries", || self.ledger().entries(keys)).await
    }

    /// Returns a page of the ledger.
    pub(super) async fn listed(&self, order: Order, after: Option<&str>) -> Result<Page<Entry>, GivenUp> {
        self.retrier.for_step("ledger list", || self.ledger().list(order, after, PAGE)).await
    }

    /// Returns a page of the destination's proofs.
    pub(super) async fn proofs(&self, after: Option<&str>) -> Result<Page<ProofId>, GivenUp> {
        self.retrier.for_step("destination list", || self.destination().list(after, PAGE)).await
    }

    pub(super) async fn withdraw(&self, copy: &CopiedItem, at: Timestamp) -> Result<Withdrawal, GivenUp> {
        self.retrier
            .for_item(
                "destination withdraw",
                || self.destination().withdraw(copy, at),
                |question| self.ask_destination(question),
            )
            .await
    }

    /// Merges changes into the ledger, starting from the known entries, in a single write if nobody else writes. Fails
    /// if others keep writing the same entries.
    pub(super) async fn record(
        &self,
        changes: Vec<(Change, Option<Entry>)>,
    ) -> Result<Vec<Recorded>, GivenUp> {
        let now = self.clock().now();
        let mut wrote: Vec<Option<Recorded>> = Vec::new();
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
                            *place = known.map(Recorded::Unchanged);
                        }
                    }
                }
            }
            if entries.is_empty() {
                break;
            }
            if attempt > 0 {
                // Others are writing the same entries; a short wait makes another collision less likely.
                self.clock().sleep(Duration::from_millis(10)).await;
            }
            let held = self.retrier.for_step("ledger write", || self.ledger().write(&entries)).await?;
            let mut lost = Vec::new();
            for (((at, change), entry), held) in proposed.into_iter().zip(entries).zip(held) {
                if held {
                    if let Some(place) = wrote.get_mut(at) {
                        *place = Some(Recorded::Written(entry));
                    }
                } else {
                    lost.push((at, change, entry));
                }
            }
            let keys: Vec<String> = lost.iter().map(|(.., entry)| entry.key.clone()).collect();
            let current = if keys.is_empty() { Vec::new() } else { self.entries(&keys).await? };
            open = Vec::with_capacity(lost.len());
            for ((at, change, entry), current) in lost.into_iter().zip(current) {
                // A write that failed may have taken effect all the same.
                match (current == Some(entry), current) {
                    (true, Some(current)) => {
                        if let Some(place) = wrote.get_mut(at) {
                            *place = Some(Recorded::Written(current));
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
        let wrote: Vec<Recorded> = wrote.into_iter().flatten().collect();
        if wrote.len() == count {
            return Ok(wrote);
        }
        Err(GivenUp::Step(Failure {
            provider: self.ledger().name(),
            kind: FailureKind::Unavailable,
            message: "other runs kept writing the same entries".to_owned(),
        }))
    }
}
