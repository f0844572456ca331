//! The properties of the medium on which objects are stored.

use std::future::Future;

use crate::FailureKind;

/// The storage medium behind [`Objects`](crate::Objects), as far as the service considers its cost and its space.
pub trait Medium {
    /// Returns `true` if a lookup takes microseconds and costs nothing else, so that objects may be looked up more
    /// often than necessary.
    fn has_cheap_lookups(&self) -> bool;

    /// Returns the kind of failure with which stores currently fail, as far as is known without storing anything.
    /// Deletions may still succeed. With two providers the result is `None`:
    /// [`Replicas::providers`](crate::Replicas::providers) has the state of each.
    fn write_failure(&self) -> impl Future<Output = Option<FailureKind>>;
}
