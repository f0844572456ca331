//! The job of a ledger.

use credlink_core::job_name::JobName;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the format that is written, and the only one there is.
pub const LEDGER_VERSION: u32 = 1;

/// A job: what moves where, and what was done of it when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The version of the format.
    pub version: u32,
    /// Its name.
    pub name: JobName,
    /// The source, as it was named.
    pub from: String,
    /// The destination, as it was named. A job keeps both for ever.
    pub to: String,
    /// Whose proofs legacy records become; and those of a CredLink, unless they keep their tenants.
    pub tenant: Tenant,
    /// Whether the proofs of a CredLink keep their tenants, and with them their ids.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_tenants: bool,
    /// The tenant whose proofs of a CredLink become `tenant`'s, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_tenant: Option<Tenant>,
    /// When it was begun.
    pub created: Timestamp,
    /// When its source was listed to the end for the last time; `None` while that is still to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Timestamp>,
    /// How long its runs took together, in milliseconds.
    #[serde(default)]
    pub elapsed_ms: u64,
    /// Whether its items were sent to a queue, for others to copy.
    #[serde(default)]
    pub queued: bool,
    /// What the source has that could not be read from there, in words ([`left_behind`](crate::migration::Source::left_behind)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<String>,
    /// `true` while it is being removed: its ledger is no longer whole, and nothing is done with it but to end the removal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removing: bool,
}
