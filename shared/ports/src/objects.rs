//! The port for bytes.

use std::future::Future;

use bytes::Bytes;
use credlink_core::object::{Attributes, Facts, Head, Object, ObjectKey, StoredTag};
use credlink_core::time::Timestamp;

use crate::{Checksum, Failure, FailureKind, Page, ProviderState};

/// The condition of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing stands under the key.
    Absent,
    /// The object under the key has this tag.
    Matches(StoredTag),
}

/// The outcome of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is stored, with this tag.
    Stored(StoredTag),
    /// The condition did not hold; nothing changed.
    Lost,
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key, as text: a store may hold objects that are not ours.
    pub key: String,
    /// Its size in bytes, as stored (with whatever the provider keeps in the same place).
    pub size: u64,
    /// Time at which it was written.
    pub modified: Timestamp,
}

/// A place for bytes: S3, R2, a folder, memory.
///
/// * **Durability.** When `put` or `delete` has answered `Ok`, the change survives a crash of this process and of
///   the provider's machine.
/// * **Atomicity.** A reader sees an object whole (bytes and attributes of one write) or not at all.
/// * **Consistency.** What was acknowledged is seen by every later call, also in listings. Of concurrent conditional
///   writes to one key, at most one that names the same state succeeds.
/// * **Failure.** After an `Err` the change may have happened or not; a `put` that failed as
///   [`FailureKind::Throttled`] has not.
/// * **Tags.** Different bytes have different tags. The same bytes may have the same tag.
/// * **Attributes** come back as they were written, but for [`Attributes::tags`], which a provider may leave out.
pub trait Objects {
    /// The name that operators know the provider by.
    fn name(&self) -> &'static str;

    /// Returns `true` if a look costs microseconds and nothing else: what is here may be looked at more often.
    fn is_at_hand(&self) -> bool {
        false
    }

    /// The object under `key`, or `None` if there is none.
    fn get(&self, key: &ObjectKey) -> impl Future<Output = Result<Option<Object>, Failure>>;

    /// Returns what is said of the object under `key`, without its bytes.
    fn head(&self, key: &ObjectKey) -> impl Future<Output = Result<Option<Head>, Failure>>;

    /// The same, with a checksum of all stored bytes, where the provider holds one: what it was told of them, or computed
    /// when they were written. Of two providers, the primary's.
    fn head_with_checksum(
        &self,
        key: &ObjectKey,
    ) -> impl Future<Output = Result<Option<(Head, Option<Checksum>)>, Failure>> {
        async { Ok(self.head(key).await?.map(|head| (head, None))) }
    }

    /// Writes `body` under `key` if `condition` holds. There is no unconditional write.
    fn put(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> impl Future<Output = Result<Put, Failure>>;

    /// Removes the object under `key`. That there is none is no failure.
    fn delete(&self, key: &ObjectKey) -> impl Future<Output = Result<(), Failure>>;

    /// The objects whose key begins with `prefix`, in the order of their keys' bytes, from behind `after`, at most
    /// `limit` (1 to 1,000). An object that is there during the whole listing is in it exactly once.
    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Listed>, Failure>>;

    /// Makes sure that what stands under `key`, and was read as `expected`, is as durable as a write that was answered: with
    /// a repair queued for a provider that does not have it, or has another one. To be called before anybody is told of an object that another request wrote,
    /// which may have ended before its write was answered. Where there is one provider, there is nothing to do.
    fn confirm(&self, key: &ObjectKey, expected: &Facts) -> impl Future<Output = Result<(), Failure>> {
        let _ = (key, expected);
        async { Ok(()) }
    }

    /// Another copy of what was read under `key` and is damaged: `damaged` is the tag that it was read with. `None`: there
    /// is no other copy. Where there is one that is whole, a repair of the damaged one is queued. Nothing is
    /// overwritten here.
    fn get_instead(
        &self,
        key: &ObjectKey,
        damaged: &StoredTag,
    ) -> impl Future<Output = Result<Option<Object>, Failure>> {
        let _ = (key, damaged);
        async { Ok(None) }
    }

    /// The providers behind this one, where there are several.
    fn providers(&self) -> Vec<ProviderState> {
        Vec::new()
    }

    /// The kind of failure for which nothing can be stored here, as far as is known without storing anything. What makes
    /// room may go on. Of two providers nothing is said here: [`Objects::providers`] does.
    fn write_failure(&self) -> impl Future<Output = Option<FailureKind>> {
        std::future::ready(None)
    }
}
