//! The set of ports that a migration stands on.

use super::{Destination, Ledger, Sleep, Source};
use crate::Clock;

/// All ports of one migration.
pub trait MigrationPorts {
    /// Where items come from.
    type Source: Source;
    /// Where proofs go.
    type Destination: Destination;
    /// What was done and decided.
    type Ledger: Ledger;
    /// The time, and time that passes.
    type Clock: Clock + Sleep;

    /// Where items come from.
    fn source(&self) -> &Self::Source;
    /// Where proofs go.
    fn destination(&self) -> &Self::Destination;
    /// What was done and decided.
    fn ledger(&self) -> &Self::Ledger;
    /// The time, and time that passes.
    fn clock(&self) -> &Self::Clock;
}

/// Ports that were chosen one by one, borrowed for as long as a step of a migration takes.
#[derive(Clone, Copy, Debug)]
pub struct MigrationParts<'a, S, D, L, C> {
    /// Where items come from.
    pub source: &'a S,
    /// Where proofs go.
    pub destination: &'a D,
    /// What was done and decided.
    pub ledger: &'a L,
    /// The time, and time that passes.
    pub clock: &'a C,
}

impl<S: Source, D: Destination, L: Ledger, C: Clock + Sleep> MigrationPorts
    for MigrationParts<'_, S, D, L, C>
{
    type Source = S;
    type Destination = D;
    type Ledger = L;
    type Clock = C;

    fn source(&self) -> &S {
        self.source
    }

    fn destination(&self) -> &D {
        self.destination
    }

    fn ledger(&self) -> &L {
        self.ledger
    }

    fn clock(&self) -> &C {
        self.clock
    }
}
