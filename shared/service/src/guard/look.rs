//! Reads the store's mark and the index's row, and creates both where there is nothing yet.
//!
//! The row is created first and the mark second. Nothing else is written until both exist, so a process that finds only
//! one of them over an empty store and an empty index creates the other.

use credlink_core::identity::{Mark, Mismatch, judge};
use credlink_core::object::{ObjectKey, StoredTag};
use credlink_core::row::{Row, RowKey, StoreRow};
use credlink_core::store_id::StoreId;
use credlink_core::time::Timestamp;

use credlink_ports::{
    Clock as _, Commit, Condition, Failure, FailureKind, Index as _, Listing, Objects as _, Ports, Put, Write,
};

use super::memory::Known;
use crate::service::Service;

/// Most attempts of a check, which starts again if others created something in the meantime.
const MAX_LOOKS: usize = 8;

/// Rows of one page, in the search for anything that the index holds.
const PAGE: usize = 100;

/// The epoch of a new store.
pub(super) const FIRST_EPOCH: u64 = 1;

/// The prefixes of the objects that rows stand for.
const PREFIXES: [&str; 4] = [ObjectKey::PROOFS, ObjectKey::MANIFESTS, ObjectKey::ALIASES, ObjectKey::HOLDS];

/// The permitted actions of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// The check only reads.
    Reading,
    /// The check also creates what is missing over an empty store, and notes in the row what the clock does.
    Making,
}

/// The mark, together with the tag that is needed to replace it.
pub(crate) struct Marked {
    pub(super) tag: StoredTag,
    pub(crate) mark: Mark,
}

impl<P: Ports> Service<P> {
    /// Checks, and remembers the result or the failure.
    pub(super) async fn look_again(&self, manner: Manner) -> Result<(), Failure> {
        self.guard.memory().began = Some(self.ports.clock().monotonic_microseconds());
        // Boxed, because it is rare and would be a part of the future of every request.
        let looked = Box::pin(self.look(manner)).await;
        let looked = {
            let mut memory = self.guard.memory();
            memory.began = None;
            match looked {
                Ok(known) => {
                    if matches!(known.mismatch, Some(Mismatch::StoreOlder { .. })) {
                        self.leftovers.note_restored();
                    }
                    memory.failed = None;
                    memory.known = Some(known);
                    Ok(())
                }
                Err(failure) => {
                    if memory.failed.is_none() {
                        tracing::warn!(reason = %failure, "whether index and store belong together could not be found out");
                    }
                    memory.failed = Some(failure.clone());
                    Err(failure)
                }
            }
        };
        self.tell();
        looked
    }

    /// Reads the mark of the store, bypassing the cache.
    pub(crate) async fn marked(&self) -> Result<Option<Marked>, Failure> {
        let Some(current) = self.current(&ObjectKey::Identity).await? else { return Ok(None) };
        let mark = Mark::parse(&current.verified.content())
            .map_err(|error| self.damaged(&ObjectKey::Identity, &error))?;
        Ok(Some(Marked { tag: current.tag, mark }))
    }

    /// Reads the row of the store.
    pub(crate) async fn store_row(&self) -> Result<Option<StoreRow>, Failure> {
        Ok(self.ports.index().get(&RowKey::Store).await?.and_then(Row::store))
    }

    async fn look(&self, manner: Manner) -> Result<Known, Failure> {
        for _ in 0..MAX_LOOKS {
            // In this order, so that a tick between the two reads makes the index look newer, which it may be by one.
            let marked = self.marked().await?.map(|marked| marked.mark);
            let row = self.store_row().await?;
            let mismatch = judge(marked.as_ref(), row.as_ref());
            let (mismatch, is_settled) = match (mismatch, manner) {
                (Some(Mismatch::IndexNew | Mismatch::StoreUnmarked | Mismatch::Unmarked), Manner::Making) => {
                    match self.make(marked, row.clone()).await? {
                        None => continue,
                        mismatch => (mismatch, true),
                    }
                }
                (
                    Some(Mismatch::IndexNew | Mismatch::StoreUnmarked | Mismatch::Unmarked),
                    Manner::Reading,
                ) => (
                    if self.has_objects().await? || self.speaks(mismatch).await { mismatch } else { None },
                    false,
                ),
                _ => (mismatch, true),
            };
            // Others may have created or changed something between these reads, and stored objects since. A second
            // check sees everything that they created before.
            if mismatch.is_some() && !self.still_stand(marked, row.as_ref()).await? {
                continue;
            }
            // The row of another store is left alone.
            let row = match (row, manner) {
                (Some(row), Manner::Making) if mismatch.is_none() => Some(self.note_clock(row).await?),
                (row, _) => row,
            };
            let at = self.ports.clock().monotonic_microseconds();
            return Ok(Known { at, mismatch, row, marked: marked.map(|mark| mark.at), is_settled });
        }
        Err(self.others_kept_changing())
    }

    /// Returns `true` if the mark and the row are still as they were read.
    async fn still_stand(&self, mark: Option<Mark>, row: Option<&StoreRow>) -> Result<bool, Failure> {
        let of = |row: &StoreRow| (row.identity, row.epoch);
        let (mark_now, row_now) = (self.marked().await?.map(|marked| marked.mark), self.store_row().await?);
        Ok(mark_now == mark && row_now.as_ref().map(of) == row.map(of))
    }

    pub(super) fn others_kept_changing(&self) -> Failure {
        Failure {
            provider: self.ports.index().name(),
            kind: FailureKind::Unavailable,
            message: format!("{}: other processes kept changing it", RowKey::Store),
        }
    }

    /// Creates the missing mark or row, or returns the mismatch that forbids it. Returns `None` if the check must start
    /// again.
    async fn make(&self, mark: Option<Mark>, row: Option<StoreRow>) -> Result<Option<Mismatch>, Failure> {
        match (mark, row) {
            (Some(_), Some(_)) => Ok(None),
            (Some(mark), None) => {
                if self.has_objects().await? {
                    return Ok(Some(Mismatch::IndexNew));
                }
                self.make_row(mark.identity, mark.epoch, mark.at).await.map(|()| None)
            }
            (None, Some(row)) => {
                if self.has_objects().await? || self.has_rows().await? {
                    return Ok(Some(Mismatch::StoreUnmarked));
                }
                self.put_mark(&Mark::of(&row), Condition::Absent).await.map(|_| None)
            }
            (None, None) => match (self.has_objects().await?, self.has_rows().await?) {
                (true, true) => Ok(Some(Mismatch::Unmarked)),
                (true, false) => Ok(Some(Mismatch::IndexNew)),
                (false, true) => Ok(Some(Mismatch::StoreUnmarked)),
                (false, false) => {
                    self.make_row(self.new_identity(), FIRST_EPOCH, self.now()).await.map(|()| None)
                }
            },
        }
    }

    pub(super) fn new_identity(&self) -> StoreId {
        StoreId::of(&self.ports.clock().request_id())
    }

    /// Creates the row, if there is none, with an epoch that began at `advanced`. A process that loses this race checks
    /// again, and adopts the row of the winner.
    pub(super) async fn make_row(
        &self,
        identity: StoreId,
        epoch: u64,
        advanced: Timestamp,
    ) -> Result<(), Failure> {
        // The last time seen is that of the mark, because the clock may be wrong and a new index must not trust it.
        let row = StoreRow::new(identity, epoch, advanced);
        self.ports.index().commit(&[Write { row: Row::Store(row), expected: None }]).await.map(drop)
    }

    /// Writes the mark. Returns `true` if the condition held.
    pub(super) async fn put_mark(&self, mark: &Mark, condition: Condition) -> Result<bool, Failure> {
        let (body, attributes) = mark.object();
        let put = self.ports.objects().put(&ObjectKey::Identity, body.into(), &attributes, condition).await?;
        Ok(matches!(put, Put::Stored(_)))
    }

    /// Notes in the row that the clock jumped, or came back. Returns the row as it stands then.
    async fn note_clock(&self, row: StoreRow) -> Result<StoreRow, Failure> {
        let now = self.now();
        let (seen, jumped) = match (self.clock_doubt(&row), row.jumped) {
            (Some(_), None) => (row.seen, Some(now)),
            // The clock is right again.
            (None, Some(_)) => (now.max(row.seen), None),
            _ => return Ok(row),
        };
        let next = StoreRow { version: row.version + 1, seen, jumped, ..row.clone() };
        let write = Write { row: Row::Store(next.clone()), expected: Some(row.version) };
        match self.ports.index().commit(&[write]).await? {
            Commit::Done => Ok(next),
            // Another process noted something; the next check sees it.
            Commit::Lost { .. } => Ok(row),
        }
    }

    /// Returns `true` if the index of a store without a mark is known to hold something, so that the store's objects
    /// were lost. A function that only reads may not scan for that; a caller that changes something checks afresh.
    async fn speaks(&self, mismatch: Option<Mismatch>) -> bool {
        mismatch == Some(Mismatch::StoreUnmarked) && self.has_rows().await.unwrap_or(false)
    }

    /// Returns `true` if the store holds any object that rows stand for.
    pub(crate) async fn has_objects(&self) -> Result<bool, Failure> {
        for prefix in PREFIXES {
            if !self.ports.objects().list(prefix, None, 1).await?.items.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns `true` if the index holds any row that stands for objects. Many rows with the locations of legacy items
    /// may come before the first of these.
    pub(crate) async fn has_rows(&self) -> Result<bool, Failure> {
        let mut after = None;
        loop {
            let page = self.ports.index().list(&Listing::All, after.as_deref(), PAGE).await?;
            let page = page.unwrap_or_default();
            let speaks = |row: &Row| matches!(row, Row::Proof(_) | Row::Manifest(_) | Row::Alias(_));
            if page.items.iter().any(speaks) {
                return Ok(true);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(false),
            }
        }
    }
}
