//! The port for objects: bytes with attributes, under keys.

use std::future::Future;

use bytes::Bytes;
use credlink_core::object::{Attributes, Head, Object, ObjectKey, StoredTag};
use credlink_core::time::Timestamp;

use crate::{Failure, Page};

/// The condition of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// There is no object under the key.
    Absent,
    /// The object under the key has this tag.
    Matches(StoredTag),
}

/// The outcome of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// The object is stored, and has this tag.
    Stored(StoredTag),
    /// The condition did not hold, and nothing changed.
    Lost,
}

/// A write of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectWrite {
    /// The key.
    pub key: ObjectKey,
    /// The bytes as stored.
    pub body: Bytes,
    /// The attributes.
    pub attributes: Attributes,
    /// The condition.
    pub condition: Condition,
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key as text, because a store may hold objects that are not CredLink's.
    pub key: String,
    /// The stored size in bytes, including anything else that the provider keeps in the same place.
    pub size: u64,
    /// The time at which the object was written.
    pub modified: Timestamp,
}

/// A provider of objects: S3, R2, a folder, memory.
///
/// * **Durability.** Once `put` or `delete` has returned `Ok`, the change survives a crash of this process and of the
///   provider's machine.
/// * **Atomicity.** A reader sees an object whole (bytes and attributes of one write) or not at all.
/// * **Consistency.** Every later call sees an acknowledged change, and so do later listings. Of concurrent conditional
///   writes to one key that name the same state, at most one succeeds.
/// * **Failure.** After an `Err`, the change may or may not have happened. A `put` that failed with
///   [`FailureKind::Throttled`](crate::FailureKind::Throttled) has not happened.
/// * **Tags.** Different bytes have different tags. The same bytes may have the same tag.
/// * **Attributes** come back as they were written, except [`Attributes::tags`], which a provider may leave out.
///
/// No method has a default implementation, so that no wrapper can forget to forward one. Wrappers are made with
/// [`forward_objects!`](crate::forward_objects).
pub trait Objects {
    /// Returns the name by which operators know the provider.
    fn name(&self) -> &'static str;

    /// Returns the object under `key`, or `None` if there is none.
    fn get(&self, key: &ObjectKey) -> impl Future<Output = Result<Option<Object>, Failure>>;

    /// Returns the attributes, size, tag and time of the object under `key`, without its bytes, or `None` if there is
    /// none.
    fn head(&self, key: &ObjectKey) -> impl Future<Output = Result<Option<Head>, Failure>>;

    /// Writes `body` under `key` if `condition` holds. There is no unconditional write.
    fn put(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> impl Future<Output = Result<Put, Failure>>;

    /// Writes `first` if its condition holds, and then `second` if its own does; they have different keys. Nobody sees
    /// the second without the first, not even after a crash. Returns both outcomes, without the second one if the first
    /// was [`Put::Lost`], and the second was therefore not written.
    ///
    /// An adapter that gains nothing by knowing both calls [`put_one_by_one`].
    fn put_in_order(
        &self,
        first: ObjectWrite,
        second: ObjectWrite,
    ) -> impl Future<Output = Result<(Put, Option<Put>), Failure>>;

    /// Removes the object under `key`. If there is none, that is not a failure.
    fn delete(&self, key: &ObjectKey) -> impl Future<Output = Result<(), Failure>>;

    /// Returns a page of the objects whose keys begin with `prefix`, in the order of the keys' bytes, after the
    /// position `after`, at most `limit` (1 to 1,000). An object that exists during the whole listing appears exactly
    /// once.
    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Listed>, Failure>>;
}

/// Writes two objects with one [`Objects::put`] after the other.
///
/// # Errors
/// Returns the first failure; nothing is written after it.
pub async fn put_one_by_one(
    objects: &impl Objects,
    first: ObjectWrite,
    second: ObjectWrite,
) -> Result<(Put, Option<Put>), Failure> {
    let put = objects.put(&first.key, first.body, &first.attributes, first.condition).await?;
    if put == Put::Lost {
        return Ok((put, None));
    }
    let next = objects.put(&second.key, second.body, &second.attributes, second.condition).await?;
    Ok((put, Some(next)))
}
