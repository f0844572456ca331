//! A verification over fakes: each fault is reported in its class, and nothing else is.

use credlink_core::hash::{Digest, MediaHash};
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_ports::FailureKind;
use credlink_ports::migration::Verdict;
use credlink_ports::migration::ledger::{Entry, ItemState};

use super::*;
use crate::lease::LEASE_SECONDS;
use crate::testing::{Fault, StoredProof, World, legacy, spec};

async fn verified(world: &World, options: VerifyOptions) -> Verification {
    verify(world, &spec().name, &options, "v", &()).await.unwrap()
}

fn gist(found: &Verification) -> Vec<String> {
    let mut lines: Vec<String> =
        found.findings.iter().map(|finding| format!("{} {:?}", finding.item, finding.class)).collect();
    lines.sort();
    lines
}

fn proof(file: u64) -> ProofId {
    ProofId::derive(&Tenant::default(), &MediaHash::of(&file.to_be_bytes()))
}

/// A world of five good items whose job was run.
async fn world() -> World {
    let world = World::new();
    for number in 0..5 {
        world.source.put(&format!("{number}"), legacy(&format!("g{number}"), number, "{}"));
    }
    world.run().await.unwrap();
    world
}

#[tokio::test(start_paused = true)]
async fn what_is_well_is_verified_and_written_down() {
    let world = world().await;
    let found = verified(&world, VerifyOptions::default()).await;
    assert!(found.is_well() && found.findings.is_empty());
    assert_eq!((found.items, found.compared, found.verified, found.by_checksum), (5, 5, 5, 5));
    let entries = world.ledger.all();
    assert!(entries.iter().all(|entry| matches!(entry.state, ItemState::Verified { .. })));
    // The instant of the first verification is kept.
    tokio::time::sleep(std::time::Duration::from_secs(1_000)).await;
    let deep = verified(&world, VerifyOptions { deep: true, ..VerifyOptions::default() }).await;
    assert_eq!((deep.verified, deep.by_checksum), (5, 0));
    assert_eq!(world.ledger.all(), entries);
}

#[tokio::test(start_paused = true)]
async fn every_fault_has_its_class() {
    let world = world().await;
    world.source.put("0", legacy("g0", 0, r#"{"new":1}"#));
    world.source.put("5-new", legacy("n", 5, "{}"));
    world.source.put("6-broken", "{".to_owned());
    world.source.take("4");
    let other = Digest::of(b"other");
    world.destination.put(proof(1), StoredProof::Live { record: other, manifest: other });
    world.destination.put(proof(77), StoredProof::Live { record: other, manifest: other });
    world.destination.remove(&proof(2));
    let found = verified(&world, VerifyOptions::default()).await;
    assert_eq!(
        gist(&found),
        [
            "0 Outdated",
            "1 Changed",
            "2 Missing",
            "5-new Missing",
            "6-broken Missing",
            &format!("{} Extra", proof(77))
        ]
    );
    assert!(!found.is_well());
    // Item 3, and item 4, which is no longer in the source.
    assert_eq!((found.items, found.verified, found.outdated, found.missing), (7, 2, 1, 3));
}

#[tokio::test(start_paused = true)]
async fn the_same_content_under_a_new_version_is_no_change() {
    let world = world().await;
    let mut entry = world.ledger.one("3");
    entry.item = "an earlier version".to_owned();
    world.ledger.put(entry);
    assert!(verified(&world, VerifyOptions::default()).await.is_well());
    assert_ne!(world.ledger.one("3").item, "an earlier version");
}

#[tokio::test(start_paused = true)]
async fn what_the_destination_says_is_told() {
    for (verdict, class) in [
        (Verdict::Missing("x".to_owned()), Class::Missing),
        (Verdict::Corrupted("x".to_owned()), Class::Corrupted),
        (Verdict::EncodingDiffers("x".to_owned()), Class::EncodingDiffers),
        (Verdict::Changed("x".to_owned()), Class::Changed),
    ] {
        let world = world().await;
        world.destination.say(Some(verdict));
        let found = verified(&world, VerifyOptions::default()).await;
        assert!(found.findings.len() == 5 && found.findings.iter().all(|finding| finding.class == class));
        assert_eq!(found.is_well(), class == Class::Changed);
        let is_as_before = |entry: &Entry| matches!(entry.state, ItemState::Copied(_));
        let is_lost = |entry: &Entry| matches!(entry.state, ItemState::Lost { .. });
        let entries = world.ledger.all();
        assert!(
            entries.iter().all(if class == Class::Changed { is_as_before } else { is_lost }),
            "{class:?}"
        );
    }
}

/// The next run copies again what a verification has found missing. For an item that is no longer at the source, the
/// ledger keeps the record of its copy.
#[tokio::test(start_paused = true)]
async fn what_is_lost_is_copied_again() {
    let world = world().await;
    verified(&world, VerifyOptions::default()).await;
    world.source.take("4");
    for file in [2, 4] {
        world.destination.remove(&proof(file));
    }
    for _ in 0..2 {
        let found = verified(&world, VerifyOptions::default()).await;
        assert_eq!(gist(&found), ["2 Missing", "4 Missing"]);
    }
    let status = crate::report::status(&world.ledger).await.unwrap().unwrap();
    assert_eq!((status.states.verified, status.states.failed), (4, 1), "the one that is at the source");
    let run = world.run().await.unwrap();
    assert_eq!((run.counts.copied, run.counts.done), (1, 3), "{run:?}");
    let found = verified(&world, VerifyOptions::default()).await;
    assert_eq!(gist(&found), ["4 Missing"]);
    assert!(matches!(&world.ledger.one("2").state, ItemState::Verified { copy, .. } if copy.created));
    // A copy that somebody else has restored needs no run.
    world.destination.say(Some(Verdict::Missing("x".to_owned())));
    verified(&world, VerifyOptions::default()).await;
    assert!(matches!(world.ledger.one("1").state, ItemState::Lost { .. }));
    world.destination.say(None);
    verified(&world, VerifyOptions::default()).await;
    assert!(matches!(world.ledger.one("1").state, ItemState::Verified { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_sample_is_always_the_same_one() {
    let world = World::new();
    for number in 0..200 {
        world.source.put(&format!("{number}"), legacy(&format!("g{number}"), number, "{}"));
    }
    world.run().await.unwrap();
    let options = VerifyOptions { sample: 0.25, ..VerifyOptions::default() };
    let found = verified(&world, options.clone()).await;
    assert!((20..80).contains(&found.compared) && found.items == 200, "{}", found.compared);
    let entries = world.ledger.all();
    assert_eq!(verified(&world, options).await.compared, found.compared);
    assert_eq!(world.ledger.all(), entries);
}

#[tokio::test(start_paused = true)]
async fn a_failure_at_any_call_is_survived() {
    let world = World::mixed();
    world.run().await.unwrap();
    let before = world.ledger.all();
    world.faults.none();
    let clean = verified(&world, VerifyOptions::default()).await;
    let (calls, expected) = (world.faults.calls(), world.ledger.all());
    assert_eq!(clean.skipped, 1);
    for call in 1..=calls {
        for fault in
            [Fault::Lost(FailureKind::Unavailable), Fault::Kept(FailureKind::TimedOut), Fault::KilledAfter]
        {
            let world = World::mixed();
            world.run().await.unwrap();
            world.faults.at(call, fault);
            let name = spec().name;
            let options = VerifyOptions::default();
            tokio::select! {
                () = world.faults.killed.notified() => {}
                found = verify(&world, &name, &options, "v", &()) => {
                    assert!(found.is_err() || found.unwrap().verified == clean.verified, "{call} {fault:?}");
                }
            }
            world.faults.none();
            tokio::time::sleep(std::time::Duration::from_secs(LEASE_SECONDS)).await;
            let found = verified(&world, VerifyOptions::default()).await;
            assert_eq!((found.verified, gist(&found)), (clean.verified, gist(&clean)), "{call} {fault:?}");
            let states = |entries: &[Entry]| {
                let state = |entry: &Entry| std::mem::discriminant(&entry.state);
                entries.iter().map(state).collect::<Vec<_>>()
            };
            assert_eq!(states(&world.ledger.all()), states(&expected), "{call} {fault:?}");
        }
    }
    assert_eq!(before.len(), expected.len());
}

#[tokio::test(start_paused = true)]
async fn what_was_skipped_and_changed_since_is_missing() {
    let world = World::mixed();
    world.run().await.unwrap();
    let skipped = |found: &Verification| (found.skipped, found.missing);
    assert_eq!(skipped(&verified(&world, VerifyOptions::default()).await), (1, 2));
    world.source.put("expired", legacy("x", 200, "{}"));
    assert_eq!(skipped(&verified(&world, VerifyOptions::default()).await), (0, 3));
}
