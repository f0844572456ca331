//! The row of a C2PA manifest.

use serde::{Deserialize, Serialize};

use super::State;
use crate::access::Visibility;
use crate::hash::Digest;
use crate::manifest_id::ManifestId;
use crate::manifest_key::ManifestKey;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The row of a C2PA manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRow {
    /// The manifest.
    pub id: ManifestId,
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The state of its life.
    #[serde(flatten)]
    pub state: State,
    /// The tenant that stores it.
    pub tenant: Tenant,
    /// SHA-256 of its bytes: the one content that this id has within the tenant (guarantee 6).
    pub sha256: Digest,
    /// Its length in bytes.
    pub length: u64,
    /// Number of proofs that hold it, in any revision.
    pub holders: u32,
    /// `true` if it was stored for itself, and stays even without a holder.
    pub standalone: bool,
    /// `true` if nobody but an import has stored it for itself: a rollback may take that back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
    /// Number of times that it was deleted before.
    pub generation: u32,
    /// Who may read it.
    #[serde(default)]
    pub visibility: Visibility,
    /// For a deletion, `true` if nobody was ever told of what was deleted: the id is as free as if it had never been
    /// used. For a live manifest, `true` if only replacements that may still be refused have brought it, so that its
    /// deletion would be such.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub void: bool,
}

impl ManifestRow {
    /// The manifest that it stands for.
    #[must_use]
    pub fn manifest_key(&self) -> ManifestKey {
        ManifestKey { id: self.id.clone(), tenant: self.tenant.clone() }
    }

    /// The same row in another state, one version on.
    #[must_use]
    pub fn in_state(&self, state: State) -> Self {
        Self { state, version: self.version + 1, ..self.clone() }
    }

    /// The row after one holder let go: deleted with its last one, unless it was stored for itself. `is_told`: a revision of
    /// that holder named it, and not just a replacement that was refused.
    #[must_use]
    pub fn released(&self, now: Timestamp, is_told: bool) -> Self {
        let holders = self.holders.saturating_sub(1);
        let state = if holders == 0 && !self.standalone { State::Deleting(now) } else { self.state };
        Self { holders, void: self.void && !is_told, ..self.in_state(state) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::row) fn manifest(state: State) -> ManifestRow {
        ManifestRow {
            id: "urn:c2pa:x".parse().unwrap(),
            version: 4,
            state,
            tenant: Tenant::default(),
            sha256: Digest::of(b"x"),
            length: 1,
            holders: 1,
            standalone: false,
            imported: false,
            generation: 0,
            visibility: Visibility::Public,
            void: false,
        }
    }

    #[test]
    fn the_last_holder_takes_the_manifest_along() {
        let now = Timestamp::from_milliseconds(7_000);
        let released = manifest(State::Live).released(now, true);
        assert_eq!((released.holders, released.state, released.version), (0, State::Deleting(now), 5));
        let standalone = ManifestRow { standalone: true, ..manifest(State::Live) }.released(now, true);
        assert_eq!((standalone.holders, standalone.state), (0, State::Live));
    }
}
