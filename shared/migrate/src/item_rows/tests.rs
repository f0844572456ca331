use super::*;
use crate::testing::{Fault, StoredProof, World, legacy, options};

async fn catalogued(world: &World) -> WrittenRows {
    write_item_rows(world, &options(), &()).await.unwrap()
}

fn names(rows: &[&str]) -> BTreeMap<String, u64> {
    rows.iter().map(|item| ((*item).to_owned(), 1)).collect()
}

const MIXED: [&str; 7] = ["a-twice", "expired", "good-0", "good-1", "good-2", "good-3", "good-4"];

/// Each proof has one row, for the item that a migration copies first. An expired record has one too, so that its
/// reader learns of the expiry.
#[tokio::test(start_paused = true)]
async fn every_valid_record_that_is_not_there_has_a_row() {
    let world = World::mixed();
    let first = catalogued(&world).await;
    assert_eq!((first.items, first.written, first.already, first.duplicates), (10, 7, 0, 2));
    assert_eq!(first.invalid, BTreeMap::from([(Reason::InvalidRecord, 1)]));
    let problem = first.problems.iter().map(|problem| problem.item.as_str()).collect::<Vec<_>>();
    assert_eq!(problem, ["broken"]);
    assert_eq!(world.destination.items(), names(&MIXED));
    assert!(world.ledger.all().is_empty() && world.destination.proofs().is_empty());

    // A second walk changes nothing, and finds the new item.
    world.source.put("new", legacy("n", 300, "{}"));
    let again = catalogued(&world).await;
    assert_eq!((again.items, again.written, again.already, again.duplicates), (11, 1, 7, 2));
    assert_eq!(world.destination.items(), names(&[MIXED.as_slice(), &["new"]].concat()));
}

/// Proofs that the store has or has deleted need no row.
#[tokio::test(start_paused = true)]
async fn what_the_store_has_or_had_has_no_row() {
    let world = World::mixed();
    world.run().await.unwrap();
    let deleted = *world.ledger.one("good-3").state.copy().unwrap().target.proof().unwrap();
    let at = credlink_core::time::Timestamp::from_milliseconds(7);
    world.destination.put(deleted, StoredProof::Deleted(at));
    let done = catalogued(&world).await;
    assert_eq!((done.written, done.not_needed), (1, 8));
    assert_eq!(world.destination.items(), names(&["expired"]));
}

/// A row that names another item remains for as long as that item has the proof.
#[tokio::test(start_paused = true)]
async fn a_row_gives_way_when_its_item_is_gone_or_another_proof() {
    let world = World::new();
    for (key, file) in [("b", 1), ("d", 2), ("f", 3)] {
        world.source.put(key, legacy(key, file, "{}"));
    }
    assert_eq!(catalogued(&world).await.written, 3);
    for (key, file) in [("a", 1), ("c", 2), ("e", 3)] {
        world.source.put(key, legacy(key, file, "{}"));
    }
    world.source.take("d");
    world.source.put("f", legacy("f", 4, "{}"));
    let done = catalogued(&world).await;
    assert_eq!((done.items, done.written, done.already, done.duplicates), (5, 3, 1, 1));
    let rows = [("b", 1), ("c", 2), ("e", 2), ("f", 1)];
    assert_eq!(world.destination.items(), rows.map(|(item, version)| (item.to_owned(), version)).into());
}

/// Fails each call, with and without its effect.
#[tokio::test(start_paused = true)]
async fn a_call_that_fails_for_a_while_changes_nothing() {
    let world = World::mixed();
    let whole = catalogued(&world).await;
    let calls = {
        let world = World::mixed();
        catalogued(&world).await;
        world.faults.calls()
    };
    assert!(calls > 30, "{calls}");
    for call in 1..=calls {
        for fault in [Fault::Lost(FailureKind::Unavailable), Fault::Kept(FailureKind::TimedOut)] {
            let world = World::mixed();
            world.faults.at(call, fault);
            assert_eq!(catalogued(&world).await, whole, "{fault:?} at {call}");
            assert_eq!(world.destination.items(), names(&MIXED), "{fault:?} at {call}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_item_that_cannot_be_had_is_counted_and_the_rest_goes_on() {
    let world = World::mixed();
    world.faults.key("good-1", FailureKind::Damaged);
    let done = catalogued(&world).await;
    assert_eq!((done.written, done.invalid.get(&Reason::Damaged)), (6, Some(&1)));
    world.faults.none();
    world.faults.down("destination keep", FailureKind::AccessDenied);
    let refused = write_item_rows(&world, &options(), &()).await;
    assert!(matches!(refused, Err(RunError::Ended { .. })), "{refused:?}");
}
