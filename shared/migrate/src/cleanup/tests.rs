//! Cleanup removes only items that are known to be safe, after any kill.

use std::time::Duration;

use credlink_ports::FailureKind;

use super::*;
use crate::lease::LEASE_SECONDS;
use crate::testing::{Fault, World, legacy, spec};
use crate::verify::{VerifyOptions, verify};

/// A world whose job was run and verified 31 days ago.
async fn world() -> World {
    let world = World::mixed();
    world.run().await.unwrap();
    let name = spec().name;
    verify(&world, &name, &VerifyOptions::default(), "v", &()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(31 * 86_400)).await;
    world
}

async fn cleaned(world: &World) -> Cleanup {
    cleanup(world, &spec().name, &CleanupOptions::default(), "c", &()).await.unwrap()
}

const STAYS: [&str; 4] = ["a-twice-more", "a-unlike", "broken", "expired"];

#[tokio::test(start_paused = true)]
async fn only_what_was_verified_long_ago_and_exactly_goes() {
    let world = World::mixed();
    world.run().await.unwrap();
    let keys = world.source.keys();
    assert_eq!(cleaned(&world).await.unverified, 7);
    let name = spec().name;
    verify(&world, &name, &VerifyOptions::default(), "v", &()).await.unwrap();
    assert_eq!(cleaned(&world).await.young, 6);
    tokio::time::sleep(Duration::from_secs(KEEP_SECONDS - 60)).await;
    assert_eq!(cleaned(&world).await.young, 6);
    assert_eq!(world.source.keys(), keys);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let outcome = cleaned(&world).await;
    assert_eq!((outcome.removed, outcome.inexact, outcome.not_copied, outcome.young), (6, 1, 3, 0));
    assert!(outcome.bytes > 0 && outcome.kept.is_empty());
    assert_eq!(world.source.keys(), STAYS);
    let again = cleaned(&world).await;
    assert_eq!((again.removed, again.gone), (0, 6));
}

#[tokio::test(start_paused = true)]
async fn what_changed_stays_on_either_side() {
    let world = world().await;
    world.source.put("good-1", legacy("g1", 1, r#"{"new":1}"#));
    let proof = world.ledger.one("good-2").state.copy().unwrap().target.proof().copied().unwrap();
    world.destination.remove(&proof);
    // An item that is gone cannot be kept, whatever happened to its copy.
    world.source.take("good-3");
    let proof = world.ledger.one("good-3").state.copy().unwrap().target.proof().copied().unwrap();
    world.destination.remove(&proof);
    let outcome = cleaned(&world).await;
    assert_eq!((outcome.removed, outcome.gone, outcome.changed, outcome.unsafe_now), (3, 1, 1, 1));
    let kept: Vec<_> = outcome.kept.iter().map(|kept| kept.item.as_str()).collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept.contains(&"good-1") && kept.contains(&"good-2"));
    assert!(world.source.keys().contains(&"good-1".to_owned()));
    assert!(world.source.keys().contains(&"good-2".to_owned()));
}

/// A rollback that was killed may have deleted the copy, so its item is kept until a run or another rollback has found
/// out.
#[tokio::test(start_paused = true)]
async fn what_a_rollback_was_about_to_delete_stays() {
    let world = world().await;
    let entry = world.ledger.one("good-1");
    let (version, withdrawing) = (entry.version + 1, Some(world.time.now()));
    world.ledger.put(Entry { version, withdrawing, ..entry });
    let outcome = cleaned(&world).await;
    assert_eq!((outcome.removed, outcome.not_copied), (5, 4));
    assert!(world.source.keys().contains(&"good-1".to_owned()));
    world.run().await.unwrap();
    assert_eq!(cleaned(&world).await.removed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_fault_at_any_call_loses_nothing() {
    let clean = world().await;
    clean.faults.none();
    cleaned(&clean).await;
    let calls = clean.faults.calls();
    assert!(calls > 20);
    for call in 1..=calls {
        for fault in [
            Fault::KilledBefore,
            Fault::KilledAfter,
            Fault::Lost(FailureKind::Unavailable),
            Fault::Kept(FailureKind::Unavailable),
        ] {
            let world = world().await;
            world.faults.at(call, fault);
            let (name, options) = (spec().name, CleanupOptions::default());
            tokio::select! {
                () = world.faults.killed.notified() => {}
                _ = cleanup(&world, &name, &options, "c", &()) => {}
            }
            world.faults.none();
            tokio::time::sleep(Duration::from_secs(LEASE_SECONDS)).await;
            cleaned(&world).await;
            assert_eq!(world.source.keys(), STAYS, "{call} {fault:?}");
            let deleted =
                world.ledger.all().iter().filter(|e| matches!(e.state, ItemState::Deleted { .. })).count();
            assert_eq!(deleted, 6, "{call} {fault:?}");
            assert_eq!(world.destination.proofs().len(), 6);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_remove_says_so_at_once() {
    let world = world().await;
    world.faults.down("source remove", FailureKind::AccessDenied);
    let error = cleanup(&world, &spec().name, &CleanupOptions::default(), "c", &()).await;
    assert!(matches!(error, Err(RunError::Ended { .. })), "{error:?}");
    world.faults.none();
    assert_eq!(cleaned(&world).await.removed, 6);
}
