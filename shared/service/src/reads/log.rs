//! The counts in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use credlink_core::proof_id::ProofId;
use credlink_core::row::Reads;
use credlink_core::time::Timestamp;

/// Most proofs whose reads are held in memory: 100,000 × about 100 bytes. Reads of further proofs go uncounted until
/// the next flush, which is acceptable for statistics.
const MAX_PENDING: usize = 100_000;

/// Counts of reads that are not written yet.
#[derive(Debug)]
pub(crate) struct ReadLog {
    counts: bool,
    pending: Mutex<BTreeMap<ProofId, Reads>>,
}

impl ReadLog {
    /// Creates a log of reads that counts nothing unless `counts` is set.
    pub(crate) const fn new(counts: bool) -> Self {
        Self { counts, pending: Mutex::new(BTreeMap::new()) }
    }

    pub(crate) fn note(&self, id: ProofId, now: Timestamp) {
        if !self.counts {
            return;
        }
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.len() < MAX_PENDING || pending.contains_key(&id) {
            let reads = pending.entry(id).or_default();
            *reads = reads.plus(Reads { count: 1, last: Some(now) });
        }
    }

    pub(super) fn take(&self) -> BTreeMap<ProofId, Reads> {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts back counts that could not be written.
    pub(super) fn put_back(&self, reads: &[(ProofId, Reads)]) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, unwritten) in reads {
            if pending.len() < MAX_PENDING || pending.contains_key(id) {
                let counted = pending.entry(*id).or_default();
                *counted = counted.plus(*unwritten);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use credlink_core::hash::MediaHash;
    use credlink_core::tenant::Tenant;

    use super::*;

    #[test]
    fn reads_are_noted_where_they_are_counted() {
        let id = ProofId::derive(&Tenant::default(), &MediaHash::of(b"x"));
        for counts in [true, false] {
            let log = ReadLog::new(counts);
            log.note(id, Timestamp::from_milliseconds(5));
            log.note(id, Timestamp::from_milliseconds(7));
            let noted =
                log.take().get(&id).map(|reads| (reads.count, reads.last.map(Timestamp::milliseconds)));
            assert_eq!(noted, counts.then_some((2, Some(7))));
        }
    }
}
