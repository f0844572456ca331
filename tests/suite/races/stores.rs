//! Concurrent stores of one file (guarantees 2 and 3). `clouds::races` tests several processes over DynamoDB.

use super::{Answer, at_once, one, store};
use crate::http::ask::{get, media, proof_path};
use crate::world::{Ground, World};

const CLIENTS: usize = 50;
const ROUNDS: usize = 20;

/// Asserts that exactly one client is told that it stored the proof, and that all clients get the same proof.
fn assert_one_winner(answers: &[Answer]) -> &Answer {
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201)), "{answers:?}");
    let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(created.len(), 1, "{} clients were told that they stored it", created.len());
    for answer in answers {
        assert_eq!(answer.body["id"], created[0].body["id"]);
        assert_eq!(answer.body["deduplicated"], answer.status == 200);
        assert_eq!(answer.manifest(), created[0].manifest(), "a client was told of another manifest");
    }
    created[0]
}

async fn stores_of_the_same(ground: Ground) {
    let world = World::on(ground);
    for round in 0..ROUNDS {
        let media = media(&format!("round {round}"));
        let requests = (0..CLIENTS).map(|_| store(&media, round % 2 == 1, round)).collect();
        let answers = at_once(&world, requests).await;
        assert_one_winner(&answers);
        assert!(answers.iter().all(|answer| answer.body["identical"] == true));
        assert_eq!(world.totals().await.proofs, round as u64 + 1);
    }
    assert_eq!(world.totals().await.manifests, ROUNDS as u64 / 2);
    world.assert_tidy().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_stores_of_one_file_leave_one_proof_in_memory() {
    stores_of_the_same(Ground::Memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_stores_of_one_file_leave_one_proof_in_a_folder() {
    stores_of_the_same(Ground::Folder).await;
}

async fn stores_of_different_manifests(ground: Ground) {
    let world = World::on(ground);
    for round in 0..ROUNDS {
        let name = format!("round {round}");
        let c2pa = round % 2 == 1;
        let requests =
            (0..CLIENTS).map(|client| store(&media(&name), c2pa, round * CLIENTS + client)).collect();
        let answers = at_once(&world, requests).await;
        let winner = assert_one_winner(&answers);
        assert_eq!(winner.body["identical"], true, "whoever stored it, stored what it sent");
        let identical = answers.iter().filter(|answer| answer.body["identical"] == true).count();
        assert_eq!(identical, 1, "every client sent another manifest");
        let record = one(&world, get(&proof_path(&name))).await;
        assert_eq!(record.manifest(), winner.manifest(), "the record that is served is the winner's");
        assert_eq!(world.totals().await.proofs, round as u64 + 1);
    }
    world.assert_tidy().await;
    assert_eq!(world.totals().await.manifests, ROUNDS as u64 / 2, "the losers' manifests are cleaned up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_different_manifests_one_is_served_and_the_others_are_told_in_memory() {
    stores_of_different_manifests(Ground::Memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_different_manifests_one_is_served_and_the_others_are_told_in_a_folder() {
    stores_of_different_manifests(Ground::Folder).await;
}
