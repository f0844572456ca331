//! The walk of a dry run: reads and checks each item, and compares it with the destination.

use std::collections::{HashMap, HashSet};

use credlink_core::hash::Digest;
use credlink_core::proof_id::ProofId;
use credlink_ports::Clock as _;
use credlink_ports::migration::ledger::Reason;
use credlink_ports::migration::target::{Payload, Target};
use credlink_ports::migration::{ExistingState, Item, MigrationPorts};
use futures_util::stream::{self, StreamExt as _};

use super::existing::Existing;
use super::{MAX_PROBLEMS, Plan, short};
use crate::copy::CopyOptions;
use crate::incoming::{ItemError, NotCopied, incoming};
use crate::progress::{Counts, Watch};
use crate::report::ItemFailure;
use crate::retry_policy::GivenUp;
use crate::retrying_ports::RetryingPorts;

/// Number of items that are read before they are compared.
const CHUNK: usize = 100;

/// An item that was read.
struct Read {
    item: Item,
    outcome: Result<Checked, NotCopied>,
}

/// The result of checking an item that can be copied.
struct Checked {
    target: Target,
    /// The proof of an alias, if the destination does not have it yet.
    needs: Option<ProofId>,
    /// A short digest of the current revision's manifest and signature.
    says: u64,
    revisions: u64,
    manifests: u64,
    has_alias: bool,
    existing: Existing,
}

fn says(manifest: &Digest, signature: Option<&str>) -> u64 {
    short(&[manifest.as_bytes().as_slice(), signature.unwrap_or_default().as_bytes()].concat())
}

pub(super) struct Planner<'a, M: MigrationPorts, W> {
    ports: RetryingPorts<'a, M, W>,
    options: &'a CopyOptions,
    pub(super) plan: Plan,
    /// The keys seen so far, 8 bytes each.
    keys: HashSet<u64>,
    /// The targets seen so far, with digests of their contents, 8 bytes each.
    proofs: HashMap<u64, u64>,
}

impl<'a, M: MigrationPorts, W: Watch> Planner<'a, M, W> {
    pub(super) fn new(ports: &'a M, options: &'a CopyOptions, watch: &'a W) -> Self {
        Self {
            ports: RetryingPorts::new(ports, watch, options.retry_policy, options.rate),
            options,
            plan: Plan::default(),
            keys: HashSet::new(),
            proofs: HashMap::new(),
        }
    }

    pub(super) async fn walk(&mut self) -> Result<(), GivenUp> {
        let mut after = None;
        loop {
            let page = self.ports.page(after.as_deref()).await?;
            let keys = &mut self.keys;
            let items: Vec<Item> =
                page.items.into_iter().filter(|item| keys.insert(short(item.key.as_bytes()))).collect();
            for chunk in items.chunks(CHUNK) {
                let reads: Vec<_> = chunk.iter().map(|item| self.read(item.clone())).collect();
                let concurrency = self.options.concurrency.max(1);
                let reads: Vec<_> = stream::iter(reads).buffered(concurrency).collect().await;
                for read in reads {
                    let read = read?;
                    self.add(read);
                }
                let counts = Counts { listed: self.plan.items, bytes: self.plan.bytes, ..Counts::default() };
                self.ports.watch.progress(&counts);
                if self.ports.watch.is_cancelled() {
                    return Err(GivenUp::Cancelled);
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn read(&self, item: Item) -> Result<Read, GivenUp> {
        let outcome = match self.check(&item).await {
            Ok(checked) => Ok(checked),
            Err(error) => Err(error.not_copied()?),
        };
        Ok(Read { item, outcome })
    }

    async fn check(&self, item: &Item) -> Result<Checked, ItemError> {
        let content = self.ports.read(&item.key).await?.ok_or_else(NotCopied::vanished)?;
        let payload = incoming(&content, &self.options.owners, self.ports.clock().now())?.payload;
        let target = payload.target().ok_or_else(NotCopied::vanished)?;
        self.ports.admits(&payload).await?;
        let standing = self.ports.find(&target).await?;
        if let ExistingState::Deleted(at) = standing {
            let detail = format!("{target} was deleted there on {at}");
            return Err(NotCopied::new(Reason::Deleted, detail).into());
        }
        let (drafts, says, needs) = match &payload {
            Payload::Proof(drafts) => {
                let last = drafts.last().map(|last| says(last.manifest.sha256(), last.signature.as_deref()));
                (drafts.as_slice(), last.unwrap_or_default(), None)
            }
            Payload::Alias(alias_draft) => {
                let is_there = matches!(standing, ExistingState::Live(_))
                    || matches!(
                        self.ports.find(&Target::Proof(alias_draft.proof)).await?,
                        ExistingState::Live(_)
                    );
                let says = says(&alias_draft.manifest_sha256, alias_draft.signature.as_deref());
                (&[][..], says, (!is_there).then_some(alias_draft.proof))
            }
            Payload::Manifest(manifest_draft) => {
                (&[][..], says(manifest_draft.manifest.sha256(), None), None)
            }
        };
        let has_alias =
            drafts.iter().any(|draft| draft.origin.as_ref().is_some_and(|origin| origin.legacy.is_some()));
        Ok(Checked {
            target,
            needs,
            says,
            revisions: drafts.len() as u64,
            manifests: drafts.iter().filter(|draft| draft.manifest.id().is_some()).count() as u64
                + u64::from(matches!(payload, Payload::Manifest(_))),
            has_alias: has_alias || matches!(payload, Payload::Alias(_)),
            existing: Existing::of(standing, drafts),
        })
    }

    fn add(&mut self, Read { item, outcome }: Read) {
        let plan = &mut self.plan;
        plan.items += 1;
        plan.bytes = plan.bytes.saturating_add(item.size);
        let checked = match outcome {
            Ok(checked) => checked,
            Err(not_copied) if not_copied.is_skip() => {
                *plan.skipped.entry(not_copied.reason).or_default() += 1;
                return;
            }
            Err(not_copied) => return self.refuse(item.key, not_copied),
        };
        // The index is read for the existing proof, and for the legacy ID.
        plan.calls.index_reads += 2;
        let name = |target: &dyn std::fmt::Display| short(target.to_string().as_bytes());
        if let Some(proof) = checked.needs {
            match self.proofs.get(&name(&proof)) {
                Some(says) if *says == checked.says => {}
                Some(_) => {
                    let detail = format!("the proof {proof} is made of an item with another manifest");
                    return self.refuse(item.key, NotCopied::new(Reason::Conflict, detail));
                }
                None => {
                    let detail = format!("it names {proof}, which is not there and is made of no item");
                    return self.refuse(item.key, NotCopied::new(Reason::ProofMissing, detail));
                }
            }
        }
        match self.proofs.insert(name(&checked.target), checked.says) {
            Some(before) if before != checked.says => {
                let detail = format!(
                    "an earlier item has another manifest or signature of the same media file (proof {})",
                    checked.target
                );
                self.proofs.insert(name(&checked.target), before);
                return self.refuse(item.key, NotCopied::new(Reason::Conflict, detail));
            }
            Some(_) => {
                plan.duplicates += 1;
                plan.calls.index_writes += u64::from(checked.has_alias);
                return;
            }
            None => {}
        }
        let calls = &mut plan.calls;
        match checked.existing {
            Existing::Nothing => {}
            Existing::Other(detail) => {
                return self.refuse(item.key, NotCopied::new(Reason::Conflict, detail));
            }
            Existing::Same => {
                plan.already += 1;
                calls.index_writes += u64::from(checked.has_alias);
                return;
            }
            Existing::Earlier { revisions, manifests } => {
                plan.behind += 1;
                calls.puts += 2 * revisions + manifests;
                calls.heads += checked.revisions + checked.manifests;
                calls.index_reads += revisions + 2;
                calls.index_writes += revisions + manifests + u64::from(checked.has_alias);
                return;
            }
        }
        plan.would_copy += 1;
        plan.would_copy_bytes = plan.would_copy_bytes.saturating_add(item.size);
        // Each replacement also writes a copy of the record that it replaces.
        let objects = (2 * checked.revisions).saturating_sub(1) + checked.manifests;
        calls.puts += objects;
        calls.heads += checked.revisions + checked.manifests;
        // A store and each replacement read the index once; a verification reads the row and the legacy ID.
        calls.index_reads += checked.revisions + 2;
        calls.index_writes += checked.revisions + checked.manifests + u64::from(checked.has_alias);
    }

    fn refuse(&mut self, item: String, NotCopied { reason, detail }: NotCopied) {
        *self.plan.invalid.entry(reason).or_default() += 1;
        self.ports.watch.failed(&item, reason, &detail);
        if self.plan.problems.len() < MAX_PROBLEMS {
            self.plan.problems.push(ItemFailure { item, reason, detail });
        }
    }
}
