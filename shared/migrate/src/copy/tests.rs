//! Copies given items over fakes: delivered twice, to two workers at a time, in many interleavings.

use std::collections::BTreeMap;

use credlink_ports::FailureKind;
use credlink_ports::migration::ledger::ItemState;

use super::*;
use crate::testing::{Fault, World, legacy, options};

async fn copied(world: &World, items: &[Item]) -> Counts {
    copy_items(world, items, &options(), &()).await.unwrap().counts
}

/// Asserts that each proof was created once, by the one item whose entry says so, whichever worker copied it.
fn assert_exact(world: &World, what: &str) {
    assert!(
        world.destination.made().values().all(|made| *made == 1),
        "{what}: {:?}",
        world.destination.made()
    );
    let mut makers: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for entry in world.ledger.all() {
        match &entry.state {
            ItemState::Copied(copy) if copy.created => {
                assert!(copy.exact, "{what}: {}", entry.key);
                makers.entry(copy.target.clone()).or_default().push(entry.key);
            }
            ItemState::Copied(_) | ItemState::Failed { .. } | ItemState::Skipped { .. } => {}
            other => panic!("{what}: {} is {other:?}", entry.key),
        }
    }
    assert_eq!(makers.len(), 6, "{what}: {makers:?}");
    assert!(makers.values().all(|keys| keys.len() == 1), "{what}: {makers:?}");
    assert_eq!(world.ledger.all().len(), 10, "{what}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_delivered_twice_is_copied_once() {
    let world = World::mixed();
    let items = world.source.items();
    let twice = [items.clone(), items.clone()].concat();
    let counts = copied(&world, &twice).await;
    assert_eq!((counts.listed, counts.copied, counts.duplicates), (10, 6, 1));
    let entries = world.ledger.all();
    let again = copied(&world, &items).await;
    assert_eq!((again.copied, again.done, again.failures()), (0, 8, 2));
    let copies = |entries: Vec<credlink_ports::migration::ledger::Entry>| {
        entries.into_iter().filter(|entry| entry.state.copy().is_some()).collect::<Vec<_>>()
    };
    assert_eq!(copies(world.ledger.all()), copies(entries));
    assert_exact(&world, "twice");
}

#[tokio::test(start_paused = true)]
async fn two_workers_with_one_batch_are_as_one() {
    for seed in 1..=300 {
        let world = World::mixed();
        world.faults.shuffle(seed);
        let (items, options) = (world.source.items(), options());
        let (one, two) = tokio::join!(
            copy_items(&world, &items, &options, &()),
            copy_items(&world, &items, &options, &()),
        );
        assert!(one.is_ok() && two.is_ok(), "{seed}: {one:?} {two:?}");
        assert_exact(&world, &format!("seed {seed}"));
    }
}

#[tokio::test(start_paused = true)]
async fn two_workers_share_the_items_of_one_proof() {
    for seed in 1..=300 {
        let world = World::mixed();
        world.faults.shuffle(seed);
        let (items, options) = (world.source.items(), options());
        let (odd, even): (Vec<_>, Vec<_>) =
            items.into_iter().enumerate().partition(|(number, _)| number % 2 == 1);
        let each = |items: Vec<(usize, Item)>| items.into_iter().map(|(_, item)| item).collect::<Vec<_>>();
        let (odd, even) = (each(odd), each(even));
        let (one, two) =
            tokio::join!(copy_items(&world, &odd, &options, &()), copy_items(&world, &even, &options, &()),);
        assert!(one.is_ok() && two.is_ok(), "{seed}");
        assert_exact(&world, &format!("seed {seed}"));
    }
}

/// One of two workers is killed or fails at each of its calls, and a third worker gets the batch again.
#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_beside_another_loses_nothing() {
    let clean = World::mixed();
    let (items, options) = (clean.source.items(), options());
    let _ =
        tokio::join!(copy_items(&clean, &items, &options, &()), copy_items(&clean, &items, &options, &()),);
    let calls = clean.faults.calls();
    for call in 1..=calls {
        for fault in [Fault::KilledBefore, Fault::KilledAfter, Fault::Kept(FailureKind::TimedOut)] {
            let world = World::mixed();
            world.faults.shuffle(u64::try_from(call).unwrap());
            world.faults.at(call, fault);
            tokio::select! {
                // Both workers are on the machine that dies.
                () = world.faults.killed.notified() => {}
                _ = async { tokio::join!(
                    copy_items(&world, &items, &options, &()),
                    copy_items(&world, &items, &options, &()),
                ) } => {}
            }
            world.faults.none();
            copied(&world, &items).await;
            assert_exact(&world, &format!("{call} {fault:?}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_equal_items_make_one_proof() {
    let world = World::new();
    world.source.put("a", legacy("p", 1, "{}"));
    world.source.put("b", legacy("p", 1, "{}"));
    let counts = copied(&world, &world.source.items()).await;
    assert_eq!((counts.copied, counts.duplicates), (1, 1));
    let exact = |key: &str| world.ledger.one(key).state.copy().map(|copy| (copy.created, copy.exact));
    assert_eq!((exact("a"), exact("b")), (Some((true, true)), Some((false, true))));
}

#[tokio::test(start_paused = true)]
async fn a_changed_item_is_copied_again_and_keeps_what_was() {
    let world = World::new();
    world.source.put("a", legacy("p", 1, "{}"));
    copied(&world, &world.source.items()).await;
    let before = world.ledger.one("a");
    // Another manifest of the same file: the destination keeps the one that it has.
    world.source.put("a", legacy("p", 1, r#"{"new":1}"#));
    let counts = copied(&world, &world.source.items()).await;
    assert_eq!(counts.failures(), 1);
    assert_eq!(world.ledger.one("a"), before);
    // The same record as before, with insignificant whitespace.
    world.source.put("a", format!(" {}", legacy("p", 1, "{}")));
    let counts = copied(&world, &world.source.items()).await;
    assert_eq!((counts.copied, counts.failures()), (1, 0));
    let after = world.ledger.one("a");
    assert!(after.item != before.item && after.state.copy().unwrap().created);
    assert!(world.destination.made().values().all(|made| *made == 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_compared_on_demand() {
    use credlink_ports::migration::Verdict;
    for (skip_existing, failures) in [(true, 0), (false, 1)] {
        let world = World::new();
        world.source.put("a", legacy("p", 1, "{}"));
        world.source.put("b", legacy("q", 1, "{}"));
        world.destination.say(Some(Verdict::Corrupted("x".to_owned())));
        let options = CopyOptions { skip_existing, ..options() };
        let items = world.source.items();
        let counts = copy_items(&world, &items, &options, &()).await.unwrap().counts;
        assert_eq!((counts.copied, counts.failures()), (1, failures));
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_kept() {
    let world = World::mixed();
    let options = CopyOptions { rate: Some(2.0), ..options() };
    let began = tokio::time::Instant::now();
    copy_items(&world, &world.source.items(), &options, &()).await.unwrap();
    let elapsed = began.elapsed().as_secs_f64();
    assert!((4.5..5.0).contains(&elapsed), "{elapsed}");
}

/// Every call fails once while items are removed right after they were copied. No item is removed whose copy is
/// missing.
#[tokio::test(start_paused = true)]
async fn deleting_after_copying_loses_nothing() {
    let clean = World::mixed();
    let options = CopyOptions { delete_after: true, ..options() };
    copy_items(&clean, &clean.source.items(), &options, &()).await.unwrap();
    let calls = clean.faults.calls();
    for call in 1..=calls {
        for fault in [Fault::KilledBefore, Fault::KilledAfter, Fault::Kept(FailureKind::Unavailable)] {
            let world = World::mixed();
            let items = world.source.items();
            world.faults.at(call, fault);
            tokio::select! {
                () = world.faults.killed.notified() => {}
                _ = copy_items(&world, &items, &options, &()) => {}
            }
            let keys = world.source.keys();
            for item in items.iter().filter(|item| !keys.contains(&item.key)) {
                let entry = world.ledger.one(&item.key);
                assert!(
                    matches!(entry.state, ItemState::Verified { .. } | ItemState::Deleted { .. }),
                    "{call} {fault:?}: {} is gone, and {:?}",
                    item.key,
                    entry.state
                );
                let proof = entry.state.copy().unwrap().target.proof().copied().unwrap();
                assert!(world.destination.proofs().contains_key(&proof));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_well_is_not_removed_after_copying() {
    use credlink_ports::migration::Verdict;
    let world = World::mixed();
    world.destination.say(Some(Verdict::Corrupted("x".to_owned())));
    let (items, options) = (world.source.items(), CopyOptions { delete_after: true, ..options() });
    let counts = copy_items(&world, &items, &options, &()).await.unwrap().counts;
    assert_eq!((counts.copied, counts.deleted), (6, 0));
    assert_eq!(world.source.items(), items);
}
