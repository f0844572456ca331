//! The layers of a cache working together, and processes that share a Redis or a folder. Each [`Layered`] stands for a
//! process. A manual clock moves ages; timeouts are long where Redis has to answer, so that a slow machine does not
//! fail the tests.

mod bounds;
mod damage;
mod gate;
mod outage;
mod processes;

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use credlink_cache::folder::FolderSettings;
use credlink_cache::lifetime::AgeClock;
use credlink_cache::redis::{RedisAddress, RedisSettings};
use credlink_cache::{Layered, Layers};
use credlink_core::object::ObjectKey;
use credlink_core::time::Timestamp;
use credlink_ports::doubles::ManualClock;
use credlink_ports::{Cache as _, LayerStats};
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

use crate::engines::redis::shared;
use crate::engines::{free_port, unique};

/// The shared Redis, with a prefix that no other test uses.
fn a_redis() -> RedisSettings {
    redis_at(&shared().url())
}

/// A Redis whose timeouts are long enough for any machine.
fn redis_at(url: &str) -> RedisSettings {
    let retry_policy = Duration::from_secs(60);
    RedisSettings {
        namespace: unique("cache"),
        connect: retry_policy,
        call: retry_policy,
        // No pause between attempts is long enough to be noticed.
        rest: Duration::ZERO,
        longest_rest: Duration::ZERO,
        lease: retry_policy,
        ..RedisSettings::new(RedisAddress::parse(url).unwrap())
    }
}

fn a_folder(folder: &Path) -> FolderSettings {
    FolderSettings { path: folder.join("cache"), bytes: 10_000_000 }
}

/// A clock that stands still at an arbitrary moment.
fn a_clock() -> ManualClock {
    ManualClock::at(Timestamp::from_milliseconds(1_700_000_000_000))
}

/// The cache of a new process, with nothing in memory.
fn process(clock: &ManualClock, redis: Option<&RedisSettings>, folder: Option<&FolderSettings>) -> Layered {
    Layered::new(Layers {
        redis: redis.cloned(),
        folder: folder.cloned(),
        clock: AgeClock::by(clock.clone()),
        ..Layers::default()
    })
}

/// A connection to Redis that bypasses the cache.
async fn raw(url: &str) -> MultiplexedConnection {
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

/// The name of the Redis value that holds `key`.
fn value_name(redis: &RedisSettings, key: &ObjectKey) -> String {
    format!("{}:{{{key}}}:value", redis.namespace)
}

fn layer(cache: &Layered, name: &str) -> LayerStats {
    cache.stats().layers.into_iter().find(|layer| layer.name == name).unwrap()
}

/// Memory, Redis and a folder.
pub fn all_layers() -> (TempDir, Layered) {
    let folder = tempfile::tempdir().unwrap();
    let layers =
        Layers { redis: Some(a_redis()), folder: Some(a_folder(folder.path())), ..Layers::default() };
    (folder, Layered::new(layers))
}

/// Memory and a folder.
pub fn folder_alone() -> (TempDir, Layered) {
    let folder = tempfile::tempdir().unwrap();
    let layers = Layers { folder: Some(a_folder(folder.path())), ..Layers::default() };
    (folder, Layered::new(layers))
}

/// All layers, with nothing listening where Redis should be.
pub fn redis_dead() -> (TempDir, Layered) {
    with_redis_at(free_port(), |_| ())
}

/// All layers, with a Redis that accepts connections and never answers.
pub fn redis_hanging() -> ((TempDir, TcpListener), Layered) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (folder, cache) = with_redis_at(listener.local_addr().unwrap().port(), |_| ());
    ((folder, listener), cache)
}

/// All layers, with the usual timeouts as altered by `change`.
fn with_redis_at(port: u16, change: impl FnOnce(&mut RedisSettings)) -> (TempDir, Layered) {
    let folder = tempfile::tempdir().unwrap();
    let address = RedisAddress::parse(&format!("redis://127.0.0.1:{port}")).unwrap();
    let mut redis = RedisSettings::new(address);
    change(&mut redis);
    let layers = Layers { redis: Some(redis), folder: Some(a_folder(folder.path())), ..Layers::default() };
    (folder, Layered::new(layers))
}
