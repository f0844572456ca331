//! Eviction: whoever waits for its client longest makes room for somebody else, and a network that has far more than another for that.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::progress::Loss;
use super::quota::Full;
use super::{Kind, Pool, Slot, Taken};

/// Time after which the slots of a network, or all of them, are looked through again for those that have to leave.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A network that waits has far fewer slots than another one if it has at most a part of them, and would with one more: one in so many.
const FAR_MORE: usize = 4;

/// The times at which slots were looked through: those of a network, or all of them.
#[derive(Default)]
pub struct Looks(HashMap<Option<IpAddr>, Instant>);

impl Looks {
    /// Notes that the slots of a network, or all of them, are looked through. Returns `false` if that has just been done.
    fn begin(&mut self, of: Option<IpAddr>) -> bool {
        self.0.retain(|_, began| began.elapsed() < LOOK_AGAIN);
        let is_due = !self.0.contains_key(&of);
        if is_due {
            self.0.insert(of, Instant::now());
        }
        is_due
    }

    /// Lets the time pass after which they are looked through again.
    #[cfg(test)]
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

impl Taken {
    /// Tells connections to leave until as many are about to as others wait: those first that have waited for their client longest, of
    /// those that have for long enough. Where the newcomer's network has its share, they are its own; and otherwise all, those of the
    /// network first that has most. Where one that waits has far fewer than that, each connection of that one, and of others that have half
    /// as many, may leave whether or not it has waited for its client: those that are idle first.
    ///
    /// That takes a look at every slot, while nobody else can take one. So what has just been done is not done again, however many
    /// ask for it.
    pub(super) fn make_room(&mut self, kind: Kind, full: Full, newcomer: IpAddr) {
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
    /// The slots of the network that has most.
    fn most(&self) -> usize {
        self.quota.largest().map_or(0, |network| self.quota.of(network))
    }

    /// The slots of the network that has fewest of all that wait.
    fn fewest(&self, newcomer: IpAddr) -> usize {
        let waiting = self.queue.networks().map(|network| self.quota.of(network)).min();
        waiting.unwrap_or(usize::MAX).min(self.quota.of(newcomer))
    }
}

fn has_place(slot: &Arc<Slot>, kind: Kind) -> bool {
    kind == Kind::Slot || slot.is_http2.load(Ordering::Relaxed)
}
