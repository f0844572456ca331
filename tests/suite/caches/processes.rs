//! Two or more processes that share a Redis.

use credlink_cache::Layered;
use credlink_cache::lifetime::{IMMUTABLE, RECORD};
use credlink_core::object::{ObjectKey, Verified};
use credlink_ports::Cache as _;
use futures_util::future::{join, join3};
use redis::AsyncCommands as _;
use tokio::sync::Notify;

use super::{a_clock, a_folder, a_redis, layer, process, raw, value_name};
use crate::contracts::cache::{key, object, read};
use crate::contracts::proof_id;
use crate::engines::redis::shared;

/// Keys, each with the time for which a process may still see its old value after another process has changed it.
fn kinds() -> [(ObjectKey, u64); 2] {
    [(ObjectKey::Record(proof_id("x")), RECORD.as_secs()), (key("x"), IMMUTABLE.as_secs())]
}

#[tokio::test]
async fn an_invalidation_is_seen_in_redis_at_once_and_in_memory_within_the_bound() {
    for (key, bound) in kinds() {
        let (clock, redis) = (a_clock(), a_redis());
        let [first, second, third] = [(); 3].map(|()| process(&clock, Some(&redis), None));
        assert_eq!(read(&first, &key, "old").await.stored(), "old");
        assert_eq!(read(&second, &key, "never loaded").await.stored(), "old");
        first.invalidate(&key).await;
        assert_eq!(read(&third, &key, "new").await.stored(), "new");
        assert_eq!(read(&second, &key, "newer").await.stored(), "old", "it was not told");
        clock.advance_seconds(bound);
        assert_eq!(read(&second, &key, "newer").await.stored(), "new", "the third one's, out of Redis");
    }
}

#[tokio::test]
async fn lifetimes_do_not_add_up_from_redis_to_memory() {
    let (clock, redis, key) = (a_clock(), a_redis(), ObjectKey::Record(proof_id("x")));
    read(&process(&clock, Some(&redis), None), &key, "old").await;
    // Fifty of the lease's sixty seconds have passed.
    let mut server = raw(&shared().url()).await;
    let _: () = server.pexpire(value_name(&redis, &key), 10_000).await.unwrap();
    let cache = process(&clock, Some(&redis), None);
    assert_eq!(read(&cache, &key, "new").await.stored(), "old");
    let _: () = server.del(value_name(&redis, &key)).await.unwrap();
    clock.advance_seconds(5);
    assert_eq!(read(&cache, &key, "new").await.stored(), "old");
    clock.advance_seconds(5);
    assert_eq!(read(&cache, &key, "new").await.stored(), "new");
}

#[tokio::test]
async fn lifetimes_do_not_add_up_from_the_folder_to_memory() {
    let directory = tempfile::tempdir().unwrap();
    for (key, bound) in kinds() {
        let (clock, folder) = (a_clock(), a_folder(directory.path()));
        read(&process(&clock, None, Some(&folder)), &key, "old").await;
        clock.advance_seconds(bound - 1);
        let cache = process(&clock, None, Some(&folder));
        assert_eq!(read(&cache, &key, "new").await.stored(), "old");
        assert_eq!(layer(&cache, "l3").hits, 1);
        clock.advance_seconds(1);
        assert_eq!(read(&cache, &key, "new").await.stored(), "new");
        let cache = process(&clock, None, Some(&folder));
        assert_eq!(read(&cache, &key, "newer").await.stored(), "new", "what was loaded anew");
    }
}

/// A read whose load notifies `begun` when it starts, and returns `body` once `release` is notified.
async fn slow(cache: &Layered, body: &'static str, begun: &Notify, release: &Notify) {
    let load = async {
        begun.notify_one();
        release.notified().await;
        Ok(Some(object(body)))
    };
    cache.get_or_load(&key("x"), load).await.unwrap();
}

#[tokio::test]
async fn a_fill_whose_load_began_before_an_invalidation_is_refused() {
    let (clock, redis) = (a_clock(), a_redis());
    let [slow_one, changer, later] = [(); 3].map(|()| process(&clock, Some(&redis), None));
    let (begun, release) = (Notify::new(), Notify::new());
    let change = async {
        begun.notified().await;
        changer.invalidate(&key("x")).await;
        release.notify_one();
    };
    join(slow(&slow_one, "old", &begun, &release), change).await;
    assert_eq!(read(&later, &key("x"), "new").await.stored(), "new");
}

#[tokio::test]
async fn a_lease_is_good_for_its_own_load_only() {
    let (clock, redis) = (a_clock(), a_redis());
    let [early, changer, late, last] = [(); 4].map(|()| process(&clock, Some(&redis), None));
    let [early_begun, early_release, early_over, late_may, late_begun, late_release] =
        [(); 6].map(|()| Notify::new());
    let early_reader = async {
        slow(&early, "old", &early_begun, &early_release).await;
        early_over.notify_one();
    };
    let late_reader = async {
        late_may.notified().await;
        slow(&late, "new", &late_begun, &late_release).await;
    };
    let order = async {
        early_begun.notified().await;
        changer.invalidate(&key("x")).await;
        late_may.notify_one();
        late_begun.notified().await;
        // The lease of the late read is still held when the early read ends.
        early_release.notify_one();
        early_over.notified().await;
        late_release.notify_one();
    };
    join3(early_reader, late_reader, order).await;
    assert_eq!(read(&last, &key("x"), "never loaded").await.stored(), "new");
}

#[tokio::test]
async fn what_a_folder_held_is_not_put_back_into_redis() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, redis, folder) = (a_clock(), a_redis(), a_folder(directory.path()));
    read(&process(&clock, Some(&redis), Some(&folder)), &key("x"), "old").await;
    let changer = process(&clock, Some(&redis), None);
    changer.invalidate(&key("x")).await;
    let restarted = process(&clock, Some(&redis), Some(&folder));
    assert_eq!(read(&restarted, &key("x"), "new").await.stored(), "old", "its folder was not told");
    assert_eq!(read(&changer, &key("x"), "new").await.stored(), "new");
}

#[tokio::test]
async fn two_processes_share_a_folder() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, folder) = (a_clock(), a_folder(directory.path()));
    let [first, second, third] = [(); 3].map(|()| process(&clock, None, Some(&folder)));
    read(&first, &key("x"), "old").await;
    assert_eq!(read(&second, &key("x"), "never loaded").await.stored(), "old");
    second.invalidate(&key("x")).await;
    assert_eq!(read(&third, &key("x"), "new").await.stored(), "new");
}

#[tokio::test]
async fn absence_and_what_is_too_large_stay_in_memory() {
    let (clock, redis) = (a_clock(), a_redis());
    let [first, second] = [(); 2].map(|()| process(&clock, Some(&redis), None));
    assert_eq!(first.get_or_load(&key("x"), async { Ok(None::<Verified>) }).await.unwrap(), None);
    assert_eq!(read(&second, &key("x"), "new").await.stored(), "new");
    let large = async || Ok(Some(object(vec![7; 1_000_001])));
    first.get_or_load(&key("large"), large()).await.unwrap();
    assert_eq!(read(&second, &key("large"), "small").await.stored(), "small");
}
