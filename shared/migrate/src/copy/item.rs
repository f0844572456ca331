//! The stages of one item while it is being copied.

use credlink_ports::migration::Item;
use credlink_ports::migration::ledger::{Begun, Entry, ItemState};
use credlink_ports::migration::target::Target;

use crate::incoming::{Incoming, NotCopied};

/// An item that was read and can be stored.
pub(super) struct Ready {
    pub(super) item: Item,
    pub(super) known: Option<Entry>,
    pub(super) incoming: Incoming,
    pub(super) target: Target,
}

/// An item whose outcome is decided and has to be recorded.
pub(super) struct Decided {
    pub(super) item: Item,
    pub(super) known: Option<Entry>,
    pub(super) state: ItemState,
    pub(super) begun: Option<Begun>,
}

/// An item that was read and checked.
pub(super) enum Prepared {
    Ready(Ready),
    Decided(Decided),
}

/// The next step of a ready item.
pub(super) enum Step {
    /// The destination has nothing of the item: record the start first.
    Begin(Ready, Begun),
    /// Import the item.
    Go(Ready),
    /// Nothing is left to do.
    Decided(Decided),
}

impl Ready {
    /// Returns the start that was recorded for the item.
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

/// Returns `true` if an earlier run completed this very version of the item, and no rollback has undone it since.
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
