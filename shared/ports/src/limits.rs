//! Bounds that all implementations of a port share.

use std::collections::BTreeSet;

use credlink_core::row::{ProofRow, Row, State};
use credlink_core::time::Timestamp;

use crate::Write;

/// The maximum number of places that the writes of one commit take ([`places`]). DynamoDB allows as many in a transaction.
pub const MAX_WRITES: usize = 100;

/// Returns the number of places that a write takes: one, and three if a file enters the listings or leaves them, because
/// an index may keep an item beside the row for each of two listings.
#[must_use]
pub fn places(write: &Write) -> usize {
    match &write.row {
        Row::File(file) if file.state != State::Live || write.expected.is_none() => 3,
        _ => 1,
    }
}

/// The maximum number of deliveries of a message in a queue on one machine. After that, the message is a dead letter.
pub const MAX_DELIVERIES: u32 = 10;

/// Returns the rule that `writes` break regardless of the content of the index, in words, or `None`.
pub fn breach(writes: &[Write]) -> Option<String> {
    let taken: usize = writes.iter().map(places).sum();
    if taken > MAX_WRITES {
        let count = writes.len();
        return Some(format!(
            "{count} writes in one commit, which take {taken} places; {MAX_WRITES} are allowed"
        ));
    }
    let mut keys = BTreeSet::new();
    for write in writes {
        let key = write.row.key();
        let (version, expected) = (write.row.version(), write.expected);
        if version != expected.unwrap_or(0).saturating_add(1) {
            return Some(format!("the row {key} of version {version} does not follow on {expected:?}"));
        }
        if !keys.insert(key.clone()) {
            return Some(format!("two writes to the row {key} in one commit"));
        }
    }
    None
}

/// Returns a live proof's position in its tenant's listing: the instant since which it is live. A later revision does
/// not move the proof, because a listing under way would then show it twice.
pub fn place(row: &Row, before: Option<(u64, &Row)>) -> u64 {
    let live = |row: &Row| matches!(row, Row::Proof(ProofRow { state: State::Live, .. }));
    match (row, before) {
        (_, Some((place, before))) if live(before) => place,
        (Row::Proof(proof), _) => milliseconds(proof.created),
        (
            Row::Manifest(_)
            | Row::Alias(_)
            | Row::LegacyItem(_)
            | Row::Replica(_)
            | Row::Store(_)
            | Row::File(_)
            | Row::Blob(_)
            | Row::List(_)
            | Row::Upload(_)
            | Row::Quota(_),
            _,
        ) => 0,
    }
}

/// Returns an instant as milliseconds since 1970, for a key that sorts by time.
#[must_use]
pub fn milliseconds(instant: Timestamp) -> u64 {
    instant.milliseconds().unsigned_abs()
}
