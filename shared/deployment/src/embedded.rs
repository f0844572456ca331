//! The index, the queue and the ledgers in files of this machine.

pub use credlink_embedded::index::{EmbeddedError, EmbeddedIndex, PASSING_CACHE_BYTES, SERVING_CACHE_BYTES};
pub use credlink_embedded::ledger::FileLedger;
pub use credlink_embedded::queue::{EmbeddedQueue, QueueError};
