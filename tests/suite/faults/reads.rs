//! Each read of each use case fails, which is reported as a failure and never as absence (guarantee 7).

use credlink_ports::doubles::faults::FaultPlan;
use credlink_service::fsck::Severity;

use super::act::Outcome;
use super::cases::use_cases;
use super::check::Left;
use super::gate::Gate;
use super::request::send;
use super::world::{Memory, World, ready};

#[test]
fn a_failed_read_is_a_failure_of_the_request() {
    for (name, steps, act) in use_cases() {
        for lasting in [false, true] {
            for n in 1..100 {
                let when = format!("{name}, read {n}, lasting: {lasting}");
                let plan = if lasting { FaultPlan::reads_from(n) } else { FaultPlan::read_at(n) };
                let mut left = Left::by(&steps, &[&act]);
                let mut world = World::after(&steps, Memory::None);
                let asked = world.request(&act);
                let outcome = ready(send(&world.process(&plan, &Gate::open()), &asked));
                if plan.reads() < n {
                    break;
                }
                assert_eq!(outcome, Outcome::Failed(503), "{when}");
                world.note(&asked, outcome);
                left.after(&asked.act, outcome);
                world.check_store(Severity::Broken, &when);
                world.check_parts(&left, &when);
                let outcome = ready(send(&world.calm(), &asked));
                assert!(!matches!(outcome, Outcome::Failed(_)), "{when}, again: {outcome:?}");
                world.note(&asked, outcome);
                left.after(&asked.act, outcome);
                world.settle(&when);
            }
        }
    }
}
