use credlink_core::rules::store::Draft;
use credlink_ports::migration::proof_content::ProofContent;
use credlink_ports::migration::target::Payload;
use credlink_ports::migration::{Content, ExistingState};

use super::existing::Existing;
use super::*;
use crate::incoming::incoming;
use crate::testing::{StoredProof, World, legacy, options};

async fn planned(world: &World) -> Plan {
    plan(world, &options(), &()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_what_a_run_then_does() {
    let world = World::mixed();
    let plan = planned(&world).await;
    assert_eq!((plan.items, plan.would_copy, plan.duplicates, plan.already), (10, 6, 1, 0));
    assert_eq!(plan.invalid, BTreeMap::from([(Reason::InvalidRecord, 1), (Reason::Conflict, 1)]));
    assert_eq!(plan.skipped, BTreeMap::from([(Reason::Expired, 1)]));
    let problems: Vec<_> = plan.problems.iter().map(|problem| problem.item.as_str()).collect();
    assert_eq!(problems, ["a-unlike", "broken"]);
    assert_eq!((plan.calls.source_gets, plan.calls.puts, plan.calls.heads), (10, 6, 6));
    // Nothing was changed.
    assert!(world.ledger.all().is_empty() && world.destination.proofs().is_empty());
    let run = world.run().await.unwrap().counts;
    assert_eq!((run.copied, run.duplicates, &run.failed), (plan.would_copy, plan.duplicates, &plan.invalid));
    // Items that were copied already count as such, and the conflicting ones differ from them as they did from each
    // other.
    let plan = planned(&world).await;
    assert_eq!((plan.would_copy, plan.already, plan.duplicates), (0, 6, 1));
    assert_eq!(plan.invalid, run.failed);
}

#[tokio::test(start_paused = true)]
async fn a_plan_tells_the_same_from_another_as_the_run_does() {
    let earlier = World::mixed();
    earlier.run().await.unwrap();
    let world = World::mixed();
    for (proof, there) in earlier.destination.proofs() {
        world.destination.put(proof, there);
    }
    // One item with another content, and one that differs only in its date.
    world.source.put("good-1", legacy("g1", 1, r#"{"n":2}"#));
    world.source.put("good-2", legacy("g2", 2, "{}").replace("1700000000000", "1600000000000"));
    let plan = planned(&world).await;
    assert_eq!(
        (plan.would_copy, plan.already, plan.duplicates, plan.invalid[&Reason::Conflict]),
        (0, 5, 1, 2)
    );
    let problem = plan.problems.iter().find(|problem| problem.item == "good-1").unwrap();
    assert!(problem.detail.contains("is there with a manifest whose SHA-256 is"), "{problem:?}");
    let run = world.run().await.unwrap().counts;
    assert_eq!((run.copied, run.duplicates, run.failed), (0, 6, plan.invalid));
}

/// The history of a proof at another CredLink whose first revisions the destination has.
#[test]
fn what_is_behind_is_told_from_what_is_another() {
    let owners = options().owners;
    let content = Content::Legacy(legacy("a", 1, "{}").into());
    let now = credlink_core::time::Timestamp::from_milliseconds(1_767_225_600_000);
    let Payload::Proof(drafts) = incoming(&content, &owners, now).unwrap().payload else { panic!() };
    let first = &drafts[0];
    let with = |text: &str| {
        let manifest = credlink_core::manifest::Manifest::json(text.to_owned().into()).unwrap();
        Draft { manifest, ..first.clone() }
    };
    let drafts = [with("{}"), with("{\"n\":2}"), with("{\"n\":3}")];
    let of = |standing| Existing::of(standing, &drafts);
    let live = |draft: &Draft| ExistingState::Live(Some(ProofContent::of(draft)));
    assert!(matches!(of(ExistingState::Absent), Existing::Nothing));
    assert!(matches!(of(ExistingState::Live(None)), Existing::Same));
    assert!(matches!(of(live(&drafts[2])), Existing::Same));
    assert!(matches!(of(live(&drafts[1])), Existing::Earlier { revisions: 1, manifests: 0 }));
    assert!(matches!(of(live(&drafts[0])), Existing::Earlier { revisions: 2, manifests: 0 }));
    assert!(matches!(of(live(&with("{\"n\":4}"))), Existing::Other(_)));
    let unsigned = Draft { signature: None, ..drafts[2].clone() };
    let Existing::Other(detail) = of(live(&unsigned)) else { panic!() };
    assert!(detail.contains("the same manifest, and with another signature or none"), "{detail}");
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_there_is_not_planned() {
    let world = World::new();
    world.source.put("a", legacy("a", 1, "{}"));
    world.run().await.unwrap();
    let proof = *world.ledger.one("a").state.copy().unwrap().target.proof().unwrap();
    let at = credlink_core::time::Timestamp::from_milliseconds(7);
    world.destination.put(proof, StoredProof::Deleted(at));
    let plan = planned(&world).await;
    assert_eq!(plan.skipped, BTreeMap::from([(Reason::Deleted, 1)]));
    assert!(plan.is_well());
}
