//! Records that an interrupted request left behind on one machine: the next read finds them, whatever their timestamps
//! say.

use bytes::Bytes;
use credlink_ports::doubles::faults::{FaultPlan, Flavour};
use http::{Method, Request};
use serde_json::json;

use crate::faults::gate::Gate;
use crate::guard::ground::{Ground, Process, answer, body, done, store};
use crate::http::ask::{ask, get, json as request, media, proof, proof_path};

/// A store of a proof that another store created years ago.
fn take_over() -> Request<Bytes> {
    let origin =
        json!({"created": "2020-01-01T00:00:00Z", "expires": "2090-01-01T00:00:00Z", "legacy_id": "old"});
    let body = json!({"media_hash": media("a").to_string(), "manifest": {}, "origin": origin});
    request(Method::POST, "/v1/proofs", &body)
}

/// A server that was shut down cleanly an hour ago, with these proofs, and the number of writes that the request makes
/// there.
async fn stopped(proofs: &[&str], request: impl Fn() -> Request<Bytes>) -> (Ground, u64) {
    let ground = Ground::new();
    let process = ground.process();
    process.begin_after(None).await.unwrap();
    done(&process, store("warm")).await;
    for name in proofs {
        done(&process, store(name)).await;
    }
    process.tick().await.unwrap();
    ground.clock.advance_seconds(3_600);
    let plan = FaultPlan::none();
    let counted = ground.snapshot().process_with(&plan, &Gate::open());
    counted.standing().await;
    let before = plan.writes();
    drop(answer(&counted, request()).await);
    (ground, plan.writes() - before)
}

/// Starts a server at this moment.
async fn begin(ground: &Ground, process: Process) -> Process {
    use credlink_ports::Clock as _;
    process.begin_after(Some(ground.clock.now().minus_seconds(1_800))).await.unwrap();
    process.standing().await;
    process
}

/// Returns `true` if the proof can be read, and asserts that it is then also listed.
async fn is_there(process: &Process, case: &str) -> bool {
    let read = answer(process, get(&proof_path("a"))).await.status();
    let page = body(&answer(process, get("/v1/proofs")).await);
    let id = json!(proof("a").to_string());
    let is_listed = page["proofs"].as_array().unwrap().iter().any(|listed| listed["id"] == id);
    assert_eq!(read == 200, is_listed, "{case}: {read}");
    is_listed
}

#[tokio::test]
async fn a_take_over_that_was_cut_off_is_noticed_by_the_next_read() {
    let (ground, writes) = stopped(&[], take_over).await;
    let mut there = 0;
    for write in 1..=writes {
        for (plan, is_killed) in [
            (FaultPlan::from(write, Flavour::Lost), true),
            (FaultPlan::from(write, Flavour::Kept), true),
            (FaultPlan::at(write, Flavour::Lost), false),
            (FaultPlan::at(write, Flavour::Kept), false),
        ] {
            let ground = ground.snapshot();
            let process = begin(&ground, ground.process_with(&plan, &Gate::open())).await;
            drop(answer(&process, take_over()).await);
            ground.clock.advance_seconds(1);
            let process = if is_killed { begin(&ground, ground.process()).await } else { process };
            there += u32::from(is_there(&process, &format!("{plan:?}")).await);
        }
    }
    assert!(there > 4, "{there}");
}

#[tokio::test]
async fn a_deletion_that_failed_is_finished_by_the_next_read() {
    let delete = || ask(Method::DELETE, &proof_path("a"));
    let (ground, writes) = stopped(&["a"], delete).await;
    let mut failed = 0;
    for write in 1..=writes {
        for flavour in [Flavour::Lost, Flavour::Kept] {
            let ground = ground.snapshot();
            let process =
                begin(&ground, ground.process_with(&FaultPlan::at(write, flavour), &Gate::open())).await;
            failed += u32::from(answer(&process, delete()).await.status().is_server_error());
            let case = format!("{write} {flavour:?}");
            let is_there = is_there(&process, &case).await;
            assert!(!is_there || write == 1, "{case}");
        }
    }
    assert!(failed >= 2, "{failed}");
}

/// The clock is set back between two servers, by less than the period that is doubted.
#[tokio::test]
async fn a_clock_that_was_set_back_hides_nothing_that_was_cut_off() {
    use credlink_ports::Clock as _;
    let (ground, writes) = stopped(&[], || store("a")).await;
    let mut there = 0;
    for (write, flavour) in (1..=writes).flat_map(|write| [(write, Flavour::Lost), (write, Flavour::Kept)]) {
        let copy = ground.snapshot();
        let stored = copy.clock.now();
        // Something was committed before, so the index knows the time.
        let calm = begin(&copy, copy.process()).await;
        done(&calm, store("another")).await;
        calm.tick().await.unwrap();
        let failing = copy.process_with(&FaultPlan::from(write, flavour), &Gate::open());
        drop(answer(&begin(&copy, failing).await, store("a")).await);
        copy.clock.set(stored.minus_seconds(120));
        let process = begin(&copy, copy.process()).await;
        there += u32::from(is_there(&process, &format!("{write} {flavour:?}")).await);
        copy.clock.set(stored);
    }
    assert!(there > 0, "{there}");
}
