//! The functions beside a table that was lost, restored to an earlier instant, or is another stack's: what is acknowledged is
//! served, and neither requests nor the schedule destroy anything.

use std::collections::BTreeMap;

use bytes::Bytes;
use credlink_adapters::dynamodb::DynamoIndex;
use credlink_core::object::ObjectKey;
use credlink_service::ports::Objects as _;
use http::header::AUTHORIZATION;
use http::{Method, Request};
use serde_json::{Value, json};

use super::functions::{RUN, event, response};
use super::ground::Ground;
use crate::engines::dynoxide;
use crate::engines::runtime::Function;
use crate::http::ask::{ask, get, json as request, media, proof_path, with};
use crate::world::tokens;

fn store(name: &str) -> Request<Bytes> {
    let body = json!({"media_hash": media(name).to_string(), "manifest": {"name": name}});
    by(request(Method::POST, "/v1/proofs", &body), tokens::SIGNER)
}

fn by(request: Request<Bytes>, token: &str) -> Request<Bytes> {
    with(request, AUTHORIZATION, format!("Bearer {token}"))
}

/// Asks a new process of the function `name`: status and JSON.
async fn asked(ground: &Ground, name: &str, request: &Request<Bytes>) -> (u16, Value) {
    let function = Function::start(name, &ground.variables(name));
    let answer = response(&function.invoke(event(request)).await.unwrap());
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
}

async fn scheduled(ground: &Ground) -> Value {
    let function = Function::start("cleanup", &ground.variables("cleanup"));
    function.invoke_within(RUN, json!({})).await.unwrap()
}

/// Every object but the mark.
async fn tree(ground: &Ground) -> BTreeMap<String, Bytes> {
    let mut tree = BTreeMap::new();
    for listed in ground.s3.list("", None, 1_000).await.unwrap().items {
        let key: ObjectKey = listed.key.parse().unwrap();
        if key != ObjectKey::Identity {
            tree.insert(listed.key, ground.s3.get(&key).await.unwrap().unwrap().body);
        }
    }
    tree
}

/// A new table with everything that is in `index` now: what a restore makes.
async fn restored(index: &DynamoIndex) -> DynamoIndex {
    let copy = dynoxide::index().await;
    let items = index.client().scan().table_name(index.table()).send().await.unwrap();
    assert!(items.last_evaluated_key().is_none());
    for item in items.items() {
        let put = copy.client().put_item().table_name(copy.table()).set_item(Some(item.clone()));
        put.send().await.unwrap();
    }
    copy
}

#[tokio::test]
async fn a_table_that_is_not_the_buckets_own_destroys_nothing() {
    let ground = Ground::plain().await;
    assert_eq!(asked(&ground, "store", &store("a")).await.0, 201);
    assert_eq!(scheduled(&ground).await["stopped"], Value::Null);
    let earlier = restored(&ground.index).await;
    assert_eq!(asked(&ground, "store", &store("b")).await.0, 201);
    assert_eq!(scheduled(&ground).await["stopped"], Value::Null);
    let other = Ground::plain().await;
    assert_eq!(asked(&other, "store", &store("c")).await.0, 201);

    let before = tree(&ground).await;
    for (words, table, takes_stores) in [
        ("The index is older than the store", earlier, true),
        ("The index belongs to another store", other.index, false),
        ("The index is a new one", dynoxide::index().await, false),
    ] {
        let doubted = ground.beside(table).await;
        for name in ["a", "b"] {
            assert_eq!(asked(&doubted, "retrieve", &get(&proof_path(name))).await.0, 200, "{words}");
        }
        let (status, health) = asked(&doubted, "retrieve", &get("/v1/health")).await;
        assert_eq!((status, &health["status"]), (200, &json!("degraded")), "{health}");
        assert!(health["problems"][0].as_str().unwrap().contains(words), "{health}");
        let delete = by(ask(Method::DELETE, &proof_path("a")), tokens::OWNER);
        let (status, problem) = asked(&doubted, "delete", &delete).await;
        assert_eq!(status, 503, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
        let run = scheduled(&doubted).await;
        assert!(run["stopped"].as_str().unwrap().contains(words), "{run}");
        assert_eq!(run["deleted"], 0, "{run}");
        assert_eq!(tree(&ground).await, before, "{words}");
        let (status, answer) = asked(&doubted, "store", &store("new")).await;
        assert_eq!(status, if takes_stores { 201 } else { 503 }, "{answer}");
        let after = tree(&ground).await;
        assert!(before.iter().all(|(key, body)| after.get(key) == Some(body)), "{words}");
        if takes_stores {
            // For the next one, as it was.
            ground.s3.delete(&ObjectKey::Record(crate::http::ask::proof("new"))).await.unwrap();
        }
    }
    // With its own table, all goes on.
    let delete = by(ask(Method::DELETE, &proof_path("a")), tokens::OWNER);
    assert_eq!(asked(&ground, "delete", &delete).await.0, 204);
}
