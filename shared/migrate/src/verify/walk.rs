//! The three walks of a verification: source, ledger, destination.

use std::collections::HashSet;

use credlink_core::hash::Digest;
use credlink_ports::migration::ledger::{CopiedItem, Entry, ItemState, Order, Reason};
use credlink_ports::migration::target::Target;
use credlink_ports::migration::{Depth, Item, MigrationPorts, Verdict};
use credlink_ports::{Clock, FailureKind};
use futures_util::stream::{self, StreamExt as _};

use super::{Class, Verification, VerifyOptions};
use crate::incoming::{NotCopied, digest, is_same_for_other_readers};
use crate::progress::{Counts, Watch};
use crate::records::Change;
use crate::retry_policy::GivenUp;
use crate::retrying_ports::RetryingPorts;

/// Returns 8 bytes of the digest of a key or a proof. With 1,000,000 of them, two have the same value once in 37
/// million verifications, and one of them would then not be examined again.
fn short(text: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *Digest::of(text.as_bytes()).as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Returns the copy of an item, even if it was found to be lost.
const fn compared(entry: &Entry) -> Option<&CopiedItem> {
    match &entry.state {
        ItemState::Lost { copy, .. } => Some(copy),
        state => state.copy(),
    }
}

/// The version that the ledger records for an item whose content changed without a new version. No source returns this
/// version, so the next run copies the item again.
const OUTDATED: &str = "outdated";

/// The finding of one item.
struct ItemFinding {
    item: Item,
    /// The entry that is to be written again: of a copy that was compared, or of an outdated item. An outdated item
    /// whose version differs from its entry is copied again anyway, and has no entry here.
    entry: Option<Entry>,
    /// `true` if the item is at the source, so that it can be copied again.
    is_at_source: bool,
    class: Class,
    detail: String,
    by: Option<Depth>,
}

pub(super) struct Walk<'b, 'a, M: MigrationPorts, W> {
    ports: &'b RetryingPorts<'a, M, W>,
    options: &'b VerifyOptions,
    pub(super) found: Verification,
    /// The keys of the source, 8 bytes each.
    seen: HashSet<u64>,
    /// The proofs of the job, 8 bytes each.
    proofs: HashSet<u64>,
}

impl<'b, 'a, M: MigrationPorts, W: Watch> Walk<'b, 'a, M, W> {
    pub(super) fn new(ports: &'b RetryingPorts<'a, M, W>, options: &'b VerifyOptions) -> Self {
        Self { ports, options, found: Verification::default(), seen: HashSet::new(), proofs: HashSet::new() }
    }

    pub(super) async fn run(&mut self) -> Result<(), GivenUp> {
        self.walk_source().await?;
        self.walk_ledger().await?;
        if self.options.extra {
            self.walk_destination().await?;
        }
        Ok(())
    }

    async fn walk_source(&mut self) -> Result<(), GivenUp> {
        let mut after = None;
        loop {
            let page = self.ports.page(after.as_deref()).await?;
            let items: Vec<Item> =
                page.items.into_iter().filter(|item| self.seen.insert(short(&item.key))).collect();
            let keys: Vec<String> = items.iter().map(|item| item.key.clone()).collect();
            let entries = if keys.is_empty() { Vec::new() } else { self.ports.entries(&keys).await? };
            let looks: Vec<_> =
                items.into_iter().zip(entries).map(|(item, entry)| self.of(item, entry)).collect();
            let found: Vec<_> = stream::iter(looks).buffer_unordered(self.concurrency()).collect().await;
            self.note(found).await?;
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Verifies the copies of items that are no longer in the source, and collects the proofs of the job.
    async fn walk_ledger(&mut self) -> Result<(), GivenUp> {
        let mut after = None;
        loop {
            let page = self.ports.listed(Order::Forward, after.as_deref()).await?;
            let mut looks = Vec::new();
            for entry in page.items {
                let begun = entry.begun.as_ref().map(|begun| &begun.target);
                let target = compared(&entry).map(|copy| &copy.target).or(begun);
                self.proofs.extend(target.and_then(Target::proof).map(|proof| short(&proof.to_string())));
                if self.seen.contains(&short(&entry.key)) {
                    continue;
                }
                // An item that was not copied and is gone has no copy that could be lost.
                if compared(&entry).is_some() {
                    let item = Item { key: entry.key.clone(), size: entry.size, version: entry.item.clone() };
                    looks.push((item, entry));
                }
            }
            let looks: Vec<_> = looks.into_iter().map(|(item, entry)| self.gone(item, entry)).collect();
            let found: Vec<_> = stream::iter(looks).buffer_unordered(self.concurrency()).collect().await;
            self.note(found).await?;
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn walk_destination(&mut self) -> Result<(), GivenUp> {
        let mut after = None;
        loop {
            let page = self.ports.proofs(after.as_deref()).await?;
            for proof in page.items {
                let proof = proof.to_string();
                if !self.proofs.contains(&short(&proof)) {
                    self.found.note(Class::Extra, &proof, "no item of the job became this proof".to_owned());
                }
            }
            self.pause()?;
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    fn concurrency(&self) -> usize {
        self.options.concurrency.max(1)
    }

    fn pause(&self) -> Result<(), GivenUp> {
        if self.ports.watch.is_cancelled() { Err(GivenUp::Cancelled) } else { Ok(()) }
    }

    fn is_sampled(&self, key: &str) -> bool {
        // 2^53 steps from 0 to 1, as many as an f64 can distinguish.
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let place = (short(key) >> 11) as f64 / (1_u64 << 53) as f64;
        place < self.options.sample
    }

    /// Verifies an item of the source.
    async fn of(&self, item: Item, entry: Option<Entry>) -> Result<Option<ItemFinding>, GivenUp> {
        let not_there = |class, detail: String| {
            let item = item.clone();
            Ok(Some(ItemFinding { item, entry: None, is_at_source: true, class, detail, by: None }))
        };
        let Some(entry) = entry else {
            return not_there(Class::Missing, "no run has come to it yet".to_owned());
        };
        let copy = match &entry.state {
            ItemState::Copied(copy)
            | ItemState::Verified { copy, .. }
            | ItemState::Lost { copy, .. }
            | ItemState::Deleted { copy, .. } => copy,
            ItemState::Planned | ItemState::Copying { .. } => {
                return not_there(Class::Missing, "it is begun, and not done; run the job again".to_owned());
            }
            ItemState::RolledBack { at, .. } => {
                return not_there(Class::Missing, format!("it was rolled back on {at}"));
            }
            ItemState::Failed { reason, detail } => {
                return not_there(Class::Missing, format!("{reason}: {detail}"));
            }
            ItemState::Skipped { .. } if entry.item != item.version => {
                let detail = "it changed at the source since a run came to it; run the job again";
                return not_there(Class::Missing, detail.to_owned());
            }
            ItemState::Skipped { reason, detail } => {
                return not_there(Class::Skipped, format!("{reason}: {detail}"));
            }
        };
        if !self.is_sampled(&item.key) {
            return Ok(None);
        }
        if (self.options.deep || entry.item != item.version)
            && let Some((class, detail)) = self.source_differs(&item, copy).await?
        {
            // If the listing does not show the change, the ledger has to, or no run would copy the item again.
            let entry = Some(entry).filter(|entry| class == Class::Outdated && entry.item == item.version);
            return Ok(Some(ItemFinding { item, entry, is_at_source: true, class, detail, by: None }));
        }
        self.compare(item, entry, true).await
    }

    /// Verifies an item that is no longer in the source.
    async fn gone(&self, item: Item, entry: Entry) -> Result<Option<ItemFinding>, GivenUp> {
        if self.is_sampled(&item.key) { self.compare(item, entry, false).await } else { Ok(None) }
    }

    /// Returns the difference between the source's content and the copied one, if there is any.
    async fn source_differs(
        &self,
        item: &Item,
        copy: &CopiedItem,
    ) -> Result<Option<(Class, String)>, GivenUp> {
        match self.ports.read(&item.key).await {
            Ok(Some(content)) if digest(&content) == Some(copy.source) => Ok(None),
            Ok(Some(content)) => Ok(Some((
                Class::Outdated,
                match digest(&content) {
                    Some(_) if is_same_for_other_readers(&content, copy) => {
                        "the source has the same content for other readers; run the job again: it withdraws what is private \
                         there, and publishes nothing"
                            .to_owned()
                    }
                    Some(now) => format!(
                        "the source has a content with the SHA-256 {now}; {} was copied; run the job again, and where \
                         that is a conflict, replace {} first (PUT)",
                        copy.source, copy.target
                    ),
                    None => "the source's item can no longer be read".to_owned(),
                },
            ))),
            // The item was removed after it was listed.
            Ok(None) => Ok(None),
            Err(GivenUp::Item(failure)) => Ok(Some((Class::Unknown, failure.to_string()))),
            Err(end) => Err(end),
        }
    }

    async fn compare(
        &self,
        item: Item,
        entry: Entry,
        is_at_source: bool,
    ) -> Result<Option<ItemFinding>, GivenUp> {
        let Some(copy) = compared(&entry) else { return Ok(None) };
        let depth = if self.options.deep { Depth::Content } else { Depth::Checksum };
        let (class, detail, by) = match self.ports.verify(copy, depth).await {
            Ok(Verdict::Verified { by }) => (Class::Verified, String::new(), Some(by)),
            Ok(Verdict::Missing(detail)) => (Class::Missing, detail, None),
            Ok(Verdict::Corrupted(detail)) => (Class::Corrupted, detail, None),
            Ok(Verdict::EncodingDiffers(detail)) => (Class::EncodingDiffers, detail, None),
            Ok(Verdict::Changed(detail)) => (Class::Changed, detail, None),
            // A store that checks what it reads reports the damage itself.
            Err(GivenUp::Item(failure)) if failure.kind == FailureKind::Damaged => {
                (Class::Corrupted, failure.to_string(), None)
            }
            Err(GivenUp::Item(failure)) => (Class::Unknown, failure.to_string(), None),
            Err(end) => return Err(end),
        };
        Ok(Some(ItemFinding { item, entry: Some(entry), is_at_source, class, detail, by }))
    }

    /// Counts the findings, and records which copies are verified and which the next run has to copy again.
    async fn note(&mut self, found: Vec<Result<Option<ItemFinding>, GivenUp>>) -> Result<(), GivenUp> {
        let mut end = Ok(());
        let mut changes = Vec::new();
        for found in found {
            self.found.items += 1;
            let found = match found {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(given_up) => {
                    end = Err(given_up);
                    continue;
                }
            };
            self.found.note(found.class, &found.item.key, found.detail.clone());
            let Some(entry) = found.entry else { continue };
            if found.class == Class::Outdated {
                let item = Item { version: OUTDATED.to_owned(), ..found.item };
                changes.push((Change::to(item, entry.state.clone()), Some(entry)));
                continue;
            }
            self.found.compared += 1;
            self.found.by_checksum += u64::from(found.by == Some(Depth::Checksum));
            if matches!(found.class, Class::Missing | Class::Corrupted | Class::EncodingDiffers) {
                // For an item that is no longer at the source, only the ledger knows what its copy was.
                if found.is_at_source {
                    let NotCopied { detail, .. } = NotCopied::new(Reason::Lost, found.detail);
                    let state = compared(&entry).cloned().map(|copy| ItemState::Lost { copy, detail });
                    changes.extend(state.map(|state| (Change::to(found.item, state), Some(entry))));
                }
                continue;
            }
            // The instant of the first verification is kept, even for a new version of the item with the same content.
            let at = match (found.class, &entry.state) {
                (Class::Verified, ItemState::Copied(_) | ItemState::Lost { .. }) => self.ports.clock().now(),
                (Class::Verified, ItemState::Verified { at, .. }) if entry.item != found.item.version => *at,
                _ => continue,
            };
            if let Some(copy) = compared(&entry).cloned() {
                let state = ItemState::Verified { copy, at };
                changes.push((Change::to(found.item, state), Some(entry)));
            }
        }
        if !changes.is_empty() {
            self.ports.record(changes).await?;
        }
        let counts = Counts { listed: self.found.items, done: self.found.items, ..Counts::default() };
        self.ports.watch.progress(&counts);
        end.and_then(|()| self.pause())
    }
}
