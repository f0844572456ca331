//! The identity of a store, by which an index and a store of objects know that they belong together.
//!
//! Both get the same identity when they are created, and both hold an epoch: a high-water mark that goes up, first in
//! the index and then in the store, after every span of time with a commit. So the epoch of the store never exceeds
//! that of its index, and lags by one at most. An index with a lower epoch than the store was restored from an earlier
//! instant, or is another index. Then nothing may be destroyed because its row is missing (guarantee 10).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::access::Visibility;
use crate::bounds::MAX_IDENTITY_BYTES;
use crate::object::{Attributes, Facts, ObjectKey};
use crate::row::StoreRow;
use crate::store_id::StoreId;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The version of the format that is written. There is no other.
const VERSION: u32 = 1;

/// The content of `store/identity`: what the store knows about its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The version of this format: 1.
    pub version: u32,
    /// The identity of the store.
    pub identity: StoreId,
    /// The epoch of the index when the mark was written.
    pub epoch: u64,
    /// Time at which the epoch of the index reached this value.
    pub at: Timestamp,
}

/// A reason why stored bytes are not a mark.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarkError {
    /// The bytes do not have the format.
    #[error("the identity of the store is damaged: {0}")]
    Damaged(String),
    /// The version is unknown to this program.
    #[error("the identity of the store has version {0}; this program reads version {VERSION}")]
    Version(u32),
}

impl Mark {
    /// Returns the mark that follows from `row`.
    #[must_use]
    pub const fn of(row: &StoreRow) -> Self {
        Self { version: VERSION, identity: row.identity, epoch: row.epoch, at: row.advanced }
    }

    /// Returns the bytes and the attributes to store under [`ObjectKey::Identity`].
    #[must_use]
    pub fn object(&self) -> (Vec<u8>, Attributes) {
        // Only a map with keys that are not strings fails to serialise, and a mark has none.
        let body = serde_json::to_vec(self).unwrap_or_default();
        let facts = Facts {
            generation: u32::try_from(self.epoch).unwrap_or(u32::MAX),
            ..Facts::of(&body, Tenant::default(), Visibility::Private, self.at)
        };
        let attributes = facts.attributes(&ObjectKey::Identity, BTreeMap::new());
        (body, attributes)
    }

    /// Reads a mark.
    ///
    /// # Errors
    /// Fails if `body` is not a mark.
    pub fn parse(body: &[u8]) -> Result<Self, MarkError> {
        if body.len() > MAX_IDENTITY_BYTES {
            return Err(MarkError::Damaged(format!("it has more than {MAX_IDENTITY_BYTES} bytes")));
        }
        let mark: Self =
            serde_json::from_slice(body).map_err(|error| MarkError::Damaged(error.to_string()))?;
        if mark.version == VERSION { Ok(mark) } else { Err(MarkError::Version(mark.version)) }
    }
}

/// A reason why an index and a store do not belong together as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// The index is older than the store: it was restored from an earlier instant.
    IndexOlder {
        /// The epoch of the index.
        index: u64,
        /// The epoch of the store.
        store: u64,
    },
    /// The store is older than the index: objects were restored from an earlier instant.
    StoreOlder {
        /// The epoch of the index.
        index: u64,
        /// The epoch of the store.
        store: u64,
    },
    /// The index belongs to another store, or to a copy of this store that was used on its own.
    Foreign {
        /// The store that the index belongs to.
        index: StoreId,
        /// The store that was found.
        store: StoreId,
    },
    /// The store belongs to an index, and this index is empty, so it is a new one.
    IndexNew,
    /// The index belongs to a store, and this store has no mark.
    StoreUnmarked,
    /// Neither is marked.
    Unmarked,
}

/// Compares the store's mark with the index's row. Returns `None` if they belong together. The caller must read the
/// mark before the row, so that a change between the two reads never makes the index look older than it is.
#[must_use]
pub fn judge(mark: Option<&Mark>, row: Option<&StoreRow>) -> Option<Mismatch> {
    match (mark, row) {
        (None, None) => Some(Mismatch::Unmarked),
        (Some(_), None) => Some(Mismatch::IndexNew),
        (None, Some(_)) => Some(Mismatch::StoreUnmarked),
        (Some(mark), Some(row)) if mark.identity != row.identity => {
            Some(Mismatch::Foreign { index: row.identity, store: mark.identity })
        }
        (Some(mark), Some(row)) => {
            let (index, store) = (row.epoch, mark.epoch);
            let at = if store == index { Some(row.advanced) } else { row.advanced_before };
            if store > index {
                Some(Mismatch::IndexOlder { index, store })
            } else if store + 1 < index {
                Some(Mismatch::StoreOlder { index, store })
            } else if at.is_some_and(|at| at != mark.at) {
                // The epochs are equal, but were reached at different times: the index or the store was copied, and the
                // copy was used.
                Some(Mismatch::Foreign { index: row.identity, store: mark.identity })
            } else {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(milliseconds)
    }

    fn row(identity: StoreId, epoch: u64) -> StoreRow {
        StoreRow::new(identity, epoch, at(0))
    }

    #[test]
    fn the_format_is_fixed() {
        let mark = Mark::of(&StoreRow::new(StoreId::of("one"), 7, at(1_798_761_600_000)));
        let (body, attributes) = mark.object();
        insta::assert_snapshot!("mark_v1", String::from_utf8_lossy(&body));
        assert_eq!(Mark::parse(&body), Ok(mark));
        assert_eq!(Facts::read(&attributes).unwrap().generation, 7);
        let newer = String::from_utf8(body).unwrap().replace("\"version\":1", "\"version\":2");
        assert_eq!(Mark::parse(newer.as_bytes()), Err(MarkError::Version(2)));
        assert!(matches!(Mark::parse(b"{}"), Err(MarkError::Damaged(_))));
        assert!(Mark::parse(&[b' '; MAX_IDENTITY_BYTES + 1]).is_err());
    }

    #[test]
    fn every_pair_has_its_verdict() {
        let (one, two) = (StoreId::of("one"), StoreId::of("two"));
        let mark = |epoch| Mark::of(&row(one, epoch));
        for (mark, row, verdict) in [
            (None, None, Some(Mismatch::Unmarked)),
            (Some(mark(1)), None, Some(Mismatch::IndexNew)),
            (None, Some(row(one, 1)), Some(Mismatch::StoreUnmarked)),
            (Some(mark(1)), Some(row(two, 1)), Some(Mismatch::Foreign { index: two, store: one })),
            (Some(mark(3)), Some(row(one, 3)), None),
            (Some(mark(3)), Some(row(one, 4)), None),
            (Some(mark(3)), Some(row(one, 2)), Some(Mismatch::IndexOlder { index: 2, store: 3 })),
            (Some(mark(3)), Some(row(one, 5)), Some(Mismatch::StoreOlder { index: 5, store: 3 })),
        ] {
            assert_eq!(judge(mark.as_ref(), row.as_ref()), verdict);
        }
    }
}
