//! The port for time and the identity of requests.

use credlink_core::time::Timestamp;

/// The things that the service cannot decide: the time, and the identity of a request.
pub trait Clock {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Microseconds since some moment before: never less than an earlier answer.
    fn monotonic_microseconds(&self) -> u64;

    /// A new request id, unique for ever.
    fn request_id(&self) -> String;
}
