//! The port to time that passes.

use std::future::Future;
use std::time::Duration;

/// Time that passes.
pub trait Sleep {
    /// Waits.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()>;
}
