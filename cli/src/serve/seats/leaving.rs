//! Leaving: whoever waits for its client longest makes room for somebody else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::places::Full;
use super::{Kind, Seat, Taken};

/// Time after which the places of a network, or all of them, are looked through again for those that have to leave.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The times at which places were looked through: those of a network, or all of them.
#[derive(Default)]
pub struct Looks(HashMap<Option<IpAddr>, Instant>);

impl Looks {
    /// Notes that the places of a network, or all of them, are looked through. Returns `false` if that has just been done.
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
    /// network first that has most.
    ///
    /// That takes a look at every seat, while nobody else can take one. So what has just been done is not done again, however many
    /// ask for it.
    pub(super) fn make_room(&mut self, kind: Kind, full: Full, newcomer: IpAddr) {
        let line = self.line_mut(kind);
        let (of, waiting) = match full {
            Full::Network => (Some(newcomer), line.queue.of(newcomer)),
            Full::All => (None, line.queue.length()),
        };
        if !line.looks.begin(of) {
            return;
        }
        let line = self.line(kind);
        let candidates = self
            .seats
            .values()
            .filter(|seat| has_place(seat, kind) && of.is_none_or(|network| seat.network.address == network));
        let mut leaving = 0;
        let mut dispensable: Vec<_> = Vec::new();
        for seat in candidates {
            if seat.is_leaving() {
                leaving += 1;
            } else if let Some(age) = seat.progress().is_dispensable() {
                dispensable.push(((line.places.of(seat.network.address), age), seat));
            }
        }
        dispensable.sort_unstable_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        for (_, seat) in dispensable.into_iter().take(waiting.max(1).saturating_sub(leaving)) {
            seat.tell_to_leave();
        }
    }
}

fn has_place(seat: &Arc<Seat>, kind: Kind) -> bool {
    kind == Kind::Seat || seat.is_http2.load(Ordering::Relaxed)
}
