//! The days between the expiry of a proof and its destruction.

use credlink_core::bounds::EXPIRY_GRACE_SECONDS;
use http::Method;
use http::header::IF_MATCH;
use serde_json::{Value, json};

use crate::http::ask::{ask, get, json, media, proof_path, with};
use crate::world::{Ground, World};

const GROUNDS: [Ground; 3] = [Ground::Memory, Ground::Folder, Ground::Dynamo];

/// A world with a proof that lives for a minute, and one that lives for a year.
async fn with_a_short_proof(ground: Ground) -> World {
    let world = World::on(ground);
    for (name, lifetime) in [("short", 60), ("long", 31_536_000)] {
        let body = json!({
            "media_hash": media(name).to_string(),
            "manifest": {"name": name},
            "expires_in": lifetime,
        });
        assert_eq!(world.answer(json(Method::POST, "/v1/proofs", &body)).await.status(), 201);
    }
    world
}

/// The status of a proof, and the type of the problem.
async fn status(world: &World, path: &str) -> (u16, String) {
    let answer = world.answer(get(path)).await;
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    (answer.status().as_u16(), body["type"].as_str().unwrap_or_default().to_owned())
}

/// The number of proofs in a listing.
async fn listed(world: &World) -> usize {
    let answer = world.answer(get("/v1/proofs")).await;
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    body["proofs"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_expired_is_gone_at_once_and_destroyed_a_week_later() {
    for ground in GROUNDS {
        let (world, path) = (with_a_short_proof(ground).await, proof_path("short"));
        world.clock().advance_seconds(59);
        assert_eq!((status(&world, &path).await.0, listed(&world).await), (200, 2), "{ground:?}");
        world.clock().advance_seconds(1);
        let (gone, kind) = status(&world, &path).await;
        assert!(gone == 410 && kind.ends_with("expired"), "{ground:?}: {gone} {kind}");
        assert_eq!(listed(&world).await, 1, "{ground:?}: a listing shows what has expired");
        let replacement = json(Method::PUT, &path, &json!({"manifest": {"n": 2}}));
        assert_eq!(world.answer(with(replacement, IF_MATCH, "*")).await.status(), 410);
        let before = world.keys().await;
        for seconds in [0, 86_400, EXPIRY_GRACE_SECONDS - 86_401] {
            world.clock().advance_seconds(seconds);
            let report = world.clean_up_on_schedule().await;
            assert_eq!((report.deleted, report.failed), (0, 0), "{ground:?}: {report:?}");
        }
        assert_eq!(world.keys().await, before, "{ground:?}");
        assert_eq!(world.totals().await.proofs, 2, "{ground:?}");
        world.clock().advance_seconds(1);
        let report = world.clean_up_on_schedule().await;
        assert_eq!((report.deleted, report.failed), (1, 0), "{ground:?}: {report:?}");
        assert_eq!(world.totals().await.proofs, 1, "{ground:?}");
        let (gone, kind) = status(&world, &path).await;
        assert!(gone == 410 && kind.ends_with("deleted"), "{ground:?}: {gone} {kind}");
        assert_eq!(status(&world, &proof_path("long")).await.0, 200);
        world.assert_tidy().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_over_what_expired_keeps_the_earlier_revision() {
    for ground in GROUNDS {
        let (world, path) = (with_a_short_proof(ground).await, proof_path("short"));
        let before = world.answer(get(&path)).await.body().clone();
        world.clock().advance_seconds(61);
        let body = json!({"media_hash": media("short").to_string(), "manifest": {"n": 2}});
        let stored = world.answer(json(Method::POST, "/v1/proofs", &body)).await;
        let told: Value = serde_json::from_slice(stored.body()).unwrap();
        assert_eq!((stored.status().as_u16(), &told["revision"]), (201, &json!(2)), "{ground:?}: {told}");
        assert_eq!(told["deduplicated"], false, "{ground:?}");
        // The earlier record is kept, but its own lifetime is over.
        let earlier = format!("{path}/1");
        let (gone, kind) = status(&world, &earlier).await;
        assert!(gone == 410 && kind.ends_with("expired"), "{ground:?}: {gone} {kind}");
        world.clean_up().await;
        assert!(world.keys().await.contains(&format!("proofs/{}/1", path.rsplit('/').next().unwrap())));
        // At an earlier time of the clock, the answer is as it was then.
        world.clock().set("2026-01-01T12:00:30Z".parse().unwrap());
        assert_eq!(world.answer(get(&earlier)).await.body(), &before, "{ground:?}");
        // The earlier record is deleted with the proof.
        assert_eq!(world.answer(ask(Method::DELETE, &path)).await.status(), 204);
        world.assert_tidy().await;
    }
}
