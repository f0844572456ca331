//! The set of ports that a service stands on.

use super::{Authenticator, Cache, Clock, Events, Index, Objects};

/// All ports of one service.
pub trait Ports {
    /// Bytes.
    type Objects: Objects;
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
}

/// Ports that were chosen one by one.
#[derive(Debug)]
pub struct Parts<O, I, C, K, E, A> {
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
}

impl<O, I, C, K, E, A> Ports for Parts<O, I, C, K, E, A>
where
    O: Objects,
    I: Index,
    C: Cache,
    K: Clock,
    E: Events,
    A: Authenticator,
{
    type Objects = O;
    type Index = I;
    type Cache = C;
    type Clock = K;
    type Events = E;
    type Authenticator = A;

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
}
