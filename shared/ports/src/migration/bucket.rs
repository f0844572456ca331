//! The port for a bucket whose keys are not CredLink's: any text, with whatever bytes stand under it.

use std::future::Future;

use bytes::Bytes;
use credlink_core::object::{Head, StoredTag};

use crate::{Failure, Listed, Objects, Page};

/// The bytes under a key, as far as they were asked for.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The attributes of the object.
    pub head: Head,
    /// Its bytes; `None` if there are more than the limit.
    pub body: Option<Bytes>,
}

/// A bucket of any objects. What [`Objects`] promises of durability, consistency and failures holds here as well.
pub trait Bucket: Objects + Clone {
    /// Returns a page of the objects whose keys begin with `prefix`, each with its tag, in the order of their keys' bytes.
    fn tagged_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<(Listed, StoredTag)>, Failure>>;

    /// Returns the attributes of the object under `key`; `None` if there is none.
    fn describe(&self, key: &str) -> impl Future<Output = Result<Option<Head>, Failure>>;

    /// Returns the object under `key`, and its bytes if there are at most `limit`; `None` if there is none.
    fn fetch(&self, key: &str, limit: usize) -> impl Future<Output = Result<Option<Fetched>, Failure>>;

    /// Writes a JSON document under `key` if nothing stands there, and returns `true` if it did.
    fn create_json(&self, key: &str, json: Bytes) -> impl Future<Output = Result<bool, Failure>>;

    /// Removes the object under `key` if it has this tag, and returns `true` if it did.
    fn remove_if(&self, key: &str, tag: &StoredTag) -> impl Future<Output = Result<bool, Failure>>;
}
