//! The functions with a table that was lost, was restored to an earlier instant, or belongs to another stack:
//! acknowledged objects are still served, and neither requests nor the schedule destroy anything.

use std::collections::BTreeMap;

use bytes::Bytes;
use credlink_core::object::ObjectKey;
use credlink_ports::Objects as _;
use http::header::{AUTHORIZATION, IF_MATCH};
use http::{Method, Request};
use serde_json::{Value, json};

use super::functions::{RUN, event, response};
use super::ground::Ground;
use crate::engines::dynoxide::{self, copied};
use crate::engines::runtime::Function;
use crate::http::ask::{ask, get, json as request, media, proof_path, with};
use crate::world::tokens;

fn store(name: &str) -> Request<Bytes> {
    let body = json!({"media_hash": media(name).to_string(), "manifest": {"name": name}});
    by(request(Method::POST, "/v1/proofs", &body), tokens::SIGNER)
}

fn replace(name: &str, number: u32) -> Request<Bytes> {
    let body = json!({"manifest": {"name": name, "number": number}});
    with(by(request(Method::PUT, &proof_path(name), &body), tokens::SIGNER), IF_MATCH, "*")
}

fn by(request: Request<Bytes>, token: &str) -> Request<Bytes> {
    with(request, AUTHORIZATION, format!("Bearer {token}"))
}

/// Sends a request to a new process of the function `name`, and returns the status and the JSON of its answer.
async fn asked(ground: &Ground, name: &str, request: &Request<Bytes>) -> (u16, Value) {
    let function = Function::start(name, &ground.variables(name));
    let answer = response(&function.invoke(event(request)).await.unwrap());
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
}

async fn scheduled(ground: &Ground) -> Value {
    let function = Function::start("cleanup", &ground.variables("cleanup"));
    function.invoke_within(RUN, json!({})).await.unwrap()
}

/// Every object except the mark.
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

#[tokio::test]
async fn a_table_that_is_not_the_buckets_own_destroys_nothing() {
    let ground = Ground::plain().await;
    assert_eq!(asked(&ground, "store", &store("a")).await.0, 201);
    assert_eq!(scheduled(&ground).await["stopped"], Value::Null);
    let mut earlier = vec![copied(&ground.index).await];
    assert_eq!(asked(&ground, "store", &store("b")).await.0, 201);
    assert_eq!(scheduled(&ground).await["stopped"], Value::Null);
    for number in [1, 2] {
        earlier.push(copied(&ground.index).await);
        assert_eq!(asked(&ground, "store", &replace("a", number)).await.0, 200);
        assert_eq!(scheduled(&ground).await["stopped"], Value::Null);
    }
    let other = Ground::plain().await;
    assert_eq!(asked(&other, "store", &store("c")).await.0, 201);

    let before = tree(&ground).await;
    // Tables from before a store and two replacements, from before both replacements, and from before the last
    // replacement.
    let older = earlier.into_iter().map(|table| ("The index is older than the store", table, true));
    let others = [
        ("The index belongs to another store", other.index, false),
        ("The index is a new one", dynoxide::index().await, false),
    ];
    for (words, table, takes_stores) in older.chain(others) {
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
            // Restore the bucket for the next table.
            ground.s3.delete(&ObjectKey::Record(crate::http::ask::proof("new"))).await.unwrap();
        }
    }
    // With its own table, the service works again.
    let delete = by(ask(Method::DELETE, &proof_path("a")), tokens::OWNER);
    assert_eq!(asked(&ground, "delete", &delete).await.0, 204);
}
