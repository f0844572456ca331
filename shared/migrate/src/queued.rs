//! Copies the items that a message names. A queue may deliver a message more than once, and to several workers at a
//! time; the ledger tells what is done already.

use credlink_ports::migration::ledger::{Entry, ItemState, Reason};
use credlink_ports::migration::{Item, Ledger, MigrationPorts, Source as _};
use credlink_ports::{Clock, Failure};

use crate::copy::{CopyOptions, Ended, copy_items, is_done};
use crate::progress::{Counts, Watch};

/// Maximum number of items that are held in memory at once.
const MAX_ITEMS: usize = 25;
/// Maximum number of bytes of items that are held in memory at once, as the source reports them. A single item may have
/// more.
const MAX_BYTES: u64 = 16_000_000;

/// The result of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queued {
    /// The outcomes of the message's items.
    pub counts: Counts,
    /// The message's keys whose items are not completed, because copying was cancelled or because they may succeed
    /// later.
    pub open: Vec<String>,
    /// The reason why the first of the open items is not completed, as text.
    pub why: String,
    /// `true` if copying was cancelled.
    pub interrupted: bool,
}

/// Copies the items under `keys`. An item that can never be copied is recorded in the ledger with its reason, and
/// counts as completed.
///
/// # Errors
/// Fails if a port is out of reach, or if an operator has to act. Neither marks an item as failed.
pub async fn copy_queued<M: MigrationPorts, W: Watch>(
    ports: &M,
    keys: &[String],
    options: &CopyOptions,
    watch: &W,
) -> Result<Queued, Ended> {
    let mut queued = Queued::default();
    let ended = |failure, counts: &Counts| Ended { failure, counts: counts.clone() };
    let items = items(ports, keys, &mut queued.counts).await;
    let items = items.map_err(|failure| ended(failure, &queued.counts))?;
    for lot in lots(&items) {
        let options = CopyOptions { batch_size: MAX_ITEMS, ..options.clone() };
        match copy_items(ports, lot, &options, watch).await {
            Ok(copying) => {
                queued.counts.add(&copying.counts);
                queued.interrupted |= copying.interrupted;
            }
            Err(Ended { failure, counts }) => {
                queued.counts.add(&counts);
                return Err(ended(failure, &queued.counts));
            }
        }
        if queued.interrupted {
            break;
        }
    }
    let entries = ports.ledger().entries(keys).await.map_err(|failure| ended(failure, &queued.counts))?;
    for (key, entry) in keys.iter().zip(entries) {
        if let Some(why) = is_open(entry.as_ref()) {
            if queued.open.is_empty() {
                queued.why = format!("`{key}`: {why}");
            }
            queued.open.push(key.clone());
        }
    }
    Ok(queued)
}

/// Records in the ledger that the items under `keys` were given up for now because of `failure`, except for items that
/// have an outcome. A later run tries them again.
///
/// # Errors
/// Fails if the ledger does.
pub async fn give_up<L: Ledger, C: Clock>(
    ledger: &L,
    clock: &C,
    keys: &[String],
    failure: &Failure,
) -> Result<(), Failure> {
    let entries = ledger.entries(keys).await?.into_iter().flatten();
    let given_up =
        entries.filter(|entry| matches!(entry.state, ItemState::Planned | ItemState::Copying { .. }));
    let given_up = given_up.map(|entry| {
        let state = ItemState::Failed { reason: Reason::Unavailable, detail: failure.to_string() };
        Entry { version: entry.version + 1, updated: clock.now(), state, ..entry }
    });
    // A concurrent writer knows more about the item, so its entry wins.
    ledger.write(&given_up.collect::<Vec<_>>()).await?;
    Ok(())
}

/// Returns the items under `keys` as the ledger has them, or else as the source has them now.
async fn items<M: MigrationPorts>(
    ports: &M,
    keys: &[String],
    counts: &mut Counts,
) -> Result<Vec<Item>, Failure> {
    let entries = ports.ledger().entries(keys).await?;
    let mut items = Vec::with_capacity(keys.len());
    for (key, entry) in keys.iter().zip(entries) {
        // The item has not been processed since it was listed.
        if let Some(Entry { state: ItemState::Planned, key, item, size, .. }) = entry {
            items.push(Item { key, size, version: item });
            continue;
        }
        match (ports.source().look(key).await?, entry) {
            (Some(item), Some(entry)) if is_done(&entry, &item) => counts.done += 1,
            (Some(item), _) => items.push(item),
            // An item that is no longer at the source was completed, or will be found to have vanished.
            (None, Some(entry)) if is_open(Some(&entry)).is_none() && !is_failed(&entry) => counts.done += 1,
            (None, entry) => {
                let (version, size) = entry.map(|entry| (entry.item, entry.size)).unwrap_or_default();
                items.push(Item { key: key.clone(), size, version });
            }
        }
    }
    Ok(items)
}

/// Splits the items into lots that fit into memory.
fn lots(items: &[Item]) -> Vec<&[Item]> {
    let (mut lots, mut rest) = (Vec::new(), items);
    while !rest.is_empty() {
        let mut bytes = 0_u64;
        let fits = rest.iter().take(MAX_ITEMS).take_while(|item| {
            bytes = bytes.saturating_add(item.size);
            bytes <= MAX_BYTES
        });
        let (lot, behind) = rest.split_at(fits.count().max(1));
        lots.push(lot);
        rest = behind;
    }
    lots
}

const fn is_failed(entry: &Entry) -> bool {
    matches!(entry.state, ItemState::Failed { .. })
}

/// Returns the reason why an item is not completed, as text, or `None` if it is.
fn is_open(entry: Option<&Entry>) -> Option<String> {
    match entry.map(|entry| &entry.state) {
        None => Some("it has no entry in the ledger".to_owned()),
        Some(ItemState::Planned | ItemState::Copying { .. } | ItemState::RolledBack { .. }) => {
            Some("it was not come to".to_owned())
        }
        Some(ItemState::Lost { detail, .. } | ItemState::Failed { reason: Reason::Unavailable, detail }) => {
            Some(detail.clone())
        }
        Some(
            ItemState::Copied(_)
            | ItemState::Verified { .. }
            | ItemState::Deleted { .. }
            | ItemState::Skipped { .. }
            | ItemState::Failed { .. },
        ) => None,
    }
}

#[cfg(test)]
mod tests;
