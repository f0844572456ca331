//! Tombstones, which take the place of deleted objects.
//!
//! A deletion replaces the object by compare-and-swap instead of removing it. A copy that arrives late (a fill of the
//! edge, a repair, a migration) is only written where nothing stands, so it cannot bring the proof back (guarantee 8),
//! even where no index is at hand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::access::Visibility;
use crate::bounds::MAX_TOMBSTONE_BYTES;
use crate::object::{Attributes, Facts, ObjectKey};
use crate::row::{FileRow, ManifestRow, ProofRow, Reads, Row, State};
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The version of the format that is written. There is no other.
const VERSION: u32 = 1;

/// The content of a tombstone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// The version of this format: 1.
    pub version: u32,
    /// Time at which the object was deleted.
    pub deleted: Timestamp,
    /// The last deleted revision of the proof or of the file's record, or the last deleted generation of the manifest.
    pub last: u32,
    /// `true` if the tombstone stands for something that nobody was ever told of. To readers nothing is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub void: bool,
    /// The row of the deleted proof, manifest or file, without its reads, so that it is not lost with the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<Box<Row>>,
}

impl Tombstone {
    /// Returns a tombstone of the current version, without a row.
    #[must_use]
    pub const fn new(deleted: Timestamp, last: u32) -> Self {
        Self { version: VERSION, deleted, last, void: false, row: None }
    }

    /// Returns the tombstone that the deletion of this row leaves, and its tenant, or `None` if the row is not deleted.
    #[must_use]
    pub fn of(row: &Row) -> Option<(Self, Tenant)> {
        match row {
            Row::Proof(row @ ProofRow { state: State::Deleted(at), .. }) => {
                let kept = ProofRow { reads: Reads::default(), ..row.clone() };
                let tombstone = Self {
                    void: row.void,
                    row: Some(Box::new(Row::Proof(kept))),
                    ..Self::new(*at, row.revision)
                };
                Some((tombstone, row.tenant.clone()))
            }
            Row::Manifest(row @ ManifestRow { state: State::Deleted(at), .. }) => {
                let kept = Some(Box::new(Row::Manifest(row.clone())));
                let tombstone = Self { void: row.void, row: kept, ..Self::new(*at, row.generation) };
                Some((tombstone, row.tenant.clone()))
            }
            Row::File(row @ FileRow { state: State::Deleted(at), .. }) => {
                let kept = Some(Box::new(Row::File(row.clone())));
                Some((Self { row: kept, ..Self::new(*at, row.revision) }, row.tenant.clone()))
            }
            Row::Proof(_)
            | Row::Manifest(_)
            | Row::File(_)
            | Row::Alias(_)
            | Row::LegacyItem(_)
            | Row::Replica(_)
            | Row::Store(_)
            | Row::Blob(_)
            | Row::List(_)
            | Row::Upload(_)
            | Row::Quota(_) => None,
        }
    }

    /// Returns the visibility of the tombstone: a deletion may be told to those who were allowed to read the object.
    fn visibility(&self) -> Visibility {
        match self.row.as_deref() {
            Some(Row::Proof(row)) => row.visibility,
            Some(Row::Manifest(row)) => row.visibility,
            Some(Row::File(row)) => row.access.visibility(),
            Some(
                Row::Alias(_)
                | Row::LegacyItem(_)
                | Row::Replica(_)
                | Row::Store(_)
                | Row::Blob(_)
                | Row::List(_)
                | Row::Upload(_)
                | Row::Quota(_),
            )
            | None => Visibility::Public,
        }
    }

    /// Returns the bytes and the attributes to store under `key`.
    #[must_use]
    pub fn object(&self, key: &ObjectKey, tenant: &Tenant) -> (Vec<u8>, Attributes) {
        // Only a map with keys that are not strings fails to serialise, and a tombstone has none.
        let body = serde_json::to_vec(self).unwrap_or_default();
        let facts = Facts {
            tombstone: true,
            void: self.void,
            ..Facts::of(&body, tenant.clone(), self.visibility(), self.deleted)
        };
        let attributes = facts.attributes(key, BTreeMap::new());
        (body, attributes)
    }

    /// Reads a tombstone.
    ///
    /// # Errors
    /// The reason, in words, why `body` is not a tombstone.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        if body.len() > MAX_TOMBSTONE_BYTES {
            return Err(format!("the tombstone is damaged: it has more than {MAX_TOMBSTONE_BYTES} bytes"));
        }
        let tombstone: Self =
            serde_json::from_slice(body).map_err(|error| format!("the tombstone is damaged: {error}"))?;
        if tombstone.version != VERSION {
            return Err(format!(
                "the tombstone has version {}; this program reads {VERSION}",
                tombstone.version
            ));
        }
        Ok(tombstone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tombstone_reads_back() {
        let tombstone = Tombstone::new(Timestamp::from_milliseconds(1_500), 3);
        let key = ObjectKey::Manifest("urn:c2pa:x".parse().unwrap());
        let (body, attributes) = tombstone.object(&key, &Tenant::default());
        assert_eq!(Tombstone::parse(&body), Ok(tombstone));
        assert!(Facts::read(&attributes).unwrap().tombstone);
        let newer = String::from_utf8(body).unwrap().replace("\"version\":1", "\"version\":2");
        assert!(Tombstone::parse(newer.as_bytes()).unwrap_err().contains("version 2"));
        assert!(Tombstone::parse(&[b' '; MAX_TOMBSTONE_BYTES + 1]).is_err());
        assert!(Tombstone::parse(b"{}").unwrap_err().contains("missing field"));
    }
}
