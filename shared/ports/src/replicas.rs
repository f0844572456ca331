//! The port for objects that several providers hold copies of.

use std::future::Future;

use credlink_core::object::{Facts, Head, Object, ObjectKey, StoredTag};
use credlink_core::replica::Replica;

use crate::{Failure, Listed, Objects, Page, ProviderState};

/// The respect in which a provider's copy of an object falls short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lag {
    /// It has none.
    Missing,
    /// It is older than the other one.
    Stale,
    /// It is not what was written.
    Damaged,
    /// It differs from the other one, and nothing says which came later.
    Differing,
}

/// A provider's copy that falls short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lagging {
    /// The provider.
    pub replica: Replica,
    /// The provider's name.
    pub name: &'static str,
    /// The respect in which the copy falls short.
    pub lag: Lag,
}

/// The copies of one object at all providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies<T> {
    /// The newest copy that is whole, or a damaged one where there is no other.
    pub newest: Option<T>,
    /// The copies that fall short of it.
    pub lagging: Vec<Lagging>,
}

impl<T> Copies<T> {
    /// The only copy there can be.
    pub const fn one(newest: Option<T>) -> Self {
        Self { newest, lagging: Vec::new() }
    }
}

/// Objects of which each provider holds a copy. A single provider is the simplest case: see [`SingleProvider`].
///
/// **Failure.** [`copies`](Self::copies), [`copies_by_head`](Self::copies_by_head) and [`list_all`](Self::list_all) are for
/// callers that may trust no index to say which provider is behind: a rebuild, and fsck. A provider that does not answer is
/// a failure of the call, and nothing is said of an object of which a copy was not seen.
pub trait Replicas: Objects {
    /// Makes sure that what stands under `key`, and was read as `expected`, is as durable as a write that was answered:
    /// where a provider lacks it or has another object, a repair is queued. To be called before anybody is told of an
    /// object that another request wrote, since that request may have ended before its write was answered.
    fn confirm(&self, key: &ObjectKey, expected: &Facts) -> impl Future<Output = Result<(), Failure>>;

    /// Another copy of a damaged object, which was read under `key` with the tag `damaged`; `None` if there is no other
    /// copy. If the other copy is whole, a repair of the damaged one is queued. Nothing is overwritten here.
    fn get_other_copy(
        &self,
        key: &ObjectKey,
        damaged: &StoredTag,
    ) -> impl Future<Output = Result<Option<Object>, Failure>>;

    /// Every provider's copy of what stands under `key`, whatever is known of the provider.
    fn copies(&self, key: &ObjectKey) -> impl Future<Output = Result<Copies<Object>, Failure>>;

    /// Compares the copies by their heads, without the bytes of those that agree: for large objects.
    fn copies_by_head(&self, key: &ObjectKey) -> impl Future<Output = Result<Copies<Head>, Failure>>;

    /// Lists as [`Objects::list`] does, of all providers.
    fn list_all(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Listed>, Failure>>;

    /// Says that `replica` is behind, if what it holds under `key` may be stale (`stale`), and queues its repair. To be
    /// called when the row is right.
    fn mend(
        &self,
        replica: Replica,
        key: &ObjectKey,
        stale: bool,
    ) -> impl Future<Output = Result<(), Failure>>;

    /// The state of each provider, if there are several; else nothing.
    fn providers(&self) -> Vec<ProviderState>;
}

/// Objects at one provider, which holds the only copy of each. This makes it [`Replicas`] with nothing to compare, to
/// confirm or to repair.
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
