//! The port for a bucket whose keys are not CredLink's: any text, with any bytes under it.

use std::future::Future;

use bytes::Bytes;
use credlink_core::object::{Head, StoredTag};

use crate::{Failure, Listed, Objects, Page};

/// An object of such a bucket, with its bytes if they are within the limit.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The attributes of the object.
    pub head: Head,
    /// The bytes of the object, or `None` if there are more than the limit.
    pub body: Option<Bytes>,
}

/// A bucket of arbitrary objects. The guarantees of [`Objects`] about durability, consistency and failures hold here as
/// well.
pub trait Bucket: Objects + Clone {
    /// Returns a page of the objects whose keys begin with `prefix`, each with its tag, in the order of their keys' bytes.
    fn tagged_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<(Listed, StoredTag)>, Failure>>;

    /// Returns the attributes of the object under `key`, or `None` if there is none.
    fn describe(&self, key: &str) -> impl Future<Output = Result<Option<Head>, Failure>>;

    /// Returns the object under `key`, with its bytes if there are at most `limit`, or `None` if there is no object.
    fn fetch(&self, key: &str, limit: usize) -> impl Future<Output = Result<Option<Fetched>, Failure>>;

    /// Writes a JSON document under `key` if there is no object yet. Returns `true` if it was written.
    fn create_json(&self, key: &str, json: Bytes) -> impl Future<Output = Result<bool, Failure>>;

    /// Removes the object under `key` if it has this tag. Returns `true` if it was removed.
    fn remove_if(&self, key: &str, tag: &StoredTag) -> impl Future<Output = Result<bool, Failure>>;
}
