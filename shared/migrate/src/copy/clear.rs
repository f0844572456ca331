//! Removes items from the source as soon as they were copied and their copies verified by content.

use credlink_ports::Clock;
use credlink_ports::migration::ledger::{Entry, ItemState};
use credlink_ports::migration::{Depth, Item, MigrationPorts, Removal, Verdict};

use super::Copier;
use crate::cleanup::is_name;
use crate::progress::{Counts, Watch};
use crate::records::Change;
use crate::retry_policy::GivenUp;
use crate::retrying_ports::Recorded;

impl<M: MigrationPorts, W: Watch> Copier<'_, M, W> {
    /// Verifies and removes the items that were copied exactly. An item that cannot be removed is kept as verified.
    pub(super) async fn clear(&self, wrote: Vec<Recorded>, counts: &mut Counts) -> Result<(), GivenUp> {
        for entry in wrote {
            let Recorded::Written(entry) = entry else { continue };
            let ItemState::Copied(copy) = &entry.state else { continue };
            if !copy.exact || is_name(copy) || !self.is_there(&entry).await? {
                continue;
            }
            let item = Item { key: entry.key.clone(), size: entry.size, version: entry.item.clone() };
            let at = self.ports.clock().now();
            let state = ItemState::Verified { copy: copy.clone(), at };
            let change = Change::to(item.clone(), state);
            let verified = self.ports.record(vec![(change, Some(entry.clone()))]).await?;
            let Some(Recorded::Written(verified)) = verified.into_iter().next() else { continue };
            if self.ports.remove(&item).await? == Removal::Changed {
                continue;
            }
            let state = ItemState::Deleted { copy: copy.clone(), at: self.ports.clock().now() };
            self.ports.record(vec![(Change::to(item, state), Some(verified))]).await?;
            counts.deleted += 1;
        }
        Ok(())
    }

    async fn is_there(&self, entry: &Entry) -> Result<bool, GivenUp> {
        let Some(copy) = entry.state.copy() else { return Ok(false) };
        match self.ports.verify(copy, Depth::Content).await {
            Ok(verdict) => Ok(matches!(verdict, Verdict::Verified { .. })),
            Err(GivenUp::Item(_)) => Ok(false),
            Err(end) => Err(end),
        }
    }
}
