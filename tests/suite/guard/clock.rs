//! A clock that jumps, before a run and during one, forwards and backwards.

use std::pin::pin;

use credlink_core::bounds::{MAX_CLOCK_JUMP_SECONDS, MAX_CLOCK_LAG_SECONDS};
use credlink_core::time::Timestamp;
use credlink_ports::Clock as _;
use credlink_ports::doubles::faults::FaultPlan;
use credlink_service::cleanup::{Limits, cleanup};
use http::{Method, StatusCode};

use super::ground::{Ground, answer, body, done, labels, ready, run, store};
use crate::faults::gate::Gate;
use crate::http::ask::{ask, get, proof_path};

const DAY: u64 = 86_400;

async fn three_proofs() -> Ground {
    let ground = Ground::new();
    let process = ground.process();
    for name in ["a", "b", "c"] {
        done(&process, store(name)).await;
    }
    process.tick().await.unwrap();
    ground
}

#[tokio::test]
async fn a_jump_stops_deletions_until_the_clock_is_right_again() {
    for (name, ahead) in [("ahead", true), ("back", false)] {
        let ground = three_proofs().await;
        let (running, right) = (ground.process(), ground.clock.now());
        assert!(running.may_destroy().await.is_ok());
        let jumped = if ahead { right.plus_seconds(400 * DAY) } else { right.minus_seconds(400 * DAY) };
        ground.clock.set(jumped);
        let before = ground.tree().await;
        // The process that has been running all the time, and one that starts by the wrong clock.
        for process in [running, ground.process()] {
            assert_eq!(labels(&process.standing().await), ["clock"], "{name}");
            let refused = answer(&process, ask(Method::DELETE, &proof_path("a"))).await;
            assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE, "{name}");
            let words = body(&refused)["detail"].as_str().unwrap().to_owned();
            for said in [jumped.to_string(), right.to_string(), "--confirm-clock".to_owned()] {
                assert!(words.contains(&said), "{name}: {words}");
            }
            let report = ground.clean_up(&process).await;
            assert!(report.stopped.is_some() && report.deleted == 0, "{name}: {report:?}");
            // With a clock that is behind, a new revision would be dated before the one that it replaces.
            let stored = answer(&process, store("d")).await;
            if ahead {
                assert!(stored.status().is_success(), "{stored:?}");
            } else {
                assert_eq!(stored.status(), StatusCode::SERVICE_UNAVAILABLE, "{stored:?}");
            }
            // A tick does not trust the instant.
            process.tick().await.unwrap();
            process.tick_for_all().await.unwrap();
            let row = ground.row().await.unwrap();
            assert_eq!((row.seen, row.jumped), (right, Some(jumped)), "{name}");
        }
        let after = ground.tree().await;
        assert!(before.iter().all(|(key, body)| after.get(key) == Some(body)), "{name}");
        ground.clock.set(right.plus_seconds(60));
        let process = ground.process();
        assert_eq!(labels(&process.standing().await), [""; 0], "{name}");
        assert_eq!(ground.row().await.unwrap().jumped, None, "{name}");
        assert_eq!(answer(&process, get(&proof_path("a"))).await.status(), StatusCode::OK, "{name}");
        done(&process, ask(Method::DELETE, &proof_path("a"))).await;
    }
}

#[tokio::test]
async fn an_operator_confirms_the_clock() {
    let ground = three_proofs().await;
    let later = ground.clock.now().plus_seconds(30 * DAY);
    ground.clock.set(later);
    let (process, other) = (ground.process(), ground.process());
    assert_eq!(labels(&process.standing().await), ["clock"]);
    assert!(process.confirm_clock().await.unwrap());
    assert!(process.may_destroy().await.is_ok());
    assert_eq!(labels(&other.standing().await), [""; 0]);
    let row = ground.row().await.unwrap();
    assert_eq!((row.seen, row.jumped), (later, None));
}

#[tokio::test]
async fn what_lies_within_the_bounds_is_no_jump() {
    let seen = three_proofs().await.row().await.unwrap().seen;
    for (instant, wanted) in [
        (seen.plus_seconds(MAX_CLOCK_JUMP_SECONDS), 0),
        (seen.plus_seconds(MAX_CLOCK_JUMP_SECONDS + 1), 1),
        (seen.minus_seconds(MAX_CLOCK_LAG_SECONDS), 0),
        (seen.minus_seconds(MAX_CLOCK_LAG_SECONDS + 1), 1),
    ] {
        let ground = three_proofs().await;
        ground.clock.set(instant);
        assert_eq!(ground.process().standing().await.doubts.len(), wanted, "{instant}");
    }
}

#[tokio::test]
async fn a_quiet_store_is_no_jump() {
    let ground = three_proofs().await;
    let process = ground.process();
    process.standing().await;
    // A month without a commit, with a server that ticks, and with a function that runs on a schedule.
    for _ in 0..15 {
        ground.clock.advance_seconds(DAY);
        process.tick().await.unwrap();
        assert_eq!(labels(&process.standing().await), [""; 0]);
    }
    for _ in 0..15 {
        ground.clock.advance_seconds(DAY);
        let run = ground.process();
        assert_eq!(labels(&run.standing().await), [""; 0]);
        run.tick_for_all().await.unwrap();
    }
}

#[test]
fn a_clock_that_jumps_during_a_run_costs_no_proof() {
    jumps_during_a_run(|right| right.plus_seconds(400 * DAY));
}

#[test]
fn a_clock_that_is_set_back_during_a_run_costs_no_proof() {
    jumps_during_a_run(|right| right.minus_seconds(400 * DAY));
}

/// The clock jumps before each call of a run.
fn jumps_during_a_run(jump: impl Fn(Timestamp) -> Timestamp) {
    let mut steps = 0;
    for limit in 0.. {
        let ground = ready(three_proofs());
        ground.clock.advance_seconds(3_600);
        let gate = Gate::before(limit);
        let process = ground.process_with(&FaultPlan::none(), &gate);
        let right = ground.clock.now();
        let limits = Limits::until(right.plus_seconds(10_000 * DAY));
        let ended = {
            let mut cleaning = pin!(cleanup(&process, limits, None));
            let ended = run(&gate, cleaning.as_mut()).is_some();
            ground.clock.set(jump(right));
            gate.lift();
            if !ended {
                let report = run(&gate, cleaning).unwrap().unwrap();
                assert_eq!(report.deleted, 0, "stopped at {limit}: {report:?}");
            }
            ended
        };
        ground.clock.set(right);
        ready(async {
            let process = ground.process();
            for name in ["a", "b", "c"] {
                let status = answer(&process, get(&proof_path(name))).await.status();
                assert_eq!(status, StatusCode::OK, "{name}, stopped at {limit}");
            }
        });
        if ended {
            steps = limit;
            break;
        }
    }
    assert!(steps > 5, "{steps}");
}
