//! Threads for long computations, which would hold up other requests on the threads of the executor.

use std::future::Future;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::available_parallelism;

use credlink_ports::{Job, Work};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// The blocking threads of the runtime, of which at most one for each processor computes at a time.
#[derive(Clone, Debug)]
pub struct Threads {
    turns: Arc<Semaphore>,
}

impl Threads {
    /// Returns threads for one job at a time for each processor of this machine.
    #[must_use]
    pub fn new() -> Self {
        // More jobs than processors end no sooner, and hold their memory meanwhile.
        let processors = available_parallelism().map_or(1, NonZero::get);
        Self { turns: Arc::new(Semaphore::new(processors)) }
    }
}

impl Default for Threads {
    fn default() -> Self {
        Self::new()
    }
}

impl Work for Threads {
    fn run(&self, job: Job) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            // The semaphore is never closed.
            let turn = Arc::clone(&self.turns).acquire_owned().await;
            let done = spawn_blocking(move || {
                job();
                // The turn is given back here, because the caller may be gone before the job has ended.
                drop(turn);
            });
            if let Err(error) = done.await
                && error.is_panic()
            {
                resume_unwind(error.into_panic());
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn jobs_hold_up_nobody_and_are_bounded() {
        let threads = Threads::new();
        let most = threads.turns.available_permits();
        let (under_way, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let jobs = (0..3 * most).map(|_| {
            let (under_way, peak) = (Arc::clone(&under_way), Arc::clone(&peak));
            threads.run(Box::new(move || {
                peak.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(30));
                under_way.fetch_sub(1, Ordering::SeqCst);
            }))
        });
        let mut jobs = Box::pin(join_all(jobs));
        // This runtime has one thread: if it ran the jobs, the first poll would take as long as they do.
        assert!((&mut jobs).now_or_never().is_none());
        jobs.await;
        assert_eq!((under_way.load(Ordering::SeqCst), peak.load(Ordering::SeqCst)), (0, most));
    }

    #[tokio::test]
    async fn a_panic_is_that_of_who_waits_and_gives_its_turn_back() {
        let threads = Threads::new();
        let most = threads.turns.available_permits();
        let waiting = std::panic::AssertUnwindSafe(threads.run(Box::new(|| panic!("on purpose"))));
        assert!(waiting.catch_unwind().await.is_err());
        assert_eq!(threads.turns.available_permits(), most);
    }
}
