use super::*;
use crate::migrate::testing::{There, World, legacy, options};

async fn planned(world: &World) -> Plan {
    plan(world.parts(), &options(), &()).await.unwrap()
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
    // What is there is there.
    let plan = planned(&world).await;
    assert_eq!((plan.would_copy, plan.already), (0, 6));
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_there_is_not_planned() {
    let world = World::new();
    world.source.put("a", legacy("a", 1, "{}"));
    world.run().await.unwrap();
    let proof = world.ledger.one("a").state.copy().unwrap().proof;
    let at = credlink_core::time::Timestamp::from_milliseconds(7);
    world.destination.put(proof, There::Deleted(at));
    let plan = planned(&world).await;
    assert_eq!(plan.skipped, BTreeMap::from([(Reason::Deleted, 1)]));
    assert!(plan.is_well());
}
