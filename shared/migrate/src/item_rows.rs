//! A catalogue of a legacy source in the index: for each proof that is not imported yet, the item that has it. A
//! process that serves beside the source and is too short-lived to read all of it finds every record by these rows.
//!
//! Rows are hints: whatever is read through them is checked, and a row whose proof was copied since does no harm. So
//! this needs no ledger, and repeating the command adds what is new. It takes 8 bytes of memory for each item.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use credlink_core::proof_id::ProofId;
use credlink_core::row::LegacyItemRow;
use credlink_ports::migration::ledger::Reason;
use credlink_ports::migration::target::Target;
use credlink_ports::migration::{Content, Destination as _, ExistingState, Item, ItemRows, MigrationPorts};
use credlink_ports::{Failure, FailureKind};
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;

use crate::copy::CopyOptions;
use crate::error::{RunError, was_cancelled};
use crate::incoming::{ItemError, NotCopied, legacy};
use crate::plan::{MAX_PROBLEMS, short};
use crate::progress::{Counts, Watch};
use crate::report::ItemFailure;
use crate::retry_policy::GivenUp;
use crate::retrying_ports::RetryingPorts;

/// Maximum number of attempts at one row while other writers are faster.
const MAX_ATTEMPTS: usize = 32;

/// The result of a walk. Each item counts in exactly one of `written`, `already`, `duplicates`, `not_needed` and
/// `invalid`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WrittenRows {
    /// Items of the source.
    pub items: u64,
    /// Rows that were written.
    pub written: u64,
    /// Items that already had their row.
    pub already: u64,
    /// Items whose media file has a row that names another item: the one that a migration copies first.
    pub duplicates: u64,
    /// Items whose proof the store has, or has deleted.
    pub not_needed: u64,
    /// Items that get no row, by reason.
    pub invalid: BTreeMap<Reason, u64>,
    /// The first of the invalid items, at most [`MAX_PROBLEMS`].
    pub problems: Vec<ItemFailure>,
    /// `true` if the walk was cancelled before its end. The same command resumes it.
    pub interrupted: bool,
}

/// The outcome for an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Written,
    Already,
    Duplicate,
    NotNeeded,
}

/// Writes the rows of everything that the source lists. Of several records of one media file, the first gets the row.
///
/// # Errors
/// Fails with [`RunError::Ended`] if a port is out of reach. The rows written so far are correct.
pub async fn write_item_rows<M: MigrationPorts, W: Watch>(
    ports: &M,
    options: &CopyOptions,
    watch: &W,
) -> Result<WrittenRows, RunError>
where
    M::Destination: ItemRows,
{
    let mut walk = Walk {
        ports: RetryingPorts::new(ports, watch, options.retry_policy, options.rate),
        options,
        done: WrittenRows::default(),
        bytes: 0,
        keys: HashSet::new(),
    };
    let end = walk.walk().await;
    let mut done = walk.done;
    done.interrupted = was_cancelled(end)?;
    Ok(done)
}

struct Walk<'a, M: MigrationPorts, W> {
    ports: RetryingPorts<'a, M, W>,
    options: &'a CopyOptions,
    done: WrittenRows,
    /// Bytes of the items so far, as the source reports them.
    bytes: u64,
    /// The keys seen so far.
    keys: HashSet<u64>,
}

impl<M: MigrationPorts, W: Watch> Walk<'_, M, W>
where
    M::Destination: ItemRows,
{
    async fn walk(&mut self) -> Result<(), GivenUp> {
        let mut after = None;
        loop {
            let page = self.ports.page(after.as_deref()).await?;
            let keys = &mut self.keys;
            let items =
                page.items.into_iter().filter(|item| keys.insert(short(item.key.as_bytes()))).collect();
            self.page(items).await?;
            let WrittenRows { items, written, already, duplicates, not_needed, .. } = self.done;
            self.ports.watch.progress(&Counts {
                listed: items,
                copied: written,
                duplicates: already + duplicates + not_needed,
                failed: self.done.invalid.clone(),
                bytes: self.bytes,
                ..Counts::default()
            });
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
            if self.ports.watch.is_cancelled() {
                return Err(GivenUp::Cancelled);
            }
        }
    }

    async fn page(&mut self, items: Vec<Item>) -> Result<(), GivenUp> {
        let (walk, concurrency) = (&*self, self.options.concurrency.max(1));
        let reads: Vec<_> = items.iter().map(|item| walk.proof(&item.key)).collect();
        let reads: Vec<_> = stream::iter(reads).buffered(concurrency).collect().await;
        // The first item of each media file comes first, and all others after those, so that they find its row.
        let (mut seen, mut first, mut others, mut refused) =
            (HashSet::new(), Vec::new(), Vec::new(), Vec::new());
        for (item, read) in items.iter().zip(reads) {
            match read {
                Ok(proof) if seen.insert(proof) => first.push((item, proof)),
                Ok(proof) => others.push((item, proof)),
                Err(error) => refused.push((item, error.not_copied()?)),
            }
        }
        let mut kept = Vec::with_capacity(items.len());
        for lot in [first, others] {
            let keep = |(item, proof)| async move { (item, walk.keep(item, proof).await) };
            let work: Vec<_> = lot.into_iter().map(keep).collect();
            kept.extend(stream::iter(work).buffered(concurrency).collect::<Vec<_>>().await);
        }
        for (item, kept) in kept {
            match kept {
                Ok(kept) => self.count(kept),
                Err(given_up) => refused.push((item, ItemError::from(given_up).not_copied()?)),
            }
        }
        for (item, not_copied) in refused {
            self.refuse(item, not_copied);
        }
        self.done.items += items.len() as u64;
        self.bytes = items.iter().fold(self.bytes, |sum, item| sum.saturating_add(item.size));
        Ok(())
    }

    /// Returns the ID of the proof that an item becomes.
    async fn proof(&self, key: &str) -> Result<ProofId, ItemError> {
        let not_copied = match self.ports.read(key).await? {
            None => NotCopied::vanished(),
            Some(Content::Legacy(json)) => return Ok(legacy(&json, &self.options.owners)?.id()),
            Some(Content::Unreadable(why)) => NotCopied::new(Reason::InvalidRecord, why),
            Some(Content::Proof(_) | Content::Alias { .. } | Content::Manifest { .. } | Content::Gone(_)) => {
                NotCopied::new(Reason::InvalidRecord, "it is not a legacy record")
            }
        };
        Err(not_copied.into())
    }

    /// Makes the row of a proof name an item that has it.
    async fn keep(&self, item: &Item, proof: ProofId) -> Result<Kept, GivenUp> {
        if self.ports.find(&Target::Proof(proof)).await? != ExistingState::Absent {
            return Ok(Kept::NotNeeded);
        }
        let (retrier, rows) = (&self.ports.retrier, self.ports.destination());
        for _ in 0..MAX_ATTEMPTS {
            let probe = |question| self.ports.ask_destination(question);
            let before = retrier.for_item("destination item", || rows.item_row(&proof), probe).await?;
            if let Some(row) = &before {
                if row.item == item.key {
                    return Ok(Kept::Already);
                }
                match self.proof(&row.item).await {
                    Ok(named) if named == proof => return Ok(Kept::Duplicate),
                    Ok(_) | Err(ItemError::NotCopied(_)) => {}
                    Err(ItemError::GivenUp(given_up)) => return Err(given_up),
                }
            }
            let version = before.map_or(0, |row| row.version) + 1;
            let row = LegacyItemRow { proof, version, item: item.key.clone() };
            if retrier.for_item("destination keep", || rows.keep_item(&row), probe).await? {
                return Ok(Kept::Written);
            }
        }
        Err(GivenUp::Item(Failure {
            provider: rows.name(),
            kind: FailureKind::Unavailable,
            message: format!("{proof}: other requests kept changing its row"),
        }))
    }

    fn count(&mut self, kept: Kept) {
        let done = &mut self.done;
        let count = match kept {
            Kept::Written => &mut done.written,
            Kept::Already => &mut done.already,
            Kept::Duplicate => &mut done.duplicates,
            Kept::NotNeeded => &mut done.not_needed,
        };
        *count += 1;
    }

    fn refuse(&mut self, item: &Item, NotCopied { reason, detail }: NotCopied) {
        *self.done.invalid.entry(reason).or_default() += 1;
        self.ports.watch.failed(&item.key, reason, &detail);
        if self.done.problems.len() < MAX_PROBLEMS {
            self.done.problems.push(ItemFailure { item: item.key.clone(), reason, detail });
        }
    }
}
