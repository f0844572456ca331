//! Computing that takes long, beside the requests that wait.

use std::fmt::Debug;
use std::future::{Future, ready};
use std::pin::Pin;

/// Something to compute.
pub type Job = Box<dyn FnOnce() + Send>;

/// Where something is computed that takes more than a few milliseconds. A trait object, and no port: it changes nothing but
/// who waits for whom.
///
/// * **Others go on.** While a job is computed, every other request is answered as if it were not.
/// * **Bounded.** As many jobs are computed at once as the adapter says; the others wait.
/// * **Once.** A job is run once, or not at all if the process is about to end.
/// * **Panics.** A panic of the job is one of the future that waits for it.
pub trait Work: Debug + Send + Sync {
    /// Runs `job`, and ends after it.
    fn run(&self, job: Job) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Every job is computed where it is asked for: for a process that does one thing at a time, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct InPlace;

impl Work for InPlace {
    fn run(&self, job: Job) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        job();
        Box::pin(ready(()))
    }
}
