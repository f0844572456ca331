//! The decisions of an operator, and the collector's circuit breaker, both kept in the store's row.

use credlink_core::identity::{Mark, MarkError, Mismatch, judge};
use credlink_core::object::ObjectKey;
use credlink_core::row::{Row, StoreRow};
use credlink_core::rules::guard::Stopped;

use credlink_ports::{Commit, Condition, Failure, FailureKind, Index as _, Objects as _, Ports, Write};

use super::look::{FIRST_EPOCH, Manner};
use crate::service::{MAX_ATTEMPTS, Service};

impl<P: Ports> Service<P> {
    /// Confirms that the clock is right, so that deletions continue. Returns `true` if the store has a row to record
    /// that in.
    ///
    /// # Errors
    /// The index failed.
    pub async fn confirm_clock(&self) -> Result<bool, Failure> {
        self.change_store_row(|row| Some(StoreRow { seen: self.now(), jumped: None, ..row })).await
    }

    /// Stops the collector of orphans, which has removed `removed` of `of` objects. If it is already stopped, nothing
    /// changes. Returns `true` if the store has a row to record that in.
    ///
    /// # Errors
    /// The index failed.
    pub async fn stop_collector(&self, removed: u64, of: u64) -> Result<bool, Failure> {
        self.change_store_row(|row| {
            let (stopped, stopped_removed, stopped_examined) = (Some(self.now()), Some(removed), Some(of));
            row.stopped.is_none().then_some(StoreRow { stopped, stopped_removed, stopped_examined, ..row })
        })
        .await
    }

    /// Lets the collector of orphans continue. Returns `true` if the store has a row to record that in.
    ///
    /// # Errors
    /// The index failed.
    pub async fn let_collector_go_on(&self) -> Result<bool, Failure> {
        self.change_store_row(|row| {
            row.stopped.is_some().then_some(StoreRow {
                stopped: None,
                stopped_removed: None,
                stopped_examined: None,
                ..row
            })
        })
        .await
    }

    /// Returns the state of the collector's circuit breaker in the index, if it is open.
    ///
    /// # Errors
    /// The index failed.
    pub async fn collector_stopped(&self) -> Result<Option<Stopped>, Failure> {
        Ok(self.store_row().await?.as_ref().and_then(Stopped::of))
    }

    /// Records in both that this index and this store belong together, whatever they recorded before. The caller must
    /// have ensured it by rebuilding the index from the store.
    ///
    /// # Errors
    /// A provider or the index failed. The call can be repeated: every step makes progress.
    pub async fn join_index_and_store(&self) -> Result<(), Failure> {
        for _ in 0..MAX_ATTEMPTS {
            let (marked, row) = (self.marked().await?, self.store_row().await?);
            let mark = marked.as_ref().map(|marked| marked.mark);
            let (identity, (epoch, advanced)) = match (mark, row.as_ref()) {
                (Some(mark), Some(row)) if row.epoch > mark.epoch => {
                    (mark.identity, (row.epoch, row.advanced))
                }
                (Some(mark), _) => (mark.identity, (mark.epoch, mark.at)),
                (None, Some(row)) => (row.identity, (row.epoch, row.advanced)),
                (None, None) => (self.new_identity(), (FIRST_EPOCH, self.now())),
            };
            match row {
                None => self.make_row(identity, epoch, advanced).await?,
                Some(row) if (row.identity, row.epoch, row.advanced) != (identity, epoch, advanced) => {
                    let version = row.version;
                    let advanced_before = None;
                    let row =
                        StoreRow { version: version + 1, identity, epoch, advanced, advanced_before, ..row };
                    let row = Row::Store(row);
                    self.ports.index().commit(&[Write { row, expected: Some(version) }]).await?;
                }
                Some(row) if mark.is_none_or(|mark| mark.epoch < epoch) => {
                    let condition = marked.map_or(Condition::Absent, |marked| Condition::Matches(marked.tag));
                    self.put_mark(&Mark::of(&row), condition).await?;
                }
                // One tick more, so that no earlier copy of the index is as new as the store.
                Some(_) => return self.tick_for_all().await,
            }
        }
        Err(self.others_kept_changing())
    }

    /// Returns the damage of the store's mark, if it is damaged. Then it is unknown whether the index belongs to the
    /// store.
    ///
    /// # Errors
    /// A provider failed, or a later version wrote the mark.
    pub async fn damage_of_mark(&self) -> Result<Option<String>, Failure> {
        let current = match self.current(&ObjectKey::Identity).await {
            Ok(None) => return Ok(None),
            Ok(Some(current)) => current,
            Err(failure) if failure.kind == FailureKind::Damaged => return Ok(Some(failure.message)),
            Err(failure) => return Err(failure),
        };
        match Mark::parse(&current.verified.content()) {
            Ok(_) => Ok(None),
            Err(error @ MarkError::Damaged(_)) => Ok(Some(error.to_string())),
            Err(error @ MarkError::Version(_)) => Err(self.damaged(&ObjectKey::Identity, &error)),
        }
    }

    /// Removes a damaged mark, so that [`Service::join_index_and_store`] creates it anew. This is an operator's
    /// statement that the index belongs to this store.
    ///
    /// # Errors
    /// A provider failed, or a later version wrote the mark.
    pub async fn remove_damaged_mark(&self) -> Result<(), Failure> {
        if self.damage_of_mark().await?.is_some() {
            self.ports.objects().delete(&ObjectKey::Identity).await?;
        }
        Ok(())
    }

    /// Returns `true` if the index holds rows of another store. They say nothing about this store, and must not be used
    /// for it.
    ///
    /// # Errors
    /// A provider or the index failed.
    pub async fn index_is_of_another_store(&self) -> Result<bool, Failure> {
        let marked = self.marked().await?.map(|marked| marked.mark);
        let mismatch = judge(marked.as_ref(), self.store_row().await?.as_ref());
        Ok(matches!(mismatch, Some(Mismatch::Foreign { .. })) && self.has_rows().await?)
    }

    /// Returns `true` if rows win over objects that differ, as far as is known; checks if nothing is known.
    pub(crate) async fn trusts_index(&self) -> Result<bool, Failure> {
        if self.may_destroy().await.is_ok() { Ok(true) } else { self.index_is_as_new().await }
    }

    /// Returns `true` if the index is at least as new as the store, so that rows win where the two differ.
    pub(crate) async fn index_is_as_new(&self) -> Result<bool, Failure> {
        let marked = self.marked().await?.map(|marked| marked.mark);
        let mismatch = judge(marked.as_ref(), self.store_row().await?.as_ref());
        Ok(matches!(mismatch, None | Some(Mismatch::StoreOlder { .. })))
    }

    /// Raises the index to the epoch of `mark`, whichever store it belonged to, for [`Service::join_index_and_store`],
    /// which continues from there.
    pub(crate) async fn reach(&self, mark: &Mark) -> Result<(), Failure> {
        for _ in 0..MAX_ATTEMPTS {
            match self.store_row().await? {
                None => self.make_row(mark.identity, mark.epoch, mark.at).await?,
                Some(row) if row.epoch < mark.epoch => {
                    let version = row.version;
                    let (epoch, advanced) = (mark.epoch, mark.at);
                    let row =
                        StoreRow { version: version + 1, epoch, advanced, advanced_before: None, ..row };
                    let write = Write { row: Row::Store(row), expected: Some(version) };
                    self.ports.index().commit(&[write]).await?;
                }
                Some(_) => return Ok(()),
            }
        }
        Err(self.others_kept_changing())
    }

    /// Changes the store's row, unless `change` returns `None` because the row is already right. Then the guard checks
    /// afresh.
    async fn change_store_row(&self, change: impl Fn(StoreRow) -> Option<StoreRow>) -> Result<bool, Failure> {
        for _ in 0..MAX_ATTEMPTS {
            let Some(row) = self.store_row().await? else { return Ok(false) };
            let version = row.version;
            let done = match change(row) {
                None => true,
                Some(next) => {
                    let row = Row::Store(StoreRow { version: version + 1, ..next });
                    let write = Write { row, expected: Some(version) };
                    self.ports.index().commit(&[write]).await? == Commit::Done
                }
            };
            if done {
                if !self.guard.is_off {
                    self.look_again(Manner::Reading).await?;
                }
                return Ok(true);
            }
        }
        Err(self.others_kept_changing())
    }
}
