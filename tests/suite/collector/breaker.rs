//! More orphans at once than crashes can leave: the collector stops, reports it, and waits for an operator.

use credlink_core::object::ObjectKey;
use credlink_ports::{Clock as _, Objects as _};
use credlink_service::cleanup::{Limits, Report, bring_back, cleanup};
use http::Method;
use serde_json::json;

use super::put_manifest;
use crate::guard::ground::{Ground, Process, answer, body, done, store};
use crate::http::ask::{ask, get, json as request, media, proof_path};

const PROOFS: usize = 180;
const ORPHANS: usize = 120;
/// Number of orphans that a walk may remove however few objects it has seen.
const ALWAYS: usize = 100;

/// 300 objects, 120 of which have been orphans for longer than any store takes.
async fn with_orphans() -> Ground {
    let ground = Ground::new();
    let process = ground.process();
    for number in 0..PROOFS {
        done(&process, store(&number.to_string())).await;
    }
    for number in 0..ORPHANS {
        put_manifest(&ground.objects, &format!("orphan-{number}"), ground.clock.now()).await;
    }
    process.tick().await.unwrap();
    ground.clock.advance_seconds(3_600);
    ground
}

/// Counts the orphans that are in place, and the removed ones that can still be restored.
async fn count(ground: &Ground) -> (usize, usize) {
    let process = ground.process();
    let mut there = 0;
    for number in 0..ORPHANS {
        let path = format!("/v1/manifests/urn:c2pa:orphan-{number}");
        there += usize::from(answer(&process, get(&path)).await.status() == 200);
    }
    let kept = ground.objects.list(ObjectKey::REMOVED, None, 1_000).await.unwrap().items.len();
    (there, kept)
}

async fn run(ground: &Ground, process: &Process, any_share: bool) -> Report {
    let deadline = ground.clock.now().plus_seconds(1_000_000);
    cleanup(process, Limits { any_share, ..Limits::until(deadline) }, None).await.unwrap()
}

async fn assert_proofs(ground: &Ground) {
    let process = ground.process();
    for number in 0..PROOFS {
        let status = answer(&process, get(&proof_path(&number.to_string()))).await.status();
        assert_eq!(status, 200, "{number}");
    }
}

#[tokio::test]
async fn a_collector_that_would_remove_too_much_stops_and_asks() {
    let ground = with_orphans().await;
    let process = ground.process();
    let report = run(&ground, &process, false).await;
    assert_eq!(report.deleted, ALWAYS as u64, "{report:?}");
    assert!(report.stopped.as_ref().is_some_and(|why| why.contains("of 30")), "{report:?}");
    assert_eq!(count(&ground).await, (ORPHANS - ALWAYS, ALWAYS));
    // Every process reports it where an operator looks.
    for process in [process, ground.process()] {
        let health = answer(&process, get("/v1/health")).await;
        let health = body(&health);
        assert_eq!(health["status"], "degraded", "{health}");
        assert!(health["problems"][0].as_str().unwrap().contains("--go-on"), "{health}");
        // Later runs remove nothing more, even days later.
        for _ in 0..3 {
            ground.clock.advance_seconds(86_400);
            process.tick().await.unwrap();
            let report = run(&ground, &process, false).await;
            assert_eq!(report.deleted, 0, "{report:?}");
            assert!(report.stopped.is_some() && report.failed == 0, "{report:?}");
        }
    }
    assert_eq!(count(&ground).await, (ORPHANS - ALWAYS, ALWAYS));
    // Everything else continues.
    let process = ground.process();
    done(&process, ask(Method::DELETE, &proof_path("0"))).await;
    done(&process, store("0")).await;
    assert_proofs(&ground).await;
}

#[tokio::test]
async fn an_operator_lets_the_rest_go() {
    let ground = with_orphans().await;
    run(&ground, &ground.process(), false).await;
    let process = ground.process();
    let report = run(&ground, &process, true).await;
    assert_eq!((report.deleted, report.failed), ((ORPHANS - ALWAYS) as u64, 0), "{report:?}");
    assert_eq!(count(&ground).await, (0, ORPHANS));
    assert_proofs(&ground).await;
}

#[tokio::test]
async fn an_operator_brings_back_what_should_not_have_gone() {
    let ground = with_orphans().await;
    run(&ground, &ground.process(), false).await;
    let process = ground.process();
    let brought = bring_back(&process, None).await.unwrap();
    assert_eq!((brought.restored, brought.taken, brought.failed), (ALWAYS as u64, 0, 0));
    assert_eq!(count(&ground).await, (ORPHANS, 0));
    process.let_collector_go_on().await.unwrap();
    // The restored manifests are now held for themselves. The few others are no more than a walk may remove.
    let report = run(&ground, &process, false).await;
    assert_eq!((report.deleted, report.stopped), ((ORPHANS - ALWAYS) as u64, None));
    assert_eq!(count(&ground).await, (ALWAYS, ORPHANS - ALWAYS));
}

/// Expired proofs do not count towards the share: all of them are deleted, however many there are.
#[tokio::test]
async fn what_expired_does_not_count() {
    let ground = Ground::new();
    let process = ground.process();
    for number in 0..PROOFS {
        let body = json!({
            "media_hash": media(&number.to_string()).to_string(),
            "manifest": {"number": number},
            "expires_in": 60,
        });
        done(&process, request(Method::POST, "/v1/proofs", &body)).await;
    }
    // The store is looked at on each of these days.
    for _ in 0..9 {
        ground.clock.advance_seconds(86_400);
        process.tick().await.unwrap();
    }
    let report = run(&ground, &process, false).await;
    assert_eq!((report.deleted, report.stopped), (PROOFS as u64, None));
}
