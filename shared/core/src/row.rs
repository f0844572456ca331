//! Index rows, which hold what decisions need, and no content.
//!
//! | row of | look in |
//! |---|---|
//! | a proof | [`ProofRow`] |
//! | a C2PA manifest | [`ManifestRow`] |
//! | a legacy ID; a proof that a legacy source has | [`AliasRow`]; [`LegacyItemRow`] |
//! | a provider that missed writes | [`ReplicaRow`] |
//! | the store as a whole | [`StoreRow`] |
//!
//! Rows are found by their [`RowKey`], and summed up in [`Totals`].

mod key;
mod legacy;
mod manifest;
mod proof;
mod replica;
mod store;
mod totals;

use serde::{Deserialize, Serialize};

use crate::rules::expiry::destroyed_from;
use crate::tenant::Tenant;
use crate::time::Timestamp;

pub use key::RowKey;
pub use legacy::{AliasRow, LegacyItemRow};
pub use manifest::ManifestRow;
pub use proof::{Pending, PendingError, ProofRow, Reads};
pub use replica::ReplicaRow;
pub use store::StoreRow;
pub use totals::Totals;

/// The state of the proof or manifest that a row stands for. A deletion goes through both last states, so that a crash
/// between them is noticed and the deletion finished later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "at")]
pub enum State {
    /// Its objects are there (guarantee 1).
    Live,
    /// Deleted since this instant, while tombstones are replacing its objects.
    Deleting(Timestamp),
    /// Deleted since this instant, and its objects are gone.
    Deleted(Timestamp),
}

/// A row of the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "row")]
#[cfg_attr(
    target_pointer_width = "64",
    expect(clippy::large_enum_variant, reason = "most rows are those of proofs, and few are held at a time")
)]
pub enum Row {
    /// The row of a proof.
    Proof(ProofRow),
    /// The row of a manifest.
    Manifest(ManifestRow),
    /// The row of a legacy ID. It adds to no total.
    Alias(AliasRow),
    /// The row of a proof that a legacy source has. It is only in the listing of all rows, and adds to no total.
    LegacyItem(LegacyItemRow),
    /// The row of a provider. It is only in the listing of all rows, and adds to no total.
    Replica(ReplicaRow),
    /// The row of the store as a whole. It is only in the listing of all rows, and adds to no total.
    Store(StoreRow),
}

impl Row {
    /// Returns the row's key.
    #[must_use]
    pub fn key(&self) -> RowKey {
        match self {
            Self::Proof(row) => RowKey::Proof(row.id),
            Self::Manifest(row) => RowKey::Manifest(row.manifest_key()),
            Self::Alias(row) => RowKey::Alias(row.id.clone()),
            Self::LegacyItem(row) => RowKey::LegacyItem(row.proof),
            Self::Replica(row) => RowKey::Replica(row.replica),
            Self::Store(_) => RowKey::Store,
        }
    }

    /// Returns the row's version.
    #[must_use]
    pub const fn version(&self) -> u64 {
        match self {
            Self::Proof(row) => row.version,
            Self::Manifest(row) => row.version,
            Self::Alias(row) => row.version,
            Self::LegacyItem(row) => row.version,
            Self::Replica(row) => row.version,
            Self::Store(row) => row.version,
        }
    }

    /// Returns the row of a proof, if this is one.
    #[must_use]
    pub fn proof(self) -> Option<ProofRow> {
        if let Self::Proof(row) = self { Some(row) } else { None }
    }

    /// Returns the row of a manifest, if this is one.
    #[must_use]
    pub fn manifest(self) -> Option<ManifestRow> {
        if let Self::Manifest(row) = self { Some(row) } else { None }
    }

    /// Returns the row of a provider, if this is one.
    #[must_use]
    pub fn replica(self) -> Option<ReplicaRow> {
        if let Self::Replica(row) = self { Some(row) } else { None }
    }

    /// Returns the row of a legacy ID, if this is one.
    #[must_use]
    pub fn alias(self) -> Option<AliasRow> {
        if let Self::Alias(row) = self { Some(row) } else { None }
    }

    /// Returns the row of a legacy source's proof, if this is one.
    #[must_use]
    pub fn legacy_item(self) -> Option<LegacyItemRow> {
        if let Self::LegacyItem(row) = self { Some(row) } else { None }
    }

    /// Returns the row of the store, if this is one.
    #[must_use]
    pub fn store(self) -> Option<StoreRow> {
        if let Self::Store(row) = self { Some(row) } else { None }
    }

    /// Returns the tenant in whose listing the row is, for a legacy ID that leads to a proof and for a live manifest
    /// that was stored for itself.
    #[must_use]
    pub const fn stands_alone_for(&self) -> Option<&Tenant> {
        match self {
            Self::Alias(AliasRow { withdrawn: None, tenant, .. })
            | Self::Manifest(ManifestRow { state: State::Live, standalone: true, tenant, .. }) => {
                Some(tenant)
            }
            Self::Proof(_)
            | Self::Manifest(_)
            | Self::Alias(_)
            | Self::LegacyItem(_)
            | Self::Replica(_)
            | Self::Store(_) => None,
        }
    }

    /// Returns the amounts that this row adds to the totals.
    #[must_use]
    pub fn totals(&self) -> Totals {
        match self {
            Self::Proof(row) => {
                let live = u64::from(row.state == State::Live);
                let inline = if row.manifest_id.is_none() { row.manifest_length } else { 0 };
                Totals { proofs: live, manifests: 0, manifest_bytes: live * inline, deleted: 1 - live }
            }
            Self::Manifest(row) => {
                let live = u64::from(row.state == State::Live);
                Totals { proofs: 0, manifests: live, manifest_bytes: live * row.length, deleted: 0 }
            }
            Self::Alias(_) | Self::LegacyItem(_) | Self::Replica(_) | Self::Store(_) => Totals::default(),
        }
    }

    /// Returns the time at which cleanup must look at the row: some days after a live proof expires, or at once while a
    /// replacement or a deletion is unfinished. `None` if cleanup never must.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Proof(ProofRow { state: State::Live, expires, replacing, .. }) => {
                Some(replacing.unwrap_or_else(|| destroyed_from(*expires)))
            }
            Self::Proof(ProofRow { state: State::Deleting(at), .. })
            | Self::Manifest(ManifestRow { state: State::Deleting(at), .. }) => Some(*at),
            Self::Proof(ProofRow { state: State::Deleted(_), .. })
            | Self::Manifest(_)
            | Self::Alias(_)
            | Self::LegacyItem(_)
            | Self::Replica(_)
            | Self::Store(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::MediaHash;
    use crate::proof_id::ProofId;
    use crate::repair_mark::RepairMark;
    use crate::replica::Replica;
    use crate::row::manifest::tests::manifest;

    #[test]
    fn rows_are_stored_as_flat_json() {
        let now = Timestamp::from_milliseconds(7_000);
        for state in [State::Live, State::Deleting(now), State::Deleted(now)] {
            let row = Row::Manifest(manifest(state));
            let text = serde_json::to_string(&row).unwrap();
            assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
        }
        let replica = Row::Replica(ReplicaRow {
            replica: Replica::Primary,
            version: 2,
            since: now,
            until: now.plus_seconds(60),
            raised: 1,
            repairs: [RepairMark::new(now, 1)].into(),
        });
        let text = serde_json::to_string(&replica).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), replica);
        insta::assert_snapshot!("replica_row", text);
        let before = r#"{"row":"replica","replica":"primary","version":2,"since":"1970-01-01T00:00:07.000Z","until":"1970-01-01T00:01:07.000Z"}"#;
        let before = serde_json::from_str::<Row>(before).unwrap().replica().unwrap();
        assert_eq!((before.raised, before.repairs.len()), (0, 0));
        assert_eq!(replica.key().to_string(), "REPLICA#primary");
        assert_eq!((replica.due(), replica.totals()), (None, Totals::default()));
        let alias = Row::Alias(AliasRow {
            id: "p-1".parse().unwrap(),
            version: 1,
            proof: ProofId::derive(&Tenant::default(), &MediaHash::of(b"x")),
            tenant: Tenant::default(),
            withdrawn: None,
        });
        let text = serde_json::to_string(&alias).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), alias);
        insta::assert_snapshot!("alias_row", text);
        assert_eq!(alias.key().to_string(), "ALIAS#p-1");
        let item = Row::LegacyItem(LegacyItemRow {
            proof: ProofId::derive(&Tenant::default(), &MediaHash::of(b"x")),
            version: 1,
            item: "old/2019/1.json".to_owned(),
        });
        let text = serde_json::to_string(&item).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), item);
        insta::assert_snapshot!("legacy_item_row", text);
        assert!(item.key().to_string().starts_with("LEGACY#"));
        assert_eq!((item.due(), item.totals(), item.stands_alone_for()), (None, Totals::default(), None));
        insta::assert_snapshot!(
            "manifest_row",
            serde_json::to_string(&Row::Manifest(manifest(State::Live))).unwrap()
        );
    }
}
