//! Eviction: the connection that has waited longest for its client makes room for another, and first in a network that
//! has far more than others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::progress::Loss;
use super::quota::Full;
use super::{ConnectionKind, Pool, Slot, Taken};

/// Minimum time between two searches for connections that have to leave, in one network or in all of them.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The ratio from which a network has far more slots than a waiting one, counting one more slot for the latter.
const FAR_MORE: usize = 4;

/// The times of the last searches, in one network or in all of them.
#[derive(Default)]
pub struct Looks(HashMap<Option<IpAddr>, Instant>);

impl Looks {
    /// Records a search in one network or in all of them. Returns `false` if one has just been made.
    fn begin(&mut self, of: Option<IpAddr>) -> bool {
        self.0.retain(|_, began| began.elapsed() < LOOK_AGAIN);
        let is_due = !self.0.contains_key(&of);
        if is_due {
            self.0.insert(of, Instant::now());
        }
        is_due
    }

    /// Forgets the last searches, as if the time between two of them had passed.
    #[cfg(test)]
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

impl Taken {
    /// Tells connections to leave until as many are about to leave as others wait. Those that have waited longest for
    /// their client leave first, if they have waited long enough. If the newcomer's network has its full share, its own
    /// connections are searched. Otherwise all are, beginning with the network that has most. If a waiting network has
    /// far fewer than that one, any connection of that one, and of networks that have at least half as many, may leave
    /// even if it has not waited for its client: idle ones first.
    ///
    /// A search looks at every slot, and nobody can take a slot meanwhile. So it is not repeated at once, however many
    /// callers ask for it.
    pub(super) fn make_room(&mut self, kind: ConnectionKind, full: Full, newcomer: IpAddr) {
        let pool = self.pool_mut(kind);
        let (of, waiting) = match full {
            Full::Network => (Some(newcomer), pool.queue.of(newcomer)),
            Full::All => (None, pool.queue.length()),
        };
        if !pool.looks.begin(of) {
            return;
        }
        let pool = self.pool(kind);
        let many = match full {
            Full::Network => usize::MAX,
            Full::All => (FAR_MORE * (pool.fewest(newcomer) + 1)).max(pool.most().div_ceil(2)),
        };
        let candidates = self
            .slots
            .values()
            .filter(|slot| has_place(slot, kind) && of.is_none_or(|network| slot.network.address == network));
        let mut leaving = 0;
        let mut dispensable: Vec<_> = Vec::new();
        for slot in candidates {
            if slot.is_evicted() {
                leaving += 1;
                continue;
            }
            let of_network = pool.quota.of(slot.network.address);
            let is_dispensable = if of_network >= many {
                Some(slot.progress().is_dispensable_at_once())
            } else {
                slot.progress().is_dispensable().map(|age| (Loss::Nothing, age))
            };
            if let Some((loss, age)) = is_dispensable {
                dispensable.push(((loss, of_network, age), slot));
            }
        }
        dispensable.sort_unstable_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        for (_, slot) in dispensable.into_iter().take(waiting.max(1).saturating_sub(leaving)) {
            slot.evict();
        }
    }
}

impl Pool {
    /// Returns the number of places of the network that has most.
    fn most(&self) -> usize {
        self.quota.largest().map_or(0, |network| self.quota.of(network))
    }

    /// Returns the number of places of the waiting network that has fewest.
    fn fewest(&self, newcomer: IpAddr) -> usize {
        let waiting = self.queue.networks().map(|network| self.quota.of(network)).min();
        waiting.unwrap_or(usize::MAX).min(self.quota.of(newcomer))
    }
}

fn has_place(slot: &Arc<Slot>, kind: ConnectionKind) -> bool {
    kind == ConnectionKind::Slot || slot.is_http2.load(Ordering::Relaxed)
}
