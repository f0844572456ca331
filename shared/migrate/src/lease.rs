//! The lease of a job: only one step of a job runs at a time.

mod holding;

pub use holding::hold;

/// Duration of a lease, in seconds. A run that is killed holds the job for as long.
pub const LEASE_SECONDS: u64 = 60;
