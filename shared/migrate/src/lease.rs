//! The lease of a job: one step of a job at a time.

mod holding;

pub use holding::hold;

/// For how long a job is claimed at a time, in seconds. A run that is killed holds it for as long.
pub const LEASE_SECONDS: u64 = 60;
