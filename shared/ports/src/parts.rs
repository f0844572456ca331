//! The set of ports on which a service is built.

use crate::migration::jobs::{Jobs, NoJobs};
use crate::{Authenticator, Cache, Clock, Events, Index, Medium, Replicas};

/// All ports of one service.
pub trait Ports {
    /// The objects.
    type Objects: Replicas + Medium;
    /// The index.
    type Index: Index;
    /// The cache in front of the objects.
    type Cache: Cache;
    /// The clock.
    type Clock: Clock;
    /// The recorder of events.
    type Events: Events;
    /// The authenticator.
    type Authenticator: Authenticator;
    /// The migrations that other processes run.
    type Jobs: Jobs;

    /// Returns the objects.
    fn objects(&self) -> &Self::Objects;
    /// Returns the index.
    fn index(&self) -> &Self::Index;
    /// Returns the cache in front of the objects.
    fn cache(&self) -> &Self::Cache;
    /// Returns the clock.
    fn clock(&self) -> &Self::Clock;
    /// Returns the recorder of events.
    fn events(&self) -> &Self::Events;
    /// Returns the authenticator.
    fn authenticator(&self) -> &Self::Authenticator;
    /// Returns the migrations that other processes run.
    fn jobs(&self) -> &Self::Jobs;
}

/// Borrowed ports are ports, too.
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

/// A set of ports that were chosen one by one.
#[derive(Debug)]
pub struct Parts<O, I, C, K, E, A, J = NoJobs> {
    /// The objects.
    pub objects: O,
    /// The index.
    pub index: I,
    /// The cache in front of the objects.
    pub cache: C,
    /// The clock.
    pub clock: K,
    /// The recorder of events.
    pub events: E,
    /// The authenticator.
    pub authenticator: A,
    /// The migrations that other processes run.
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
