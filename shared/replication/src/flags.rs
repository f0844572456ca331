//! The flags of both providers as one process knows them, and the time for which it has known them.
//!
//! As far as a process can know, a flag that another one raised has stood since this process first saw it. That moment
//! is taken from this process's own monotonic clock, and is never compared with the clock of another machine.

use std::sync::Arc;
use std::time::Duration;

use credlink_core::replica::Replica;
use credlink_core::row::ReplicaRow;
use credlink_core::rules::replica_lag::stands;
use credlink_core::time::Timestamp;
use tokio::time::Instant;

/// The rows of both providers, as this process last saw them.
#[derive(Debug, Default, Clone)]
pub(crate) struct Flags {
    primary: Option<Arc<Seen>>,
    fallback: Option<Arc<Seen>>,
}

/// A row, and the times at which it was seen.
#[derive(Debug)]
struct Seen {
    row: ReplicaRow,
    /// The time at which this raising of the flag was first seen.
    first: Instant,
    /// The time at which this row was last seen.
    last: Instant,
}

impl Seen {
    /// Returns `true` if `row` belongs to the same raising of the flag.
    fn is_of(&self, row: &ReplicaRow) -> bool {
        (self.row.raised, self.row.since) == (row.raised, row.since)
    }
}

impl Flags {
    const fn seen(&self, replica: Replica) -> Option<&Arc<Seen>> {
        match replica {
            Replica::Primary => self.primary.as_ref(),
            Replica::Fallback => self.fallback.as_ref(),
        }
    }

    /// Returns the row of `replica`.
    pub(crate) fn row(&self, replica: Replica) -> Option<&ReplicaRow> {
        self.seen(replica).map(|seen| &seen.row)
    }

    /// Returns `true` if `replica` counts as behind at `now`.
    pub(crate) fn stands(&self, replica: Replica, now: Timestamp) -> bool {
        self.row(replica).is_some_and(|row| stands(row, now))
    }

    /// Returns the time for which the flag of `replica` has been known to stand: zero in a process that has only just
    /// seen it.
    pub(crate) fn age(&self, replica: Replica) -> Duration {
        self.seen(replica).map_or(Duration::ZERO, |seen| seen.first.elapsed())
    }

    /// Records the answer of the index to a question that was asked at `began`. A newer row that was seen since then
    /// stays.
    pub(crate) fn note(&mut self, replica: Replica, row: Option<ReplicaRow>, began: Instant) {
        let known = match replica {
            Replica::Primary => &mut self.primary,
            Replica::Fallback => &mut self.fallback,
        };
        let version = row.as_ref().map_or(0, |row| row.version);
        if known.as_ref().is_some_and(|known| known.last >= began && known.row.version > version) {
            return;
        }
        let last = Instant::now();
        *known = row.map(|row| {
            let first = known.as_ref().filter(|known| known.is_of(&row)).map_or(last, |known| known.first);
            Arc::new(Seen { row, first, last })
        });
    }
}

#[cfg(test)]
mod tests {
    use credlink_core::repair_mark::RepairMark;
    use credlink_core::rules::replica_lag::{done, raise};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flag_is_as_old_as_it_is_known() {
        let replica = Replica::Fallback;
        let now = Timestamp::from_milliseconds(1_800_000_000_000);
        let mark = |chance| RepairMark::new(now, chance);
        let mut flags = Flags::default();
        assert_eq!((flags.age(replica), flags.stands(replica, now)), (Duration::ZERO, false));
        let began = Instant::now();
        // By the clock of the process that raised it, the flag is a day old.
        let first = raise(replica, None, Some(mark(1)), now.minus_seconds(86_400)).unwrap();
        flags.note(replica, Some(first.clone()), began);
        assert_eq!(flags.age(replica), Duration::ZERO);
        tokio::time::advance(Duration::from_secs(3)).await;
        let renewed = raise(replica, Some(&first), Some(mark(2)), now).unwrap();
        flags.note(replica, Some(renewed.clone()), Instant::now());
        assert_eq!(flags.age(replica), Duration::from_secs(3));
        // A late answer changes nothing.
        for late in [Some(first), None] {
            flags.note(replica, late, began);
            assert_eq!(flags.row(replica), Some(&renewed));
        }
        // The flag was lowered and raised again, unseen.
        let down = done(&done(&renewed, mark(1)).unwrap(), mark(2)).unwrap();
        let again = raise(replica, Some(&down), Some(mark(3)), now).unwrap();
        flags.note(replica, Some(again), Instant::now());
        assert_eq!((flags.age(replica), flags.stands(replica, now)), (Duration::ZERO, true));
        assert!(!flags.stands(Replica::Primary, now));
        // An operator removed the row.
        tokio::time::advance(Duration::from_secs(1)).await;
        flags.note(replica, None, Instant::now());
        assert!(!flags.stands(replica, now));
    }
}
