//! Rollback deletes what the job created and keeps what anybody else created or touched, and a later run creates it
//! again.

use std::time::Duration;

use credlink_core::hash::{Digest, MediaHash};
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_ports::FailureKind;

use super::*;
use crate::lease::LEASE_SECONDS;
use crate::testing::{Fault, StoredProof, World, spec};

fn proof(file: u64) -> ProofId {
    ProofId::derive(&Tenant::default(), &MediaHash::of(&file.to_be_bytes()))
}

fn live(world: &World) -> Vec<ProofId> {
    let proofs = world.destination.proofs();
    proofs.iter().filter(|(_, there)| matches!(there, StoredProof::Live { .. })).map(|(id, _)| *id).collect()
}

async fn rolled_back(world: &World) -> Rollback {
    rollback(world, &spec().name, &RollbackOptions::default(), "r", &()).await.unwrap()
}

/// Runs a rollback with a fault at one of its calls, and waits until another one may follow.
async fn cut_off(world: &World, call: usize, fault: Fault) {
    world.faults.at(call, fault);
    let (name, options) = (spec().name, RollbackOptions::default());
    tokio::select! {
        () = world.faults.killed.notified() => {}
        _ = rollback(world, &name, &options, "r", &()) => {}
    }
    world.faults.none();
    tokio::time::sleep(Duration::from_secs(LEASE_SECONDS)).await;
}

#[tokio::test(start_paused = true)]
async fn only_what_the_job_made_and_nobody_touched_goes() {
    let world = World::mixed();
    let other = Digest::of(b"other");
    let foreign = StoredProof::Live { record: other, manifest: Digest::of(b"{}") };
    // One proof was there before, and one belongs to no item.
    world.destination.put(proof(0), foreign.clone());
    world.destination.put(proof(77), foreign.clone());
    let run = world.run().await.unwrap();
    assert_eq!((run.counts.copied, run.counts.duplicates), (5, 2));
    // One proof is replaced since, and one is deleted.
    world.destination.put(proof(1), foreign.clone());
    let deleted = StoredProof::Deleted(credlink_core::time::Timestamp::from_milliseconds(5));
    world.destination.put(proof(2), deleted.clone());
    let outcome = rolled_back(&world).await;
    assert_eq!((outcome.withdrawn, outcome.touched, outcome.not_ours, outcome.not_copied), (3, 2, 2, 3));
    assert_eq!(outcome.kept.len(), 2);
    let mut stays = [proof(0), proof(1), proof(77)];
    stays.sort();
    assert_eq!(live(&world), stays);
    assert_eq!(world.destination.proofs()[&proof(2)], deleted);
    let again = rolled_back(&world).await;
    assert_eq!((again.withdrawn, again.rolled_back), (0, 3));
    // A later run creates the proofs that were rolled back, and no others.
    let run = world.run().await.unwrap();
    assert_eq!((run.counts.copied, run.counts.done), (3, 5), "{:?}", run.counts);
    assert_eq!(world.destination.proofs()[&proof(2)], deleted);
    assert_eq!(rolled_back(&world).await.withdrawn, 3);
}

#[tokio::test(start_paused = true)]
async fn what_a_user_deletes_after_a_rollback_stays_deleted() {
    let world = World::mixed();
    world.run().await.unwrap();
    rolled_back(&world).await;
    let later = StoredProof::Deleted(credlink_core::time::Timestamp::from_milliseconds(5));
    world.destination.put(proof(3), later.clone());
    let run = world.run().await.unwrap();
    assert_eq!(run.counts.skipped[&credlink_ports::migration::ledger::Reason::Deleted], 1);
    assert_eq!(world.destination.proofs()[&proof(3)], later);
}

#[tokio::test(start_paused = true)]
async fn the_only_copy_stays() {
    let world = World::mixed();
    let options = crate::copy::CopyOptions { delete_after: true, ..crate::testing::options() };
    let run = crate::run::run(&world, &spec(), &options, "x", &()).await.unwrap();
    assert_eq!((run.counts.copied, run.counts.deleted), (6, 6));
    assert_eq!(world.source.keys(), ["a-twice-more", "a-unlike", "broken", "expired"]);
    let outcome = rolled_back(&world).await;
    assert_eq!((outcome.withdrawn, outcome.only_copy), (0, 6));
    assert_eq!(live(&world).len(), 6);
}

/// Kills a rollback at each of its calls. Another one resumes and knows what was withdrawn, even if no answer arrived.
/// A run creates all of it again.
#[tokio::test(start_paused = true)]
async fn a_fault_at_any_call_withdraws_nothing_else() {
    let clean = World::mixed();
    clean
        .destination
        .put(proof(77), StoredProof::Live { record: Digest::of(b"o"), manifest: Digest::of(b"o") });
    clean.run().await.unwrap();
    clean.faults.none();
    rolled_back(&clean).await;
    let calls = clean.faults.calls();
    for call in 1..=calls {
        for fault in [
            Fault::KilledBefore,
            Fault::KilledAfter,
            Fault::Lost(FailureKind::Unavailable),
            Fault::Kept(FailureKind::Unavailable),
        ] {
            let world = World::mixed();
            let foreign = StoredProof::Live { record: Digest::of(b"o"), manifest: Digest::of(b"o") };
            world.destination.put(proof(77), foreign);
            world.run().await.unwrap();
            cut_off(&world, call, fault).await;
            let outcome = rolled_back(&world).await;
            assert_eq!(live(&world), [proof(77)], "{call} {fault:?}");
            assert_eq!(outcome.withdrawn + outcome.rolled_back, 6, "{call} {fault:?}");
            world.run().await.unwrap();
            assert_eq!(live(&world).len(), 7, "{call} {fault:?}");
        }
    }
}

/// Kills a rollback at each of its calls. A run creates again what was withdrawn, and nothing that anybody else
/// deleted.
#[tokio::test(start_paused = true)]
async fn a_run_after_a_killed_rollback_makes_everything_again() {
    let clean = World::mixed();
    clean.run().await.unwrap();
    clean.faults.none();
    rolled_back(&clean).await;
    for call in 1..=clean.faults.calls() {
        for fault in [Fault::KilledBefore, Fault::KilledAfter] {
            let world = World::mixed();
            world.run().await.unwrap();
            cut_off(&world, call, fault).await;
            // Somebody else deletes a proof that is still there.
            let theirs = live(&world).first().copied();
            let at = credlink_core::time::Timestamp::from_milliseconds(5);
            theirs.inspect(|id| world.destination.put(*id, StoredProof::Deleted(at)));
            world.run().await.unwrap();
            let expected = if theirs.is_some() { 5 } else { 6 };
            assert_eq!(live(&world).len(), expected, "{call} {fault:?}");
            let outcome = rolled_back(&world).await;
            assert_eq!(outcome.withdrawn, expected as u64, "{call} {fault:?}: {outcome:?}");
        }
    }
}

/// Kills the run after a rollback at each of its calls. Another run still knows what it may restore.
#[tokio::test(start_paused = true)]
async fn what_was_rolled_back_is_made_again_after_any_kill() {
    let rolled = async || {
        let world = World::mixed();
        world.run().await.unwrap();
        rolled_back(&world).await;
        world.faults.none();
        world
    };
    let clean = rolled().await;
    clean.run().await.unwrap();
    for call in 1..=clean.faults.calls() {
        for fault in [Fault::KilledBefore, Fault::KilledAfter, Fault::Kept(FailureKind::Unavailable)] {
            let world = rolled().await;
            world.faults.at(call, fault);
            tokio::select! {
                () = world.faults.killed.notified() => {}
                _ = world.run() => {}
            }
            world.faults.none();
            tokio::time::sleep(Duration::from_secs(LEASE_SECONDS)).await;
            world.run().await.unwrap();
            assert_eq!(live(&world).len(), 6, "{call} {fault:?}");
            assert_eq!(rolled_back(&world).await.withdrawn, 6, "{call} {fault:?}");
        }
    }
}
