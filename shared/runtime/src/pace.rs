//! The pace of long transfers: the time that a call may take grows with the bytes that it moves.
//!
//! The bytes that a call sends are known when it is made. Those that it receives are known once the provider's answer
//! begins, and the adapter says so with [`expect`]: until then, the call has the time of a short one.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

tokio::task_local! {
    static EXPECTED: Expected;
}

/// The slowest transfer for which a request waits, in bytes per second, which are 8 megabits. A slower one is left to a
/// repair.
pub const SLOWEST_BYTES_PER_SECOND: u64 = 1_000_000;

/// Returns the time that the slowest transfer takes for so many bytes, in whole milliseconds.
#[must_use]
pub const fn time_for(bytes: u64) -> Duration {
    Duration::from_millis(bytes / (SLOWEST_BYTES_PER_SECOND / 1_000))
}

/// The number of bytes that a call is known to receive. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Expected(Arc<AtomicU64>);

impl Expected {
    /// Makes `call`, and records the bytes that it is going to receive.
    pub async fn during<F: Future>(&self, call: F) -> F::Output {
        EXPECTED.scope(self.clone(), call).await
    }

    /// Returns the number of bytes, as far as the call has come to know it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Records that the current call is going to receive so many bytes.
pub fn expect(bytes: u64) {
    // The call may be made without an [`Expected`].
    let _ = EXPECTED.try_with(|expected| expected.0.store(bytes, Ordering::Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_says_what_it_receives() {
        expect(1);
        let (one, other) = (Expected::default(), Expected::default());
        one.during(async { expect(7) }).await;
        other.during(async {}).await;
        assert_eq!((one.bytes(), other.bytes()), (7, 0));
    }

    #[test]
    fn a_megabyte_has_a_second() {
        assert_eq!(time_for(999), Duration::ZERO);
        assert_eq!(time_for(1_500_000), Duration::from_millis(1_500));
    }
}
