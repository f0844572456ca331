//! The set of ports that a service stands on.

use super::{Authenticator, Cache, Clock, Events, Index, Medium, Replicas};
use crate::migration::jobs::{Jobs, NoJobs};

/// All ports of one service.
pub trait Ports {
    /// Bytes.
    type Objects: Replicas + Medium;
    /// Rows.
    type Index: Index;
    /// The cache in front of the bytes.
    type Cache: Cache;
    /// Time and identity.
    type Clock: Clock;
    /// Counting.
    type Events: Events;
    /// Credentials.
    type Authenticator: Authenticator;
    /// Migrations that others run.
    type Jobs: Jobs;

    /// Bytes.
    fn objects(&self) -> &Self::Objects;
    /// Rows.
    fn index(&self) -> &Self::Index;
    /// The cache in front of the bytes.
    fn cache(&self) -> &Self::Cache;
    /// Time and identity.
    fn clock(&self) -> &Self::Clock;
    /// Counting.
    fn events(&self) -> &Self::Events;
    /// Credentials.
    fn authenticator(&self) -> &Self::Authenticator;
    /// Migrations that others run.
    fn jobs(&self) -> &Self::Jobs;
}

/// Ports that somebody else has.
impl<P: Ports> Ports for &P {
    type Objects = P::Objects;
    type Index = P::Index;
    type Cache = P::Cache;
    type Clock = P::Clock;
    type Events = P::Events;
    type Authenticator = P::Authenticator;
    type Jobs = P::Jobs;

    fn objects(&self) -> &P::Objects {
        (**self).objects()
    }

    fn index(&self) -> &P::Index {
        (**self).index()
    }

    fn cache(&self) -> &P::Cache {
        (**self).cache()
    }

    fn clock(&self) -> &P::Clock {
        (**self).clock()
    }

    fn events(&self) -> &P::Events {
        (**self).events()
    }

    fn authenticator(&self) -> &P::Authenticator {
        (**self).authenticator()
    }

    fn jobs(&self) -> &P::Jobs {
        (**self).jobs()
    }
}

/// Ports that were chosen one by one.
#[derive(Debug)]
pub struct Parts<O, I, C, K, E, A, J = NoJobs> {
    /// Bytes.
    pub objects: O,
    /// Rows.
    pub index: I,
    /// The cache in front of the bytes.
    pub cache: C,
    /// Time and identity.
    pub clock: K,
    /// Counting.
    pub events: E,
    /// Credentials.
    pub authenticator: A,
    /// Migrations that others run.
    pub jobs: J,
}

impl<O, I, C, K, E, A, J> Ports for Parts<O, I, C, K, E, A, J>
where
    O: Replicas + Medium,
    I: Index,
    C: Cache,
    K: Clock,
    E: Events,
    A: Authenticator,
    J: Jobs,
{
    type Objects = O;
    type Index = I;
    type Cache = C;
    type Clock = K;
    type Events = E;
    type Authenticator = A;
    type Jobs = J;

    fn objects(&self) -> &O {
        &self.objects
    }

    fn index(&self) -> &I {
        &self.index
    }

    fn cache(&self) -> &C {
        &self.cache
    }

    fn clock(&self) -> &K {
        &self.clock
    }

    fn events(&self) -> &E {
        &self.events
    }

    fn authenticator(&self) -> &A {
        &self.authenticator
    }

    fn jobs(&self) -> &J {
        &self.jobs
    }
}
