//! The properties of the storage medium that objects are kept on.

use std::future::Future;

use crate::FailureKind;

/// The storage medium behind [`Objects`](crate::Objects): its cost and its room, as far as the service takes them into
/// account.
pub trait Medium {
    /// Returns `true` if a lookup takes microseconds and costs nothing else, so that objects may be looked at more often
    /// than is necessary.
    fn has_cheap_lookups(&self) -> bool;

    /// The kind of failure for which nothing can be stored here, as far as is known without storing anything. Deletions
    /// may still succeed. Two providers answer `None`: [`Replicas::providers`](crate::Replicas::providers) has the state
    /// of each.
    fn write_failure(&self) -> impl Future<Output = Option<FailureKind>>;
}
