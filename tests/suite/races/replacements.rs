//! Concurrent replacements, and replacements that race the end of a proof's life.

use http::Method;
use http::header::{ETAG, IF_MATCH};
use serde_json::json;

use super::{Answer, at_once, one, store, supersede};
use crate::http::ask::{get, json, media, proof_path, with};
use crate::world::{Ground, World};

const CLIENTS: usize = 20;

async fn replacements_of_one_record(ground: Ground) {
    let world = World::on(ground);
    for round in 0..20 {
        let (name, c2pa) = (format!("round {round}"), round % 2 == 1);
        let (media, path) = (media(&name), proof_path(&name));
        let number = round * (CLIENTS + 1);
        let stored = world.answer(store(&media, c2pa, number)).await;
        let tag = stored.headers()[ETAG].to_str().unwrap().to_owned();
        let requests =
            (1..=CLIENTS).map(|client| supersede(&path, &media, c2pa, number + client, &tag)).collect();
        let answers = at_once(&world, requests).await;
        let replaced: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        let refused = answers.iter().filter(|answer| answer.status == 412).count();
        assert_eq!((replaced.len(), refused), (1, CLIENTS - 1), "{answers:?}");
        let current = one(&world, get(&path)).await;
        assert_eq!((current.manifest(), &current.body["revision"]), (replaced[0].manifest(), &json!(2)));
        let earlier = one(&world, get(&format!("{path}/1"))).await;
        assert_eq!(earlier.manifest(), Answer::read(&stored).manifest(), "the earlier record is kept");
    }
    world.assert_tidy().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_replacements_with_one_etag_exactly_one_is_done_in_memory() {
    replacements_of_one_record(Ground::Memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_replacements_with_one_etag_exactly_one_is_done_in_a_folder() {
    replacements_of_one_record(Ground::Folder).await;
}

/// A proof expires while its owner extends it and cleanup is at work: the first to commit wins.
async fn extension_against_expiry(ground: Ground, rounds: usize) {
    let world = World::on(ground);
    let (mut extended, mut expired) = (0, 0);
    // Adapts to the machine and the adapters, so that both win about equally often.
    let mut head_start = 16_u32;
    for round in 0..rounds {
        let (name, c2pa) = (format!("round {round}"), round % 2 == 1);
        let (media, path) = (media(&name), proof_path(&name));
        let mut body = super::manifest(&media, c2pa, 2 * round);
        body["media_hash"] = media.to_string().into();
        body["expires_in"] = 60.into();
        assert_eq!(one(&world, json(Method::POST, "/v1/proofs", &body)).await.status, 201);
        world.clock().advance_seconds(59);
        let mut body = super::manifest(&media, c2pa, 2 * round + 1);
        body["expires_in"] = 1_000_000.into();
        let extension = with(json(Method::PUT, &path, &body), IF_MATCH, "*");
        let (extender, sweeper) = (world.clone(), world.clone());
        let extension = tokio::spawn(async move { Answer::read(&extender.answer(extension).await) });
        let sweep = tokio::spawn(async move {
            // The lifetime ends at some point while the extension is in flight.
            for _ in 0..head_start {
                tokio::task::yield_now().await;
            }
            sweeper.clock().advance_seconds(2);
            sweeper.clean_up_on_schedule().await
        });
        let (extension, sweep) = (extension.await.unwrap(), sweep.await.unwrap());
        assert_eq!(sweep.failed, 0, "{sweep:?}");
        let (row, record) = (one(&world, get("/v1/proofs?limit=1000")).await, one(&world, get(&path)).await);
        let listed = row.body["proofs"]
            .as_array()
            .unwrap()
            .iter()
            .any(|proof| path.ends_with(proof["id"].as_str().unwrap()));
        match extension.status {
            200 => {
                assert_eq!((record.status, listed), (200, true), "it was extended, and is gone: {record:?}");
                assert_eq!(record.manifest(), extension.manifest());
                extended += 1;
                head_start -= head_start / 4;
            }
            410 => {
                assert_eq!(
                    (record.status, listed),
                    (410, false),
                    "it was too late, and is there: {record:?}"
                );
                expired += 1;
                head_start += head_start / 3 + 1;
            }
            status => panic!("an extension that is answered with {status}: {extension:?}"),
        }
    }
    world.assert_tidy().await;
    assert!(extended > 0 && expired > 0, "no race: {extended} were extended and {expired} expired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_extension_that_comes_first_keeps_the_proof_in_memory() {
    extension_against_expiry(Ground::Memory, 400).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_extension_that_comes_first_keeps_the_proof_in_a_folder() {
    extension_against_expiry(Ground::Folder, 80).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_replacements_with_one_etag_exactly_one_is_done_on_dynamodb() {
    replacements_of_one_record(Ground::Dynamo).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_extension_that_comes_first_keeps_the_proof_on_dynamodb() {
    extension_against_expiry(Ground::Dynamo, 40).await;
}
