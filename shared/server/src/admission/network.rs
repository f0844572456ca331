//! A network: the clients behind an address, and the memory that they hold.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::AtomicUsize;

use crate::memory::{Account, BODIES_FROM_A_NETWORK};

use super::ANSWERS_TO_A_NETWORK;

/// A network with at least one [`Slot`](super::Slot) left.
pub struct Network {
    /// The address of the network.
    pub address: IpAddr,
    /// Number of slots that are not dropped yet: of open connections, and of those that a body or an answer outlives.
    /// It changes under the lock of [`Taken`](super::Taken).
    pub left: AtomicUsize,
    /// The memory that answers to the network hold.
    pub answers: Account,
    /// The memory that bodies from the network hold.
    pub bodies: Account,
}

impl Network {
    /// Creates a network that holds nothing.
    pub fn new(address: IpAddr) -> Self {
        Self {
            address,
            left: AtomicUsize::new(0),
            answers: Account::new(ANSWERS_TO_A_NETWORK),
            bodies: Account::new(BODIES_FROM_A_NETWORK),
        }
    }
}

/// Returns the network of an address: an IPv4 address itself, or the first 64 bits of an IPv6 address, because one
/// customer has at least that many addresses (RFC 6177).
pub fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_or_64_bits_of_it() {
        for (peer, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
            ("::1", "::"),
        ] {
            assert_eq!(network(peer.parse().unwrap()).to_string(), expected, "{peer}");
        }
    }
}
