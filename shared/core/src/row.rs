//! Index rows, which hold what decisions need, and no content.
//!
//! | row of | look in |
//! |---|---|
//! | a proof | [`ProofRow`] |
//! | a C2PA manifest | [`ManifestRow`] |
//! | a legacy ID; a proof that a legacy source has | [`AliasRow`]; [`LegacyItemRow`] |
//! | a provider that missed writes | [`ReplicaRow`] |
//! | the store as a whole | [`StoreRow`] |
//! | a file; its content | [`FileRow`]; [`BlobRow`] |
//! | an entity's list of files | [`ListRow`] |
//! | an upload; a quota | [`UploadRow`]; [`QuotaRow`] |
//!
//! Rows are found by their [`RowKey`], and summed up in [`Totals`].

mod as_text;
mod blob;
mod file;
mod key;
mod legacy;
mod list;
mod manifest;
mod proof;
mod quota;
mod replica;
mod store;
mod totals;
mod upload;

use serde::{Deserialize, Serialize};

use crate::rules::expiry::destroyed_from;
use crate::tenant::Tenant;
use crate::time::Timestamp;

pub use blob::BlobRow;
pub use file::FileRow;
pub use key::RowKey;
pub use legacy::{AliasRow, LegacyItemRow};
pub use list::ListRow;
pub use manifest::ManifestRow;
pub use proof::{Pending, PendingError, ProofRow, Reads};
pub use quota::QuotaRow;
pub use replica::ReplicaRow;
pub use store::StoreRow;
pub use totals::{CollectionTotals, FileTotals, Totals, UploadTotals};
pub use upload::{UploadRow, UploadState};
#[cfg(test)]
pub(crate) use {blob::tests::blob, file::tests::file, upload::tests::upload};

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
    /// The row of a file.
    File(FileRow),
    /// The row of a blob.
    Blob(BlobRow),
    /// The row of an entity's list of files. It adds to no total.
    List(ListRow),
    /// The row of an upload.
    Upload(UploadRow),
    /// The row of a quota. It adds to no total.
    Quota(QuotaRow),
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
            Self::File(row) => RowKey::File(row.id),
            Self::Blob(row) => RowKey::Blob(row.id()),
            Self::List(row) => RowKey::List(row.tenant.clone(), row.place()),
            Self::Upload(row) => RowKey::Upload(row.id),
            Self::Quota(row) => RowKey::Quota(row.tenant.clone(), row.owner.clone()),
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
            Self::File(row) => row.version,
            Self::Blob(row) => row.version,
            Self::List(row) => row.version,
            Self::Upload(row) => row.version,
            Self::Quota(row) => row.version,
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

    /// Returns the row of a file, if this is one.
    #[must_use]
    pub fn file(self) -> Option<FileRow> {
        if let Self::File(row) = self { Some(row) } else { None }
    }

    /// Returns the row of a blob, if this is one.
    #[must_use]
    pub fn blob(self) -> Option<BlobRow> {
        if let Self::Blob(row) = self { Some(row) } else { None }
    }

    /// Returns the row of an entity's list of files, if this is one.
    #[must_use]
    pub fn list(self) -> Option<ListRow> {
        if let Self::List(row) = self { Some(row) } else { None }
    }

    /// Returns the row of an upload, if this is one.
    #[must_use]
    pub fn upload(self) -> Option<UploadRow> {
        if let Self::Upload(row) = self { Some(row) } else { None }
    }

    /// Returns the row of a quota, if this is one.
    #[must_use]
    pub fn quota(self) -> Option<QuotaRow> {
        if let Self::Quota(row) = self { Some(row) } else { None }
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
            | Self::Store(_)
            | Self::File(_)
            | Self::Blob(_)
            | Self::List(_)
            | Self::Upload(_)
            | Self::Quota(_) => None,
        }
    }

    /// Returns the amounts that this row adds to the totals.
    #[must_use]
    pub fn totals(&self) -> Totals {
        match self {
            Self::Proof(row) => {
                let live = u64::from(row.state == State::Live);
                let inline = if row.manifest_id.is_none() { row.manifest_length } else { 0 };
                let (proofs, deleted) = (live, 1 - live);
                Totals { proofs, manifest_bytes: live * inline, deleted, ..Totals::default() }
            }
            Self::Manifest(row) => {
                let live = u64::from(row.state == State::Live);
                Totals { manifests: live, manifest_bytes: live * row.length, ..Totals::default() }
            }
            Self::File(row) => Totals { files: row.totals(), ..Totals::default() },
            Self::Blob(row) => Totals { files: row.totals(), ..Totals::default() },
            Self::Upload(row) => Totals { files: row.totals(), ..Totals::default() },
            Self::Alias(_)
            | Self::LegacyItem(_)
            | Self::Replica(_)
            | Self::Store(_)
            | Self::List(_)
            | Self::Quota(_) => Totals::default(),
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
            | Self::Store(_)
            | Self::List(_)
            | Self::Quota(_) => None,
            Self::File(row) => row.due(),
            Self::Blob(row) => row.due(),
            Self::Upload(row) => row.due,
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
    use crate::row::blob::tests::blob;
    use crate::row::file::tests::file;
    use crate::row::list::tests::list;
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
    #[test]
    fn rows_of_files_are_flat_and_read_back() {
        use crate::file::{FileId, Rejection};
        let file_id = FileId::from_random([1; 20]);
        let now = Timestamp::from_milliseconds(7_000);
        let owner = "auth0|7".parse().unwrap();
        let mut rows = vec![
            Row::File(file()),
            Row::File(file().detached(now).in_state(State::Deleting(now))),
            Row::Blob(blob()),
            Row::Blob(blob().released(now)),
            Row::List(list()),
            Row::List(list().with(crate::file::FileList::default())),
            Row::Quota(QuotaRow::empty(Tenant::default(), None)),
            Row::Quota(QuotaRow {
                used: 5,
                reserved: 7,
                files: 1,
                ..QuotaRow::empty(Tenant::default(), Some(owner))
            }),
        ];
        rows.extend(
            [
                UploadState::Pending,
                UploadState::Uploading,
                UploadState::Received,
                UploadState::Scanning,
                UploadState::Processing,
                UploadState::Ready { file: file_id },
                UploadState::Rejected { reason: Rejection::Malware },
                UploadState::Expired,
            ]
            .map(|state| Row::Upload(upload(state))),
        );
        let bare = UploadRow {
            owner: None,
            entity: None,
            position: None,
            media_hash: None,
            filename: None,
            focal: None,
            multipart: Some("2~x".to_owned()),
            ..upload(UploadState::Uploading)
        };
        rows.push(Row::Upload(bare));
        let mut shown = Vec::new();
        for row in &rows {
            let value = serde_json::to_value(row).unwrap();
            // The adapters store text, numbers, switches and sets of texts, and nothing else.
            for (name, member) in value.as_object().unwrap() {
                assert!(
                    member.is_string() || member.is_u64() || member.is_boolean() || member.is_array(),
                    "{name}: {member}"
                );
            }
            let text = serde_json::to_string(row).unwrap();
            assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), *row, "{text}");
            shown.push(format!("{}\n{text}", row.key()));
            // Each member that is needed is missed.
            let optional = [
                "owner",
                "entity",
                "position",
                "media_hash",
                "filename",
                "focal",
                "attempts",
                "unattached",
                "expires",
                "width",
                "height",
                "renditions",
                "removals",
                "rendition_bytes",
                "unheld",
                "multipart",
                "failures",
                "due",
            ];
            for name in value.as_object().unwrap().keys() {
                let mut less = value.clone();
                less.as_object_mut().unwrap().remove(name);
                let is_needed = !optional.contains(&name.as_str())
                    || matches!(row, Row::List(_)) && name == "entity"
                    || matches!(row, Row::Blob(_)) && name == "media_hash"
                    || matches!(row, Row::File(_)) && name == "media_hash"
                    || matches!(row, Row::Upload(_)) && name == "expires";
                assert_eq!(serde_json::from_value::<Row>(less).is_err(), is_needed, "{name} of {text}");
            }
        }
        insta::assert_snapshot!("rows_of_files", shown.join("\n"));
        for (good, bad) in [
            ("item/4711", "item#4711"),
            ("item-photo", "Item"),
            ("auth0|7", "a b"),
            ("public", "all"),
            ("large-1.jpg", "large.jpg"),
            ("image/jpeg", "text/html"),
            ("malware", "ugly"),
            ("\"pending\"", "\"paused\""),
            ("5000x5000", "5000x50000"),
            ("\"size\":20000000", "\"size\":-1"),
            ("\"used\":5", "\"used\":0.5"),
            ("sha256:", "sha1:"),
        ] {
            let damaged: Vec<&String> = shown.iter().filter(|text| text.contains(good)).collect();
            assert!(!damaged.is_empty(), "{good}");
            for text in damaged {
                let text = text.split_once('\n').unwrap().1.replace(good, bad);
                assert!(serde_json::from_str::<Row>(&text).is_err(), "{text}");
            }
        }
    }
}
