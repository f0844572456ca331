//! The mark is raised after a commit: stopped at each step, with each call failing, and by two processes at once.

use std::pin::pin;

use credlink_ports::doubles::faults::{FaultPlan, Flavour};

use super::ground::{Ground, Process, done, labels, ready, run, store};
use crate::faults::gate::Gate;

/// A store with one proof and an up-to-date mark, then one more commit by `process`. Returns a ground with the index
/// from before that commit.
async fn one_commit(ground: &Ground, process: &Process) -> Ground {
    let first = ground.process();
    done(&first, store("a")).await;
    first.tick().await.unwrap();
    let before = ground.beside(ground.index.snapshot());
    done(process, store("b")).await;
    before
}

#[test]
fn a_tick_that_was_cut_off_is_made_up_for() {
    let mut steps = 0;
    for limit in 0.. {
        let ground = Ground::new();
        let when = format!("stopped at {limit}");
        let before = ready(async {
            let process = ground.process();
            one_commit(&ground, &process).await
        });
        let gate = Gate::around(limit);
        let process = ground.process_with(&FaultPlan::none(), &gate);
        let ended = run(&gate, pin!(process.tick_for_all())).is_some();
        drop(process);
        ready(async {
            let epoch = ground.assert_in_step(&when).await;
            let process = ground.process();
            assert_eq!(labels(&process.standing().await), [""; 0], "{when}");
            process.tick_for_all().await.unwrap();
            assert_eq!(ground.assert_in_step(&when).await, epoch + 1, "{when}");
            assert_eq!(ground.mark().await.unwrap().epoch, epoch + 1, "{when}");
            assert_eq!(labels(&before.process().standing().await), ["index_older"], "{when}");
        });
        if ended {
            steps = limit;
            break;
        }
    }
    assert!(steps >= 8, "the gate stands before and after each call: {steps}");
}

#[test]
fn a_tick_that_failed_is_tried_again() {
    let flavours = [Flavour::Lost, Flavour::Kept];
    let plans = (1..12).flat_map(|n| flavours.map(|flavour| FaultPlan::at(n, flavour)));
    for plan in plans.chain((1..30).map(FaultPlan::read_at)) {
        ready(async {
            let ground = Ground::new();
            let process = ground.process_with(&FaultPlan::none(), &Gate::open());
            let before = one_commit(&ground, &process).await;
            let faulty = ground.process_with(&plan, &Gate::open());
            let failed = faulty.tick_for_all().await.is_err();
            ground.assert_in_step(&format!("{plan:?}")).await;
            if failed || faulty.tick_for_all().await.is_err() {
                faulty.tick_for_all().await.unwrap();
            }
            ground.assert_in_step(&format!("{plan:?}, failed {failed}")).await;
            assert_eq!(labels(&ground.process().standing().await), [""; 0], "{plan:?}");
            assert_eq!(labels(&before.process().standing().await), ["index_older"], "{plan:?}");
        });
    }
}

#[test]
fn two_processes_that_tick_at_once_cover_the_commits_of_both() {
    for (k, l) in (0..10).flat_map(|k| (0..10).map(move |l| (k, l))) {
        let when = format!("one stops at {k}, two at {l}");
        let ground = Ground::new();
        ready(async { one_commit(&ground, &ground.process()).await });
        let epoch = ready(ground.assert_in_step(&when));
        let before = ground.beside(ground.index.snapshot());
        let (gate_one, gate_two) = (Gate::open(), Gate::open());
        let one = ground.process_with(&FaultPlan::none(), &gate_one);
        let two = ground.process_with(&FaultPlan::none(), &gate_two);
        ready(async {
            done(&one, store("c")).await;
            done(&two, store("d")).await;
        });
        gate_one.stop_after(k);
        gate_two.stop_after(l);
        let (mut run_one, mut run_two) = (pin!(one.tick()), pin!(two.tick()));
        let ended_one = run(&gate_one, run_one.as_mut());
        let ended_two = run(&gate_two, run_two.as_mut());
        gate_one.lift();
        ended_one.unwrap_or_else(|| run(&gate_one, run_one).unwrap()).unwrap();
        gate_two.lift();
        ended_two.unwrap_or_else(|| run(&gate_two, run_two).unwrap()).unwrap();
        let after = ready(ground.assert_in_step(&when));
        assert!((epoch + 1..=epoch + 2).contains(&after), "{when}: {epoch} to {after}");
        ready(async {
            assert_eq!(labels(&ground.process().standing().await), [""; 0], "{when}");
            assert_eq!(labels(&before.process().standing().await), ["index_older"], "{when}");
        });
    }
}

#[tokio::test]
async fn nothing_is_written_where_nothing_was_committed() {
    let ground = Ground::new();
    let plan = FaultPlan::none();
    let process = ground.process_with(&plan, &Gate::open());
    done(&process, store("a")).await;
    process.tick().await.unwrap();
    let (writes, reads, epoch) = (plan.writes(), plan.reads(), ground.assert_in_step("a").await);
    process.tick().await.unwrap();
    process.tick_in_turn().await;
    assert_eq!((plan.writes(), plan.reads()), (writes, reads), "no call is made");
    done(&process, store("a")).await;
    process.tick().await.unwrap();
    assert_eq!(plan.writes(), writes, "what is there already commits nothing");
    ground.clock.advance_seconds(3_601);
    process.tick().await.unwrap();
    assert_eq!(plan.writes(), writes + 1, "the row alone");
    assert_eq!(ground.assert_in_step("an hour later").await, epoch);
    assert_eq!(ground.row().await.unwrap().seen.to_string(), "2026-01-01T13:00:01.000Z");
}

#[tokio::test]
async fn functions_tick_once_a_minute_all_together() {
    let ground = Ground::new();
    let plan = FaultPlan::none();
    let functions: Vec<_> = (0..5).map(|_| ground.process_with(&plan, &Gate::open())).collect();
    let mut marks = std::collections::BTreeSet::new();
    // Ten minutes in which each process stores something every ten seconds.
    for second in 0..60 {
        for (number, function) in functions.iter().enumerate() {
            done(function, store(&format!("{second} {number}"))).await;
            function.tick_in_turn().await;
        }
        marks.insert(ground.mark().await.unwrap().epoch);
        ground.clock.advance_seconds(10);
    }
    assert!((7..=11).contains(&marks.len()), "{marks:?}");
    assert_eq!(labels(&functions[0].standing().await), [""; 0]);
}
