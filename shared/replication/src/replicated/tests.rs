//! Tests of timing: the cost of a slow provider, the conditions for hedged reads, and the wait for a flag.

use std::time::Duration;

use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, StoredTag};
use credlink_core::row::{Row, RowKey};
use credlink_ports::doubles::{MemoryIndex, MemoryObjects, MemoryQueue};
use credlink_ports::{BreakerState, FailureKind, ProviderState, Replicas as _};
use credlink_runtime::clock::SystemClock;
use credlink_runtime::{pace, throttle};

use super::*;

/// A provider that is slow, and may throttle writes. Clones share their state.
#[derive(Clone)]
struct Slow {
    inner: MemoryObjects,
    takes: Arc<Mutex<Duration>>,
    calls: Arc<Mutex<u32>>,
    throttles: Arc<Mutex<Throttles>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Throttles {
    Nothing,
    /// Each write is throttled once, and succeeds when it is retried within the call.
    Once,
    /// Every attempt at a write is throttled.
    Everything,
}

impl Slow {
    fn new() -> Self {
        Self {
            inner: MemoryObjects::new(),
            takes: Arc::default(),
            calls: Arc::default(),
            throttles: Arc::new(Mutex::new(Throttles::Nothing)),
        }
    }

    fn throttles(&self, throttles: Throttles) {
        *self.throttles.lock().unwrap() = throttles;
    }

    /// Throttles a write, in the way of the adapter for a bucket.
    async fn throttle(&self) -> Result<(), Failure> {
        let throttles = *self.throttles.lock().unwrap();
        if throttles == Throttles::Nothing {
            return Ok(());
        }
        throttle::note();
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        match throttles {
            Throttles::Everything => {
                let message = "one write a second of a key".to_owned();
                Err(Failure { provider: "slow", kind: FailureKind::Throttled, message })
            }
            Throttles::Nothing | Throttles::Once => Ok(()),
        }
    }

    fn takes(&self, milliseconds: u64) {
        *self.takes.lock().unwrap() = Duration::from_millis(milliseconds);
    }

    fn calls(&self) -> u32 {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    async fn wait(&self) {
        *self.calls.lock().unwrap() += 1;
        let takes = *self.takes.lock().unwrap();
        if takes > Duration::ZERO {
            tokio::time::sleep(takes).await;
        }
    }
}

impl Objects for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        // The answer begins at once.
        pace::expect(self.inner.head(key).await?.map_or(0, |head| head.size));
        self.wait().await;
        self.inner.get(key).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<Head>, Failure> {
        self.wait().await;
        self.inner.head(key).await
    }

    async fn put(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> Result<Put, Failure> {
        self.wait().await;
        self.throttle().await?;
        self.inner.put(key, body, attributes, condition).await
    }

    async fn put_in_order(
        &self,
        first: ObjectWrite,
        second: ObjectWrite,
    ) -> Result<(Put, Option<Put>), Failure> {
        put_one_by_one(self, first, second).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
        self.wait().await;
        self.inner.delete(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page<Listed>, Failure> {
        self.wait().await;
        self.inner.list(prefix, after, limit).await
    }
}

struct World {
    primary: Slow,
    fallback: Slow,
    queue: MemoryQueue,
    index: MemoryIndex,
    both: Replicated<Slow, Slow, MemoryQueue, MemoryIndex>,
}

fn world(settings: ReplicationSettings) -> World {
    let (primary, fallback) = (Slow::new(), Slow::new());
    let (queue, index) = (MemoryQueue::default(), MemoryIndex::new());
    let both = Replicated::new(
        primary.clone(),
        fallback.clone(),
        queue.clone(),
        index.clone(),
        SystemClock,
        settings,
    );
    World { primary, fallback, queue, index, both }
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::Manifest(format!("urn:c2pa:{name}").parse::<ManifestKey>().unwrap())
}

/// Creates an object. Returns the outcome, and the time that it took in milliseconds on the paused clock.
async fn create(world: &World, name: &str) -> (Result<Put, Failure>, u64) {
    let began = Instant::now();
    let put = world.both.put(&key(name), Bytes::new(), &Attributes::default(), Condition::Absent).await;
    (put, u64::try_from(began.elapsed().as_millis()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_write_waits_a_second_for_the_fallback_and_for_the_primary_as_long_as_a_call_may_take() {
    for (primary, fallback, took, queued) in [
        (10, 900, 900, 0),
        (10, 60_000, 1_010, 1),
        (900, 10, 900, 0),
        (3_000, 10, 3_000, 0),
        (3_000, 60_000, 4_000, 1),
        (60_000, 10, 5_000, 1),
    ] {
        let world = world(ReplicationSettings::default());
        world.primary.takes(primary);
        world.fallback.takes(fallback);
        let (put, elapsed) = create(&world, "x").await;
        assert!(matches!(put, Ok(Put::Stored(_))));
        assert_eq!((elapsed, world.queue.depth().await.unwrap()), (took, queued), "{primary} {fallback}");
        let behind = world.index.get(&RowKey::Replica(Replica::Primary)).await.unwrap().is_some();
        assert_eq!(behind, primary == 60_000, "{primary} {fallback}");
    }
}

/// The key of the bytes of a file, and 20 MB.
fn long_file(number: char) -> (ObjectKey, Bytes) {
    let key = format!("media/{}/original", String::from(number).repeat(32)).parse().unwrap();
    (key, vec![7; 20_000_000].into())
}

/// A megabyte has a second.
#[tokio::test(start_paused = true)]
async fn a_long_write_waits_longer_and_one_that_is_too_slow_opens_no_breaker() {
    for (primary, fallback, took, queued) in
        [(10, 19_000, 19_000, 0), (10, 60_000, 21_010, 1), (24_000, 10, 24_000, 0), (60_000, 10, 25_000, 1)]
    {
        let world = world(ReplicationSettings::default());
        world.primary.takes(primary);
        world.fallback.takes(fallback);
        for (missed, number) in "abcdefgh".chars().enumerate() {
            let (key, body) = long_file(number);
            let began = Instant::now();
            let put = world.both.put(&key, body, &Attributes::default(), Condition::Absent).await;
            assert!(matches!(put, Ok(Put::Stored(_))));
            let elapsed = u64::try_from(began.elapsed().as_millis()).unwrap();
            assert_eq!(elapsed, took, "{primary} {fallback}");
            let queued = queued * (missed + 1);
            assert_eq!(world.queue.depth().await.unwrap(), queued as u64, "{primary} {fallback}");
        }
        for state in world.both.providers() {
            assert_eq!(state.breaker, BreakerState::Closed, "{primary} {fallback}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_read_has_the_time_that_its_length_takes() {
    let world = world(ReplicationSettings::default());
    let (key, body) = long_file('a');
    world.both.put(&key, body, &Attributes::default(), Condition::Absent).await.unwrap();
    for (primary, took, asked) in [(24_000, 24, 0), (26_000, 25, 1)] {
        world.primary.takes(primary);
        world.fallback.calls();
        for _ in 0..6 {
            let began = Instant::now();
            assert_eq!(world.both.get(&key).await.unwrap().unwrap().body.len(), 20_000_000);
            assert_eq!((began.elapsed().as_secs(), world.fallback.calls()), (took, asked), "{primary}");
        }
        assert_eq!(world.both.providers()[0].breaker, BreakerState::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_provider_stops_costing_time() {
    let world = world(ReplicationSettings::default());
    create(&world, "x").await.0.unwrap();
    world.primary.takes(60_000);
    world.primary.calls();
    let mut took = Vec::new();
    for _ in 0..8 {
        let began = Instant::now();
        assert!(world.both.get(&key("x")).await.unwrap().is_some());
        took.push(began.elapsed().as_secs());
    }
    assert_eq!(took, [5, 5, 5, 5, 5, 0, 0, 0]);
    assert_eq!(world.primary.calls(), 5);
    let [primary, fallback] = <[ProviderState; 2]>::try_from(world.both.providers()).unwrap();
    assert_eq!((primary.breaker, primary.failure), (BreakerState::Open, Some(FailureKind::TimedOut)));
    assert_eq!((fallback.breaker, fallback.failure), (BreakerState::Closed, None));
    // The provider is back, and one trial closes the breaker.
    world.primary.takes(0);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(world.both.get(&key("x")).await.unwrap().is_some());
    assert_eq!(world.both.providers()[0].breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_slow_read_is_hedged() {
    let world = world(ReplicationSettings { hedge: true, ..ReplicationSettings::default() });
    create(&world, "x").await.0.unwrap();
    let read = async || {
        let began = Instant::now();
        assert!(world.both.get(&key("x")).await.unwrap().is_some());
        began.elapsed().as_millis()
    };
    world.primary.takes(5);
    world.fallback.calls();
    for _ in 0..49 {
        read().await;
    }
    // Too few reads have been measured.
    world.primary.takes(400);
    assert_eq!(read().await, 400);
    assert_eq!(world.fallback.calls(), 0);
    world.fallback.takes(5);
    assert_eq!(read().await, 25);
    assert_eq!(world.fallback.calls(), 1);
    // The budget allows two hedged reads for fifty reads.
    assert_eq!((read().await, read().await), (25, 400));
    assert_eq!(world.fallback.calls(), 1);
}

fn attributes(name: &str, content: &[u8], tombstone: bool) -> Attributes {
    let (tenant, created) = (Default::default(), credlink_core::time::Timestamp::from_milliseconds(0));
    let facts =
        Facts { tombstone, ..Facts::of(content, tenant, credlink_core::access::Visibility::Public, created) };
    facts.attributes(&key(name), std::collections::BTreeMap::new())
}

/// Writes `content`, or a tombstone, and expects no failure.
async fn write(
    world: &World,
    name: &str,
    content: &'static [u8],
    condition: Condition,
    tombstone: bool,
) -> Put {
    let attributes = attributes(name, content, tombstone);
    world.both.put(&key(name), Bytes::from_static(content), &attributes, condition).await.unwrap()
}

async fn repairs(world: &World, replica: Replica) -> Option<usize> {
    let row = world.index.get(&RowKey::Replica(replica)).await.unwrap().and_then(Row::replica);
    row.map(|row| row.repairs.len())
}

/// Another process creates the same object at the same time, and is first at one of the two providers.
#[tokio::test(start_paused = true)]
async fn who_creates_the_same_object_as_another_needs_no_repair() {
    for first_at in [Replica::Primary, Replica::Fallback] {
        for (content, is_same) in [(b"first", true), (b"other", false)] {
            let world = world(ReplicationSettings::default());
            let provider = if first_at == Replica::Primary { &world.primary } else { &world.fallback };
            let attributes = attributes("x", content, false);
            let body = Bytes::from_static(content);
            provider.inner.put(&key("x"), body, &attributes, Condition::Absent).await.unwrap();
            let put = write(&world, "x", b"first", Condition::Absent, false).await;
            assert_eq!(matches!(put, Put::Lost), first_at == Replica::Primary);
            let (queued, flag) = if is_same { (0, None) } else { (1, Some(1)) };
            assert_eq!(world.queue.depth().await.unwrap(), queued, "{first_at} {is_same}");
            assert_eq!(repairs(&world, Replica::Fallback).await, flag, "{first_at} {is_same}");
        }
    }
}

/// One provider has the object that was read, the other has an earlier one, and one of the two does not answer. The
/// stale provider is repaired, whichever answers.
#[tokio::test(start_paused = true)]
async fn who_confirms_has_the_stale_provider_repaired_whichever_answers() {
    for stale in [Replica::Primary, Replica::Fallback] {
        for silent in [None, Some(Replica::Primary), Some(Replica::Fallback)] {
            let world = world(ReplicationSettings::default());
            let expected = attributes("x", b"later", false);
            for replica in [Replica::Primary, Replica::Fallback] {
                let content: &[u8] = if replica == stale { b"earlier" } else { b"later" };
                let side = if replica == Replica::Primary { &world.primary } else { &world.fallback };
                let (body, attributes) = (Bytes::from_static(content), attributes("x", content, false));
                side.inner.put(&key("x"), body, &attributes, Condition::Absent).await.unwrap();
                side.takes(if silent == Some(replica) { 60_000 } else { 0 });
            }
            world.both.confirm(&key("x"), &Facts::read(&expected).unwrap()).await.unwrap();
            assert_eq!(repairs(&world, stale).await, Some(1), "{stale} is stale, {silent:?} is silent");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_the_fallback_throttles_is_waited_for() {
    let world = world(ReplicationSettings::default());
    world.fallback.throttles(Throttles::Once);
    for (name, content) in [("x", b"first"), ("y", b"other")] {
        let began = Instant::now();
        let Put::Stored(tag) = write(&world, name, content, Condition::Absent, false).await else {
            panic!("{name}")
        };
        let marked = write(&world, name, b"tombstone", Condition::Matches(tag), true).await;
        assert!(matches!(marked, Put::Stored(_)), "{name}");
        assert_eq!(began.elapsed().as_millis(), 2_400, "{name}");
        assert_eq!(world.fallback.inner.get(&key(name)).await.unwrap().unwrap().body, "tombstone");
    }
    assert_eq!(world.queue.depth().await.unwrap(), 0);
    assert_eq!(repairs(&world, Replica::Fallback).await, None);
}

/// Stale content at the fallback is not served, and the fallback does not count as out of reach.
#[tokio::test(start_paused = true)]
async fn a_write_that_the_fallback_throttles_to_the_end_is_left_to_its_repair() {
    let world = world(ReplicationSettings { look_every: Duration::ZERO, ..ReplicationSettings::default() });
    let Put::Stored(tag) = write(&world, "x", b"content", Condition::Absent, false).await else {
        panic!("it is stored")
    };
    world.fallback.throttles(Throttles::Everything);
    // A missed creation leaves nothing stale.
    for name in ["a", "b", "c", "d", "e", "f"] {
        assert!(matches!(write(&world, name, b"new", Condition::Absent, false).await, Put::Stored(_)));
    }
    assert_eq!((world.queue.depth().await.unwrap(), repairs(&world, Replica::Fallback).await), (6, None));
    // A creation that lost leaves nothing at all.
    assert_eq!(write(&world, "x", b"rival", Condition::Absent, false).await, Put::Lost);
    assert_eq!((world.queue.depth().await.unwrap(), repairs(&world, Replica::Fallback).await), (6, None));
    // A missed deletion leaves the deleted object.
    assert!(matches!(write(&world, "x", b"tombstone", Condition::Matches(tag), true).await, Put::Stored(_)));
    assert_eq!((world.queue.depth().await.unwrap(), repairs(&world, Replica::Fallback).await), (7, Some(1)));
    world.both.get(&key("x")).await.unwrap();
    let fallback = world.both.providers().remove(1);
    assert_eq!((fallback.breaker, fallback.behind), (BreakerState::Closed, true));
}

#[tokio::test(start_paused = true)]
async fn the_first_deletion_that_a_provider_misses_waits_until_every_process_knows() {
    let world = world(ReplicationSettings::default());
    let put = async |name: &str, content: &'static [u8], condition, tombstone| {
        write(&world, name, content, condition, tombstone).await
    };
    let mut tags = Vec::new();
    for name in ["x", "y"] {
        let Put::Stored(tag) = put(name, b"content", Condition::Absent, false).await else {
            panic!("{name}")
        };
        tags.push(tag);
    }
    world.primary.takes(60_000);
    for (name, tag, at_least, at_most) in [("x", &tags[0], 9, 10), ("y", &tags[1], 5, 10)] {
        let began = Instant::now();
        assert!(matches!(
            put(name, b"tombstone", Condition::Matches(tag.clone()), true).await,
            Put::Stored(_)
        ));
        let took = began.elapsed().as_secs();
        assert!((at_least..=at_most).contains(&took), "{name} took {took}");
    }
    let row = world.index.get(&RowKey::Replica(Replica::Primary)).await.unwrap();
    assert!(matches!(row, Some(Row::Replica(row)) if row.repairs.len() == 2));
    world.both.get(&key("x")).await.unwrap();
    assert!(world.both.providers()[0].behind);
    assert_eq!(world.queue.depth().await.unwrap(), 2);
}

/// A server moves requests between threads.
#[tokio::test]
async fn calls_can_move_between_threads() {
    fn moves<T: Send>(value: T) -> T {
        value
    }
    let world = world(ReplicationSettings::default());
    let (both, key) = (moves(&world.both), key("x"));
    let tag = StoredTag("p::x".to_owned());
    let (absent, matches) = (Condition::Absent, Condition::Matches(tag));
    moves(both.put(&key, Bytes::new(), &Attributes::default(), absent)).await.unwrap();
    moves(both.put(&key, Bytes::new(), &Attributes::default(), matches)).await.unwrap();
    assert!(moves(both.get(&key)).await.unwrap().is_some());
    assert!(moves(both.head(&key)).await.unwrap().is_some());
    let facts = Facts::read(&attributes("x", b"first", false)).unwrap();
    moves(both.confirm(&key, &facts)).await.unwrap();
    assert_eq!(moves(both.list("", None, 1)).await.unwrap().items.len(), 1);
    moves(both.delete(&key)).await.unwrap();
}
