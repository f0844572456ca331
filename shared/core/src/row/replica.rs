//! The row of a provider.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::repair_mark::RepairMark;
use crate::replica::Replica;
use crate::time::Timestamp;

/// The row of a provider that missed writes: objects read there may be stale, and are checked against the index. Its
/// rules are in [`rules::replica_lag`](crate::rules::replica_lag).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaRow {
    /// The provider.
    pub replica: Replica,
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// Time since which the provider may be behind.
    pub since: Timestamp,
    /// Time until which the provider may be behind: by then every repair is done, or in the hands of an operator. Equal
    /// to `since` once all `repairs` are done.
    pub until: Timestamp,
    /// The version of this row with which `since` began. It distinguishes one raising of the flag from the next.
    #[serde(default)]
    pub raised: u64,
    /// The repairs that are not done yet. If there are none, `until` alone decides.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub repairs: BTreeSet<RepairMark>,
}
