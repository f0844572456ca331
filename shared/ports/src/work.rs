//! Long computations, which must not hold up requests.

use std::fmt::Debug;
use std::future::{Future, ready};
use std::pin::Pin;

/// A computation.
pub type Job = Box<dyn FnOnce() + Send>;

/// An executor of computations that take more than a few milliseconds. This is a trait object and not a port, because
/// it only changes who waits for whom.
///
/// * **Isolation.** While a job runs, every other request is answered as if it did not.
/// * **Bounded.** The adapter limits how many jobs run at once; the others wait.
/// * **Once.** A job runs once, or not at all if the process is about to end.
/// * **Panics.** A panic of the job becomes a panic of the future that waits for it.
pub trait Work: Debug + Send + Sync {
    /// Runs `job`, and completes after it.
    fn run(&self, job: Job) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Runs every job on the thread that asks for it. For a process that does one thing at a time, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct InPlace;

impl Work for InPlace {
    fn run(&self, job: Job) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        job();
        Box::pin(ready(()))
    }
}
