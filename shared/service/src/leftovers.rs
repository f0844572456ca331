//! The records that a request that was cut off may have left behind: a read of one of these looks at its row too, so that
//! readers and listings agree. It need not for all others, and a read of a record costs no look at the index.
//!
//! A process lets its changes run to their ends, so what is left over was written before it started, or by a change that
//! failed. A walk over all objects, and a process that stopped in order, leave nothing behind them.

use std::sync::atomic::{AtomicI64, Ordering};

use credlink_core::bounds::ORPHAN_AGE_SECONDS;
use credlink_core::time::Timestamp;

use crate::ports::{Clock as _, Failure, Ports};
use crate::service::Service;

/// The span of time within which a record was written that may be left over, in milliseconds: after `from`, until `to`.
#[derive(Debug)]
pub(crate) struct Leftovers {
    from: AtomicI64,
    to: AtomicI64,
}

impl Default for Leftovers {
    /// Any record may be.
    fn default() -> Self {
        Self { from: AtomicI64::new(i64::MIN), to: AtomicI64::new(i64::MAX) }
    }
}

impl Leftovers {
    /// Returns `true` if a record that was written at `created` may be one.
    pub(crate) fn may_have(&self, created: Timestamp) -> bool {
        let at = created.milliseconds();
        self.from.load(Ordering::Relaxed) < at && at <= self.to.load(Ordering::Relaxed)
    }

    fn begin(&self, settled: Option<Timestamp>, now: Timestamp) {
        // An instant that is still to come is of a clock that was ahead, and says nothing.
        let settled = settled.filter(|settled| *settled <= now);
        self.from.store(settled.map_or(i64::MIN, Timestamp::milliseconds), Ordering::Relaxed);
        self.to.store(now.milliseconds(), Ordering::Relaxed);
    }

    fn settled_until(&self, now: Timestamp) -> Option<Timestamp> {
        let (from, to) = (self.from.load(Ordering::Relaxed), self.to.load(Ordering::Relaxed));
        match from {
            _ if to <= from => Some(now),
            i64::MIN => None,
            from => Some(Timestamp::from_milliseconds(from)),
        }
    }
}

impl<P: Ports> Service<P> {
    /// Says that this process begins now, and that every record written until `settled` had the row that goes with it. A store
    /// that holds nothing yet has nothing left over.
    ///
    /// # Errors
    /// A provider or the index failed: then any record may be left over.
    pub async fn begin_after(&self, settled: Option<Timestamp>) -> Result<(), Failure> {
        let now = self.now();
        let is_empty = settled.is_none() && !self.has_objects().await? && !self.has_rows().await?;
        self.leftovers.begin(if is_empty { Some(now) } else { settled }, now);
        Ok(())
    }

    /// Returns the instant until which every record that was written has the row that goes with it, as far as is known: to be
    /// kept for the next process when no change is under way.
    pub fn settled_until(&self) -> Option<Timestamp> {
        self.leftovers.settled_until(self.now())
    }

    /// Takes note that a walk over all objects that began at `began` came to its end, and could look at each.
    pub fn note_walk(&self, began: Timestamp) {
        let looked_at = began.minus_seconds(ORPHAN_AGE_SECONDS).milliseconds();
        self.leftovers.from.fetch_max(looked_at, Ordering::Relaxed);
    }

    /// Takes note that a change failed, and may have left a record behind.
    pub(crate) fn note_failed_change(&self) {
        self.leftovers.to.fetch_max(self.ports.clock().now().milliseconds(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(milliseconds)
    }

    #[test]
    fn what_was_written_between_two_instants_may_be_left_over() {
        let leftovers = Leftovers::default();
        assert!(leftovers.may_have(at(0)) && leftovers.settled_until(at(9)).is_none());
        leftovers.begin(None, at(100));
        assert!(leftovers.may_have(at(-5)) && leftovers.may_have(at(100)) && !leftovers.may_have(at(101)));
        assert_eq!(leftovers.settled_until(at(200)), None);
        leftovers.begin(Some(at(50)), at(100));
        assert!(!leftovers.may_have(at(50)) && leftovers.may_have(at(51)));
        assert_eq!(
            leftovers.settled_until(at(200)),
            Some(at(50)),
            "who stops in order leaves the rest to a walk"
        );
        leftovers.begin(Some(at(100)), at(100));
        assert_eq!(leftovers.settled_until(at(200)), Some(at(200)));
        leftovers.begin(Some(at(101)), at(100));
        assert!(leftovers.may_have(at(7)), "a clock was ahead");
    }
}
