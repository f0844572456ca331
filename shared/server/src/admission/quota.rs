//! A quota: a number of places in all, and a smaller number for one network.

use std::collections::HashMap;
use std::net::IpAddr;

/// The number of places.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Maximum number of places in all.
    pub all: usize,
    /// Maximum number of places for one network.
    pub of_a_network: usize,
}

/// Places, and the networks that have them.
pub struct Quota {
    share: Share,
    taken: usize,
    networks: HashMap<IpAddr, usize>,
}

/// The reason why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The network has as many as it may have.
    Network,
    /// All places are taken.
    All,
}

impl Quota {
    /// Creates a quota of which nothing is taken.
    pub fn new(share: Share) -> Self {
        Self { share, taken: 0, networks: HashMap::new() }
    }

    /// Takes a place for a network.
    pub fn take(&mut self, network: IpAddr) -> Result<(), Full> {
        if self.of(network) >= self.share.of_a_network {
            return Err(Full::Network);
        }
        if self.taken >= self.share.all {
            return Err(Full::All);
        }
        self.taken += 1;
        *self.networks.entry(network).or_default() += 1;
        Ok(())
    }

    /// Gives a place of a network back.
    pub fn give(&mut self, network: IpAddr) {
        let Some(of_network) = self.networks.get_mut(&network) else { return };
        self.taken -= 1;
        *of_network -= 1;
        if *of_network == 0 {
            self.networks.remove(&network);
        }
    }

    /// Returns `true` if a place is free.
    pub fn is_any_free(&self) -> bool {
        self.taken < self.share.all
    }

    /// Returns the number of places that a network has.
    pub fn of(&self, network: IpAddr) -> usize {
        self.networks.get(&network).copied().unwrap_or_default()
    }

    /// Returns the network that has most places.
    pub fn largest(&self) -> Option<IpAddr> {
        self.networks.iter().max_by_key(|(_, taken)| **taken).map(|(network, _)| *network)
    }
}
