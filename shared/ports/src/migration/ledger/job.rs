//! The job of a ledger.

use credlink_core::job_name::JobName;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the format that is written, and the only one that is read.
pub const LEDGER_VERSION: u32 = 1;

/// A job: its source, its destination, and its progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The version of the format.
    pub version: u32,
    /// The job's name.
    pub name: JobName,
    /// The source, as the operator named it.
    pub from: String,
    /// The destination, as the operator named it. A job's source and destination never change.
    pub to: String,
    /// The tenant for which legacy records are imported, and the proofs of a CredLink unless they keep their tenants.
    pub tenant: Tenant,
    /// `true` if the proofs of a CredLink keep their tenants, and with them their IDs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_tenants: bool,
    /// The tenant of the CredLink whose proofs are imported for `tenant`, if the two differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_tenant: Option<Tenant>,
    /// The instant at which the job was begun.
    pub created: Timestamp,
    /// The instant at which the source was last listed to the end, or `None` if it was not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Timestamp>,
    /// The total duration of the job's runs, in milliseconds.
    #[serde(default)]
    pub elapsed_ms: u64,
    /// `true` if the items were sent to a queue, for other processes to copy.
    #[serde(default)]
    pub queued: bool,
    /// The content of the source that cannot be read through it, in words
    /// ([`left_behind`](crate::migration::Source::left_behind)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<String>,
    /// `true` while the job is being removed. Its ledger is then incomplete, and no operation on it is allowed except
    /// to finish the removal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removing: bool,
}
