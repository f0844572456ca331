//! The port for bytes.

use std::future::Future;

use bytes::Bytes;
use credlink_core::object::{Attributes, Head, Object, ObjectKey, StoredTag};
use credlink_core::time::Timestamp;

use crate::{Failure, Page};

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
///   [`FailureKind::Throttled`](crate::FailureKind::Throttled) has not.
/// * **Tags.** Different bytes have different tags. The same bytes may have the same tag.
/// * **Attributes** come back as they were written, but for [`Attributes::tags`], which a provider may leave out.
///
/// No method has a default, so that no wrapper forwards most of them and forgets one. A wrapper is made with
/// [`forward_objects!`](crate::forward_objects).
pub trait Objects {
    /// The name that operators know the provider by.
    fn name(&self) -> &'static str;

    /// The object under `key`, or `None` if there is none.
    fn get(&self, key: &ObjectKey) -> impl Future<Output = Result<Option<Object>, Failure>>;

    /// Returns what is said of the object under `key`, without its bytes.
    fn head(&self, key: &ObjectKey) -> impl Future<Output = Result<Option<Head>, Failure>>;

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
}
