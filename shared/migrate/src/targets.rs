//! Aliases, and manifests that were stored for themselves, through every step of a migration.

use std::collections::BTreeMap;
use std::time::Duration;

use credlink_core::hash::MediaHash;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_ports::migration::Content;
use credlink_ports::migration::ledger::Reason;
use credlink_ports::migration::target::*;

use crate::cleanup::{CleanupOptions, cleanup};
use crate::incoming::{Owners, incoming};
use crate::lease::LEASE_SECONDS;
use crate::plan::plan;
use crate::rollback::{Rollback, RollbackOptions, rollback};
use crate::testing::{Fault, World, legacy, options, record, spec};
use crate::verify::{Verification, VerifyOptions, verify};

fn proof(file: u64) -> ProofId {
    ProofId::derive(&Tenant::default(), &MediaHash::of(&file.to_be_bytes()))
}

/// Eleven proofs, three aliases of two of them, and two manifests. The aliases sort before everything else.
fn filled() -> World {
    let world = World::new();
    for file in 0..11 {
        world.source.put(&format!("proof-{file:02}"), legacy(&format!("p{file}"), file, "{}"));
    }
    for (id, file) in [("twin-1", 10), ("twin-2", 10), ("twin-3", 4)] {
        world.source.put(&format!("/aliases/{id}"), record(&legacy("p", file, "{}")));
    }
    for id in ["urn:c2pa:one", "urn:c2pa:two"] {
        world.source.put(&format!("/manifests/{id}"), id.to_owned());
    }
    world
}

fn names(world: &World) -> BTreeMap<String, ProofId> {
    world.destination.aliases().into_iter().map(|(id, proof)| (id.to_string(), proof)).collect()
}

fn all_names() -> BTreeMap<String, ProofId> {
    [("twin-1", 10), ("twin-2", 10), ("twin-3", 4)].map(|(id, file)| (id.to_owned(), proof(file))).into()
}

async fn verified(world: &World) -> Verification {
    verify(world, &spec().name, &VerifyOptions::default(), "v", &()).await.unwrap()
}

async fn rolled_back(world: &World) -> Rollback {
    rollback(world, &spec().name, &RollbackOptions::default(), "r", &()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn everything_travels_and_a_name_behind_its_proof() {
    let world = filled();
    let planned = plan(&world, &options(), &()).await.unwrap();
    assert_eq!((planned.items, planned.would_copy, planned.is_well()), (16, 16, true), "{planned:?}");
    // Batches are small, and several are in flight. Aliases wait for all of them.
    let done = world.run().await.unwrap();
    assert_eq!((done.counts.copied, done.counts.failures()), (16, 0), "{:?}", done.counts);
    assert_eq!(names(&world), all_names());
    assert_eq!(world.destination.manifests().len(), 2);
    let again = world.run().await.unwrap().counts;
    assert_eq!((again.copied, again.done), (0, 16));
    let found = verified(&world).await;
    assert_eq!((found.verified, found.extra, found.is_well()), (16, 0, true), "{found:?}");
    // A lost alias is found.
    world.destination.name("twin-2", None);
    let found = verified(&world).await;
    assert_eq!((found.missing, found.findings[0].item.as_str()), (1, "/aliases/twin-2"), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_name_whose_proof_is_not_there_fails_until_it_is() {
    let world = filled();
    world.source.put("proof-10", "{".to_owned());
    let planned = plan(&world, &options(), &()).await.unwrap();
    let expected = BTreeMap::from([(Reason::InvalidRecord, 1), (Reason::ProofMissing, 2)]);
    assert_eq!(planned.invalid, expected);
    assert_eq!(world.run().await.unwrap().counts.failed, expected);
    assert_eq!(names(&world).into_keys().collect::<Vec<_>>(), ["twin-3"]);
    world.source.put("proof-10", legacy("p10", 10, "{}"));
    assert_eq!(world.run().await.unwrap().counts.copied, 3);
    assert_eq!(names(&world), all_names());
}

#[tokio::test(start_paused = true)]
async fn no_name_leads_to_what_it_was_not_given_for() {
    let world = filled();
    // One alias leads to another proof at the destination, one to a proof with another content there, and one is
    // correct.
    world.destination.name("twin-1", Some(proof(0)));
    world.destination.name("twin-2", Some(proof(10)));
    world.source.put("/aliases/twin-3", record(&legacy("p", 4, r#"{"a":1}"#)));
    // One alias leads nowhere at the source.
    world.source.put("/aliases/twin-4", String::new());
    let counts = world.run().await.unwrap().counts;
    assert_eq!(counts.failed, BTreeMap::from([(Reason::AliasConflict, 1), (Reason::Conflict, 1)]));
    assert_eq!((counts.duplicates, &counts.skipped), (1, &BTreeMap::from([(Reason::Gone, 1)])));
    let expected = [("twin-1", proof(0)), ("twin-2", proof(10))].map(|(id, proof)| (id.to_owned(), proof));
    assert_eq!(names(&world), expected.clone().into());
    // A rollback keeps what was there before the job.
    let undone = rolled_back(&world).await;
    assert_eq!((undone.withdrawn, undone.not_ours), (13, 1), "{undone:?}");
    assert_eq!(names(&world), expected.into());
}

#[tokio::test(start_paused = true)]
async fn a_rollback_takes_back_what_nobody_touched_and_a_run_brings_it_again() {
    let world = filled();
    world.run().await.unwrap();
    world.destination.name("twin-1", Some(proof(0)));
    let undone = rolled_back(&world).await;
    assert_eq!((undone.withdrawn, undone.touched, undone.failed), (15, 1, 0), "{undone:?}");
    assert_eq!(names(&world), [("twin-1".to_owned(), proof(0))].into());
    assert!(world.destination.manifests().values().all(Option::is_some));
    world.destination.name("twin-1", Some(proof(10)));
    assert_eq!(world.run().await.unwrap().counts.copied, 15);
    assert_eq!(names(&world), all_names());
    assert!(world.destination.manifests().values().all(Option::is_none));
}

#[tokio::test(start_paused = true)]
async fn a_cleanup_leaves_names_and_a_rollback_after_it_too() {
    let world = filled();
    world.run().await.unwrap();
    verified(&world).await;
    let now = CleanupOptions { keep_seconds: 0, ..CleanupOptions::default() };
    let cleaned = cleanup(&world, &spec().name, &now, "c", &()).await.unwrap();
    assert_eq!((cleaned.removed, cleaned.names), (13, 3), "{cleaned:?}");
    assert_eq!(world.source.keys(), ["/aliases/twin-1", "/aliases/twin-2", "/aliases/twin-3"]);
    // With its proof deleted, an alias leads nowhere at the source: the destination has the only copy.
    for key in world.source.keys() {
        world.source.take(&key);
    }
    let undone = rolled_back(&world).await;
    assert_eq!((undone.withdrawn, undone.only_copy), (0, 16), "{undone:?}");
    assert_eq!(names(&world), all_names());
}

#[tokio::test(start_paused = true)]
async fn a_kill_at_any_call_is_resumed() {
    let clean = filled();
    clean.run().await.unwrap();
    for call in 1..=clean.faults.calls() {
        for fault in [Fault::KilledBefore, Fault::KilledAfter] {
            let world = filled();
            world.faults.at(call, fault);
            tokio::select! {
                () = world.faults.killed.notified() => {}
                run = world.run() => panic!("{call}: {run:?}"),
            }
            world.faults.none();
            tokio::time::sleep(Duration::from_secs(LEASE_SECONDS)).await;
            world.run().await.unwrap();
            assert_eq!(names(&world), all_names(), "{call} {fault:?}");
            // Whatever was interrupted, the job knows what it created.
            let undone = rolled_back(&world).await;
            assert_eq!(undone.withdrawn, 16, "{call} {fault:?}: {undone:?}");
            assert!(names(&world).is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_is_killed_at_any_call_is_resumed_either_way() {
    let clean = filled();
    clean.run().await.unwrap();
    clean.faults.none();
    rolled_back(&clean).await;
    for call in 1..=clean.faults.calls() {
        for (fault, runs) in [
            (Fault::KilledBefore, false),
            (Fault::KilledBefore, true),
            (Fault::KilledAfter, false),
            (Fault::KilledAfter, true),
        ] {
            let world = filled();
            world.run().await.unwrap();
            world.faults.at(call, fault);
            tokio::select! {
                () = world.faults.killed.notified() => {}
                undone = rolled_back(&world) => panic!("{call}: {undone:?}"),
            }
            world.faults.none();
            tokio::time::sleep(Duration::from_secs(LEASE_SECONDS)).await;
            if runs {
                world.run().await.unwrap();
                assert_eq!(names(&world), all_names(), "{call} {fault:?}");
                assert!(world.destination.manifests().values().all(Option::is_none), "{call} {fault:?}");
                assert_eq!(verified(&world).await.verified, 16, "{call} {fault:?}");
            }
            let undone = rolled_back(&world).await;
            assert_eq!(undone.withdrawn + undone.rolled_back, 16, "{call} {fault:?}: {undone:?}");
            assert!(names(&world).is_empty());
        }
    }
}

#[test]
fn a_name_follows_its_proof_to_another_tenant() {
    let now = Timestamp::from_milliseconds(1_767_225_600_000);
    let content =
        Content::Alias { id: "twin".parse().unwrap(), record: record(&legacy("p", 7, "{}")).into() };
    for (tenant, keep) in [("default", true), ("press", false), ("press", true)] {
        let owners = Owners { tenant: tenant.parse().unwrap(), keep, from: Some(Tenant::default()) };
        let Payload::Alias(alias_draft) = incoming(&content, &owners, now).unwrap().payload else { panic!() };
        let owner: Tenant = if keep { Tenant::default() } else { owners.tenant };
        let media = MediaHash::of(&7_u64.to_be_bytes());
        assert_eq!((alias_draft.proof, alias_draft.tenant), (ProofId::derive(&owner, &media), owner));
    }
    let expired = record(&legacy("p", 7, "{}").replace("}\n", r#","expiresAt":1767225600000}"#));
    let expired = Content::Alias { id: "twin".parse().unwrap(), record: expired.into() };
    let owners = Owners { tenant: Tenant::default(), keep: true, from: None };
    assert_eq!(incoming(&expired, &owners, now).unwrap_err().reason, Reason::Gone);
}
