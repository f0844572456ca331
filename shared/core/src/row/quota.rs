//! The row of a quota.

use serde::{Deserialize, Serialize};

use crate::file::OwnerId;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The row of what a tenant, or one owner within it, has stored and reserved. It changes in the same commit as the
/// uploads and files that it counts, so it is exact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaRow {
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The tenant.
    pub tenant: Tenant,
    /// The owner, or `None` for the tenant as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerId>,
    /// Number of bytes of all files. A content that two files share counts twice.
    pub used: u64,
    /// Number of bytes that uploads may still bring.
    pub reserved: u64,
    /// Number of files.
    pub files: u64,
    /// Number of uploads that may still become files.
    pub uploads: u64,
    /// Time at which a whole minute's share of announcements may be used again ([`rate`](crate::rules::rate)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rested: Option<Timestamp>,
}

impl QuotaRow {
    /// Returns the row of somebody who has nothing yet. Its version is 0, because it is not in the index.
    #[must_use]
    pub const fn empty(tenant: Tenant, owner: Option<OwnerId>) -> Self {
        Self { version: 0, tenant, owner, used: 0, reserved: 0, files: 0, uploads: 0, rested: None }
    }
}
