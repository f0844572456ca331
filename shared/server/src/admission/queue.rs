//! Queues of connections that wait for a place. Their length is bounded, and no network fills a queue alone.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::Notify;

use super::quota::{Full, Quota, Share};

/// The connections that wait, in the order of their arrival within each network.
pub struct Queue {
    quota: Quota,
    last: u64,
    waiting: HashMap<IpAddr, BTreeMap<u64, Arc<Notify>>>,
}

/// A place in a queue.
pub struct Ticket {
    network: IpAddr,
    number: u64,
    given_up: Arc<Notify>,
    /// `true` if the holder of the ticket no longer waits.
    has_waited: bool,
}

impl Queue {
    /// Creates an empty queue.
    pub fn new(share: Share) -> Self {
        Self { quota: Quota::new(share), last: 0, waiting: HashMap::new() }
    }

    /// Enters a connection from `network`. If the queue is full, the network that has most of it gives up its latest
    /// place. Returns `None` if this network has as many as any other, or as many as one may have.
    pub fn enter(&mut self, network: IpAddr) -> Option<Ticket> {
        match self.quota.take(network) {
            Ok(()) => {}
            Err(Full::Network) => return None,
            Err(Full::All) => {
                let largest = self.quota.largest()?;
                if self.quota.of(network) >= self.quota.of(largest) {
                    return None;
                }
                self.give_up_one(largest);
                self.quota.take(network).ok()?;
            }
        }
        self.last += 1;
        let given_up = Arc::new(Notify::new());
        self.waiting.entry(network).or_default().insert(self.last, Arc::clone(&given_up));
        Some(Ticket { network, number: self.last, given_up, has_waited: false })
    }

    /// Records that the holder of a ticket no longer waits. The holder keeps its place until it leaves.
    pub fn has_waited(&mut self, ticket: &mut Ticket) {
        let removed = self.remove(ticket.network, |waiting| waiting.remove(&ticket.number));
        ticket.has_waited = removed.is_some();
    }

    /// Gives a place back, unless it was already given to another network.
    pub fn leave(&mut self, ticket: &Ticket) {
        let removed = self.remove(ticket.network, |waiting| waiting.remove(&ticket.number));
        if removed.is_some() || ticket.has_waited {
            self.quota.give(ticket.network);
        }
    }

    /// Returns the number of connections that wait.
    pub fn length(&self) -> usize {
        self.waiting.values().map(BTreeMap::len).sum()
    }

    /// Returns the networks of the connections that wait.
    pub fn networks(&self) -> impl Iterator<Item = IpAddr> {
        self.waiting.keys().copied()
    }

    /// Returns the number of connections of a network that wait.
    pub fn of(&self, network: IpAddr) -> usize {
        self.waiting.get(&network).map_or(0, BTreeMap::len)
    }

    fn give_up_one(&mut self, network: IpAddr) {
        let last = self.remove(network, |waiting| waiting.pop_last().map(|(_, given_up)| given_up));
        if let Some(given_up) = last {
            given_up.notify_one();
            self.quota.give(network);
        }
    }

    /// Removes a waiting connection of a network.
    fn remove(
        &mut self,
        network: IpAddr,
        take: impl FnOnce(&mut BTreeMap<u64, Arc<Notify>>) -> Option<Arc<Notify>>,
    ) -> Option<Arc<Notify>> {
        let waiting = self.waiting.get_mut(&network)?;
        let removed = take(waiting);
        if waiting.is_empty() {
            self.waiting.remove(&network);
        }
        removed
    }
}

impl Ticket {
    /// Waits until the place is given up for another network.
    pub async fn given_up(&self) {
        self.given_up.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const SHARE: Share = Share { all: 8, of_a_network: 4 };

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn is_given_up(ticket: &Ticket) -> bool {
        ticket.given_up().now_or_never().is_some()
    }

    #[tokio::test]
    async fn one_network_does_not_fill_a_queue() {
        let mut queue = Queue::new(SHARE);
        let of_one: Vec<Ticket> = (0..10).map_while(|_| queue.enter(address(1))).collect();
        assert_eq!((of_one.len(), queue.length()), (4, 4));
        assert!(queue.enter(address(2)).is_some(), "others may wait");
        assert!(!of_one.iter().any(is_given_up));
        queue.leave(&of_one[2]);
        assert!(queue.enter(address(1)).is_some());
    }

    /// A connection that has waited in vain is told so, and nobody has to leave for it. It counts until it has gone.
    #[tokio::test]
    async fn who_has_waited_has_its_place_until_it_leaves() {
        let mut queue = Queue::new(SHARE);
        let mut of_one: Vec<Ticket> = (0..4).map(|_| queue.enter(address(1)).unwrap()).collect();
        queue.has_waited(&mut of_one[3]);
        assert_eq!((queue.length(), queue.of(address(1))), (3, 3));
        assert!(queue.enter(address(1)).is_none());
        queue.leave(&of_one[3]);
        assert!(queue.enter(address(1)).is_some());
    }

    #[tokio::test]
    async fn where_a_queue_is_full_the_largest_network_gives_one_place_up() {
        let mut queue = Queue::new(SHARE);
        let large: Vec<Ticket> = (0..4).map(|_| queue.enter(address(1)).unwrap()).collect();
        let small: Vec<Ticket> = (0..3).map(|_| queue.enter(address(2)).unwrap()).collect();
        let single = queue.enter(address(3)).unwrap();
        let given_up = || large.iter().map(is_given_up).collect::<Vec<_>>();
        assert!(queue.enter(address(1)).is_none(), "it has most itself");
        let newcomer = queue.enter(address(4)).unwrap();
        assert_eq!(given_up(), [false, false, false, true], "the last that came");
        assert_eq!((queue.length(), queue.of(address(1)), queue.of(address(4))), (8, 3, 1));
        assert!(!small.iter().chain([&single, &newcomer]).any(is_given_up));
        // A place that was given up is not given back a second time.
        queue.leave(&large[3]);
        assert_eq!((queue.length(), queue.of(address(1))), (8, 3));
        for ticket in large.iter().chain(&small).chain([&single, &newcomer]) {
            queue.leave(ticket);
        }
        assert_eq!((queue.length(), queue.of(address(1))), (0, 0));
    }

    #[tokio::test]
    async fn where_all_have_as_many_a_newcomer_that_has_none_is_let_in() {
        let mut queue = Queue::new(SHARE);
        let all: Vec<Ticket> = (1..=8).map(|last| queue.enter(address(last)).unwrap()).collect();
        assert!(queue.enter(address(3)).is_none());
        assert!(queue.enter(address(9)).is_some());
        assert_eq!((queue.length(), all.iter().filter(|ticket| is_given_up(ticket)).count()), (8, 1));
    }
}
