//! Index rows: what a decision needs, and no bytes.

mod proof;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::access::Visibility;
use crate::bounds::EXPIRY_GRACE_SECONDS;
use crate::hash::Digest;
use crate::identity::StoreId;
use crate::legacy::LegacyId;
use crate::manifest_id::ManifestId;
use crate::manifest_key::ManifestKey;
use crate::message::Replica;
use crate::proof_id::ProofId;
use crate::repair_mark::RepairMark;
use crate::tenant::Tenant;
use crate::time::Timestamp;

pub use proof::{Pending, PendingError, ProofRow, Reads};

/// The key of a row, written as `PROOF#id`, `MANIFEST#id` (and `MANIFEST#id/tenant` for another tenant than `default`), `ALIAS#legacy id`, `LEGACY#proof id`, `REPLICA#primary` or `STORE`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKey {
    /// The row of a proof.
    Proof(ProofId),
    /// The row of a tenant's C2PA manifest.
    Manifest(ManifestKey),
    /// The row of a legacy id.
    Alias(LegacyId),
    /// The row of a proof that a legacy source has.
    LegacyItem(ProofId),
    /// The row of a provider that missed writes.
    Replica(Replica),
    /// The row of the store as a whole.
    Store,
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proof(id) => write!(f, "PROOF#{id}"),
            Self::Manifest(key) => write!(f, "MANIFEST#{key}"),
            Self::Alias(id) => write!(f, "ALIAS#{id}"),
            Self::LegacyItem(id) => write!(f, "LEGACY#{id}"),
            Self::Replica(replica) => write!(f, "REPLICA#{replica}"),
            Self::Store => f.write_str("STORE"),
        }
    }
}

/// The state of the thing that a row stands for. A deletion goes through both last states, so that a crash between
/// them is seen and finished by whoever comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "at")]
pub enum State {
    /// Its objects are there (guarantee 1).
    Live,
    /// It is deleted, since then; its objects are being replaced by markers.
    Deleting(Timestamp),
    /// It is deleted, since then, and its objects are gone.
    Deleted(Timestamp),
}

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

/// The row of the store as a whole: by it, index and store know that they belong together ([`crate::identity`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreRow {
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The store that this index belongs to.
    pub identity: StoreId,
    /// The high-water mark: one more with every span of time in which something was committed.
    pub epoch: u64,
    /// Time at which the epoch went up to what it is. The mark repeats it, so that all who write the mark of one epoch write
    /// the same bytes.
    pub advanced: Timestamp,
    /// Time at which it went up before that, if it did: where the mark has not followed yet, it repeats this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advanced_before: Option<Timestamp>,
    /// The last instant that was seen and trusted.
    pub seen: Timestamp,
    /// The instant that the clock showed when it jumped away from `seen`, until an operator confirms it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jumped: Option<Timestamp>,
    /// Time at which the collector of orphans stopped because it would have removed more than its share, until an
    /// operator lets it go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Timestamp>,
    /// Number of objects that it had removed by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_removed: Option<u64>,
    /// Number of objects that it had looked at by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_examined: Option<u64>,
}

impl StoreRow {
    /// The first row of a store, made at `now`.
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

/// The row of a provider that missed writes: what is read there may be stale, and is checked against the index. Its rules
/// are in [`rules::behind`](crate::rules::behind).
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

/// The row of a legacy id: another name of a proof, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRow {
    /// The legacy id.
    pub id: LegacyId,
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The proof that it names.
    pub proof: ProofId,
    /// The tenant that it was taken over for.
    pub tenant: Tenant,
    /// Time since which it names nothing any more: the migration that made it was rolled back. Whoever takes it over
    /// makes it name a proof again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Timestamp>,
}

/// The row of a proof that a legacy source has: where its record is there. A hint: whoever reads the item finds out whether it
/// is still that proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegacyItemRow {
    /// The proof that the record becomes.
    pub proof: ProofId,
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The key of the item within the source, of at most [`MAX_ITEM_KEY_BYTES`](crate::bounds::MAX_ITEM_KEY_BYTES).
    pub item: String,
}

/// A row of the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "row")]
#[cfg_attr(
    target_pointer_width = "64",
    expect(clippy::large_enum_variant, reason = "most rows are those of proofs, and few are held at a time")
)]
pub enum Row {
    /// Of a proof.
    Proof(ProofRow),
    /// Of a manifest.
    Manifest(ManifestRow),
    /// Of a legacy id. It adds to no total.
    Alias(AliasRow),
    /// Of a proof that a legacy source has. It is in no listing but that of all rows, and adds to no total.
    LegacyItem(LegacyItemRow),
    /// Of a provider. It is in no listing but that of all rows, and adds to no total.
    Replica(ReplicaRow),
    /// Of the store as a whole. It is in no listing but that of all rows, and adds to no total.
    Store(StoreRow),
}

impl Row {
    /// Its key.
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

    /// Its version.
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

    /// The proof's row, if it is one.
    #[must_use]
    pub fn proof(self) -> Option<ProofRow> {
        if let Self::Proof(row) = self { Some(row) } else { None }
    }

    /// The manifest's row, if it is one.
    #[must_use]
    pub fn manifest(self) -> Option<ManifestRow> {
        if let Self::Manifest(row) = self { Some(row) } else { None }
    }

    /// The provider's row, if it is one.
    #[must_use]
    pub fn replica(self) -> Option<ReplicaRow> {
        if let Self::Replica(row) = self { Some(row) } else { None }
    }

    /// The legacy id's row, if it is one.
    #[must_use]
    pub fn alias(self) -> Option<AliasRow> {
        if let Self::Alias(row) = self { Some(row) } else { None }
    }

    /// The row of a legacy source's proof, if it is one.
    #[must_use]
    pub fn legacy_item(self) -> Option<LegacyItemRow> {
        if let Self::LegacyItem(row) = self { Some(row) } else { None }
    }

    /// The store's row, if it is one.
    #[must_use]
    pub fn store(self) -> Option<StoreRow> {
        if let Self::Store(row) = self { Some(row) } else { None }
    }

    /// Of a legacy id that names a proof, or a live manifest that was stored for itself: whose it is. It is in that tenant's
    /// listing of such.
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

    /// Returns what this row adds to the totals.
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

    /// Returns the time at which cleanup has to look at the row: some days after a live proof expires, or at once
    /// while a replacement or a deletion is unfinished. `None` if cleanup never has to.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Proof(ProofRow { state: State::Live, expires, replacing, .. }) => {
                Some(replacing.unwrap_or_else(|| expires.plus_seconds(EXPIRY_GRACE_SECONDS)))
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

/// Sums over all rows, exact as of some commit not long ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Totals {
    /// Live proofs.
    pub proofs: u64,
    /// Live C2PA manifests.
    pub manifests: u64,
    /// Bytes of all live manifests, C2PA and JSON, without compression.
    pub manifest_bytes: u64,
    /// Deleted proofs whose id is remembered.
    pub deleted: u64,
}

impl Totals {
    /// These totals with `old` taken out and `new` put in.
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
mod tests {
    use super::*;
    use crate::hash::MediaHash;

    fn manifest(state: State) -> ManifestRow {
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
