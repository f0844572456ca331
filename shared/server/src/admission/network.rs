//! A network: the clients behind an address, and the memory that they hold.

use std::net::IpAddr;
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
