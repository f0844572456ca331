//! Writing to the ledger: what several workers know of an item comes together, and nothing that was done is taken back.

use credlink_core::time::Timestamp;

use credlink_ports::migration::Item;
use credlink_ports::migration::ledger::{Begun, CopiedItem, Entry, ItemState};

/// What is to be written of an item.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// The item.
    pub(super) item: Item,
    /// Where it is.
    pub(super) state: ItemState,
    /// What was begun, if that is news.
    pub(super) begun: Option<Begun>,
    /// When what `state` says was copied is about to be withdrawn, if that is the news.
    pub(super) withdrawing: Option<Timestamp>,
}

impl Change {
    /// An item that is somewhere else now.
    pub(super) const fn to(item: Item, state: ItemState) -> Self {
        Self { item, state, begun: None, withdrawing: None }
    }
}

/// The entry that `change` makes of what stands in the ledger. `None`: that says as much already, or more.
pub(super) fn merged(current: Option<&Entry>, change: &Change, now: Timestamp) -> Option<Entry> {
    let begun = change.begun.clone().or_else(|| current.and_then(begun));
    let mut state = change.state.clone();
    if let ItemState::Copied(copy) = &mut state {
        // It is exactly the item's, and nothing stood there when it was begun.
        copy.created |= copy.exact && begun.as_ref().is_some_and(|begun| begun.target == copy.target);
    }
    let entry = |state| Entry {
        key: change.item.key.clone(),
        item: change.item.version.clone(),
        size: change.item.size,
        version: current.map_or(0, |entry| entry.version) + 1,
        updated: now,
        // What was withdrawn is begun anew.
        begun: begun.clone().filter(|_| !matches!(state, ItemState::RolledBack { .. })),
        withdrawing: change.withdrawing,
        state,
    };
    let Some(current) = current else { return Some(entry(state)) };
    if change.withdrawing.is_some() {
        // Of what still stands there only.
        let news = current.state.made() == state.made() && current.withdrawing != change.withdrawing;
        return news.then(|| entry(current.state.clone()));
    }
    if current.withdrawing.is_some() && current.state == state {
        // It stands there all the same.
        return Some(entry(state));
    }
    let same_item = current.item == change.item.version;
    match (&current.state, &mut state) {
        (ItemState::Deleted { .. }, _) if same_item => None,
        // It stands there all the same, or still does not.
        (
            ItemState::Lost { copy: before, .. },
            ItemState::Verified { copy, .. } | ItemState::Lost { copy, .. },
        ) if *before == *copy => (current.state != state).then(|| entry(state)),
        // What was found, removed or withdrawn is what stood in the ledger then.
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
        // What was copied stands there, also where a later version of the item could not be.
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
        // It was withdrawn since.
        (ItemState::RolledBack { target, at }, ItemState::Copied(copy))
            if *target == copy.target
                && change.begun.as_ref().is_none_or(|begun| begun.restores != Some(*at)) =>
        {
            None
        }
        _ => Some(entry(state)),
    }
}

/// What an entry says was begun. Of a proof that was withdrawn: that it may be imported once more.
pub(super) fn begun(entry: &Entry) -> Option<Begun> {
    match &entry.state {
        ItemState::RolledBack { target, at } => Some(Begun { target: target.clone(), restores: Some(*at) }),
        _ => entry.begun.clone(),
    }
}

/// Whether both are of the same record, made of the same content.
fn is_same(one: &CopiedItem, other: &CopiedItem) -> bool {
    let record = |copy: &CopiedItem| copy.objects.first().map(|object| object.content);
    one.target == other.target && one.source == other.source && record(one) == record(other)
}

#[cfg(test)]
mod tests;
