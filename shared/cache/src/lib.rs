//! The caches in front of `Objects::get`.
//!
//! | module | layer | implementation |
//! |---|---|---|
//! | [`memory`] | L1 | this process, over `quick_cache`: single flight, generations |
//! | [`redis`] | L2 | Redis, shared by processes: leases, a circuit breaker, invalidations that are repeated |
//! | [`folder`] | L3 | files of this machine: bounded in bytes, checked when read |
//! | [`layered`] | all | asks L1, L2, L3, then loads; fills upwards; forgets everywhere |
//! | [`purge`] | none | tells the edge, which readers ask instead of this process, what changed |
//!
//! | to find | look in |
//! |---|---|
//! | the time for which each layer keeps its entries | [`lifetime`] |
//! | an entry, and its encoding in L2 and L3 | `held`, `frame` |
//! | numbers by key: generations of entries | `stripes` |
//! | invalidations that have not arrived yet | `unsettled` |
//! | the counts of a layer | `tally` |
//! | the circuit breaker of Redis and of the edge | `breaker` |
//! | a cache that keeps nothing | [`NoCache`] |
//!
//! **In scope:** copies of objects, and telling other caches what changed. **Out of scope:** the decision what is current,
//! which belongs to the index and the objects, and the edge's own cache (`workers`).
//!
//! All layers guarantee:
//!
//! 1. A value that this process was told to forget is never returned again, however slow or broken a layer is.
//! 2. A change by another process is noticed within the [`lifetime::Lifetimes`]. An entry carries the start of its load
//!    from the provider from layer to layer, so that lifetimes do not add up.
//! 3. An entry of L2 or L3 is checked before it is returned. A damaged one counts as a miss, and is removed.
//! 4. A broken layer costs hits and a bounded wait, never an answer.

mod breaker;
pub mod folder;
mod frame;
mod held;
pub mod layered;
pub mod lifetime;
pub mod memory;
mod no_cache;
pub mod purge;
pub mod redis;
mod stripes;
mod tally;
mod unsettled;

pub use layered::{Layered, Layers};
pub use memory::{MAX_BYTES, MAX_ENTRIES, MemoryCache};
pub use no_cache::NoCache;
