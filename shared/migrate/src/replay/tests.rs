//! A walk keeps its order, reports its progress, and ends when it is told to; so do the steps that are built on it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;
use crate::RetryPolicy;
use crate::cleanup::{CleanupOptions, cleanup};
use crate::plan::plan;
use crate::rollback::{RollbackOptions, rollback};
use crate::testing::{World, legacy, options, spec};
use crate::verify::{VerifyOptions, verify};

/// Records progress. With `stops`, it cancels after the first report.
#[derive(Default)]
struct Seen {
    counts: Mutex<Vec<(u64, u64)>>,
    stops: bool,
    told: AtomicBool,
}

impl Watch for Seen {
    fn progress(&self, counts: &Counts) {
        self.counts.lock().unwrap().push((counts.listed, counts.deleted));
        self.told.store(self.stops, Ordering::SeqCst);
    }

    fn is_cancelled(&self) -> bool {
        self.told.load(Ordering::SeqCst)
    }
}

fn stopping() -> Seen {
    Seen { stops: true, ..Seen::default() }
}

async fn walked(world: &World, order: Order, seen: &Seen) -> (Vec<String>, Result<(), GivenUp>) {
    let calls = RetryingPorts::new(world, seen, RetryPolicy::default(), None);
    let mut keys = Vec::new();
    let note = |key: String| {
        keys.push(key);
        7
    };
    let end = replay(&calls, order, 1, async |entry: Entry| Ok(entry.key), note).await;
    (keys, end)
}

/// The ledger's pages have two entries.
#[tokio::test(start_paused = true)]
async fn a_walk_goes_through_every_page_in_its_order() {
    let world = World::mixed();
    world.run().await.unwrap();
    let mut keys = world.source.keys();
    let seen = Seen::default();
    assert_eq!(walked(&world, Order::Forward, &seen).await, (keys.clone(), Ok(())));
    assert_eq!(*seen.counts.lock().unwrap(), [(2, 7), (4, 7), (6, 7), (8, 7), (10, 7)]);
    keys.reverse();
    assert_eq!(walked(&world, Order::Backward, &Seen::default()).await, (keys.clone(), Ok(())));
    let stopped = walked(&world, Order::Backward, &stopping()).await;
    assert_eq!(stopped, (keys[..2].to_vec(), Err(GivenUp::Cancelled)));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_told_to_end_says_so_and_the_next_one_does_the_rest() {
    let world = World::new();
    for number in 0..9 {
        world.source.put(&format!("{number}"), legacy(&format!("g{number}"), number, "{}"));
    }
    let planned = plan(&world, &options(), &stopping()).await.unwrap();
    assert!(planned.interrupted && planned.items < 9);
    world.run().await.unwrap();
    let name = spec().name;
    let verified = verify(&world, &name, &VerifyOptions::default(), "a", &stopping()).await.unwrap();
    assert!(verified.interrupted && verified.verified < 9);
    assert_eq!(verify(&world, &name, &VerifyOptions::default(), "b", &()).await.unwrap().verified, 9);
    tokio::time::sleep(Duration::from_secs(31 * 86_400)).await;
    let options = CleanupOptions::default();
    let cleaned = cleanup(&world, &name, &options, "c", &stopping()).await.unwrap();
    assert!(cleaned.interrupted && cleaned.removed == 2 && world.source.keys().len() == 7);
    let options = RollbackOptions::default();
    let undone = rollback(&world, &name, &options, "d", &stopping()).await.unwrap();
    assert!(undone.interrupted && undone.withdrawn == 2);
    let rest = rollback(&world, &name, &options, "e", &()).await.unwrap();
    assert_eq!((rest.interrupted, rest.withdrawn, rest.rolled_back, rest.only_copy), (false, 5, 2, 2));
}
