//! The port for objects of which several providers hold copies.

use std::future::Future;

use credlink_core::object::{Facts, Head, Object, ObjectKey, StoredTag};
use credlink_core::replica::Replica;

use crate::{Failure, Listed, Objects, Page, ProviderState};

/// The ways in which a provider's copy of an object can fall short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lag {
    /// The provider has no copy.
    Missing,
    /// The copy is older than the newest one.
    Stale,
    /// The copy is not what was written.
    Damaged,
    /// The copy differs from the newest one, and nothing says which of them was written later.
    Differing,
}

/// A provider's copy that falls short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lagging {
    /// The provider.
    pub replica: Replica,
    /// The provider's name.
    pub name: &'static str,
    /// The way in which the copy falls short.
    pub lag: Lag,
}

/// The copies of one object at all providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies<T> {
    /// The newest intact copy, or a damaged one if there is no other.
    pub newest: Option<T>,
    /// The copies that fall short of the newest one.
    pub lagging: Vec<Lagging>,
}

impl<T> Copies<T> {
    /// Returns the copies of an object that only one provider can hold.
    pub const fn one(newest: Option<T>) -> Self {
        Self { newest, lagging: Vec::new() }
    }
}

/// Objects of which each provider holds a copy. A single provider is the simplest case: see [`SingleProvider`].
///
/// **Failure.** [`copies`](Self::copies), [`copies_by_head`](Self::copies_by_head) and [`list_all`](Self::list_all) are
/// for callers that cannot rely on an index to say which provider is behind: a rebuild, and fsck. If any provider does
/// not answer, the call fails. Nothing is reported about an object unless every copy of it was seen.
pub trait Replicas: Objects {
    /// Makes sure that the object under `key`, which was read as `expected`, is as durable as an acknowledged write: if
    /// a provider lacks it or has another object, a repair is queued. The caller must call this before anybody is told
    /// of an object that another request wrote, since that request may have ended before its write was acknowledged.
    fn confirm(&self, key: &ObjectKey, expected: &Facts) -> impl Future<Output = Result<(), Failure>>;

    /// Returns another copy of a damaged object, which was read under `key` with the tag `damaged`, or `None` if there
    /// is no other copy. If the other copy is intact, a repair of the damaged one is queued. This call itself
    /// overwrites nothing.
    fn get_other_copy(
        &self,
        key: &ObjectKey,
        damaged: &StoredTag,
    ) -> impl Future<Output = Result<Option<Object>, Failure>>;

    /// Returns the copies of the object under `key` at every provider, regardless of what is known about the provider.
    fn copies(&self, key: &ObjectKey) -> impl Future<Output = Result<Copies<Object>, Failure>>;

    /// Compares the copies by their heads, without reading the bytes of copies that agree. For large objects.
    fn copies_by_head(&self, key: &ObjectKey) -> impl Future<Output = Result<Copies<Head>, Failure>>;

    /// Lists the objects of all providers, in the way of [`Objects::list`].
    fn list_all(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Listed>, Failure>>;

    /// Queues a repair of the object under `key` at `replica`. If the copy there may be stale (`stale`), first flags
    /// `replica` as behind. The caller must call this once the row is right.
    fn mend(
        &self,
        replica: Replica,
        key: &ObjectKey,
        stale: bool,
    ) -> impl Future<Output = Result<(), Failure>>;

    /// Returns the state of each provider, or nothing if there is only one.
    fn providers(&self) -> Vec<ProviderState>;
}

/// Objects at one provider, which holds the only copy of each. An implementation of this trait is also one of
/// [`Replicas`], with nothing to compare, confirm or repair.
pub trait SingleProvider: Objects {}

impl<T: SingleProvider> Replicas for T {
    async fn confirm(&self, _key: &ObjectKey, _expected: &Facts) -> Result<(), Failure> {
        Ok(())
    }

    async fn get_other_copy(
        &self,
        _key: &ObjectKey,
        _damaged: &StoredTag,
    ) -> Result<Option<Object>, Failure> {
        Ok(None)
    }

    async fn copies(&self, key: &ObjectKey) -> Result<Copies<Object>, Failure> {
        Ok(Copies::one(self.get(key).await?))
    }

    async fn copies_by_head(&self, key: &ObjectKey) -> Result<Copies<Head>, Failure> {
        Ok(Copies::one(self.head(key).await?))
    }

    async fn list_all(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Listed>, Failure> {
        self.list(prefix, after, limit).await
    }

    async fn mend(&self, _replica: Replica, _key: &ObjectKey, _stale: bool) -> Result<(), Failure> {
        Ok(())
    }

    fn providers(&self) -> Vec<ProviderState> {
        Vec::new()
    }
}
