//! Objects, rows and messages in memory, for tests: adapters that *police* the contracts.
//!
//! A use case that breaks a rule which a real provider would let pass finds out at once, by a panic that names the key.
//! These adapters are slow on purpose where that is simpler: a listing walks everything, and totals are summed anew
//! with each call, which checks the running sums of other adapters.

mod clock;
pub mod faults;
mod index;
mod objects;
mod quarantine;
mod queue;

pub use clock::{ManualClock, WallClock};
pub use index::MemoryIndex;
pub use objects::MemoryObjects;
pub use quarantine::MemoryQuarantine;
pub use queue::MemoryQueue;
