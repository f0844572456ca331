//! The mark and the row of a new store: stopped at each step, with each call failing, and by two processes at once.

use std::pin::pin;

use credlink_core::rules::guard::Standing;
use credlink_ports::doubles::MemoryIndex;
use credlink_ports::doubles::faults::{FaultPlan, Flavour};

use super::ground::{Ground, answer, done, labels, ready, run, store};
use crate::faults::gate::Gate;

#[test]
fn a_creation_that_was_cut_off_is_completed() {
    let mut steps = 0;
    for limit in 0.. {
        let ground = Ground::new();
        let gate = Gate::around(limit);
        let process = ground.process_with(&FaultPlan::none(), &gate);
        let ended = run(&gate, pin!(process.standing())).is_some();
        drop(process);
        ready(async {
            let process = ground.process();
            done(&process, store("a")).await;
            assert_eq!(labels(&process.standing().await), [""; 0], "stopped at {limit}");
            process.tick().await.unwrap();
            ground.assert_in_step(&format!("stopped at {limit}")).await;
        });
        if ended {
            steps = limit;
            break;
        }
    }
    assert!(steps > 10, "the gate stands before and after each call: {steps}");
}

#[test]
fn a_call_that_fails_stops_the_store_and_no_longer_than_it_fails() {
    for plan in (1..20).flat_map(|n| {
        [FaultPlan::at(n, Flavour::Lost), FaultPlan::at(n, Flavour::Kept), FaultPlan::read_at(n)]
    }) {
        ready(async {
            let ground = Ground::new();
            let process = ground.process_with(&plan, &Gate::open());
            let first = process.standing().await;
            if first != Standing::default() {
                assert_eq!(labels(&first), ["unknown"], "{plan:?}");
                // The process looks again: the planned failure is over, and what it left is completed.
                assert_eq!(answer(&process, store("a")).await.status(), 201, "{plan:?}");
            }
            // As long as the look fails, nothing is stored.
            let ground_of_an_outage = Ground::new();
            let lasting = ground_of_an_outage.process_with(&FaultPlan::reads_from(1), &Gate::open());
            for _ in 0..2 {
                assert_eq!(answer(&lasting, store("a")).await.status(), 503, "{plan:?}");
                assert!(ground_of_an_outage.tree().await.is_empty(), "{plan:?}");
            }
            let other = ground.process();
            done(&other, store("a")).await;
            // The planned call may be part of this look.
            if process.standing().await != Standing::default() {
                assert_eq!(process.standing().await, Standing::default(), "{plan:?}");
            }
            ground.assert_in_step(&format!("{plan:?}")).await;
        });
    }
}

#[test]
fn two_processes_make_one_mark() {
    for (k, l) in (0..16).flat_map(|k| (0..16).map(move |l| (k, l))) {
        let when = format!("one stops at {k}, two at {l}");
        let ground = Ground::new();
        let (gate_one, gate_two) = (Gate::before(k), Gate::before(l));
        let one = ground.process_with(&FaultPlan::none(), &gate_one);
        let two = ground.process_with(&FaultPlan::none(), &gate_two);
        let (mut run_one, mut run_two) = (pin!(one.standing()), pin!(two.standing()));
        let ended_one = run(&gate_one, run_one.as_mut());
        let ended_two = run(&gate_two, run_two.as_mut());
        gate_one.lift();
        gate_two.lift();
        let ended_one = ended_one.unwrap_or_else(|| run(&gate_one, run_one).unwrap());
        let ended_two = ended_two.unwrap_or_else(|| run(&gate_two, run_two).unwrap());
        assert_eq!((ended_one, ended_two), (Standing::default(), Standing::default()), "{when}");
        ready(ground.assert_in_step(&when));
    }
}

#[test]
fn who_looks_while_another_process_stores_for_the_first_time_takes_nothing_for_lost() {
    for (k, l) in (0..24).flat_map(|k| (0..16).map(move |l| (k, l))) {
        let when = format!("the look stops at {k}, the store at {l}");
        let ground = Ground::new();
        let (gate_one, gate_two) = (Gate::before(k), Gate::before(l));
        let one = ground.process_with(&FaultPlan::none(), &gate_one);
        let two = ground.process_with(&FaultPlan::none(), &gate_two);
        let mut looking = pin!(one.standing());
        let mut storing = pin!(answer(&two, store("a")));
        let looked = run(&gate_one, looking.as_mut());
        let stored = run(&gate_two, storing.as_mut());
        if l % 2 == 0 {
            gate_two.lift();
        } else {
            gate_one.lift();
        }
        let looked = looked.or_else(|| run(&gate_one, looking.as_mut()));
        let stored = stored.or_else(|| run(&gate_two, storing.as_mut()));
        gate_one.lift();
        gate_two.lift();
        let looked = looked.unwrap_or_else(|| run(&gate_one, looking).unwrap());
        let stored = stored.unwrap_or_else(|| run(&gate_two, storing).unwrap());
        assert_eq!((labels(&looked), stored.status().as_u16()), (vec![], 201), "{when}");
    }
}

#[tokio::test]
async fn a_new_index_beside_a_marked_store_without_objects_takes_its_identity() {
    let ground = Ground::new();
    ground.process().standing().await;
    let (mark, again) = (ground.mark().await.unwrap(), ground.beside(MemoryIndex::new()));
    assert_eq!(again.process().standing().await, Standing::default());
    let row = again.row().await.unwrap();
    assert_eq!((row.identity, row.epoch), (mark.identity, mark.epoch));
}
