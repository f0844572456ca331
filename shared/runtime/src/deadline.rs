//! Deadlines, which bound the work for one request, whatever the timeouts of its parts.
//!
//! A Lambda is cut off at its time limit, and its work at that moment is neither answered nor logged. So calls to other
//! systems must end before: each adapter asks [`remaining`] and gives its call no longer than that.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Runs `work` with a deadline, which every call to another system that it makes in this task observes. A nested
/// deadline can only shorten the time.
pub async fn within<F: Future>(deadline: Instant, work: F) -> F::Output {
    let deadline = DEADLINE.try_with(|outer| deadline.min(*outer)).unwrap_or(deadline);
    DEADLINE.scope(deadline, work).await
}

/// Returns the remaining time, if there is a deadline; zero if it has passed.
#[must_use]
pub fn remaining() -> Option<Duration> {
    DEADLINE.try_with(|deadline| deadline.saturating_duration_since(Instant::now())).ok()
}

/// Returns `limit`, or the time until the deadline if that is less.
#[must_use]
pub fn at_most(limit: Duration) -> Duration {
    remaining().map_or(limit, |left| left.min(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_only_shortens() {
        assert_eq!(remaining(), None);
        assert_eq!(at_most(Duration::from_secs(9)), Duration::from_secs(9));
        let soon = Instant::now() + Duration::from_secs(3);
        within(soon, async {
            assert_eq!(at_most(Duration::from_secs(9)), Duration::from_secs(3));
            assert_eq!(at_most(Duration::from_secs(1)), Duration::from_secs(1));
            within(soon + Duration::from_secs(60), async {
                tokio::time::advance(Duration::from_secs(2)).await;
                assert_eq!(remaining(), Some(Duration::from_secs(1)));
                tokio::time::advance(Duration::from_secs(5)).await;
                assert_eq!(remaining(), Some(Duration::ZERO));
            })
            .await;
        })
        .await;
    }
}
