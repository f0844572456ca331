//! The totals of an index.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::file::{CollectionName, Rejection};

/// Sums over all rows, exact as of a recent commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The sums over files; absent if there never was one.
    #[serde(default, skip_serializing_if = "FileTotals::is_nothing")]
    pub files: FileTotals,
}

/// Sums over all files, their contents and uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileTotals {
    /// Live files.
    pub count: u64,
    /// Bytes that were uploaded as live files, as the quotas count them. A content that two files share counts twice.
    pub bytes: u64,
    /// The live files by collection.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, CollectionTotals>))]
    pub collections: BTreeMap<CollectionName, CollectionTotals>,
    /// Stored contents: each once, whatever number of files show it. A content that no file shows is kept for a day.
    pub blobs: u64,
    /// Bytes of the stored contents.
    pub blob_bytes: u64,
    /// Bytes that are not stored because files share their content.
    pub saved_bytes: u64,
    /// Renditions.
    pub renditions: u64,
    /// Bytes of the renditions.
    pub rendition_bytes: u64,
    /// The uploads.
    pub uploads: UploadTotals,
}

/// Sums over the files of a collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CollectionTotals {
    /// Live files.
    pub count: u64,
    /// Bytes that were uploaded as these files.
    pub bytes: u64,
}

/// Sums over uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UploadTotals {
    /// Uploads that may still become files.
    pub open: u64,
    /// Bytes that these have announced.
    pub open_bytes: u64,
    /// Uploads that became files.
    pub ready: u64,
    /// Uploads whose bytes did not arrive in time.
    pub expired: u64,
    /// Uploads that were rejected, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, u64>))]
    pub rejected: BTreeMap<Rejection, u64>,
}

impl FileTotals {
    /// Returns `true` if every sum is zero.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// The beginning of the name of the sum of a collection's files.
const COLLECTION_COUNT: &str = "collection_count ";
/// The beginning of the name of the sum of a collection's bytes.
const COLLECTION_BYTES: &str = "collection_bytes ";
/// The beginning of the name of the sum of uploads that were rejected for a reason.
const REJECTED: &str = "rejected ";

impl Totals {
    /// Returns these totals without `old` and with `new`.
    #[must_use]
    pub fn exchange(mut self, old: &Self, new: &Self) -> Self {
        self.change(new, u64::saturating_add);
        self.change(old, u64::saturating_sub);
        self
    }

    /// Changes each sum by that of `other`. This is done for every row of a commit.
    fn change(&mut self, other: &Self, by: fn(u64, u64) -> u64) {
        let step = |sum: &mut u64, other: u64| *sum = by(*sum, other);
        step(&mut self.proofs, other.proofs);
        step(&mut self.manifests, other.manifests);
        step(&mut self.manifest_bytes, other.manifest_bytes);
        step(&mut self.deleted, other.deleted);
        let (files, other) = (&mut self.files, &other.files);
        step(&mut files.count, other.count);
        step(&mut files.bytes, other.bytes);
        step(&mut files.blobs, other.blobs);
        step(&mut files.blob_bytes, other.blob_bytes);
        step(&mut files.saved_bytes, other.saved_bytes);
        step(&mut files.renditions, other.renditions);
        step(&mut files.rendition_bytes, other.rendition_bytes);
        for (name, other) in &other.collections {
            let sums = files.collections.entry(name.clone()).or_default();
            step(&mut sums.count, other.count);
            step(&mut sums.bytes, other.bytes);
            if *sums == CollectionTotals::default() {
                files.collections.remove(name);
            }
        }
        let (uploads, other) = (&mut files.uploads, &other.uploads);
        step(&mut uploads.open, other.open);
        step(&mut uploads.open_bytes, other.open_bytes);
        step(&mut uploads.ready, other.ready);
        step(&mut uploads.expired, other.expired);
        for (reason, other) in &other.rejected {
            let sum = uploads.rejected.entry(*reason).or_default();
            step(sum, *other);
            if *sum == 0 {
                uploads.rejected.remove(reason);
            }
        }
    }

    /// Returns the sums that are not zero by their names, which an index may store.
    #[must_use]
    pub fn named(&self) -> Vec<(String, u64)> {
        let FileTotals { count, bytes, collections, blobs, blob_bytes, .. } = &self.files;
        let FileTotals { saved_bytes, renditions, rendition_bytes, uploads, .. } = &self.files;
        let fixed = [
            ("proofs", self.proofs),
            ("manifests", self.manifests),
            ("manifest_bytes", self.manifest_bytes),
            ("deleted", self.deleted),
            ("files", *count),
            ("file_bytes", *bytes),
            ("blobs", *blobs),
            ("blob_bytes", *blob_bytes),
            ("saved_bytes", *saved_bytes),
            ("renditions", *renditions),
            ("rendition_bytes", *rendition_bytes),
            ("uploads_open", uploads.open),
            ("uploads_open_bytes", uploads.open_bytes),
            ("uploads_ready", uploads.ready),
            ("uploads_expired", uploads.expired),
        ];
        let fixed = fixed.into_iter().filter(|(_, sum)| *sum > 0);
        let mut named: Vec<_> = fixed.map(|(name, sum)| (name.to_owned(), sum)).collect();
        for (name, CollectionTotals { count, bytes }) in collections {
            named.push((format!("{COLLECTION_COUNT}{name}"), *count));
            named.push((format!("{COLLECTION_BYTES}{name}"), *bytes));
        }
        named.extend(
            uploads.rejected.iter().map(|(reason, sum)| (format!("{REJECTED}{}", reason.name()), *sum)),
        );
        named.retain(|(_, sum)| *sum > 0);
        named
    }

    /// Returns the totals of these sums. A name that is not one of [`named`](Self::named) is passed over.
    #[must_use]
    pub fn of_named(sums: impl IntoIterator<Item = (String, u64)>) -> Self {
        let mut totals = Self::default();
        for (name, sum) in sums.into_iter().filter(|(_, sum)| *sum > 0) {
            if let Some(place) = totals.place(&name) {
                *place = sum;
            }
        }
        totals
    }

    fn place(&mut self, name: &str) -> Option<&mut u64> {
        let files = &mut self.files;
        Some(match name {
            "proofs" => &mut self.proofs,
            "manifests" => &mut self.manifests,
            "manifest_bytes" => &mut self.manifest_bytes,
            "deleted" => &mut self.deleted,
            "files" => &mut files.count,
            "file_bytes" => &mut files.bytes,
            "blobs" => &mut files.blobs,
            "blob_bytes" => &mut files.blob_bytes,
            "saved_bytes" => &mut files.saved_bytes,
            "renditions" => &mut files.renditions,
            "rendition_bytes" => &mut files.rendition_bytes,
            "uploads_open" => &mut files.uploads.open,
            "uploads_open_bytes" => &mut files.uploads.open_bytes,
            "uploads_ready" => &mut files.uploads.ready,
            "uploads_expired" => &mut files.uploads.expired,
            name => {
                if let Some(name) = name.strip_prefix(COLLECTION_COUNT) {
                    &mut files.collections.entry(name.parse().ok()?).or_default().count
                } else if let Some(name) = name.strip_prefix(COLLECTION_BYTES) {
                    &mut files.collections.entry(name.parse().ok()?).or_default().bytes
                } else {
                    let name = name.strip_prefix(REJECTED)?;
                    let reason = Rejection::ALL.iter().find(|reason| reason.name() == name)?;
                    files.uploads.rejected.entry(*reason).or_default()
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Totals {
        let collections = [("item-photo", 2, 10), ("temp", 1, 3)];
        let collections = collections
            .map(|(name, count, bytes)| (name.parse().unwrap(), CollectionTotals { count, bytes }));
        let files = FileTotals {
            count: 3,
            bytes: 13,
            collections: collections.into(),
            blobs: 2,
            blob_bytes: 8,
            saved_bytes: 5,
            renditions: 12,
            rendition_bytes: 99,
            uploads: UploadTotals {
                open: 1,
                open_bytes: 7,
                ready: 3,
                expired: 4,
                rejected: [(Rejection::Truncated, 2), (Rejection::Malware, 1)].into(),
            },
        };
        Totals { proofs: 1, manifests: 2, manifest_bytes: 3, deleted: 4, files }
    }

    #[test]
    fn sums_have_names_and_read_back() {
        let some = some();
        assert_eq!(Totals::of_named(some.named()), some);
        let names: Vec<String> = some.named().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 15 + 4 + 2, "{names:?}");
        assert_eq!(Totals::default().named(), []);
        assert_eq!(
            Totals::of_named([("odd".to_owned(), 1), ("rejected ugly".to_owned(), 1)]),
            Totals::default()
        );
        let text = serde_json::to_string(&some).unwrap();
        assert_eq!(serde_json::from_str::<Totals>(&text).unwrap(), some);
        insta::assert_snapshot!("totals", serde_json::to_string_pretty(&some).unwrap());
        // Indexes from before there were files have the first four sums.
        let before = r#"{"proofs":1,"manifests":2,"manifest_bytes":3,"deleted":4}"#;
        let totals: Totals = serde_json::from_str(before).unwrap();
        assert_eq!(totals, Totals { files: FileTotals::default(), ..some });
        assert_eq!(serde_json::to_string(&totals).unwrap(), before);
    }

    #[test]
    fn what_is_exchanged_for_nothing_leaves_nothing() {
        let (some, none) = (some(), Totals::default());
        let twice = some.clone().exchange(&none, &some);
        assert_eq!((twice.proofs, twice.files.uploads.rejected[&Rejection::Truncated]), (2, 4));
        assert_eq!(twice.exchange(&some, &none), some);
        assert_eq!(
            some.clone().exchange(&some, &none),
            none,
            "no collection and no reason is left with a zero"
        );
    }
}
