//! One request is stopped before each of its calls, and several others run to completion meanwhile, one after the
//! other, so that what it knows of the world is more than one step old. Its outcome must fit some place among them.

use std::pin::pin;

use credlink_ports::doubles::faults::FaultPlan;
use credlink_service::fsck::Severity;

use super::act::Act::{
    self, Cleanup, Delete, DeleteManifest, Restore, Store, StoreManifest, Supersede, TakeOver,
};
use super::act::Outcome;
use super::act::What::C2pa;
use super::cases::{OTHER, TEXT, half_replaced, orphans_orphan, replaced};
use super::check::Left;
use super::gate::Gate;
use super::model::Known;
use super::request::send;
use super::world::Step::{self, Crash, Do, WaitDays};
use super::world::{Memory, World, ready};

fn overtake(steps: &[Step], slow: &Act, others: &[Act]) {
    for k in 0..100 {
        let when = format!("{slow:?} at {k}, overtaken by {others:?}");
        let left = Left::by(steps, &[]);
        let mut world = World::after(steps, Memory::None);
        let asked = world.request(slow);
        let gate = Gate::before(k);
        let process = world.process(&FaultPlan::none(), &gate);
        let mut run = pin!(send(&process, &asked));
        if gate.run(run.as_mut()).is_some() {
            return;
        }
        // The slow request may take its place before each of the others, or after them all.
        let mut before = Known(Vec::new());
        let mut places = Vec::new();
        let calm = world.calm();
        for other in others {
            let request = world.request(other);
            let outcome = ready(send(&calm, &request));
            assert!(!matches!(outcome, Outcome::Failed(_)), "{when}: {other:?} came to {outcome:?}");
            places.push((request, outcome));
            world.tick();
        }
        gate.lift();
        let outcome = gate.run(run).expect("lifted");
        assert!(!matches!(outcome, Outcome::Failed(_)), "{when}: {outcome:?}");
        for place in 0..=places.len() {
            let mut known = Some(world.known.clone());
            for (number, (request, done)) in places.iter().enumerate() {
                if number == place {
                    known = known.and_then(|known| known.after_beside_others(slow, asked.place, outcome));
                }
                known = known.and_then(|known| known.after(&request.act, request.place, *done));
            }
            if place == places.len() {
                known = known.and_then(|known| known.after_beside_others(slow, asked.place, outcome));
            }
            before.0.extend(known.into_iter().flat_map(|known| known.0));
        }
        assert!(!before.0.is_empty(), "{when}: {outcome:?} fits no place among {places:?}");
        world.known = before;
        world.check_store(Severity::Broken, &when);
        world.check_parts(&left, &when);
        world.settle(&when);
    }
    panic!("{slow:?} never ends");
}

/// These steps, and then eight days.
fn with_days(mut steps: Vec<Step>) -> Vec<Step> {
    steps.push(WaitDays);
    steps
}

macro_rules! overtaken {
    ($($name:ident: $steps:expr, $slow:expr, $others:expr;)+) => {
        $(
            #[test]
            fn $name() {
                overtake(&$steps, &$slow, &$others);
            }
        )+
    };
}

overtaken! {
    a_replacement_by_a_deletion_and_a_new_life:
        [Do(Store("a", C2pa("one")))], Supersede("a", C2pa("two")), [Delete("a"), Store("a", C2pa("one"))];
    a_replacement_after_a_crash_by_a_deletion_and_a_new_life:
        half_replaced(), Supersede("a", C2pa("two")), [Delete("a"), Store("a", C2pa("one"))];
    a_replacement_by_two_lives: replaced(), Supersede("a", OTHER), [Delete("a"), Store("a", TEXT), Delete("a")];
    a_store_by_a_deletion_and_a_store: [], Store("a", C2pa("one")), [Delete("a"), Store("a", C2pa("two"))];
    a_store_by_a_store_and_a_deletion: [], Store("a", C2pa("one")), [Store("a", C2pa("one")), Delete("a")];
    a_store_over_an_orphan_by_who_saves_the_orphan:
        orphans_orphan(), Store("a", C2pa("two")), [StoreManifest("one"), Store("a", C2pa("three"))];
    a_store_by_the_deletion_of_its_manifest_and_another_store:
        [], Store("a", C2pa("one")), [DeleteManifest("one"), Store("a", C2pa("one"))];
    a_deletion_by_a_deletion_and_a_new_life:
        replaced(), Delete("a"), [Delete("a"), Store("a", C2pa("one"))];
    a_deletion_by_two_lives:
        [Do(Store("a", C2pa("one")))], Delete("a"), [Delete("a"), Store("a", C2pa("one")), Delete("a"), Store("a", C2pa("one"))];
    a_deletion_of_half_a_store_by_a_new_life:
        [Crash(Store("a", C2pa("one")), 3)], Delete("a"), [Delete("a"), Store("a", C2pa("one"))];
    a_deletion_of_a_manifest_by_its_new_life:
        [Do(StoreManifest("one"))], DeleteManifest("one"), [DeleteManifest("one"), StoreManifest("one")];
    a_store_of_a_manifest_by_its_new_life:
        [Do(StoreManifest("one")), Do(DeleteManifest("one"))], StoreManifest("one"),
        [StoreManifest("one"), DeleteManifest("one"), Store("a", C2pa("one"))];
    a_take_over_by_a_life: [], TakeOver("a", TEXT, "p-1"), [Store("a", TEXT), Delete("a")];
    a_take_over_by_the_life_of_another:
        [], TakeOver("a", TEXT, "p-1"), [TakeOver("b", TEXT, "p-1"), Delete("b")];
    a_restoration_by_another_life:
        [Do(TakeOver("a", TEXT, "p-1")), Do(Delete("a"))], Restore("a", TEXT, "p-1"),
        [Store("a", OTHER), Delete("a")];
    cleanup_by_a_deletion_and_a_new_life:
        [Crash(Store("a", C2pa("one")), 3), WaitDays], Cleanup, [Delete("a"), Store("a", C2pa("one"))];
    cleanup_of_an_orphan_by_who_saves_the_orphan:
        with_days(orphans_orphan()), Cleanup, [Store("a", C2pa("one"))];
    cleanup_of_an_orphan_by_who_saves_its_manifest:
        with_days(orphans_orphan()), Cleanup, [StoreManifest("one"), Store("a", C2pa("one"))];
    cleanup_of_an_orphan_by_a_store: with_days(orphans_orphan()), Cleanup, [Store("a", C2pa("two"))];
    cleanup_by_a_store_and_a_replacement:
        [Crash(Store("a", C2pa("one")), 3), WaitDays], Cleanup, [Store("a", C2pa("one"))];
}
