//! The row of a file.

use serde::{Deserialize, Serialize};

use super::{CollectionTotals, FileTotals, State, as_text};
use crate::bounds::UNATTACHED_SECONDS;
use crate::file::{Access, BlobId, CollectionName, EntityRef, FileId, ListPlace, OwnerId};
use crate::file_record::FileRecord;
use crate::hash::{Digest, MediaHash};
use crate::rules::expiry::{destroyed_from, has_expired};
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The row of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRow {
    /// The file's ID.
    pub id: FileId,
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The file's state.
    #[serde(flatten)]
    pub state: State,
    /// The tenant that the file belongs to.
    pub tenant: Tenant,
    /// The owner within the tenant, or `None` for the tenant itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerId>,
    /// The collection.
    pub collection: CollectionName,
    /// The entity in whose list the file is.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text::optional")]
    pub entity: Option<EntityRef>,
    /// Time since which the file has been in no list, if its collection is one of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unattached: Option<Timestamp>,
    /// The readers.
    pub access: Access,
    /// SHA-256 of the bytes that were uploaded; with the tenant it names the blob.
    pub media_hash: MediaHash,
    /// Number of bytes that were uploaded, which count for the quotas.
    pub bytes: u64,
    /// SHA-256 of the current record.
    pub record_sha256: Digest,
    /// The number of writes of the record.
    pub revision: u32,
    /// Time at which the file became ready.
    pub created: Timestamp,
    /// Time at which the file expires, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

impl FileRow {
    /// Returns the first row of a file with this record, whose stored bytes have this digest.
    #[must_use]
    pub fn first(record: &FileRecord, record_sha256: Digest) -> Self {
        Self {
            id: record.id,
            version: 1,
            state: State::Live,
            tenant: record.tenant.clone(),
            owner: record.owner.clone(),
            collection: record.collection.name.clone(),
            entity: record.entity.clone(),
            unattached: None,
            access: record.access,
            media_hash: record.media_hash,
            bytes: record.bytes,
            record_sha256,
            revision: record.revision,
            created: record.created,
            expires: record.expires,
        }
    }

    /// Returns the ID of the file's blob.
    #[must_use]
    pub fn blob(&self) -> BlobId {
        BlobId::derive(&self.tenant, &self.media_hash)
    }

    /// Returns the list that the file is in.
    #[must_use]
    pub fn place(&self) -> Option<ListPlace> {
        Some(ListPlace { entity: self.entity.clone()?, collection: self.collection.clone() })
    }

    /// Returns the row in another state, with the next version.
    #[must_use]
    pub fn in_state(&self, state: State) -> Self {
        Self { state, version: self.version + 1, ..self.clone() }
    }

    /// Returns the row of a file that was put into the list of `entity`, with the next version.
    #[must_use]
    pub fn attached(&self, entity: EntityRef) -> Self {
        Self { entity: Some(entity), unattached: None, version: self.version + 1, ..self.clone() }
    }

    /// Returns the row of a file that was taken out of its list at `now`, with the next version.
    #[must_use]
    pub fn detached(&self, now: Timestamp) -> Self {
        Self { entity: None, unattached: Some(now), version: self.version + 1, ..self.clone() }
    }

    /// Returns `true` if the file is live and has expired by `now`.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.state == State::Live && self.expires.is_some_and(|expires| has_expired(expires, now))
    }

    /// Returns the amounts that the file adds to the totals, while it is live.
    #[must_use]
    pub fn totals(&self) -> FileTotals {
        if self.state != State::Live {
            return FileTotals::default();
        }
        let of_collection = CollectionTotals { count: 1, bytes: self.bytes };
        FileTotals {
            count: 1,
            bytes: self.bytes,
            collections: [(self.collection.clone(), of_collection)].into(),
            ..FileTotals::default()
        }
    }

    /// Returns the time at which cleanup must look at the row: some days after the file expires, nine days after it
    /// was taken out of its list, or at once while its deletion is unfinished.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        match self.state {
            State::Live => {
                let expiry = self.expires.map(destroyed_from);
                let unattached = self.unattached.map(|since| since.plus_seconds(UNATTACHED_SECONDS));
                expiry.into_iter().chain(unattached).min()
            }
            State::Deleting(at) => Some(at),
            State::Deleted(_) => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(seconds * 1_000)
    }

    pub(crate) fn file() -> FileRow {
        FileRow {
            id: FileId::from_random([1; 20]),
            version: 4,
            state: State::Live,
            tenant: Tenant::default(),
            owner: Some("auth0|7".parse().unwrap()),
            collection: "item-photo".parse().unwrap(),
            entity: Some("item/4711".parse().unwrap()),
            unattached: None,
            access: Access::Public,
            media_hash: MediaHash::of(b"x"),
            bytes: 1,
            record_sha256: Digest::of(b"record"),
            revision: 2,
            created: at(7),
            expires: None,
        }
    }

    #[test]
    fn cleanup_looks_at_what_expires_and_at_what_no_list_shows() {
        let day = 86_400;
        let row = file();
        assert_eq!(row.due(), None);
        let loose = row.detached(at(100));
        assert_eq!((loose.version, loose.entity.clone(), loose.due()), (5, None, Some(at(100 + 9 * day))));
        let back = loose.attached("item/1".parse().unwrap());
        assert_eq!((back.version, back.unattached, back.due()), (6, None, None));
        let temporary = FileRow { expires: Some(at(1_000)), ..row.clone() };
        assert_eq!(temporary.due(), Some(at(1_000 + 7 * day)));
        assert!(temporary.has_expired(at(1_000)) && !temporary.has_expired(at(999)));
        let both = FileRow { expires: Some(at(1_000)), ..loose };
        assert_eq!(both.due(), Some(at(1_000 + 7 * day)));
        let longer = FileRow { expires: Some(at(3 * day)), ..both };
        assert_eq!(longer.due(), Some(at(100 + 9 * day)));
        let deleting = temporary.in_state(State::Deleting(at(5)));
        assert_eq!((deleting.due(), deleting.has_expired(at(9_000))), (Some(at(5)), false));
        assert_eq!(row.in_state(State::Deleted(at(5))).due(), None);
    }
}
