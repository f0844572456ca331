//! A dry run: everything is read and checked, and nothing is changed.
//!
//! What is kept of an item is 16 bytes: a short digest of its proof, and one of what the proof says.

#[cfg(test)]
mod tests;
mod there;

use std::collections::{BTreeMap, HashMap, HashSet};

use credlink_core::hash::Digest;
use credlink_core::proof_id::ProofId;
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;

use credlink_ports::Clock;
use credlink_ports::migration::ledger::Reason;
use credlink_ports::migration::target::{Parcel, Target};
use credlink_ports::migration::{Destination, Item, Ledger, Sleep, Source, Standing};
use there::There;

use super::calls::Calls;
use super::copy::CopyOptions;
use super::incoming::{NotCopied, incoming};
use super::parts::Migration;
use super::patience::GivenUp;
use super::progress::{Counts, Watch};
use super::report::ItemFailure;
use super::run::{RunError, was_cancelled};

/// Most items that are listed with what is wrong with them; all are counted.
pub const MAX_PROBLEMS: usize = 1_000;

/// Items that are read before they are compared.
const CHUNK: usize = 100;

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
pub async fn plan<S, D, L, C, T, W>(
    parts: Migration<'_, S, D, L, C, T>,
    options: &CopyOptions,
    watch: &W,
) -> Result<Plan, RunError>
where
    S: Source,
    D: Destination,
    L: Ledger,
    C: Clock,
    T: Sleep,
    W: Watch,
{
    let mut planner = Planner {
        calls: Calls::new(parts, watch, options.patience, options.rate),
        options,
        plan: Plan::default(),
        keys: HashSet::new(),
        proofs: HashMap::new(),
    };
    let began = parts.clock.monotonic_microseconds();
    let end = planner.walk().await;
    let elapsed = parts.clock.monotonic_microseconds().saturating_sub(began).max(1);
    let mut plan = planner.plan;
    plan.left_behind = parts.source.left_behind();
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

/// An item that was read.
struct Read {
    item: Item,
    outcome: Result<Checked, NotCopied>,
}

/// What is known of an item that can be copied.
struct Checked {
    target: Target,
    /// Of another name: its proof, where the destination does not have it yet.
    needs: Option<ProofId>,
    /// Of manifest and signature of the current revision.
    says: u64,
    revisions: u64,
    manifests: u64,
    has_alias: bool,
    there: There,
}

/// A short name of a key or a target.
pub(super) fn short(bytes: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *Digest::of(bytes).as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn says(manifest: &Digest, signature: Option<&str>) -> u64 {
    short(&[manifest.as_bytes().as_slice(), signature.unwrap_or_default().as_bytes()].concat())
}

struct Planner<'a, S, D, L, C, T, W> {
    calls: Calls<'a, S, D, L, C, T, W>,
    options: &'a CopyOptions,
    plan: Plan,
    /// The keys that were seen, 8 bytes each.
    keys: HashSet<u64>,
    /// The targets that were seen, and what they say: 8 bytes each.
    proofs: HashMap<u64, u64>,
}

impl<S: Source, D: Destination, L: Ledger, C: Clock, T: Sleep, W: Watch> Planner<'_, S, D, L, C, T, W> {
    async fn walk(&mut self) -> Result<(), GivenUp> {
        let mut after = None;
        loop {
            let page = self.calls.page(after.as_deref()).await?;
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
                self.calls.watch.progress(&counts);
                if self.calls.watch.is_cancelled() {
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
        match self.check(&item).await {
            Ok(outcome) => Ok(Read { item, outcome }),
            Err(GivenUp::Item(failure)) => {
                let outcome = Err(NotCopied::unread(&failure));
                Ok(Read { item, outcome })
            }
            Err(end) => Err(end),
        }
    }

    async fn check(&self, item: &Item) -> Result<Result<Checked, NotCopied>, GivenUp> {
        let Some(content) = self.calls.read(&item.key).await? else {
            return Ok(Err(NotCopied::vanished()));
        };
        let incoming = match incoming(&content, &self.options.owners, self.calls.parts.clock.now()) {
            Ok(incoming) => incoming,
            Err(not_copied) => return Ok(Err(not_copied)),
        };
        let parcel = incoming.parcel;
        let Some(target) = parcel.target() else { return Ok(Err(NotCopied::vanished())) };
        self.calls.admits(&parcel).await?;
        let standing = self.calls.find(&target).await?;
        if let Standing::Deleted(at) = standing {
            let detail = format!("{target} was deleted there on {at}");
            return Ok(Err(NotCopied::new(Reason::Deleted, detail)));
        }
        let (drafts, says, needs) = match &parcel {
            Parcel::Proof(drafts) => {
                let last = drafts.last().map(|last| says(last.manifest.sha256(), last.signature.as_deref()));
                (drafts.as_slice(), last.unwrap_or_default(), None)
            }
            Parcel::Alias(naming) => {
                let is_there = matches!(standing, Standing::Live(_))
                    || matches!(self.calls.find(&Target::Proof(naming.proof)).await?, Standing::Live(_));
                let says = says(&naming.manifest_sha256, naming.signature.as_deref());
                (&[][..], says, (!is_there).then_some(naming.proof))
            }
            Parcel::Manifest(loose) => (&[][..], says(loose.manifest.sha256(), None), None),
        };
        let has_alias =
            drafts.iter().any(|draft| draft.origin.as_ref().is_some_and(|origin| origin.legacy.is_some()));
        Ok(Ok(Checked {
            target,
            needs,
            says,
            revisions: drafts.len() as u64,
            manifests: drafts.iter().filter(|draft| draft.manifest.id().is_some()).count() as u64
                + u64::from(matches!(parcel, Parcel::Manifest(_))),
            has_alias: has_alias || matches!(parcel, Parcel::Alias(_)),
            there: There::of(standing, drafts),
        }))
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
        // The index is asked for what there is, and what the proof's legacy id names.
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
        match checked.there {
            There::Nothing => {}
            There::Other(detail) => return self.refuse(item.key, NotCopied::new(Reason::Conflict, detail)),
            There::Same => {
                plan.already += 1;
                calls.index_writes += u64::from(checked.has_alias);
                return;
            }
            There::Earlier { revisions, manifests } => {
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
        // Each replacement writes a copy of the record before it.
        let objects = (2 * checked.revisions).saturating_sub(1) + checked.manifests;
        calls.puts += objects;
        calls.heads += checked.revisions + checked.manifests;
        // A store asks once, and so does each replacement; a verification, for the row and the legacy id.
        calls.index_reads += checked.revisions + 2;
        calls.index_writes += checked.revisions + checked.manifests + u64::from(checked.has_alias);
    }

    fn refuse(&mut self, item: String, NotCopied { reason, detail }: NotCopied) {
        *self.plan.invalid.entry(reason).or_default() += 1;
        self.calls.watch.failed(&item, reason, &detail);
        if self.plan.problems.len() < MAX_PROBLEMS {
            self.plan.problems.push(ItemFailure { item, reason, detail });
        }
    }
}
