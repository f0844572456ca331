//! L2: Redis, which processes share.
//!
//! **Leases.** An old object must not be written over an invalidation, whoever is slow. A read that finds nothing leaves
//! a *lease* beside the empty place, with a name of its own, before its load begins. The fill is a script that writes
//! only where its own lease still stands. An invalidation removes value and lease. So a fill whose load began before an
//! invalidation finds no lease, or another one's, and writes nothing. Of several processes that miss, one holds the
//! lease, and only its load is written. A lease ends by itself after some seconds: a loader may have gone away.
//!
//! **Age.** The lease was left just before the load began, so its remaining time tells the script the age of what is
//! filled in, and the value's remaining time tells a reader: by Redis's clock alone. What comes out of L3 has no such
//! lease, may be older than an invalidation, and is therefore never filled in here.
//!
//! **Outage.** Calls are short ([`RedisSettings::call`]), and after three failures none are made for a while. A key
//! whose invalidation has not arrived is not read from Redis. Such invalidations are remembered, and repeated before
//! anything is read. If there are too many to remember, values that were loaded before that moment are not used.
//!
//! Of a Redis that loses acknowledged writes (a replica that lagged behind takes over), a value that was removed may
//! come back: for the rest of its lifetime, which Redis ends by itself.

mod address;
mod link;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use credlink_core::object::{ObjectKey, Verified};
use credlink_core::time::Timestamp;
use credlink_ports::LayerStats;
use tokio::sync::Mutex;
use uuid::Uuid;

pub use address::{AddressError, RedisAddress};

use link::Link;

use super::Held;
use super::frame::{self, FrameError};
use super::lifetime::{AgeClock, Lifetimes, left};
use super::tally::Tally;
use super::unsettled::Unsettled;

/// `{value, its remaining milliseconds}`, or `{nil, 1}` with a lease and `{nil, 0}` where somebody else has it.
const READ: &str = "local value = redis.call('GET', KEYS[1]) \
    if value then return {value, redis.call('PTTL', KEYS[1])} end \
    if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {false, 1} end \
    return {false, 0}";

/// Writes under the lease: value, lifetime and the lease's whole time, both in milliseconds. 1 if it was written.
const FILL: &str = "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end \
    local left = ARGV[3] - (ARGV[4] - redis.call('PTTL', KEYS[2])) \
    redis.call('DEL', KEYS[2]) \
    if left < 1 then return 0 end \
    redis.call('SET', KEYS[1], ARGV[2], 'PX', string.format('%d', left)) \
    return 1";

/// Removes the value if it is the one that was read.
const REMOVE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// Most invalidations that are repeated in one call: 500 × 2 keys of about 100 bytes.
const BATCH: usize = 500;

/// How Redis is used.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Where it is.
    pub address: RedisAddress,
    /// What every key begins with: deployments that share a Redis have one each.
    pub namespace: String,
    /// How long connecting may take, with TLS and the server's greeting.
    pub connect: Duration,
    /// How long a call may take.
    pub call: Duration,
    /// Largest entry in bytes.
    pub largest: usize,
    /// How long a load may take whose result is kept.
    pub lease: Duration,
    /// How long no calls are made after the third failure in a row; doubled with each further failure.
    pub rest: Duration,
    /// Longest time without calls.
    pub longest_rest: Duration,
    /// Most invalidations that are remembered until they can be repeated: 10,000 of about 200 bytes.
    pub remembered: usize,
}

impl RedisSettings {
    /// The usual ones: 250 ms to connect, 50 ms a call, entries of at most 1 MB, leases of 10 s, rests of 2 s to 60 s.
    #[must_use]
    pub fn new(address: RedisAddress) -> Self {
        Self {
            address,
            namespace: "credlink".to_owned(),
            connect: Duration::from_millis(250),
            call: Duration::from_millis(50),
            largest: 1_000_000,
            lease: Duration::from_secs(10),
            rest: Duration::from_secs(2),
            longest_rest: Duration::from_secs(60),
            remembered: 10_000,
        }
    }
}

/// The layer over Redis.
#[derive(Debug)]
pub(super) struct RedisLayer {
    link: Link,
    namespace: String,
    largest: usize,
    lease: Duration,
    lifetimes: Lifetimes,
    clock: AgeClock,
    tally: Tally,
    unsettled: Unsettled,
    /// Held by the one reader that repeats invalidations.
    repeating: Mutex<()>,
}

/// The right to fill one place.
#[derive(Debug)]
pub(super) struct Lease(String);

/// What a read came to.
#[derive(Debug)]
pub(super) enum Found {
    /// It is there.
    Held(Held),
    /// It is not; with the right to fill it, if this reader got it.
    Missing(Option<Lease>),
}

impl RedisLayer {
    pub(super) fn new(settings: RedisSettings, lifetimes: Lifetimes, clock: AgeClock) -> Self {
        Self {
            link: Link::new(&settings),
            namespace: settings.namespace,
            largest: settings.largest,
            lease: settings.lease,
            lifetimes,
            clock,
            tally: Tally::of("l2"),
            unsettled: Unsettled::new(settings.remembered),
            repeating: Mutex::new(()),
        }
    }

    /// Reads what is there, or takes the lease of the place.
    pub(super) async fn read(&self, key: &ObjectKey) -> Found {
        let found = self.try_read(key).await;
        match found {
            Found::Held(_) => self.tally.hit(),
            Found::Missing(_) => self.tally.miss(),
        }
        found
    }

    async fn try_read(&self, key: &ObjectKey) -> Found {
        if !self.repeat().await || self.unsettled.contains(key) {
            return Found::Missing(None);
        }
        let lease = Uuid::new_v4().simple().to_string();
        let [value, place] = self.names(key);
        let mut command = redis::cmd("EVAL");
        command.arg(READ).arg(2).arg(&value).arg(place).arg(&lease).arg(milliseconds(self.lease));
        // Before the call: what Redis says is the state of some moment since.
        let now = self.clock.now();
        let Some((bytes, number)) = self.call::<(Option<Vec<u8>>, i64)>(&command).await else {
            return Found::Missing(None);
        };
        let Some(bytes) = bytes else { return Found::Missing((number == 1).then_some(Lease(lease))) };
        let bytes = Bytes::from(bytes);
        match self.open(key, &bytes, number, now) {
            Ok(Some(held)) => Found::Held(held),
            Ok(None) => Found::Missing(None),
            Err(why) => {
                tracing::warn!(cache.layer = "l2", object.key = %key, %why, "a damaged entry is removed");
                self.tally.error();
                let mut command = redis::cmd("EVAL");
                self.call::<i64>(command.arg(REMOVE).arg(1).arg(value).arg(&bytes[..])).await;
                Found::Missing(None)
            }
        }
    }

    /// Reads a value that has `remaining` milliseconds left; `None` where it may not be used.
    fn open(
        &self,
        key: &ObjectKey,
        bytes: &Bytes,
        remaining: i64,
        now: Timestamp,
    ) -> Result<Option<Held>, FrameError> {
        let remaining = u64::try_from(remaining).map_err(|_| FrameError::Endless)?;
        let (object, _) = frame::read(key, bytes.clone())?;
        let lifetime = self.lifetimes.of(key, Some(&object));
        let age = milliseconds(lifetime).saturating_sub(remaining);
        let loaded = now.milliseconds().saturating_sub(i64::try_from(age).unwrap_or(i64::MAX));
        let loaded = Timestamp::from_milliseconds(loaded);
        let usable = left(lifetime, loaded, now).is_some() && self.unsettled.trusts(loaded);
        Ok(usable.then(|| Held { object: Some(Arc::new(object)), loaded }))
    }

    /// Keeps what was loaded under `lease`, if the lease still stands.
    pub(super) async fn fill(&self, key: &ObjectKey, object: &Verified, loaded: Timestamp, lease: &Lease) {
        if object.stored().len() > self.largest {
            return;
        }
        let Some(bytes) = frame::write(key, object, loaded).filter(|bytes| bytes.len() <= self.largest)
        else {
            return;
        };
        let [value, place] = self.names(key);
        let mut command = redis::cmd("EVAL");
        command.arg(FILL).arg(2).arg(value).arg(place).arg(&lease.0).arg(bytes);
        command.arg(milliseconds(self.lifetimes.of(key, Some(object)))).arg(milliseconds(self.lease));
        self.call::<i64>(&command).await;
    }

    /// Removes `key`, for all processes; this one does not read it from Redis until that is done. The second half
    /// begins when the future is polled, the first half is done when this returns. `now` is not before the beginning
    /// of any load of what is forgotten.
    pub(super) fn invalidate(&self, key: &ObjectKey, now: Timestamp) -> impl Future<Output = ()> {
        let notice = self.unsettled.begin(key, now);
        let names = self.names(key);
        async move {
            let mut command = redis::cmd("DEL");
            if self.call::<i64>(command.arg(&names)).await.is_some() {
                notice.settle();
            }
        }
    }

    /// Repeats the invalidations that have not arrived; whether none is left.
    async fn repeat(&self) -> bool {
        if self.unsettled.owes_nothing() {
            return true;
        }
        let Ok(_alone) = self.repeating.try_lock() else { return false };
        loop {
            let owed = self.unsettled.owed(BATCH);
            if owed.is_empty() {
                return true;
            }
            let mut command = redis::cmd("DEL");
            for (key, _) in &owed {
                command.arg(&self.names(key));
            }
            if self.call::<i64>(&command).await.is_none() {
                return false;
            }
            self.unsettled.settle_all(&owed);
        }
    }

    /// What it has seen. How much it holds only Redis knows.
    pub(super) fn layer(&self) -> LayerStats {
        self.tally.stats(None)
    }

    async fn call<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> Option<T> {
        match self.link.call(command).await {
            Ok(answer) => Some(answer),
            Err(link::Unanswered::Resting) => None,
            Err(link::Unanswered::Failed) => {
                self.tally.error();
                None
            }
        }
    }

    /// The names of the value and of the lease of `key`. What stands in braces places both on one node of a cluster.
    fn names(&self, key: &ObjectKey) -> [String; 2] {
        let namespace = &self.namespace;
        [format!("{namespace}:{{{key}}}:value"), format!("{namespace}:{{{key}}}:lease")]
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
