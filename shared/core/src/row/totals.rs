//! The totals of an index.

use serde::{Deserialize, Serialize};

/// Sums over all rows, exact as of a recent commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Totals {
    /// Live proofs.
    pub proofs: u64,
    /// Live C2PA manifests.
    pub manifests: u64,
    /// Bytes of all live manifests, C2PA and JSON, without compression.
    pub manifest_bytes: u64,
    /// Deleted proofs whose ID is remembered.
    pub deleted: u64,
}

impl Totals {
    /// Returns these totals without `old` and with `new`.
    #[must_use]
    pub const fn exchange(self, old: Self, new: Self) -> Self {
        Self {
            proofs: self.proofs.saturating_add(new.proofs).saturating_sub(old.proofs),
            manifests: self.manifests.saturating_add(new.manifests).saturating_sub(old.manifests),
            manifest_bytes: self
                .manifest_bytes
                .saturating_add(new.manifest_bytes)
                .saturating_sub(old.manifest_bytes),
            deleted: self.deleted.saturating_add(new.deleted).saturating_sub(old.deleted),
        }
    }
}
