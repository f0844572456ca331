//! L2: Redis, which processes share.
//!
//! **Leases.** However slow a reader is, an old object must not overwrite an invalidation. A read that finds nothing
//! leaves a *lease* with a name of its own beside the empty place, before its load begins. The fill is a script that
//! writes only while its own lease is there. An invalidation removes both value and lease. So a fill whose load began
//! before an invalidation finds no lease, or another reader's, and writes nothing. Of several processes that miss, one
//! holds the lease, and only its load is written. A lease expires after some seconds, since its holder may have gone
//! away.
//!
//! **Age.** The lease is left just before the load begins, so its remaining time tells the script the age of the object
//! that is filled in, and the value's remaining time tells a reader, both by Redis's clock alone. An object from L3 has
//! no such lease, may be older than an invalidation, and is therefore never filled in here.
//!
//! **Outage.** Calls are short ([`RedisSettings::call`]), and after three failures none are made for a while. A key
//! whose invalidation has not arrived is not read from Redis. Such invalidations are remembered, and repeated before
//! anything is read. If there are too many to remember, values that were loaded before that moment are not used.
//!
//! If Redis loses acknowledged writes (a replica that lagged behind is promoted), a value that was removed may come
//! back for the rest of its lifetime, which Redis enforces by itself.

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

use crate::frame::{self, FrameError};
use crate::held::Held;
use crate::lifetime::{AgeClock, Lifetimes, left};
use crate::tally::Tally;
use crate::unsettled::Unsettled;

/// The script of a read. It returns `{value, its remaining milliseconds}`, or `{nil, 1}` with a lease, or `{nil, 0}` if
/// another reader holds the lease.
const READ: &str = "local value = redis.call('GET', KEYS[1]) \
    if value then return {value, redis.call('PTTL', KEYS[1])} end \
    if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {false, 1} end \
    return {false, 0}";

/// The script of a fill, which writes under the lease. Its arguments are the lease, the value, and the value's lifetime
/// and the lease's whole duration, both in milliseconds. It returns 1 if the value was written.
const FILL: &str = "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end \
    local left = ARGV[3] - (ARGV[4] - redis.call('PTTL', KEYS[2])) \
    redis.call('DEL', KEYS[2]) \
    if left < 1 then return 0 end \
    redis.call('SET', KEYS[1], ARGV[2], 'PX', string.format('%d', left)) \
    return 1";

/// The script that removes a value if it is still the one that was read.
const REMOVE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// The maximum number of invalidations that are repeated in one call: 500 × 2 keys of about 100 bytes.
const BATCH: usize = 500;

/// The settings of Redis.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// The address of the server.
    pub address: RedisAddress,
    /// The prefix of every key: each of the deployments that share a Redis has its own.
    pub namespace: String,
    /// The timeout for connecting, including TLS and the server's greeting.
    pub connect: Duration,
    /// The timeout of a call.
    pub call: Duration,
    /// The maximum size of an entry, in bytes.
    pub largest: usize,
    /// The duration of a lease: the longest load whose result is stored.
    pub lease: Duration,
    /// The time without calls after the third failure in a row; doubled with each further failure.
    pub rest: Duration,
    /// The maximum time without calls.
    pub longest_rest: Duration,
    /// The maximum number of invalidations that are remembered until they can be repeated: 10,000 of about 200 bytes.
    pub remembered: usize,
}

impl RedisSettings {
    /// Returns the usual settings: 250 ms to connect, 50 ms for a call, entries of at most 1 MB, leases of 10 s, pauses
    /// of 2 s to 60 s.
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

/// The result of a read.
#[derive(Debug)]
pub(super) enum RedisEntry {
    /// The entry is there.
    Held(Held),
    /// The entry is missing; with the lease to fill its place, if this reader got it.
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

    /// Reads the entry of `key`, or takes the lease of its place.
    pub(super) async fn read(&self, key: &ObjectKey) -> RedisEntry {
        let found = self.try_read(key).await;
        match found {
            RedisEntry::Held(_) => self.tally.hit(),
            RedisEntry::Missing(_) => self.tally.miss(),
        }
        found
    }

    async fn try_read(&self, key: &ObjectKey) -> RedisEntry {
        if !self.repeat().await || self.unsettled.contains(key) {
            return RedisEntry::Missing(None);
        }
        let lease = Uuid::new_v4().simple().to_string();
        let [value, place] = self.names(key);
        let mut command = redis::cmd("EVAL");
        command.arg(READ).arg(2).arg(&value).arg(place).arg(&lease).arg(milliseconds(self.lease));
        // The time is taken before the call, so that the answer describes a state that is no older.
        let now = self.clock.now();
        let Some((bytes, number)) = self.call::<(Option<Vec<u8>>, i64)>(&command).await else {
            return RedisEntry::Missing(None);
        };
        let Some(bytes) = bytes else { return RedisEntry::Missing((number == 1).then_some(Lease(lease))) };
        let bytes = Bytes::from(bytes);
        match self.open(key, &bytes, number, now) {
            Ok(Some(held)) => RedisEntry::Held(held),
            Ok(None) => RedisEntry::Missing(None),
            Err(why) => {
                tracing::warn!(cache.layer = "l2", object.key = %key, %why, "a damaged entry is removed");
                self.tally.error();
                let mut command = redis::cmd("EVAL");
                self.call::<i64>(command.arg(REMOVE).arg(1).arg(value).arg(&bytes[..])).await;
                RedisEntry::Missing(None)
            }
        }
    }

    /// Reads a value that has `remaining` milliseconds left. Returns `None` if it may not be used.
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

    /// Stores the object that was loaded under `lease`, if the lease is still there.
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

    /// Removes `key` for all processes; this process does not read it from Redis until that is done. The key is noted
    /// before this returns, and removed when the future is polled. `now` must not be before the start of any load of
    /// the forgotten object.
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

    /// Repeats the invalidations that have not arrived. Returns `true` if none is left.
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

    /// Returns the statistics of the layer. Only Redis knows the size of its content.
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

    /// Returns the names of the value and of the lease of `key`. The part in braces puts both on one node of a cluster.
    fn names(&self, key: &ObjectKey) -> [String; 2] {
        let namespace = &self.namespace;
        [format!("{namespace}:{{{key}}}:value"), format!("{namespace}:{{{key}}}:lease")]
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
