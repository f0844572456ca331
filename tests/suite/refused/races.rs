//! Concurrent stores of one file: all but one find another manifest there, and their own must be gone.

use http::{Request, StatusCode};
use serde_json::Value;

use super::{assert_clean, assert_never_brought, id, served, store, store_alone};
use crate::http::ask::media;
use crate::world::{Ground, World};

const ROUNDS: usize = 30;
const CLIENTS: usize = 6;

/// Sends all requests at once, and returns the status and body of each answer.
async fn at_once(world: &World, requests: Vec<Request<bytes::Bytes>>) -> Vec<(StatusCode, Value)> {
    let send = |request| {
        let world = world.clone();
        tokio::spawn(async move {
            let answer = world.answer(request).await;
            (answer.status(), serde_json::from_slice(answer.body()).unwrap_or_default())
        })
    };
    let tasks: Vec<_> = requests.into_iter().map(send).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

async fn stores_of_one_file(ground: Ground) {
    let world = World::on(ground);
    let mut losers = Vec::new();
    for round in 0..ROUNDS {
        let media = media(&format!("round {round}"));
        let numbers: Vec<usize> = (0..CLIENTS).map(|client| round * CLIENTS + client).collect();
        let requests = numbers.iter().map(|number| store(&media, *number)).collect();
        let answers = at_once(&world, requests).await;
        let won = answers.iter().filter(|(status, _)| *status == StatusCode::CREATED).count();
        assert_eq!(won, 1, "{answers:?}");
        for (number, (_, body)) in numbers.into_iter().zip(answers) {
            let is_winner = body["manifest"]["id"] == id(number);
            assert_eq!(body["identical"], Value::Bool(is_winner), "{body}");
            if is_winner {
                assert_eq!(served(&world, number).await, 200);
            } else {
                assert_eq!(served(&world, number).await, 404, "round {round}");
                losers.push(number);
            }
        }
    }
    assert_eq!(losers.len(), ROUNDS * (CLIENTS - 1));
    assert_clean(&world).await;
    for number in losers {
        assert_never_brought(&world, number).await;
    }
    world.assert_tidy().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_loses_a_race_leaves_nothing_in_memory() {
    stores_of_one_file(Ground::Memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_loses_a_race_leaves_nothing_in_a_folder() {
    stores_of_one_file(Ground::Folder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_loses_a_race_leaves_nothing_on_dynamodb() {
    stores_of_one_file(Ground::Dynamo).await;
}

/// The loser of each race sends a manifest that another caller stores by itself at the same moment.
async fn a_shared_manifest(ground: Ground, rounds: usize) {
    let world = World::on(ground);
    for round in 0..rounds {
        let file = media(&format!("shared {round}"));
        let (first, second) = (2 * round, 2 * round + 1);
        let requests = vec![store(&file, first), store(&file, second), store_alone(&file, first)];
        let answers = at_once(&world, requests).await;
        let statuses: Vec<u16> = answers.iter().map(|(status, _)| status.as_u16()).collect();
        assert_eq!(statuses[2], 201, "{answers:?}");
        assert_eq!(statuses[0] + statuses[1], 401, "one is new and one is not: {answers:?}");
        assert_eq!(served(&world, first).await, 200, "round {round}: it stands by itself");
        let won = answers[1].0 == StatusCode::CREATED;
        assert_eq!(served(&world, second).await, if won { 200 } else { 404 }, "round {round}");
    }
    assert_clean(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_somebody_else_stored_too_stays_in_memory() {
    a_shared_manifest(Ground::Memory, 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_somebody_else_stored_too_stays_in_a_folder() {
    a_shared_manifest(Ground::Folder, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_somebody_else_stored_too_stays_on_dynamodb() {
    a_shared_manifest(Ground::Dynamo, 15).await;
}
