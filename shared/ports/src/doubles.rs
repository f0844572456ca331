//! Objects, rows and messages in memory, for tests: adapters that *police* the contracts.
//!
//! A use case that breaks a rule which a real provider would let pass is told at once, by a panic that names the key.
//! They are slow on purpose where that is simpler: a listing walks everything, and totals are summed anew, so that
//! they check the sums that other adapters keep.

mod clock;
pub mod faults;
mod index;
mod objects;
mod queue;

pub use clock::{ManualClock, WallClock};
pub use index::MemoryIndex;
pub use objects::MemoryObjects;
pub use queue::MemoryQueue;
