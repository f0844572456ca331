//! Verdicts about objects by their index rows: the rules of cleanup and fsck.
//!
//! Every writer changes objects first and the row last, and every deletion the row first. A crash can therefore leave
//! only a few combinations behind, and each has a rule here.

use crate::bounds::ORPHAN_AGE_SECONDS;
use crate::row::{ManifestRow, ProofRow, State};
use crate::time::Timestamp;

/// The object under `proofs/{id}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofObject {
    /// A record of this revision.
    Record(u32),
    /// A tombstone.
    Tombstone,
}

/// The verdict about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectVerdict {
    /// The object is as it must be.
    Right,
    /// A store or a replacement wrote the object and ended before its row, so nobody was told of it.
    Orphan,
    /// The object is newer than its row: a replacement ended before its row, or the index is older. The row follows.
    Ahead,
    /// A deletion is unfinished.
    Unfinished,
    /// The object must not be there: a guarantee is broken.
    Broken(&'static str),
}

/// Judges the object under `proofs/{id}`.
#[must_use]
pub const fn judge_record(found: ProofObject, row: Option<&ProofRow>) -> ObjectVerdict {
    let Some(row) = row else {
        return match found {
            ProofObject::Record(_) => ObjectVerdict::Orphan,
            ProofObject::Tombstone => ObjectVerdict::Right,
        };
    };
    match (found, row.state) {
        (ProofObject::Record(revision), State::Live) => {
            if revision == row.revision {
                ObjectVerdict::Right
            } else if revision > row.revision {
                ObjectVerdict::Ahead
            } else {
                ObjectVerdict::Broken("the record is of an earlier revision than the index says")
            }
        }
        (ProofObject::Tombstone, State::Live) => {
            ObjectVerdict::Broken("the index has a live proof whose record is deleted")
        }
        (_, State::Deleting(_)) => ObjectVerdict::Unfinished,
        (ProofObject::Tombstone, State::Deleted(_)) => ObjectVerdict::Right,
        (ProofObject::Record(revision), State::Deleted(_)) => {
            if revision > row.revision || row.void {
                ObjectVerdict::Orphan
            } else {
                ObjectVerdict::Broken("the index has the proof as deleted, and its record is readable")
            }
        }
    }
}

/// Judges the object under `proofs/{id}/{revision}`. A copy of a live proof's current record is the beginning of a
/// replacement that did not happen. The next replacement finds its first step already done.
#[must_use]
pub const fn judge_revision(revision: u32, row: Option<&ProofRow>) -> ObjectVerdict {
    match row {
        None => ObjectVerdict::Orphan,
        Some(row) => match row.state {
            State::Live if revision >= row.first_revision && revision <= row.revision => ObjectVerdict::Right,
            State::Live | State::Deleted(_) => ObjectVerdict::Orphan,
            State::Deleting(_) => ObjectVerdict::Unfinished,
        },
    }
}

/// Judges the object under `manifests/{id}`: a manifest of some generation, or a tombstone.
#[must_use]
pub const fn judge_manifest(generation: Option<u32>, row: Option<&ManifestRow>) -> ObjectVerdict {
    let Some(row) = row else {
        return if generation.is_some() { ObjectVerdict::Orphan } else { ObjectVerdict::Right };
    };
    match (generation, row.state) {
        (Some(_), State::Live) | (None, State::Deleted(_)) => ObjectVerdict::Right,
        (None, State::Live) => ObjectVerdict::Broken("the index has a live manifest that is deleted"),
        (_, State::Deleting(_)) => ObjectVerdict::Unfinished,
        (Some(generation), State::Deleted(_)) => {
            if generation > row.generation || row.void {
                ObjectVerdict::Orphan
            } else {
                ObjectVerdict::Broken("the index has the manifest as deleted, and it is readable")
            }
        }
    }
}

/// Returns `true` if an orphan written at `modified` is old enough to be handled at `now`. No store takes that long.
#[must_use]
pub fn orphan_is_due(modified: Timestamp, now: Timestamp) -> bool {
    modified.plus_seconds(ORPHAN_AGE_SECONDS) <= now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Digest;
    use crate::rules::store::Draft;
    use crate::tenant::Tenant;

    const NOW: fn() -> Timestamp = || Timestamp::from_milliseconds(1_000);

    fn row(revision: u32, state: State) -> ProofRow {
        let body = format!(r#"{{"media_hash":"{}","manifest":{{}}}}"#, Digest::of(b"x"));
        let draft = Draft::parse(body.as_bytes(), Tenant::default(), None).unwrap();
        ProofRow { state, ..ProofRow::publish(&draft.record(revision, NOW()), Digest::of(b""), None) }
    }

    #[test]
    fn every_crash_has_its_verdict() {
        let (live, deleting, deleted) = (State::Live, State::Deleting(NOW()), State::Deleted(NOW()));
        for (found, row, verdict) in [
            (ProofObject::Record(1), None, ObjectVerdict::Orphan),
            (ProofObject::Tombstone, None, ObjectVerdict::Right),
            (ProofObject::Record(2), Some(row(2, live)), ObjectVerdict::Right),
            (ProofObject::Record(3), Some(row(2, live)), ObjectVerdict::Ahead),
            (ProofObject::Record(4), Some(row(2, live)), ObjectVerdict::Ahead),
            (ProofObject::Record(2), Some(row(2, deleting)), ObjectVerdict::Unfinished),
            (ProofObject::Tombstone, Some(row(2, deleting)), ObjectVerdict::Unfinished),
            (ProofObject::Tombstone, Some(row(2, deleted)), ObjectVerdict::Right),
            (ProofObject::Record(3), Some(row(2, deleted)), ObjectVerdict::Orphan),
        ] {
            assert_eq!(judge_record(found, row.as_ref()), verdict, "{found:?} {row:?}");
        }
        for (found, row) in [
            (ProofObject::Record(1), row(2, live)),
            (ProofObject::Tombstone, row(2, live)),
            (ProofObject::Record(2), row(2, deleted)),
        ] {
            assert!(matches!(judge_record(found, Some(&row)), ObjectVerdict::Broken(_)), "{found:?} {row:?}");
        }
        assert_eq!(judge_revision(2, Some(&row(2, live))), ObjectVerdict::Right);
        assert_eq!(judge_revision(1, Some(&row(2, live))), ObjectVerdict::Orphan);
        assert_eq!(judge_revision(1, Some(&row(2, deleted))), ObjectVerdict::Orphan);
    }

    #[test]
    fn orphans_are_left_alone_while_a_store_may_run() {
        let now = Timestamp::from_milliseconds(1_000_000_000);
        assert!(orphan_is_due(now.minus_seconds(ORPHAN_AGE_SECONDS), now));
        assert!(!orphan_is_due(now.minus_seconds(ORPHAN_AGE_SECONDS - 1), now));
    }
}
