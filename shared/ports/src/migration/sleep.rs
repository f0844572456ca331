//! The port for waiting.

use std::future::Future;
use std::time::Duration;

/// A timer.
pub trait Sleep {
    /// Completes after `time`.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()>;
}
