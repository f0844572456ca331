//! Cleanup by intents concurrent with a request for the same proof. Each is stopped before each of its calls, after
//! each way in which a first store can be cut off.

use std::pin::pin;

use bytes::Bytes;
use credlink_ports::Clock as _;
use credlink_ports::doubles::faults::{FaultPlan, Flavour};
use credlink_service::cleanup::{Limits, Report, cleanup};
use credlink_service::fsck::{Severity, fsck};
use data_encoding::BASE64;
use http::header::IF_MATCH;
use http::{Method, Request};
use serde_json::json;

use crate::faults::act::{c2pa_bytes, c2pa_id};
use crate::faults::gate::Gate;
use crate::guard::ground::{Ground, Process, answer, body, done, store};
use crate::http::ask::{ask, c2pa, get, json as request, media, proof, proof_path, with};

fn store_with(name: &str, manifest: &str) -> Request<Bytes> {
    let manifest = BASE64.encode(&c2pa_bytes(manifest));
    let body = json!({"media_hash": media(name).to_string(), "manifest_base64": manifest});
    request(Method::POST, "/v1/proofs", &body)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Second {
    Store,
    StoreAnother,
    StoreItsManifest,
    Replace,
    Delete,
    DeleteManifest,
    Manifest,
}

impl Second {
    const ALL: [Self; 7] = [
        Self::Store,
        Self::StoreAnother,
        Self::StoreItsManifest,
        Self::Replace,
        Self::Delete,
        Self::DeleteManifest,
        Self::Manifest,
    ];

    fn request(self) -> Request<Bytes> {
        match self {
            Self::Store => store_with("a", "m"),
            Self::StoreAnother => store_with("a", "n"),
            Self::StoreItsManifest => store_with("b", "m"),
            Self::Replace => {
                let body = json!({"manifest_base64": BASE64.encode(&c2pa_bytes("n"))});
                with(request(Method::PUT, &proof_path("a"), &body), IF_MATCH, "*")
            }
            Self::Delete => ask(Method::DELETE, &proof_path("a")),
            Self::DeleteManifest => ask(Method::DELETE, &format!("/v1/manifests/{}", c2pa_id("m"))),
            Self::Manifest => c2pa(Method::POST, "/v1/manifests", c2pa_bytes("m").to_vec()),
        }
    }
}

async fn run(ground: &Ground, process: &Process) -> Report {
    let deadline = ground.clock.now().plus_seconds(1_000);
    cleanup(process, Limits { walk: false, ..Limits::until(deadline) }, None).await.unwrap()
}

/// Runs cleanup and a request: one is stopped before its call number `stop`, and the other runs in between. Returns the
/// status of the answer, or `None` if the first makes fewer calls.
async fn both(ground: &Ground, second: Second, is_cleanup_first: bool, stop: u64) -> Option<u16> {
    let (calm, gate) = (ground.process(), Gate::open());
    let gated = ground.process_with(&FaultPlan::none(), &gate);
    gated.standing().await;
    calm.standing().await;
    gate.stop_after(stop);
    if is_cleanup_first {
        let mut running = pin!(run(ground, &gated));
        if gate.run(running.as_mut()).is_some() {
            return None;
        }
        let answered = answer(&calm, second.request()).await.status();
        gate.lift();
        gate.run(running).unwrap();
        return Some(answered.as_u16());
    }
    let mut asked = pin!(answer(&gated, second.request()));
    if gate.run(asked.as_mut()).is_some() {
        return None;
    }
    run(ground, &calm).await;
    gate.lift();
    Some(gate.run(asked).unwrap().status().as_u16())
}

/// Asserts that reads and listings agree, and that an acknowledged change has taken effect.
async fn check(ground: &Ground, second: Second, answered: u16, case: &str) {
    let calm = ground.process();
    run(ground, &calm).await;
    let read = answer(&calm, get(&proof_path("a"))).await.status();
    let page = body(&answer(&calm, get("/v1/proofs")).await);
    let id = json!(proof("a").to_string());
    let is_listed = page["proofs"].as_array().unwrap().iter().any(|listed| listed["id"] == id);
    assert_eq!(read == 200, is_listed, "{case}: {read}");
    assert!(answered < 500, "{case}");
    match second {
        Second::Store | Second::StoreAnother | Second::Replace if answered < 300 => {
            assert_eq!(read, 200, "{case}")
        }
        Second::Delete if answered < 300 => assert_ne!(read, 200, "{case}"),
        _ => {}
    }
    let mut broken = Vec::new();
    fsck(&calm, |finding| broken.extend((finding.severity == Severity::Broken).then_some(finding)))
        .await
        .unwrap();
    assert_eq!(broken, [], "{case}");
}

#[tokio::test]
async fn cleanup_finishes_a_store_beside_requests_for_it() {
    let mut tried = 0;
    for was_deleted in [false, true] {
        for cut in 1..=9 {
            let ground = Ground::shared();
            let calm = ground.process();
            done(&calm, store("warm")).await;
            if was_deleted {
                done(&calm, store_with("a", "m")).await;
                done(&calm, ask(Method::DELETE, &proof_path("a"))).await;
            }
            let first = ground.process_with(&FaultPlan::from(cut, Flavour::Lost), &Gate::open());
            first.standing().await;
            if answer(&first, store_with("a", "m")).await.status().is_success() {
                break;
            }
            for (second, is_cleanup_first) in
                Second::ALL.into_iter().flat_map(|second| [(second, true), (second, false)])
            {
                for stop in 0.. {
                    let ground = ground.snapshot();
                    let Some(answered) = both(&ground, second, is_cleanup_first, stop).await else { break };
                    let case = format!(
                        "deleted before: {was_deleted}, cut at {cut}, {second:?}, cleanup first: {is_cleanup_first}, stopped at {stop}: {answered}"
                    );
                    check(&ground, second, answered, &case).await;
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 500, "{tried}");
}
