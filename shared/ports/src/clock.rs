//! The port for time and request IDs.

use credlink_core::time::Timestamp;

/// A source of the two values that the service cannot decide by itself: the time, and the ID of a request.
pub trait Clock {
    /// Returns the current time.
    fn now(&self) -> Timestamp;

    /// Returns the microseconds since a fixed moment in the past. A result is never less than an earlier one.
    fn monotonic_microseconds(&self) -> u64;

    /// Returns a new request ID, which is never used again.
    fn request_id(&self) -> String;
}
