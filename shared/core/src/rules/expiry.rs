//! The rule of expiry: an expired proof is gone for readers at once, and destroyed days later.
//!
//! The days between are for an operator whose clock was wrong: an extension, or a store of the same file, brings the proof
//! back, with its earlier revisions.

use crate::bounds::EXPIRY_GRACE_SECONDS;
use crate::http::problem::{Problem, ProblemKind};
use crate::time::Timestamp;

/// Returns `true` if what expires at `expires` has expired by `now`.
#[must_use]
pub fn has_expired(expires: Timestamp, now: Timestamp) -> bool {
    expires <= now
}

/// Returns the instant from which cleanup destroys a proof that expires at `expires`.
#[must_use]
pub fn destroyed_from(expires: Timestamp) -> Timestamp {
    expires.plus_seconds(EXPIRY_GRACE_SECONDS)
}

/// Returns the answer for what expired at `expires`: 410.
#[must_use]
pub fn expired(expires: Timestamp) -> Problem {
    Problem::new(ProblemKind::Expired, format!("this expired on {expires}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_gone_at_its_last_instant_and_destroyed_a_week_later() {
        let expires = Timestamp::from_milliseconds(1_000);
        assert!(!has_expired(expires, Timestamp::from_milliseconds(999)));
        assert!(has_expired(expires, expires));
        assert_eq!(destroyed_from(expires), expires.plus_seconds(7 * 86_400));
        assert_eq!(expired(expires).kind.status().as_u16(), 410);
    }
}
