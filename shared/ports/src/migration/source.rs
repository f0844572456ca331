//! The port for the store that a migration reads.

use std::future::Future;

use credlink_core::front::Front;
use credlink_core::manifest_id::ManifestId;

use super::item::{Content, Item};
use crate::{Failure, Page};

/// The outcome of removing an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The item is removed for good.
    Removed,
    /// The item was already gone.
    Absent,
    /// The item has other content than the caller named, and stays.
    Changed,
}

/// A store of items. Reading never changes anything.
///
/// * **Listing.** An item that exists during the whole listing appears at least once. Items that
///   [follow](Self::follows) others come after all of those.
/// * **Absence** is reported as absence, and never as a failure.
pub trait Source {
    /// Returns the name by which operators know the source.
    fn name(&self) -> &'static str;

    /// Returns a page of at most `limit` items (1 to 1,000), after the position `after` (a [`Page::next`] of this
    /// source).
    fn list(&self, after: Option<&str>, limit: usize) -> impl Future<Output = Result<Page<Item>, Failure>>;

    /// Returns at most `limit` keys that can be read, from the beginning of the source, so that a caller can check that
    /// the source answers. Unlike a listing, this looks up nothing else about the items.
    fn sample(&self, limit: usize) -> impl Future<Output = Result<Vec<String>, Failure>> {
        async move { Ok(self.list(None, limit).await?.items.into_iter().map(|item| item.key).collect()) }
    }

    /// Returns `true` if an item needs the copies of other items: an alias needs its proof. Such an item is copied once
    /// all items listed before it are.
    fn follows(&self, item: &Item) -> bool {
        let _ = item;
        false
    }

    /// Describes the content that the source has and that cannot be read through it, as far as it was listed. `None` if
    /// there is no such content.
    fn left_behind(&self) -> Option<&'static str> {
        None
    }

    /// Returns the front of `id` at a source that is a CredLink with several tenants, or `None` if there is none.
    fn front(&self, id: &ManifestId) -> impl Future<Output = Result<Option<Front>, Failure>> {
        let _ = id;
        async { Ok(None) }
    }

    /// Returns the content of the item `key`, or `None` if it is absent or no longer there.
    fn read(&self, key: &str) -> impl Future<Output = Result<Option<Content>, Failure>>;

    /// Returns the item `key` as a listing would now show it.
    fn look(&self, key: &str) -> impl Future<Output = Result<Option<Item>, Failure>>;

    /// Removes an item for good, if it still has the content that `item` names.
    ///
    /// Fails with [`FailureKind::AccessDenied`](crate::FailureKind::AccessDenied) if nothing can be removed from this
    /// source.
    fn remove(&self, item: &Item) -> impl Future<Output = Result<Removal, Failure>>;
}
