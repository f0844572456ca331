//! The row of the store as a whole.

use serde::{Deserialize, Serialize};

use crate::store_id::StoreId;
use crate::time::Timestamp;

/// The row of the store as a whole, by which index and store know that they belong together ([`crate::identity`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreRow {
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The store that this index belongs to.
    pub identity: StoreId,
    /// The high-water mark, which goes up by one with every span of time with a commit.
    pub epoch: u64,
    /// Time at which the epoch reached its present value. The mark repeats it, so that all who write the mark of one
    /// epoch write the same bytes.
    pub advanced: Timestamp,
    /// Time at which the epoch reached its value before, if it did. A mark that has not followed yet repeats this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advanced_before: Option<Timestamp>,
    /// The last instant that was seen and trusted.
    pub seen: Timestamp,
    /// The time that the clock showed when it jumped away from `seen`, until an operator confirms it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jumped: Option<Timestamp>,
    /// Time at which cleanup stopped because it would have removed more orphans than its share, until an operator lets
    /// it go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Timestamp>,
    /// Number of objects that cleanup had removed by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_removed: Option<u64>,
    /// Number of objects that cleanup had examined by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_examined: Option<u64>,
}

impl StoreRow {
    /// Returns the first row of a store, created at `now`.
    #[must_use]
    pub const fn new(identity: StoreId, epoch: u64, now: Timestamp) -> Self {
        Self {
            version: 1,
            identity,
            epoch,
            advanced: now,
            advanced_before: None,
            seen: now,
            jumped: None,
            stopped: None,
            stopped_removed: None,
            stopped_examined: None,
        }
    }
}
