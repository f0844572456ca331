//! Two concurrent requests, in every interleaving of their calls: one is stopped before a call, and the other runs.
//!
//! Both are processes of their own, with nothing in common but the store. The outcome must be one that the two have
//! when they run one after the other, in either order.

use std::pin::pin;

use credlink_ports::doubles::faults::FaultPlan;
use credlink_service::fsck::Severity;

use super::act::Act::{
    self, Batch, Cleanup, Delete, DeleteManifest, Restore, Store, StoreManifest, Supersede, TakeOver,
};
use super::act::Outcome;
use super::act::What::C2pa;
use super::cases::{
    OTHER, TEXT, half_deleted, half_replaced, orphans_orphan, replaced, stored_again_by_half,
};
use super::check::Left;
use super::gate::Gate;
use super::request::send;
use super::world::Step::{self, Crash, Do, WaitDays};
use super::world::{Memory, World};

/// Runs `first` up to its call `k`, `second` up to its call `l` or its end, then `first` to its end, and `second` to
/// its end. Returns whether each stopped where it should.
fn interleave(steps: &[Step], first: &Act, second: &Act, k: u64, l: u64) -> (bool, bool) {
    let when = format!("{first:?} to {k}, {second:?} to {l}");
    let mut left = Left::by(steps, &[]);
    let mut world = World::after(steps, Memory::None);
    let (one, two) = (world.request(first), world.request(second));
    let (gate_one, gate_two) = (Gate::before(k), Gate::before(l));
    let process_one = world.process(&FaultPlan::none(), &gate_one);
    let process_two = world.process(&FaultPlan::none(), &gate_two);
    let (mut run_one, mut run_two) = (pin!(send(&process_one, &one)), pin!(send(&process_two, &two)));
    if gate_one.run(run_one.as_mut()).is_some() {
        return (false, false);
    }
    let outcome_two = gate_two.run(run_two.as_mut());
    let both = outcome_two.is_none();
    gate_one.lift();
    let outcome_one = gate_one.run(run_one).expect("lifted");
    gate_two.lift();
    let outcome_two = outcome_two.unwrap_or_else(|| gate_two.run(run_two).expect("lifted"));
    for (act, outcome) in [(first, outcome_one), (second, outcome_two)] {
        assert!(!matches!(outcome, Outcome::Failed(_)), "{when}: {act:?} came to {outcome:?}");
    }
    let acts = [(first, one.place, outcome_one), (second, two.place, outcome_two)];
    let known = world.known.after_both(acts);
    // One of the two may restore the manifest that the other deletes.
    for (act, _, outcome) in acts.iter().filter(|(act, ..)| !matches!(act, DeleteManifest(_))) {
        left.after(act, *outcome);
    }
    world.known = known.unwrap_or_else(|| {
        panic!("{when}: {outcome_one:?} and {outcome_two:?} fit no order; {:#?}", world.known)
    });
    world.check_store(Severity::Broken, &when);
    world.check_parts(&left, &when);
    world.settle(&when);
    (true, both)
}

fn race(steps: &[Step], first: &Act, second: &Act, nested: bool) {
    for (a, b) in [(first, second), (second, first)] {
        for k in 0..100 {
            if !interleave(steps, a, b, k, u64::MAX).0 {
                break;
            }
            for l in 1..100 {
                if !nested || !interleave(steps, a, b, k, l).1 {
                    break;
                }
            }
        }
    }
}

macro_rules! races {
    ($($name:ident: $steps:expr, $first:expr, $second:expr;)+) => {
        $(
            #[test]
            fn $name() {
                race(&$steps, &$first, &$second, true);
            }
        )+
    };
}

races! {
    two_stores: [], Store("a", TEXT), Store("a", OTHER);
    two_c2pa_stores: [], Store("a", C2pa("one")), Store("a", C2pa("two"));
    two_stores_of_one_manifest: [], Store("a", C2pa("one")), Store("b", C2pa("one"));
    two_stores_over_an_orphan: orphans_orphan(), Store("a", C2pa("two")), Store("a", C2pa("three"));
    two_stores_over_half_a_deletion: half_deleted(), Store("a", C2pa("one")), Store("a", C2pa("two"));
    store_and_delete_of_nothing: [], Store("a", C2pa("one")), Delete("a");
    store_and_delete: [Do(Store("a", C2pa("one")))], Store("a", C2pa("two")), Delete("a");
    store_and_delete_of_half_a_store: stored_again_by_half(), Store("a", C2pa("one")), Delete("a");
    supersede_and_delete: [Do(Store("a", C2pa("one")))], Supersede("a", C2pa("two")), Delete("a");
    supersede_and_delete_after_a_crash: half_replaced(), Supersede("a", C2pa("two")), Delete("a");
    two_replacements: [Do(Store("a", C2pa("one")))], Supersede("a", C2pa("two")), Supersede("a", C2pa("three"));
    two_replacements_by_one_manifest: [Do(Store("a", TEXT))], Supersede("a", C2pa("two")), Supersede("a", C2pa("two"));
    two_replacements_after_a_crash: half_replaced(), Supersede("a", C2pa("two")), Supersede("a", OTHER);
    delete_and_store_again: [Do(Store("a", C2pa("one"))), Do(Delete("a"))], Delete("a"), Store("a", C2pa("one"));
    two_deletions: replaced(), Delete("a"), Delete("a");
    two_deletions_of_one_manifest: [Do(Store("a", C2pa("one"))), Do(Store("b", C2pa("one")))], Delete("a"), Delete("b");
    a_deletion_and_a_batch: [Do(Store("a", C2pa("one"))), Do(Store("b", C2pa("one")))], Delete("a"), Batch(&["b", "a"]);
    cleanup_and_store_of_an_orphan: [Crash(Store("a", C2pa("one")), 3), WaitDays], Cleanup, Store("a", C2pa("one"));
    cleanup_and_store_of_an_orphaned_manifest: [Crash(Store("a", C2pa("one")), 2), WaitDays], Cleanup, Store("b", C2pa("one"));
    cleanup_and_supersede_of_an_orphaned_manifest:
        [Do(Store("b", TEXT)), Crash(Store("a", C2pa("one")), 2), WaitDays], Cleanup, Supersede("b", C2pa("one"));
    cleanup_and_store_again: [Do(Store("a", C2pa("one"))), Crash(Delete("a"), 2)], Cleanup, Store("a", C2pa("one"));
    two_cleanups: [Crash(Store("a", C2pa("one")), 3), WaitDays], Cleanup, Cleanup;
    store_and_delete_of_a_manifest: [Do(StoreManifest("one"))], StoreManifest("one"), DeleteManifest("one");
    store_and_delete_of_a_new_manifest: [], StoreManifest("one"), DeleteManifest("one");
    store_of_a_proof_and_delete_of_its_manifest: [Do(StoreManifest("one"))], Store("a", C2pa("one")), DeleteManifest("one");
    supersede_and_delete_of_its_manifest: [Do(Store("a", TEXT))], Supersede("a", C2pa("one")), DeleteManifest("one");
    delete_and_store_of_a_shared_manifest: [Do(Store("a", C2pa("one")))], Delete("a"), Store("b", C2pa("one"));
    two_take_overs_of_one_file: [], TakeOver("a", TEXT, "p-1"), TakeOver("a", TEXT, "p-1");
    two_take_overs_of_one_file_under_two_ids: [], TakeOver("a", TEXT, "p-1"), TakeOver("a", TEXT, "p-2");
    two_take_overs_of_different_manifests: [], TakeOver("a", TEXT, "p-1"), TakeOver("a", OTHER, "p-2");
    two_take_overs_under_one_id: [], TakeOver("a", TEXT, "p-1"), TakeOver("b", TEXT, "p-1");
    take_over_and_store: [], TakeOver("a", TEXT, "p-1"), Store("a", OTHER);
    take_over_and_delete: [Do(TakeOver("a", TEXT, "p-1"))], TakeOver("a", TEXT, "p-1"), Delete("a");
    take_over_and_delete_of_nothing: [], TakeOver("a", C2pa("one"), "p-1"), Delete("a");
    take_over_and_replacement: [Do(TakeOver("a", TEXT, "p-1"))], TakeOver("a", TEXT, "p-2"), Supersede("a", OTHER);
    take_over_and_delete_of_who_has_the_id:
        [Do(TakeOver("b", TEXT, "p-1"))], TakeOver("a", TEXT, "p-1"), Delete("b");
    restore_and_take_over:
        [Do(TakeOver("a", TEXT, "p-1")), Do(Delete("a"))], Restore("a", TEXT, "p-1"), TakeOver("a", TEXT, "p-1");
    restore_and_store:
        [Do(TakeOver("a", TEXT, "p-1")), Do(Delete("a"))], Restore("a", TEXT, "p-1"), Store("a", OTHER);
    restore_and_delete:
        [Do(TakeOver("a", TEXT, "p-1")), Do(Delete("a"))], Restore("a", TEXT, "p-1"), Delete("a");
    delete_and_keep_of_a_manifest: [Do(Store("a", C2pa("one")))], Delete("a"), StoreManifest("one");
}
