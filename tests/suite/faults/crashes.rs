//! A process ends, or a client disconnects, at each step of each use case: the request's future is dropped.

use std::pin::pin;

use credlink_ports::doubles::faults::FaultPlan;
use credlink_service::fsck::Severity;

use super::act::Outcome;
use super::cases::use_cases;
use super::check::Left;
use super::gate::Gate;
use super::request::send;
use super::world::{Memory, World, ready};

/// Drops each use case at each stop of its gate, and repairs by repeating the request or by cleanup.
fn every_step_is_the_last(gate: &dyn Fn(u64) -> Gate, memory: &dyn Fn() -> Memory) {
    for (name, steps, act) in use_cases() {
        'steps: for k in 0..200 {
            for repair in [true, false] {
                let when = format!("{name}, dropped at {k}, again: {repair}");
                let mut left = Left::by(&steps, &[&act]);
                let mut world = World::after(&steps, memory());
                world.warm_up();
                let asked = world.request(&act);
                let gate = gate(k);
                let process = world.process(&FaultPlan::none(), &gate);
                if gate.run(pin!(send(&process, &asked))).is_some() {
                    break 'steps;
                }
                world.note(&asked, Outcome::Failed(0));
                world.check_store(Severity::Broken, &when);
                world.check_parts(&left, &when);
                if repair {
                    let outcome = ready(send(&world.calm(), &asked));
                    assert!(!matches!(outcome, Outcome::Failed(_)), "{when}: {outcome:?}");
                    world.note(&asked, outcome);
                    left.after(&asked.act, outcome);
                    world.check_store(Severity::Broken, &when);
                    world.check_parts(&left, &when);
                }
                if world.has_cache() {
                    world.settle(&when);
                } else {
                    world.go_on(&when);
                }
            }
        }
    }
}

#[test]
fn what_is_acknowledged_survives_a_crash_at_every_step() {
    every_step_is_the_last(&Gate::before, &|| Memory::None);
}

/// The process continues, and its cache must not keep entries that the store no longer holds.
#[test]
fn what_is_acknowledged_survives_a_client_that_goes_away_at_every_step() {
    every_step_is_the_last(&Gate::around, &Memory::cached);
}
