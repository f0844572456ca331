//! Removing items from the source, as soon as they were copied and found to be there by their content.

use credlink_ports::Clock;
use credlink_ports::migration::ledger::{Entry, ItemState};
use credlink_ports::migration::{Depth, Destination, Item, Ledger, Removal, Sleep, Source, Verdict};

use super::Copier;
use crate::calls::Wrote;
use crate::cleanup::is_name;
use crate::patience::GivenUp;
use crate::progress::{Counts, Watch};
use crate::records::Change;

impl<S: Source, D: Destination, L: Ledger, C: Clock, T: Sleep, W: Watch> Copier<'_, S, D, L, C, T, W> {
    /// Verifies and removes what was copied exactly. What cannot be removed stays, verified.
    pub(super) async fn clear(&self, wrote: Vec<Wrote>, counts: &mut Counts) -> Result<(), GivenUp> {
        for entry in wrote {
            let Wrote::Written(entry) = entry else { continue };
            let ItemState::Copied(copy) = &entry.state else { continue };
            if !copy.exact || is_name(copy) || !self.is_there(&entry).await? {
                continue;
            }
            let item = Item { key: entry.key.clone(), size: entry.size, version: entry.item.clone() };
            let at = self.calls.parts.clock.now();
            let state = ItemState::Verified { copy: copy.clone(), at };
            let change = Change::to(item.clone(), state);
            let verified = self.calls.record(vec![(change, Some(entry.clone()))]).await?;
            let Some(Wrote::Written(verified)) = verified.into_iter().next() else { continue };
            if self.calls.remove(&item).await? == Removal::Changed {
                continue;
            }
            let state = ItemState::Deleted { copy: copy.clone(), at: self.calls.parts.clock.now() };
            self.calls.record(vec![(Change::to(item, state), Some(verified))]).await?;
            counts.deleted += 1;
        }
        Ok(())
    }

    async fn is_there(&self, entry: &Entry) -> Result<bool, GivenUp> {
        let Some(copy) = entry.state.copy() else { return Ok(false) };
        match self.calls.verify(copy, Depth::Content).await {
            Ok(verdict) => Ok(matches!(verdict, Verdict::Verified { .. })),
            Err(GivenUp::Item(_)) => Ok(false),
            Err(end) => Err(end),
        }
    }
}
