//! The records that a cut-off request may have left behind. A read of such a record also reads its row, so that reads
//! and listings agree. Reads of all other records do not access the index.
//!
//! A process lets its changes run to completion, so a leftover was written before the process started, or by a change
//! that failed. A process that shut down cleanly leaves nothing behind, and a walk over all objects leaves nothing that
//! was 15 minutes old when it began.

pub(crate) mod interval;

use std::sync::atomic::Ordering;

use credlink_core::bounds::ORPHAN_AGE_SECONDS;
use credlink_core::proof_id::ProofId;
use credlink_core::time::Timestamp;

use credlink_ports::{Clock as _, Failure, Ports};

use crate::service::Service;

/// Most failed deletions that are remembered one by one. With more, any record may be left over.
const MAX_DELETIONS: usize = 1_000;

impl<P: Ports> Service<P> {
    /// Declares that this process begins now, and that every record written until `clean` had its row. An empty store
    /// has no leftovers.
    ///
    /// # Errors
    /// A provider or the index failed; then any record may be left over.
    pub async fn begin_after(&self, clean: Option<Timestamp>) -> Result<(), Failure> {
        let now = self.now();
        let is_empty = clean.is_none() && !self.has_objects().await? && !self.has_rows().await?;
        let seen = self.store_row().await?.map(|row| row.seen);
        self.leftovers.begin(if is_empty { Some(now) } else { clean }, seen, now);
        Ok(())
    }

    /// Returns the time until which every written record has its row, as far as is known. It is kept for the next
    /// process when this one stops and no change is under way.
    pub fn clean_at_its_end(&self) -> Option<Timestamp> {
        self.leftovers.stopped(self.now())
    }

    /// Returns the same time, at any moment.
    pub fn clean_until(&self) -> Option<Timestamp> {
        self.leftovers.walked()
    }

    /// Notes that a walk over all objects, which began at `began`, reached its end and could examine every object.
    pub fn note_walk(&self, began: Timestamp) {
        let looked_at = began.minus_seconds(ORPHAN_AGE_SECONDS);
        self.leftovers.from.fetch_max(looked_at.milliseconds(), Ordering::Relaxed);
        self.leftovers.deletions().retain(|_, failed| *failed >= looked_at);
    }

    /// Notes that a change failed, and may have left a record behind.
    pub(crate) fn note_failed_change(&self) {
        self.leftovers.to.fetch_max(self.ports.clock().now().milliseconds(), Ordering::Relaxed);
    }

    /// Notes that the deletion of a proof failed, and may have left its record behind.
    pub(crate) fn note_failed_deletion(&self, id: &ProofId) {
        let mut deletions = self.leftovers.deletions();
        if deletions.len() < MAX_DELETIONS {
            deletions.insert(*id, self.ports.clock().now());
        } else {
            self.leftovers.note_restored();
        }
    }
}
