//! Time and the identity of requests.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use credlink_core::time::Timestamp;
use credlink_ports::Clock;
use credlink_ports::migration::Sleep;
use uuid::Uuid;

/// The system's clock. Request IDs are random UUIDs (RFC 9562, version 4).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_milliseconds(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic_microseconds(&self) -> u64 {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn request_id(&self) -> String {
        Uuid::new_v4().to_string()
    }
}

impl Sleep for SystemClock {
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_is_of_this_century_and_its_ids_differ() {
        assert!(SystemClock.now().to_string().starts_with("20"));
        assert_ne!(SystemClock.request_id(), SystemClock.request_id());
    }
}
