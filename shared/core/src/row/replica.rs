//! The row of a provider.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::repair_mark::RepairMark;
use crate::replica::Replica;
use crate::time::Timestamp;

/// The row of a provider that missed writes: what is read there may be stale, and is checked against the index. Its rules
/// are in [`rules::replica_lag`](crate::rules::replica_lag).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaRow {
    /// The provider.
    pub replica: Replica,
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// Time since which it may be behind.
    pub since: Timestamp,
    /// Time until which it may be behind: by then every repair is done, or in the hands of an operator. The same as
    /// `since` once all that `repairs` held are done.
    pub until: Timestamp,
    /// The version of this row that `since` began with. It tells one raising of the flag from the next.
    #[serde(default)]
    pub raised: u64,
    /// The repairs that are not done yet. Where there is none, `until` alone decides.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub repairs: BTreeSet<RepairMark>,
}
