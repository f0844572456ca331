//! The port to the store that a migration reads.

use std::future::Future;

use credlink_core::front::Front;
use credlink_core::manifest_id::ManifestId;

use super::item::{Content, Item};
use crate::{Failure, Page};

/// What became of an item that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is removed for good.
    Removed,
    /// It was not there any more.
    Absent,
    /// It is another content than the one that was named, and stays.
    Changed,
}

/// Where items come from. Reading never changes anything.
///
/// * **Listing.** An item that is there during the whole listing is in it at least once. Items that [follow](Self::follows)
///   others come behind all of those.
/// * **Absence** is told as such, and never as a failure.
pub trait Source {
    /// The name that operators know it by.
    fn name(&self) -> &'static str;

    /// A page of items from behind `after` (a [`Page::next`] of this source), at most `limit` (1 to 1,000).
    fn list(&self, after: Option<&str>, limit: usize) -> impl Future<Output = Result<Page<Item>, Failure>>;

    /// Keys that can be read, at most `limit` of the first ones: for who wants to know whether it answers. Nothing is found out
    /// about them that a listing would.
    fn sample(&self, limit: usize) -> impl Future<Output = Result<Vec<String>, Failure>> {
        async move { Ok(self.list(None, limit).await?.items.into_iter().map(|item| item.key).collect()) }
    }

    /// Whether an item needs what other items become: another name of a proof needs the proof. Such items are copied when
    /// all that were listed before them are.
    fn follows(&self, item: &Item) -> bool {
        let _ = item;
        false
    }

    /// What it has that cannot be read from here, as far as it was listed: in words. `None`: there is nothing of that kind.
    fn left_behind(&self) -> Option<&'static str> {
        None
    }

    /// Whose manifest the plain address of `id` serves at a source that is a CredLink with several tenants; `None` where nothing
    /// says so.
    fn front(&self, id: &ManifestId) -> impl Future<Output = Result<Option<Front>, Failure>> {
        let _ = id;
        async { Ok(None) }
    }

    /// What stands under `key`; `None` where nothing does (any more).
    fn read(&self, key: &str) -> impl Future<Output = Result<Option<Content>, Failure>>;

    /// What a listing would say of `key` now.
    fn look(&self, key: &str) -> impl Future<Output = Result<Option<Item>, Failure>>;

    /// Removes an item for good, as long as it is the content that `item` names.
    ///
    /// `Err` with [`FailureKind::AccessDenied`](crate::FailureKind::AccessDenied) where this source cannot remove
    /// anything.
    fn remove(&self, item: &Item) -> impl Future<Output = Result<Removal, Failure>>;
}
