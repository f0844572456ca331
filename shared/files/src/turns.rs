//! The turns of requests that read an original as a whole: to render it anew, or for the manifest in it.
//!
//! Each of them has the original in memory, and the pixels of it while it is rendered. Few do so at once, and few wait.

use async_lock::{Semaphore, SemaphoreGuard};
use credlink_core::http::problem::Problem;

/// The most requests that have an original in memory at the same time.
const MAX_READING: usize = 2;
/// The most requests that have an original in memory, or wait for their turn.
const MAX_READING_OR_WAITING: usize = 8;
/// Seconds after which a client that found no turn shall come again.
const AGAIN_SECONDS: u32 = 5;

/// The turns of one process.
#[derive(Debug)]
pub(crate) struct Turns {
    places: Semaphore,
    turns: Semaphore,
}

/// A turn, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    _turn: SemaphoreGuard<'a>,
    _place: SemaphoreGuard<'a>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { places: Semaphore::new(MAX_READING_OR_WAITING), turns: Semaphore::new(MAX_READING) }
    }
}

impl Turns {
    /// Waits for a turn.
    ///
    /// # Errors
    /// Fails with 503 and `Retry-After` if too many requests wait already.
    pub(crate) async fn take(&self) -> Result<Turn<'_>, Problem> {
        let busy = || Problem::busy("many originals are being read", AGAIN_SECONDS);
        let place = self.places.try_acquire().ok_or_else(busy)?;
        Ok(Turn { _turn: self.turns.acquire().await, _place: place })
    }
}

#[cfg(test)]
mod tests {
    use credlink_core::http::problem::ProblemKind;
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn few_have_a_turn_and_few_wait_for_one() {
        let turns = Turns::default();
        let mut had = vec![turns.take().await.unwrap(), turns.take().await.unwrap()];
        let mut waiting = Box::pin(join_all((0..6).map(|_| turns.take())));
        assert!(waiting.as_mut().now_or_never().is_none());
        let refused = turns.take().now_or_never().unwrap().unwrap_err();
        assert_eq!((refused.kind.status().as_u16(), refused.kind), (503, ProblemKind::Busy));
        had.clear();
        assert!(waiting.as_mut().now_or_never().is_none(), "two of six have a turn");
        drop(waiting);
        assert!(turns.take().now_or_never().is_some_and(|turn| turn.is_ok()));
    }
}
