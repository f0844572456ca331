//! The row of a blob.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{FileTotals, State};
use crate::bounds::{BLOB_REMOVAL_SECONDS, BLOB_TAKEOVER_SECONDS, UNHELD_BLOB_SECONDS};
use crate::file::{BlobId, FileType, RenditionName};
use crate::file_record::{FileRecord, RenditionRecord};
use crate::hash::MediaHash;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The row of a blob: one content within a tenant, whatever number of files show it. Its ID follows from tenant and
/// media hash.
///
/// The row decides between those who write the blob's objects and those who remove them, on however many machines:
///
/// * Objects are written only while the row is live, and a file holds the blob only if its objects were not removed since
///   its writer read the row: the number of [`removals`](Self::removals) is still the same.
/// * Objects are removed only by the process that committed the row as *deleting*, and for [`BLOB_REMOVAL_SECONDS`] at
///   most. Nobody writes the blob meanwhile. After [`BLOB_TAKEOVER_SECONDS`], another process may go on with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRow {
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The blob's state.
    #[serde(flatten)]
    pub state: State,
    /// The tenant that the blob belongs to.
    pub tenant: Tenant,
    /// SHA-256 of the bytes.
    pub media_hash: MediaHash,
    /// Number of bytes.
    pub bytes: u64,
    /// The type, by content.
    #[serde(rename = "type")]
    pub kind: FileType,
    /// The width of a picture, upright, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// The height of a picture, upright, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Number of frames of a picture, if it has more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<u32>,
    /// Number of files that hold the blob.
    pub holders: u32,
    /// Time since which no file has held the blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unheld: Option<Timestamp>,
    /// Number of times that the removal of the objects began.
    #[serde(default)]
    pub removals: u64,
    /// The renditions that were made.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub renditions: BTreeSet<RenditionName>,
    /// Number of bytes of all renditions together.
    #[serde(default)]
    pub rendition_bytes: u64,
}

impl BlobRow {
    /// Returns the row of the blob of a file before its first commit, of version 0, held by no file and without renditions.
    #[must_use]
    pub fn of(record: &FileRecord) -> Self {
        Self {
            version: 0,
            state: State::Live,
            tenant: record.tenant.clone(),
            media_hash: record.media_hash,
            bytes: record.bytes,
            kind: record.kind,
            width: record.width,
            height: record.height,
            frames: record.frames,
            holders: 0,
            unheld: None,
            removals: 0,
            renditions: BTreeSet::new(),
            rendition_bytes: 0,
        }
    }

    /// Returns the ID of the blob.
    #[must_use]
    pub fn id(&self) -> BlobId {
        BlobId::derive(&self.tenant, &self.media_hash)
    }

    /// Returns the row in another state, with the next version.
    #[must_use]
    pub fn in_state(&self, state: State) -> Self {
        Self { state, version: self.version + 1, ..self.clone() }
    }

    /// Returns `true` if the objects that were written when the row was `noted` are still there: nobody has begun to remove
    /// them since.
    #[must_use]
    pub fn has_kept(&self, noted: &Self) -> bool {
        self.state == State::Live && self.removals == noted.removals
    }

    /// Returns the row held by one more file, with the next version.
    #[must_use]
    pub fn held(&self) -> Self {
        Self { holders: self.holders.saturating_add(1), unheld: None, ..self.in_state(self.state) }
    }

    /// Returns the row of a blob that also has these renditions, with the same version.
    #[must_use]
    pub fn with_renditions(&self, made: &[RenditionRecord]) -> Self {
        let names: BTreeSet<_> = made.iter().map(|made| made.name.clone()).collect();
        let new = made.iter().filter(|made| !self.renditions.contains(&made.name));
        let rendition_bytes = self.rendition_bytes + new.map(|made| made.bytes).sum::<u64>();
        Self { renditions: &self.renditions | &names, rendition_bytes, ..self.clone() }
    }

    /// Returns the row whose objects are being removed from `now` on, with the next version.
    #[must_use]
    pub fn removing(&self, now: Timestamp) -> Self {
        Self { removals: self.removals.saturating_add(1), ..self.in_state(State::Deleting(now)) }
    }

    /// Returns the row whose objects are gone, with the next version.
    #[must_use]
    pub fn removed(&self, at: Timestamp) -> Self {
        Self {
            unheld: None,
            renditions: BTreeSet::new(),
            rendition_bytes: 0,
            ..self.in_state(State::Deleted(at))
        }
    }

    /// Returns `true` if the process that began to remove the objects at `since` may go on at `now`. A clock that was set
    /// back says no more than one that was set forward.
    #[must_use]
    pub fn may_go_on(since: Timestamp, now: Timestamp) -> bool {
        now <= since.plus_seconds(BLOB_REMOVAL_SECONDS) && since <= now.plus_seconds(BLOB_REMOVAL_SECONDS)
    }

    /// Returns the time from which another process may go on with the removal that began at `since`.
    #[must_use]
    pub fn taken_over(since: Timestamp) -> Timestamp {
        since.plus_seconds(BLOB_TAKEOVER_SECONDS)
    }

    /// Returns the row held by one file less, with the next version. A blob without a file is kept for a day: the same
    /// content is often uploaded again, and a reader may be in the middle of it.
    #[must_use]
    pub fn released(&self, now: Timestamp) -> Self {
        let holders = self.holders.saturating_sub(1);
        Self { holders, unheld: (holders == 0).then_some(now), ..self.in_state(self.state) }
    }

    /// Returns the amounts that the blob adds to the totals, while it is live. Each file that holds it beside the first
    /// one saves its bytes.
    #[must_use]
    pub fn totals(&self) -> FileTotals {
        if self.state != State::Live {
            return FileTotals::default();
        }
        FileTotals {
            blobs: 1,
            blob_bytes: self.bytes,
            saved_bytes: self.bytes.saturating_mul(self.holders.saturating_sub(1).into()),
            renditions: self.renditions.len() as u64,
            rendition_bytes: self.rendition_bytes,
            ..FileTotals::default()
        }
    }

    /// Returns the time at which cleanup must look at the row: a day after the last file let go of it, or when another process
    /// may go on with a removal that is not finished.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        match self.state {
            State::Live => self.unheld.map(|since| since.plus_seconds(UNHELD_BLOB_SECONDS)),
            State::Deleting(since) => Some(Self::taken_over(since)),
            State::Deleted(_) => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn blob() -> BlobRow {
        BlobRow {
            version: 1,
            state: State::Live,
            tenant: Tenant::default(),
            media_hash: MediaHash::of(b"x"),
            bytes: 1,
            kind: FileType::Jpeg,
            width: Some(4_032),
            height: Some(3_024),
            frames: None,
            holders: 1,
            unheld: None,
            removals: 0,
            renditions: ["large-1.jpg".parse().unwrap(), "large-1.webp".parse().unwrap()].into(),
            rendition_bytes: 250_000,
        }
    }

    #[test]
    fn a_shared_content_is_saved_once_for_each_file_but_the_first() {
        let now = Timestamp::from_milliseconds(7_000);
        let one = BlobRow { bytes: 10, ..blob() };
        assert_eq!((one.totals().blob_bytes, one.totals().saved_bytes, one.totals().renditions), (10, 0, 2));
        let three = one.held().held();
        assert_eq!((three.totals().blob_bytes, three.totals().saved_bytes), (10, 20));
        assert_eq!(one.released(now).totals().saved_bytes, 0);
        assert_eq!(one.in_state(State::Deleting(now)).totals(), FileTotals::default());
    }

    #[test]
    fn the_last_file_lets_go_and_the_blob_waits_a_day() {
        let now = Timestamp::from_milliseconds(7_000);
        let two = blob().held();
        assert_eq!((two.holders, two.version, two.due()), (2, 2, None));
        let one = two.released(now);
        assert_eq!((one.holders, one.version, one.due()), (1, 3, None));
        let none = one.released(now);
        assert_eq!((none.holders, none.due()), (0, Some(now.plus_seconds(86_400))));
        let again = none.held();
        assert_eq!((again.holders, again.unheld, again.due()), (1, None, None));
        assert!(again.has_kept(&none));
        let removing = none.removing(now);
        assert_eq!((removing.removals, removing.due()), (1, Some(now.plus_seconds(3_600))));
        let removed = removing.removed(now);
        assert_eq!((removed.due(), removed.renditions.len(), removed.rendition_bytes), (None, 0, 0));
        let live = removed.in_state(State::Live);
        assert!([removing, removed, live].iter().all(|row| !row.has_kept(&none)));
    }

    #[test]
    fn a_removal_ends_long_before_it_is_taken_over() {
        let since = Timestamp::from_milliseconds(1_798_761_600_000);
        assert!(BlobRow::may_go_on(since, since.plus_seconds(900)));
        assert!(!BlobRow::may_go_on(since, since.plus_seconds(901)));
        assert!(!BlobRow::may_go_on(since, since.minus_seconds(901)), "the clock was set back");
        let margin = BlobRow::taken_over(since).seconds() - since.plus_seconds(900).seconds();
        assert!(margin > crate::bounds::MAX_CLOCK_LAG_SECONDS * 2);
    }
}
