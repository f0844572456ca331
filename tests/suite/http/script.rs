//! The whole API, in the order in which a client might come to use it. Each chapter is a snapshot.
//!
//! The script needs only an empty [`Api`] that knows the tokens of `world::tokens`. The same snapshots therefore hold
//! for the service in this process, over memory, a folder and DynamoDB, for `credlink serve`, and for the Lambda
//! functions (`clouds`, `stack`).

mod copying;
mod deleting;
mod manifests;
mod operating;
mod reading;
mod sharing;
mod storing;
mod superseding;
mod taking_over;
mod tenants;

use super::api::{Api, Serve};
use super::ask::get;
use super::contract::CONTRACT;
use super::session::Session;
use crate::world::{Ground, World};

/// Runs all chapters.
pub async fn whole(api: &impl Api) {
    let mut session = Session::of(api);
    storing::chapter(&mut session).await;
    reading::chapter(&mut session).await;
    superseding::chapter(&mut session).await;
    sharing::chapter(&mut session).await;
    deleting::chapter(&mut session).await;
    manifests::chapter(&mut session).await;
    tenants::chapter(&mut session).await;
    operating::chapter(&mut session).await;
    copying::chapter(&mut session).await;
    taking_over::chapter(&mut session).await;
    let document = session.send("The OpenAPI document", get("/v1/openapi.json")).await;
    assert_eq!(document.status(), 200);
    let exercised = CONTRACT.exercised();
    let forgotten = CONTRACT
        .operations()
        // These need a queue, and are tested in `clouds::migrations`; and those need a place for files, as in `files`.
        .filter(|(_, _, operation)| {
            ["migrations", "files"].iter().all(|tag| operation["tags"] != serde_json::json!([tag]))
        })
        .filter(|(_, _, operation)| !exercised.contains(operation["operationId"].as_str().unwrap()));
    let forgotten: Vec<_> = forgotten.map(|(method, path, _)| format!("{method} {path}")).collect();
    assert_eq!(forgotten, [""; 0], "documented operations that the script does not try");
}

#[tokio::test]
async fn the_api_answers_as_written_down_over_memory() {
    let world = World::with_tokens(Ground::Memory);
    whole(&world).await;
    world.assert_tidy().await;
}

#[tokio::test]
async fn the_api_answers_as_written_down_over_a_folder() {
    let world = World::with_tokens(Ground::Folder);
    whole(&world).await;
    world.assert_tidy().await;
}

#[tokio::test]
async fn the_api_answers_as_written_down_over_dynamodb() {
    let world = World::with_tokens(Ground::Dynamo);
    whole(&world).await;
    world.assert_tidy().await;
}

/// Runs over a real connection by a real clock, and takes some seconds because links and proofs expire during the
/// script.
#[tokio::test]
async fn the_api_answers_as_written_down_over_http() {
    whole(&Serve::start()).await;
}
