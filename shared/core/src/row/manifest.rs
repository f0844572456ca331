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
    /// The manifest ID.
    pub id: ManifestId,
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The manifest's state.
    #[serde(flatten)]
    pub state: State,
    /// The tenant that stores the manifest.
    pub tenant: Tenant,
    /// SHA-256 of the manifest's bytes: the one content that this ID has within the tenant (guarantee 6).
    pub sha256: Digest,
    /// The manifest's length in bytes.
    pub length: u64,
    /// Number of proofs that refer to the manifest, in any revision.
    pub holders: u32,
    /// `true` if the manifest was stored for itself, and stays even without a proof.
    pub standalone: bool,
    /// `true` if nobody but an import has stored the manifest for itself, so that a rollback may undo that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
    /// Number of earlier deletions of the manifest.
    pub generation: u32,
    /// The manifest's visibility.
    #[serde(default)]
    pub visibility: Visibility,
    /// For a deleted manifest, `true` if nobody was ever told of it: the ID is as free as if it had never been used.
    /// For a live manifest, `true` if it was brought only by replacements that may still be refused, so that nobody
    /// would have been told of it if it were deleted now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub void: bool,
}

impl ManifestRow {
    /// Returns the key of the manifest that the row stands for.
    #[must_use]
    pub fn manifest_key(&self) -> ManifestKey {
        ManifestKey { id: self.id.clone(), tenant: self.tenant.clone() }
    }

    /// Returns the row in another state, with the next version.
    #[must_use]
    pub fn in_state(&self, state: State) -> Self {
        Self { state, version: self.version + 1, ..self.clone() }
    }

    /// Returns the row after one proof has let go of the manifest: being deleted if that was the last proof, unless the
    /// manifest was stored for itself. `is_told` is `true` if a revision of that proof named the manifest, and not just
    /// a replacement that was refused.
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
