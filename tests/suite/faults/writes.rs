//! Each write of each use case fails, in both ways, alone or with all that follow.

use credlink_ports::doubles::faults::{FaultPlan, Flavour};
use credlink_service::fsck::Severity;

use super::act::{Act, Outcome};
use super::cases::use_cases;
use super::check::Left;
use super::gate::Gate;
use super::request::send;
use super::world::{Memory, Step, World, ready};

/// More writes than any use case has.
const MANY: u64 = 60;

fn every_write_fails(memory: &dyn Fn() -> Memory) {
    for (name, steps, act) in use_cases() {
        for flavour in [Flavour::Lost, Flavour::Kept] {
            for lasting in [false, true] {
                for n in 1.. {
                    assert!(n < MANY, "{name} never ends");
                    let plan = if lasting { FaultPlan::from(n, flavour) } else { FaultPlan::at(n, flavour) };
                    let when = format!("{name}, write {n} {flavour:?}, lasting: {lasting}");
                    if !one_write_fails(&steps, &act, &plan, n, memory, &when) {
                        break;
                    }
                }
            }
        }
    }
}

/// Returns `true` if there was an `n`-th write.
fn one_write_fails(
    steps: &[Step],
    act: &Act,
    plan: &FaultPlan,
    n: u64,
    memory: &dyn Fn() -> Memory,
    when: &str,
) -> bool {
    // Repaired by repeating the request, or by cleanup alone.
    for repair in [true, false] {
        let plan = plan.clone().anew();
        let mut world = World::after(steps, memory());
        let mut left = Left::by(steps, &[act]);
        world.warm_up();
        let asked = world.request(act);
        let outcome = ready(send(&world.process(&plan, &Gate::open()), &asked));
        if plan.writes() < n {
            return false;
        }
        assert!(!matches!(outcome, Outcome::Refused(_)), "{when}: {outcome:?}");
        world.note(&asked, outcome);
        left.after(&asked.act, outcome);
        world.check_store(Severity::Broken, when);
        world.check_parts(&left, when);
        if repair {
            let outcome = ready(send(&world.calm(), &asked));
            assert!(!matches!(outcome, Outcome::Failed(_)), "{when}, again: {outcome:?}");
            world.note(&asked, outcome);
            left.after(&asked.act, outcome);
            world.check_store(Severity::Broken, &format!("{when}, again"));
            world.check_parts(&left, &format!("{when}, again"));
        }
        world.settle(when);
    }
    true
}

#[test]
fn what_is_acknowledged_survives_every_failed_write() {
    every_write_fails(&|| Memory::None);
}

#[test]
fn what_is_acknowledged_survives_every_failed_write_behind_a_cache() {
    every_write_fails(&Memory::cached);
}
