//! The interval in which the records were written that may be left over.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use credlink_core::proof_id::ProofId;
use credlink_core::time::Timestamp;

/// Longest time, in seconds, by which stored objects may be ahead of the last time seen in the index.
const UNSEEN_SECONDS: u64 = 60;

/// The interval in which a record that may be left over was written, in milliseconds: after `from`, until `to`.
#[derive(Debug)]
pub(crate) struct Leftovers {
    pub(super) from: AtomicI64,
    pub(super) to: AtomicI64,
    /// The proofs whose deletion failed, and when. Their records are of any age.
    deletions: Mutex<BTreeMap<ProofId, Timestamp>>,
    /// `true` while a reader finishes a change that was cut off.
    is_mended: AtomicBool,
}

/// The turn of a reader that finishes a change that was cut off. Dropping it frees the turn for the next reader.
pub(crate) struct Turn<'a>(&'a Leftovers);

impl Default for Leftovers {
    /// Any record may be left over.
    fn default() -> Self {
        let (from, to) = (AtomicI64::new(i64::MIN), AtomicI64::new(i64::MAX));
        Self { from, to, deletions: Mutex::default(), is_mended: AtomicBool::new(false) }
    }
}

impl Leftovers {
    /// Returns `true` if the record of a proof that was written at `at` may be left over.
    pub(crate) fn may_have(&self, id: &ProofId, at: Timestamp) -> bool {
        let is_within = |at| self.from.load(Ordering::Relaxed) < at && at <= self.to.load(Ordering::Relaxed);
        is_within(at.milliseconds()) || self.deletions().contains_key(id)
    }

    /// Takes the turn, unless another reader has it, so that many readers of an object under change write it once, and
    /// hold it in memory once.
    pub(crate) fn turn(&self) -> Option<Turn<'_>> {
        (!self.is_mended.swap(true, Ordering::AcqRel)).then(|| Turn(self))
    }

    /// Notes that objects were restored to an earlier time, so that some of them may have been deleted since.
    pub(crate) fn note_restored(&self) {
        self.from.store(i64::MIN, Ordering::Relaxed);
        self.to.store(i64::MAX, Ordering::Relaxed);
    }

    pub(super) fn deletions(&self) -> MutexGuard<'_, BTreeMap<ProofId, Timestamp>> {
        self.deletions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, clean: Option<Timestamp>, seen: Option<Timestamp>, now: Timestamp) {
        // A time in the future comes from a clock that was ahead, and says nothing.
        let clean = clean.filter(|clean| *clean <= now);
        self.from.store(clean.map_or(i64::MIN, Timestamp::milliseconds), Ordering::Relaxed);
        // The clock was set back, so the latest writes seem to lie in the future.
        let seen = seen.filter(|seen| *seen > now).map(|seen| seen.plus_seconds(UNSEEN_SECONDS));
        self.to.store(seen.unwrap_or(now).milliseconds(), Ordering::Relaxed);
    }

    pub(super) fn walked(&self) -> Option<Timestamp> {
        let from = self.from.load(Ordering::Relaxed);
        (from != i64::MIN).then(|| Timestamp::from_milliseconds(from))
    }

    pub(super) fn stopped(&self, now: Timestamp) -> Option<Timestamp> {
        let is_clean = self.to.load(Ordering::Relaxed) <= self.from.load(Ordering::Relaxed);
        if is_clean && self.deletions().is_empty() { Some(now) } else { self.walked() }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.is_mended.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use credlink_core::hash::MediaHash;
    use credlink_core::tenant::Tenant;

    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(milliseconds)
    }

    #[test]
    fn what_was_written_between_two_instants_may_be_left_over() {
        let leftovers = Leftovers::default();
        let id = ProofId::derive(&Tenant::default(), &MediaHash::of(b"x"));
        let may_have = |milliseconds| leftovers.may_have(&id, at(milliseconds));
        assert!(may_have(0) && leftovers.stopped(at(9)).is_none());
        leftovers.begin(None, None, at(100));
        assert!(may_have(-5) && may_have(100) && !may_have(101));
        assert_eq!((leftovers.stopped(at(200)), leftovers.walked()), (None, None));
        leftovers.begin(Some(at(50)), Some(at(90)), at(100));
        assert!(!may_have(50) && may_have(51));
        assert_eq!(leftovers.stopped(at(200)), Some(at(50)), "who stops in order leaves the rest to a walk");
        leftovers.begin(Some(at(100)), None, at(100));
        assert_eq!(leftovers.stopped(at(200)), Some(at(200)));
        assert_eq!(leftovers.walked(), Some(at(100)), "changes are under way");
        leftovers.deletions().insert(id, at(150));
        assert!(may_have(7) && leftovers.stopped(at(200)) == Some(at(100)));
        leftovers.deletions().clear();
        leftovers.begin(Some(at(101)), None, at(100));
        assert!(may_have(7), "a clock was ahead");
        leftovers.begin(Some(at(50)), Some(at(5_000)), at(100));
        assert!(may_have(60_000) && !may_have(70_000), "the clock was set back");
    }

    #[test]
    fn one_reader_has_a_turn() {
        let leftovers = Leftovers::default();
        let turn = leftovers.turn();
        assert!(turn.is_some());
        assert!(
            leftovers.turn().is_none() && leftovers.turn().is_none(),
            "who has none takes none from another"
        );
        drop(turn);
        assert!(leftovers.turn().is_some());
    }
}
