//! One item on its way: what is known of it after each step.

use credlink_ports::migration::Item;
use credlink_ports::migration::ledger::{Begun, Entry, ItemState};
use credlink_ports::migration::target::Target;

use crate::incoming::{Incoming, NotCopied};

/// An item that was read, and can be stored.
pub(super) struct Ready {
    pub(super) item: Item,
    pub(super) known: Option<Entry>,
    pub(super) incoming: Incoming,
    pub(super) target: Target,
}

/// An item of which it is decided what to write.
pub(super) struct Decided {
    pub(super) item: Item,
    pub(super) known: Option<Entry>,
    pub(super) state: ItemState,
    pub(super) begun: Option<Begun>,
}

/// An item that was looked at.
pub(super) enum Prepared {
    Ready(Ready),
    Decided(Decided),
}

/// Where a ready item stands.
pub(super) enum Step {
    /// The destination has nothing of it: write that down first.
    Begin(Ready, Begun),
    /// Take it over.
    Go(Ready),
    /// Nothing is to be done.
    Decided(Decided),
}

impl Ready {
    /// What was begun of it, durably.
    pub(super) fn begun(&self) -> Option<Begun> {
        let begun = self.known.as_ref().and_then(|entry| entry.begun.as_ref());
        begun.filter(|begun| begun.target == self.target).cloned()
    }

    pub(super) fn decided(self, state: ItemState) -> Decided {
        let begun = self.begun();
        Decided { item: self.item, known: self.known, state, begun }
    }
}

impl NotCopied {
    pub(super) fn state(self) -> ItemState {
        let (is_skip, Self { reason, detail }) = (self.is_skip(), self);
        if is_skip { ItemState::Skipped { reason, detail } } else { ItemState::Failed { reason, detail } }
    }
}

/// Whether an earlier run dealt with this very version of the item, and no rollback since.
pub(crate) fn is_done(entry: &Entry, item: &Item) -> bool {
    entry.withdrawing.is_none() && is_dealt_with(entry, item)
}

pub(super) fn is_dealt_with(entry: &Entry, item: &Item) -> bool {
    entry.item == item.version
        && match &entry.state {
            ItemState::Copied(_)
            | ItemState::Verified { .. }
            | ItemState::Deleted { .. }
            | ItemState::Skipped { .. } => true,
            ItemState::Planned
            | ItemState::Copying { .. }
            | ItemState::RolledBack { .. }
            | ItemState::Lost { .. }
            | ItemState::Failed { .. } => false,
        }
}
