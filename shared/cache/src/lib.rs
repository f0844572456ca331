//! The caches in front of `Objects::get`.
//!
//! | module | layer | implementation |
//! |---|---|---|
//! | [`memory`] | L1 | moka in this process: single flight, generations |
//! | [`redis`] | L2 | Redis, shared by processes: leases, a circuit breaker, invalidations that are repeated |
//! | [`folder`] | L3 | files of this machine: bounded in bytes, checked when read |
//! | [`layered`] | all | asks L1, L2, L3, then loads; fills upwards; forgets everywhere |
//! | [`purge`] | none | tells the edge, which readers ask instead of this process, what changed |
//!
//! [`lifetime`] says how long each layer keeps its entries, and [`NoCache`] keeps nothing.
//!
//! All layers guarantee:
//!
//! 1. A value that this process was told to forget is never returned again, however slow or broken a layer is.
//! 2. A change by another process is noticed within the [`lifetime::Lifetimes`]. An entry carries the start of its load
//!    from the provider from layer to layer, so that lifetimes do not add up.
//! 3. An entry of L2 or L3 is checked before it is returned. A damaged one counts as a miss, and is removed.
//! 4. A broken layer costs hits and a bounded wait, never an answer.

pub mod folder;
mod frame;
pub mod layered;
pub mod lifetime;
pub mod memory;
pub mod purge;
pub mod redis;
mod stripes;
mod tally;
mod unsettled;

use std::sync::Arc;
use std::time::Duration;

use credlink_core::object::{ObjectKey, Verified};
use credlink_core::time::Timestamp;
use credlink_ports::{Cache, CacheStats, Failure};
use credlink_runtime::circuit_breaker::{BreakerSettings, SharedBreaker};

pub use layered::{Layered, Layers};
pub use memory::{MAX_BYTES, MAX_ENTRIES, MokaCache};

/// Returns the circuit breaker of Redis or of the edge: three failures in a row open it, for a pause of `rest` that
/// doubles up to `longest_rest`.
fn breaker(rest: Duration, longest_rest: Duration) -> SharedBreaker {
    let settings = BreakerSettings { failures: 3, pause: rest, longest_pause: longest_rest, trial_pauses: 1 };
    SharedBreaker::new(settings)
}

/// An entry of a layer, or the result of a load: the object, or its absence, with the start of its load.
#[derive(Debug, Clone)]
struct Held {
    object: Option<Arc<Verified>>,
    loaded: Timestamp,
}

/// A cache that keeps nothing: every read loads.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCache;

impl Cache for NoCache {
    async fn get_or_load<L>(&self, _: &ObjectKey, load: L) -> Result<Option<Arc<Verified>>, Failure>
    where
        L: Future<Output = Result<Option<Verified>, Failure>>,
    {
        Ok(load.await?.map(Arc::new))
    }

    async fn invalidate(&self, _: &ObjectKey) {}

    fn stats(&self) -> CacheStats {
        CacheStats::default()
    }
}
