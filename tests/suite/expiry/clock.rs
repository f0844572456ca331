//! A clock that is a year ahead: by that clock every proof has expired, and nothing may be destroyed for that reason.

use std::pin::pin;

use credlink_core::bounds::EXPIRY_GRACE_SECONDS;
use credlink_ports::Clock as _;
use credlink_ports::doubles::faults::FaultPlan;
use credlink_service::cleanup::{Limits, cleanup};
use http::{Method, Request, StatusCode};
use serde_json::json;

use crate::faults::gate::Gate;
use crate::guard::ground::{Ground, answer, done, ready, run};
use crate::http::ask::{get, json, media, proof_path};

const DAY: u64 = 86_400;
const FILES: [&str; 3] = ["a", "b", "c"];

/// Stores a proof for a month.
fn store(name: &str) -> Request<bytes::Bytes> {
    let body = json!({
        "media_hash": media(name).to_string(),
        "manifest": {"name": name},
        "expires_in": 30 * DAY,
    });
    json(Method::POST, "/v1/proofs", &body)
}

async fn three_proofs() -> Ground {
    let ground = Ground::new();
    let process = ground.process();
    for name in FILES {
        done(&process, store(name)).await;
    }
    process.tick().await.unwrap();
    ground
}

/// Asserts that a process that starts at this moment answers for every proof with this status.
async fn assert_all(ground: &Ground, status: StatusCode, when: &str) {
    let process = ground.process();
    for name in FILES {
        assert_eq!(answer(&process, get(&proof_path(name))).await.status(), status, "{when}: {name}");
    }
}

#[tokio::test]
async fn what_expired_by_a_wrong_clock_is_back_with_the_right_one() {
    let ground = three_proofs().await;
    let (right, before) = (ground.clock.now(), ground.tree().await);
    ground.clock.set(right.plus_seconds(400 * DAY));
    assert_all(&ground, StatusCode::GONE, "a year ahead").await;
    // One run, and further ones on the following days.
    for _ in 0..10 {
        let report = ground.clean_up(&ground.process()).await;
        assert!(report.stopped.is_some() && report.deleted == 0, "{report:?}");
        ground.clock.advance_seconds(DAY);
    }
    assert_eq!(ground.tree().await, before);
    ground.clock.set(right.plus_seconds(60));
    assert_all(&ground, StatusCode::OK, "right again").await;
    let report = ground.clean_up(&ground.process()).await;
    assert_eq!((report.stopped, report.deleted), (None, 0));
}

#[test]
fn a_clock_that_jumps_at_any_call_of_a_run_destroys_nothing() {
    for limit in 0.. {
        let ground = ready(three_proofs());
        let right = ground.clock.now();
        let gate = Gate::before(limit);
        let process = ground.process_with(&FaultPlan::none(), &gate);
        let limits = Limits::until(right.plus_seconds(10_000 * DAY));
        let ended = {
            let mut cleaning = pin!(cleanup(&process, limits, None));
            let ended = run(&gate, cleaning.as_mut()).is_some();
            ground.clock.set(right.plus_seconds(400 * DAY));
            gate.lift();
            if !ended {
                run(&gate, cleaning).unwrap().unwrap();
            }
            ended
        };
        ready(assert_all(&ground, StatusCode::GONE, &format!("a year ahead since {limit}")));
        ground.clock.set(right);
        ready(assert_all(&ground, StatusCode::OK, &format!("right again after {limit}")));
        if ended {
            assert!(limit > 5, "{limit}");
            break;
        }
    }
}

/// A jump that is too small to be noticed uses up at most the days for which an expired proof is kept.
#[tokio::test]
async fn a_jump_that_is_not_noticed_destroys_nothing_that_had_not_expired() {
    let ground = three_proofs().await;
    let process = ground.process();
    process.standing().await;
    // The store is in use up to the last hour of the proofs.
    for _ in 0..29 {
        ground.clock.advance_seconds(DAY);
        process.tick().await.unwrap();
    }
    let right = ground.clock.now();
    ground.clock.set(right.plus_seconds(EXPIRY_GRACE_SECONDS));
    let report = ground.clean_up(&ground.process()).await;
    assert_eq!((report.stopped, report.deleted), (None, 0));
    assert_all(&ground, StatusCode::GONE, "seven days ahead").await;
    ground.clock.set(right);
    assert_all(&ground, StatusCode::OK, "right again").await;
}
