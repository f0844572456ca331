//! The row of an entity's list of files.

use serde::{Deserialize, Serialize};

use super::as_text;
use crate::file::{CollectionName, EntityRef, FileList, ListPlace};
use crate::hash::Digest;
use crate::tenant::Tenant;

/// The row of an entity's list in a collection. Each list has a row of its own, so that a change to one does not make
/// the writers of another lose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRow {
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The tenant that the list belongs to.
    pub tenant: Tenant,
    /// The entity.
    #[serde(with = "as_text")]
    pub entity: EntityRef,
    /// The collection.
    pub collection: CollectionName,
    /// The files in order.
    #[serde(with = "as_text")]
    pub files: FileList,
}

impl ListRow {
    /// Returns the row of a list before its first commit, of version 0 and without files.
    #[must_use]
    pub fn empty(tenant: &Tenant, place: &ListPlace) -> Self {
        Self {
            version: 0,
            tenant: tenant.clone(),
            entity: place.entity.clone(),
            collection: place.collection.clone(),
            files: FileList::default(),
        }
    }

    /// Returns the place of the list.
    #[must_use]
    pub fn place(&self) -> ListPlace {
        ListPlace { entity: self.entity.clone(), collection: self.collection.clone() }
    }

    /// Returns the row with other files, with the next version.
    #[must_use]
    pub fn with(&self, files: FileList) -> Self {
        Self { files, version: self.version + 1, ..self.clone() }
    }

    /// Returns the digest from which the `ETag` of the list is made. It changes with every commit, also if a list becomes
    /// again what it was.
    #[must_use]
    pub fn digest(tenant: &Tenant, place: &ListPlace, row: Option<&Self>) -> Digest {
        let (version, files) = row.map_or((0, String::new()), |row| (row.version, row.files.to_string()));
        Digest::of(format!("{tenant}/{place} {version} {files}").as_bytes())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::file::FileId;

    pub(in crate::row) fn list() -> ListRow {
        let file = |byte| FileId::from_random([byte; 20]);
        ListRow {
            version: 3,
            tenant: Tenant::default(),
            entity: "item/4711".parse().unwrap(),
            collection: "item-photo".parse().unwrap(),
            files: FileList::new(vec![file(2), file(1)]).unwrap(),
        }
    }

    #[test]
    fn every_commit_has_another_tag() {
        let first = list();
        let place = first.place();
        let second = first.with(FileList::default());
        let third = second.with(first.files.clone());
        let tag = |row: Option<&ListRow>| ListRow::digest(&Tenant::default(), &place, row);
        let tags = [tag(None), tag(Some(&first)), tag(Some(&second)), tag(Some(&third))];
        for (number, one) in tags.iter().enumerate() {
            assert!(!tags[..number].contains(one));
        }
        assert_ne!(tag(None), ListRow::digest(&"acme".parse().unwrap(), &place, None));
        assert_eq!(third.version, 5);
    }
}
