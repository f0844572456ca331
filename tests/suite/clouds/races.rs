//! Concurrent stores of one file by many processes of the function `store`, since Lambda runs one for each request in
//! flight (guarantees 2 and 3).

use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use futures_util::future::join_all;
use http::Method;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::functions::event;
use super::ground::Ground;
use crate::engines::runtime::Function;
use crate::http::ask::{get, json as request, media, with};
use crate::world::tokens;

const PROCESSES: usize = 50;
const ROUNDS: usize = 20;

/// A store of the round's file. In even rounds all clients send the same manifest, in odd rounds each sends its own.
fn store(round: usize, client: usize) -> Value {
    let media = media(&format!("round {round}"));
    let number = if round.is_multiple_of(2) { round } else { round * 1_000 + client };
    let manifest = manifest_store(&format!("urn:c2pa:00000000-0000-4000-8000-{number:012}"), media.digest());
    let body = match round % 4 {
        0 | 1 => json!({"media_hash": media.to_string(), "manifest": {"number": number}}),
        _ => json!({"media_hash": media.to_string(), "manifest_base64": BASE64.encode(&manifest)}),
    };
    let request = request(Method::POST, "/v1/proofs", &body);
    event(&with(request, AUTHORIZATION, format!("Bearer {}", tokens::SIGNER)))
}

#[tokio::test]
async fn of_fifty_stores_by_fifty_processes_one_proof_is_left() {
    let ground = Ground::plain().await;
    let start = |_| Function::start("store", &ground.variables("store"));
    let functions: Vec<Function> = (0..PROCESSES).map(start).collect();
    for round in 0..ROUNDS {
        let stores = functions.iter().enumerate();
        let answers = join_all(stores.map(|(client, function)| function.invoke(store(round, client)))).await;
        let answers: Vec<(u64, Value)> = answers
            .into_iter()
            .map(|answer| {
                let answer = answer.unwrap();
                let told = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
                (answer["statusCode"].as_u64().unwrap(), told)
            })
            .collect();
        let created: Vec<_> = answers.iter().filter(|(status, _)| *status == 201).collect();
        assert_eq!(created.len(), 1, "round {round}: {answers:?}");
        let winner = &created[0].1;
        for (status, told) in &answers {
            assert!(matches!(status, 200 | 201), "round {round}: {told}");
            assert_eq!(told["id"], winner["id"], "round {round}");
            assert_eq!(told["manifest"]["sha256"], winner["manifest"]["sha256"], "round {round}");
            assert_eq!(told["deduplicated"], *status == 200);
        }
        let identical = answers.iter().filter(|(_, told)| told["identical"] == true).count();
        assert_eq!(identical, if round.is_multiple_of(2) { PROCESSES } else { 1 });
    }
    let (parts, _) = get("/v1/proofs").into_parts();
    let listed = ground.inside().await.handle(&parts, async { Ok(bytes::Bytes::new()) }).await;
    let listed: Value = serde_json::from_slice(listed.body()).unwrap();
    assert_eq!(listed["proofs"].as_array().map(Vec::len), Some(ROUNDS));
    ground.assert_sound().await;
}
