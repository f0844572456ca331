//! What a migration stands on: one of each port.

use credlink_ports::Clock;
use credlink_ports::migration::{Destination, Ledger, Sleep, Source};

/// The ports of one migration, borrowed for as long as a step of it takes.
#[derive(Debug)]
pub struct Migration<'a, S, D, L, C, T> {
    /// Where items come from.
    pub source: &'a S,
    /// Where proofs go.
    pub destination: &'a D,
    /// What was done and decided.
    pub ledger: &'a L,
    /// The time.
    pub clock: &'a C,
    /// Time that passes.
    pub sleep: &'a T,
}

impl<S, D, L, C, T> Clone for Migration<'_, S, D, L, C, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, D, L, C, T> Copy for Migration<'_, S, D, L, C, T> {}

impl<S: Source, D: Destination, L: Ledger, C: Clock, T: Sleep> Migration<'_, S, D, L, C, T> {
    pub(super) fn milliseconds(&self) -> u64 {
        self.clock.monotonic_microseconds() / 1_000
    }
}
