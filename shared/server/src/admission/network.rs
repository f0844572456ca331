//! A network: who is behind an address, and what it holds in memory.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::AtomicUsize;

use crate::memory::{Account, BODIES_FROM_A_NETWORK};

use super::ANSWERS_TO_A_NETWORK;

/// A network of which a [`Slot`](super::Slot) is left.
pub struct Network {
    /// Its address.
    pub address: IpAddr,
    /// Admission that are not dropped yet: of connections that are open, and of those that a body or an answer outlives. It changes
    /// under the lock of [`Taken`](super::Taken).
    pub left: AtomicUsize,
    /// The memory that answers to it hold.
    pub answers: Account,
    /// The memory that bodies from it hold.
    pub bodies: Account,
}

impl Network {
    /// A network that holds nothing.
    pub fn new(address: IpAddr) -> Self {
        Self {
            address,
            left: AtomicUsize::new(0),
            answers: Account::new(ANSWERS_TO_A_NETWORK),
            bodies: Account::new(BODIES_FROM_A_NETWORK),
        }
    }
}

/// The network of an address: itself, or of IPv6 its first 64 bits, as one customer has that many addresses at least
/// (RFC 6177).
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
