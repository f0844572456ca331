//! The set of ports on which a migration is built.

use super::{Destination, Ledger, Sleep, Source};
use crate::Clock;

/// All ports of one migration.
pub trait MigrationPorts {
    /// The source of the items.
    type Source: Source;
    /// The destination of the proofs.
    type Destination: Destination;
    /// The ledger of the job.
    type Ledger: Ledger;
    /// The clock, which can also wait.
    type Clock: Clock + Sleep;

    /// Returns the source of the items.
    fn source(&self) -> &Self::Source;
    /// Returns the destination of the proofs.
    fn destination(&self) -> &Self::Destination;
    /// Returns the ledger of the job.
    fn ledger(&self) -> &Self::Ledger;
    /// Returns the clock, which can also wait.
    fn clock(&self) -> &Self::Clock;
}

/// A set of ports that were chosen one by one, borrowed for one step of a migration.
#[derive(Clone, Copy, Debug)]
pub struct MigrationParts<'a, S, D, L, C> {
    /// The source of the items.
    pub source: &'a S,
    /// The destination of the proofs.
    pub destination: &'a D,
    /// The ledger of the job.
    pub ledger: &'a L,
    /// The clock, which can also wait.
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
