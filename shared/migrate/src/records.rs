//! Writes to the ledger: merges what several workers know of an item, and never forgets what was done.

use credlink_core::time::Timestamp;
use credlink_ports::migration::Item;
use credlink_ports::migration::ledger::{Begun, CopiedItem, Entry, ItemState};

/// A change to the entry of an item.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// The item.
    pub(super) item: Item,
    /// The new state of the item.
    pub(super) state: ItemState,
    /// The start of an import, if it is to be recorded.
    pub(super) begun: Option<Begun>,
    /// The instant at which the copy in `state` is about to be withdrawn, if that is to be recorded.
    pub(super) withdrawing: Option<Timestamp>,
}

impl Change {
    /// Creates a change of an item's state.
    pub(super) const fn to(item: Item, state: ItemState) -> Self {
        Self { item, state, begun: None, withdrawing: None }
    }
}

/// Returns the entry that results from `change` to the current one, or `None` if the current entry says as much
/// already, or more.
pub(super) fn merged(current: Option<&Entry>, change: &Change, now: Timestamp) -> Option<Entry> {
    let begun = change.begun.clone().or_else(|| current.and_then(begun));
    let mut state = change.state.clone();
    if let ItemState::Copied(copy) = &mut state {
        // The proof is exactly the item's, and the destination had nothing when the import began.
        copy.created |= copy.exact && begun.as_ref().is_some_and(|begun| begun.target == copy.target);
    }
    let entry = |state| Entry {
        key: change.item.key.clone(),
        item: change.item.version.clone(),
        size: change.item.size,
        version: current.map_or(0, |entry| entry.version) + 1,
        updated: now,
        // After a withdrawal, an import begins anew.
        begun: begun.clone().filter(|_| !matches!(state, ItemState::RolledBack { .. })),
        withdrawing: change.withdrawing,
        state,
    };
    let Some(current) = current else { return Some(entry(state)) };
    if change.withdrawing.is_some() {
        // An intent to withdraw applies only to the copy that is still recorded.
        let news = current.state.made() == state.made() && current.withdrawing != change.withdrawing;
        return news.then(|| entry(current.state.clone()));
    }
    if current.withdrawing.is_some() && current.state == state {
        // The copy is still there after all.
        return Some(entry(state));
    }
    let same_item = current.item == change.item.version;
    match (&current.state, &mut state) {
        (ItemState::Deleted { .. }, _) if same_item => None,
        // The lost copy is there after all, or is still missing.
        (
            ItemState::Lost { copy: before, .. },
            ItemState::Verified { copy, .. } | ItemState::Lost { copy, .. },
        ) if *before == *copy => (current.state != state).then(|| entry(state)),
        // A copy can be found lost, verified, deleted or rolled back only if the ledger still has that same copy.
        (_, ItemState::Lost { copy, .. }) if current.state.copy() != Some(&*copy) => None,
        (_, ItemState::Verified { copy, .. } | ItemState::Deleted { copy, .. })
            if current.state.copy() != Some(&*copy) =>
        {
            None
        }
        (ItemState::Verified { .. }, ItemState::Verified { .. }) if same_item => None,
        (before, ItemState::RolledBack { target, .. })
            if before.made().is_none_or(|copy| copy.target != *target) =>
        {
            None
        }
        (
            ItemState::Copied(_) | ItemState::Verified { .. },
            ItemState::Planned | ItemState::Copying { .. },
        ) if same_item => None,
        // The copy is there even if a later version of the item could not be copied.
        (ItemState::Copied(_) | ItemState::Verified { .. }, ItemState::Failed { .. }) => None,
        (ItemState::Copied(_) | ItemState::Verified { .. }, ItemState::Skipped { .. }) if same_item => None,
        (ItemState::Lost { copy: before, .. }, ItemState::Copied(copy)) => {
            copy.created |= before.created && is_same(before, copy);
            Some(entry(state))
        }
        (ItemState::Copied(before), ItemState::Copied(copy)) => {
            copy.created |= before.created && is_same(before, copy);
            (!same_item || before != copy).then(|| entry(state))
        }
        (ItemState::Verified { copy: before, at }, ItemState::Copied(copy)) if is_same(before, copy) => {
            copy.created |= before.created;
            let verified = ItemState::Verified { copy: copy.clone(), at: *at };
            (!same_item || before != copy).then(|| entry(verified))
        }
        (ItemState::Copying { target: before }, ItemState::Copying { target })
            if before == target && same_item && current.begun == begun =>
        {
            None
        }
        // The copy was withdrawn since.
        (ItemState::RolledBack { target, at }, ItemState::Copied(copy))
            if *target == copy.target
                && change.begun.as_ref().is_none_or(|begun| begun.restores != Some(*at)) =>
        {
            None
        }
        _ => Some(entry(state)),
    }
}

/// Returns the start that an entry records. For a proof that was withdrawn, this allows importing it once more.
pub(super) fn begun(entry: &Entry) -> Option<Begun> {
    match &entry.state {
        ItemState::RolledBack { target, at } => Some(Begun { target: target.clone(), restores: Some(*at) }),
        _ => entry.begun.clone(),
    }
}

/// Returns `true` if both copies have the same record, created from the same content.
fn is_same(one: &CopiedItem, other: &CopiedItem) -> bool {
    let record = |copy: &CopiedItem| copy.objects.first().map(|object| object.content);
    one.target == other.target && one.source == other.source && record(one) == record(other)
}

#[cfg(test)]
mod tests;
