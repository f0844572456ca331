//! Verdicts about an object at one of two providers by its index row: the rules of repair, and of reads that cannot
//! trust a provider.
//!
//! A provider that missed writes still holds the earlier object. The row knows better: it names the content of what is
//! live, and says that a thing is deleted. If the row does not decide (no row yet, a deletion under way), nothing is
//! stale.

use std::cmp::Ordering;

use crate::object::{MediaKey, ObjectKey, Verified};
use crate::record::Record;
use crate::row::{ProofRow, Row, State};
use crate::tombstone::Tombstone;

/// The object that shall stand under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedObject {
    /// No row decides: a store is under way, or ended before its row.
    Undecided,
    /// The content that the row names.
    Content,
    /// An earlier record, the copy that a replacement begins with, or a hold.
    Kept,
    /// The later of the two providers' objects ([`ObjectKey::counts_its_writes`]).
    Latest,
    /// The object or its tombstone, since a deletion is under way.
    Going,
    /// A tombstone.
    Tombstone,
    /// Nothing: this is an earlier record, or a hold, of a life that is over.
    Nothing,
}

/// The relation of an object to the wanted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaState {
    /// The object is the wanted one.
    Right,
    /// The object is newer than the row, which may be about to follow.
    Ahead,
    /// The object is an earlier one.
    Stale,
}

/// Returns the object that shall stand under `key`, whose row is `row`.
#[must_use]
pub fn wanted(key: &ObjectKey, row: Option<&Row>) -> ExpectedObject {
    match key {
        ObjectKey::Alias(_) | ObjectKey::Front(_) | ObjectKey::Identity => return ExpectedObject::Latest,
        ObjectKey::Removed(..) => return ExpectedObject::Undecided,
        ObjectKey::Media(key) => return wanted_media(key, row),
        ObjectKey::Record(_) | ObjectKey::Revision(..) | ObjectKey::Manifest(_) | ObjectKey::Hold(..) => {}
    }
    let state = match row {
        Some(Row::Proof(row)) => row.state,
        Some(Row::Manifest(row)) => row.state,
        Some(
            Row::Alias(_)
            | Row::LegacyItem(_)
            | Row::Replica(_)
            | Row::Store(_)
            | Row::File(_)
            | Row::Blob(_)
            | Row::List(_)
            | Row::Upload(_)
            | Row::Quota(_),
        )
        | None => return ExpectedObject::Undecided,
    };
    if let (ObjectKey::Hold(_, generation), Some(Row::Manifest(row))) = (key, row) {
        return match state {
            State::Deleting(_) => ExpectedObject::Going,
            State::Deleted(_) if *generation <= row.generation => ExpectedObject::Nothing,
            State::Live | State::Deleted(_) => ExpectedObject::Kept,
        };
    }
    if let (ObjectKey::Revision(_, revision), Some(Row::Proof(row))) = (key, row) {
        return match state {
            State::Deleting(_) => ExpectedObject::Going,
            _ if *revision > row.revision => ExpectedObject::Undecided,
            State::Live if *revision >= row.first_revision => ExpectedObject::Kept,
            State::Live | State::Deleted(_) => ExpectedObject::Nothing,
        };
    }
    match state {
        State::Live => ExpectedObject::Content,
        State::Deleting(_) => ExpectedObject::Going,
        State::Deleted(_) => ExpectedObject::Tombstone,
    }
}

/// Returns the object of a file that shall stand under `key`. The bytes of a blob follow from its key, so they are never
/// an earlier version, and a deleted blob leaves no tombstone: the tombstone of its file is what keeps it from readers.
/// Uploads are at one provider alone.
fn wanted_media(key: &MediaKey, row: Option<&Row>) -> ExpectedObject {
    match (key, row) {
        (MediaKey::File(_), Some(Row::File(row))) => match row.state {
            State::Live => ExpectedObject::Latest,
            State::Deleting(_) => ExpectedObject::Going,
            State::Deleted(_) => ExpectedObject::Tombstone,
        },
        (MediaKey::Original(_) | MediaKey::Rendition(..), Some(Row::Blob(row))) => match row.state {
            State::Live => ExpectedObject::Kept,
            State::Deleting(_) => ExpectedObject::Going,
            State::Deleted(_) => ExpectedObject::Nothing,
        },
        _ => ExpectedObject::Undecided,
    }
}

/// Judges an object under `key`, whose row is `row`.
#[must_use]
pub fn judge(key: &ObjectKey, row: Option<&Row>, found: &Verified) -> ReplicaState {
    let facts = found.facts();
    match (wanted(key, row), row) {
        (
            ExpectedObject::Undecided | ExpectedObject::Kept | ExpectedObject::Latest | ExpectedObject::Going,
            _,
        ) => ReplicaState::Right,
        (ExpectedObject::Nothing, _) => ReplicaState::Stale,
        (ExpectedObject::Tombstone, _) if facts.tombstone => ReplicaState::Right,
        // The first revision of the next life is greater than the last one of this life (`Facts::generation`).
        (ExpectedObject::Tombstone, Some(Row::Proof(row))) => ahead_if(facts.generation >= row.revision),
        (ExpectedObject::Tombstone, Some(Row::Manifest(row))) => ahead_if(facts.generation > row.generation),
        // A deletion that the index does not know of is newer than the index.
        (ExpectedObject::Content, Some(Row::Proof(row))) if facts.tombstone => {
            ahead_if(last_of(found).is_some_and(|last| last >= row.revision))
        }
        (ExpectedObject::Content, Some(Row::Manifest(row))) if facts.tombstone => {
            ahead_if(last_of(found).is_some_and(|last| last >= row.generation))
        }
        (ExpectedObject::Content, Some(Row::Proof(row))) => judge_record(row, found),
        (ExpectedObject::Content, Some(Row::Manifest(row))) => {
            if row.sha256 == facts.sha256 && row.generation == facts.generation {
                ReplicaState::Right
            } else {
                ahead_if(facts.generation > row.generation)
            }
        }
        (ExpectedObject::Content | ExpectedObject::Tombstone, _) => ReplicaState::Stale,
    }
}

/// Compares two whole copies of one object by time of writing, for an object whose row does not say. The later copy has
/// a later revision, generation or write, or is the tombstone of the other. `Equal` if the copies are the same, or
/// nothing tells them apart.
#[must_use]
pub fn later(key: &ObjectKey, one: &Verified, other: &Verified) -> Ordering {
    let (first, second) = (one.facts(), other.facts());
    if first.sha256 == second.sha256 && first.tombstone == second.tombstone {
        return first.generation.cmp(&second.generation);
    }
    let number = |copy: &Verified| match key {
        _ if copy.facts().tombstone => last_of(copy),
        ObjectKey::Record(_) => Record::parse(&copy.content()).ok().map(|record| record.revision),
        _ => Some(copy.facts().generation),
    };
    // A tombstone was written after the object that it replaces.
    let rank = |copy: &Verified| (number(copy), copy.facts().tombstone);
    let deleted = |copy: &Verified| copy.facts().tombstone.then_some(copy.facts().created);
    rank(one).cmp(&rank(other)).then(deleted(one).cmp(&deleted(other)))
}

const fn ahead_if(ahead: bool) -> ReplicaState {
    if ahead { ReplicaState::Ahead } else { ReplicaState::Stale }
}

fn judge_record(row: &ProofRow, found: &Verified) -> ReplicaState {
    if row.record_sha256 == found.facts().sha256 {
        return ReplicaState::Right;
    }
    let record = Record::parse(&found.content());
    ahead_if(record.is_ok_and(|record| record.revision > row.revision))
}

/// Returns the last revision or generation that a tombstone says is deleted.
fn last_of(tombstone: &Verified) -> Option<u32> {
    Tombstone::parse(&tombstone.content()).ok().map(|tombstone| tombstone.last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::UploadId;
    use crate::row::{blob, file};
    use crate::time::Timestamp;

    #[test]
    fn the_objects_of_files_follow_their_rows() {
        let at = Timestamp::from_milliseconds(7_000);
        let record = ObjectKey::Media(MediaKey::File(file().id));
        let original = ObjectKey::Media(MediaKey::Original(blob().id()));
        let rendition = ObjectKey::Media(MediaKey::Rendition(blob().id(), "large-1.jpg".parse().unwrap()));
        for (state, of_record, of_bytes) in [
            (State::Live, ExpectedObject::Latest, ExpectedObject::Kept),
            (State::Deleting(at), ExpectedObject::Going, ExpectedObject::Going),
            (State::Deleted(at), ExpectedObject::Tombstone, ExpectedObject::Nothing),
        ] {
            let (file, blob) = (Row::File(file().in_state(state)), Row::Blob(blob().in_state(state)));
            assert_eq!(wanted(&record, Some(&file)), of_record);
            assert_eq!(wanted(&original, Some(&blob)), of_bytes);
            assert_eq!(wanted(&rendition, Some(&blob)), of_bytes);
            // A row of another kind decides nothing.
            assert_eq!(wanted(&record, Some(&blob)), ExpectedObject::Undecided);
            let tombstone = Tombstone::of(&file);
            assert_eq!(tombstone.is_some(), matches!(state, State::Deleted(_)));
            if let Some((tombstone, tenant)) = tombstone {
                let (body, _) = tombstone.object(&record, &tenant);
                assert_eq!(Tombstone::parse(&body), Ok(tombstone.clone()));
                assert_eq!(tombstone.last, 2);
            }
        }
        let upload = ObjectKey::Media(MediaKey::Upload(file().tenant, UploadId::from_random([1; 20])));
        assert_eq!(wanted(&upload, None), ExpectedObject::Undecided);
        assert_eq!(upload.row().to_string(), "UPLOAD#aeaqcaibaeaqcaibaeaqcaibaeaqcaib");
        assert_eq!(original.row(), rendition.row());
        assert_eq!(record.row(), Row::File(file()).key());
    }
}
