//! All copies of an object, for callers that may trust no index to say which provider is behind: a rebuild, and fsck.

use std::future::Future;
use std::sync::Arc;

use credlink_core::object::{Head, Object, ObjectKey};
use credlink_core::replica::Replica;

use super::{Failure, Listed, Objects, Page};

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

/// Objects whose copies can be looked at one by one. With one provider there is one copy.
///
/// **Failure.** A provider that does not answer is a failure of the call: nothing is said of an object of which a copy was not
/// seen.
pub trait Copied: Objects {
    /// Every provider's copy of what stands under `key`, whatever is known of the provider.
    fn copies(&self, key: &ObjectKey) -> impl Future<Output = Result<Copies<Object>, Failure>> {
        async { Ok(Copies::one(self.get(key).await?)) }
    }

    /// The same by what is said of each copy, without the bytes of those that agree: for large objects.
    fn copies_by_head(&self, key: &ObjectKey) -> impl Future<Output = Result<Copies<Head>, Failure>> {
        async { Ok(Copies::one(self.head(key).await?)) }
    }

    /// The same as [`Objects::list`], of all providers.
    fn list_all(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Listed>, Failure>> {
        self.list(prefix, after, limit)
    }

    /// Says that `replica` is behind, where what it holds under `key` may be stale (`stale`), and queues its repair. To be
    /// called when the row is right.
    fn mend(
        &self,
        replica: Replica,
        key: &ObjectKey,
        stale: bool,
    ) -> impl Future<Output = Result<(), Failure>> {
        let _ = (replica, key, stale);
        async { Ok(()) }
    }
}

impl<T: Copied + ?Sized> Copied for Arc<T> {
    async fn copies(&self, key: &ObjectKey) -> Result<Copies<Object>, Failure> {
        (**self).copies(key).await
    }

    async fn copies_by_head(&self, key: &ObjectKey) -> Result<Copies<Head>, Failure> {
        (**self).copies_by_head(key).await
    }

    async fn list_all(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Listed>, Failure> {
        (**self).list_all(prefix, after, limit).await
    }

    async fn mend(&self, replica: Replica, key: &ObjectKey, stale: bool) -> Result<(), Failure> {
        (**self).mend(replica, key, stale).await
    }
}
