//! The ownership of legacy IDs: an ID belongs for ever to the first tenant to whose proof it led, unless an operator
//! decides otherwise.

use bytes::Bytes;
use credlink_core::proof_id::ProofId;
use http::header::{AUTHORIZATION, LOCATION};
use http::{Method, Request};
use serde_json::{Value, json};

use super::ask::{ask, get, json as request, media, proof, proof_path, with};
use super::session::exchange;
use crate::world::tokens::{OPERATOR, OWNER, STRANGER};
use crate::world::{Ground, World};

/// Sends a request with this token, and returns the status and the document.
async fn send(world: &World, token: &str, request: Request<Bytes>) -> (u16, Value) {
    let request = with(request, AUTHORIZATION, format!("Bearer {token}"));
    let response = exchange(world, request).await;
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
}

/// An import of a proof with its legacy ID.
fn old(name: &str, id: &str) -> Request<Bytes> {
    let origin =
        json!({"created": "2020-01-01T00:00:00Z", "expires": "2030-01-01T00:00:00Z", "legacy_id": id});
    let body = json!({"media_hash": media(name).to_string(), "manifest": {"name": name}, "origin": origin});
    request(Method::POST, "/v1/proofs", &body)
}

fn new(name: &str) -> Request<Bytes> {
    let body =
        json!({"media_hash": media(name).to_string(), "manifest": {"name": name}, "expires_in": 315_360_000});
    request(Method::POST, "/v1/proofs", &body)
}

fn bind(id: &str, proof: &ProofId) -> Request<Bytes> {
    request(Method::PUT, &format!("/v1/aliases/{id}"), &json!({"proof": proof.to_string()}))
}

fn reassign(id: &str, proof: &ProofId) -> Request<Bytes> {
    let body = json!({"proof": proof.to_string(), "reassign": true});
    request(Method::PUT, &format!("/v1/aliases/{id}"), &body)
}

/// A proof of the tenant `other`.
fn others(name: &str) -> ProofId {
    ProofId::derive(&"other".parse().unwrap(), &media(name))
}

async fn leads_to(world: &World, id: &str) -> String {
    let led = exchange(world, get(&format!("/v1/proofs/{id}"))).await;
    led.headers().get(LOCATION).map_or(String::new(), |to| to.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_id_stays_its_tenants_when_its_proof_is_deleted_expired_or_takes_it_back() {
    let world = World::with_tokens(Ground::Memory);
    for (name, id) in [("live", "p-0"), ("deleted", "p-1"), ("expired", "p-2"), ("withdrawn", "p-3")] {
        assert_eq!(send(&world, OWNER, old(name, id)).await.0, 201);
    }
    assert_eq!(send(&world, STRANGER, new("b")).await.0, 201);
    assert_eq!(send(&world, OWNER, new("mine")).await.0, 201);
    assert_eq!(send(&world, OWNER, ask(Method::DELETE, &proof_path("deleted"))).await.0, 204);
    let withdraw = ask(Method::DELETE, &format!("/v1/aliases/p-3?proof={}", proof("withdrawn")));
    assert_eq!(send(&world, OWNER, withdraw).await.0, 204);
    // Move on to 2031, when the other proofs have expired and are then destroyed.
    world.clock().advance_seconds(5 * 366 * 86_400);
    world.clean_up().await;
    world.clock().advance_seconds(30 * 86_400);
    world.clean_up().await;

    for id in ["p-0", "p-1", "p-2", "p-3"] {
        for asked in [bind(id, &others("b")), {
            let body = json!({
                "media_hash": media("b").to_string(), "manifest": {"name": "b"},
                "origin": {"created": "2020-01-01T00:00:00Z", "expires": "2040-01-01T00:00:00Z", "legacy_id": id},
            });
            request(Method::POST, "/v1/proofs", &body)
        }] {
            let what = format!("{} {id}", asked.method());
            let (status, problem) = send(&world, STRANGER, asked).await;
            assert_eq!(
                (status, &problem["type"]),
                (409, &json!("urn:credlink:problem:alias-conflict")),
                "{what}"
            );
            assert_eq!(problem["detail"], format!("the legacy id `{id}` is another tenant's"), "{what}");
            assert_eq!(problem.get("proof"), None, "where it leads is nobody else's business");
        }
        let (status, problem) = send(&world, OWNER, bind(id, &proof("mine"))).await;
        assert_eq!(status, 201, "{id} is its own tenant's to give: {problem}");
        assert_eq!(leads_to(&world, id).await, proof("mine").to_string());
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn an_operator_gives_an_id_to_another_proof() {
    let world = World::with_tokens(Ground::Memory);
    assert_eq!(send(&world, OWNER, old("mine", "p-1")).await.0, 201);
    assert_eq!(send(&world, STRANGER, new("b")).await.0, 201);
    // The ID is bound before it is migrated.
    assert_eq!(send(&world, STRANGER, bind("p-2", &others("b"))).await.0, 201);

    // No ID changes hands by accident, and only the operator can transfer one.
    let (status, problem) = send(&world, OPERATOR, bind("p-2", &proof("mine"))).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:credlink:problem:alias-conflict")));
    for token in [OWNER, STRANGER] {
        let (status, problem) = send(&world, token, reassign("p-1", &others("b"))).await;
        assert_eq!((status, &problem["scope"]), (403, &json!("operator")));
    }
    assert_eq!(leads_to(&world, "p-1").await, proof("mine").to_string());

    for (id, to, from) in [("p-1", others("b"), OWNER), ("p-2", proof("mine"), STRANGER)] {
        assert_eq!(send(&world, OPERATOR, reassign(id, &to)).await.0, 201, "{id}");
        assert_eq!(send(&world, OPERATOR, reassign(id, &to)).await.0, 200, "once");
        assert_eq!(leads_to(&world, id).await, to.to_string());
        let own = if from == OWNER { proof("mine") } else { others("b") };
        let (status, problem) = send(&world, from, bind(id, &own)).await;
        assert_eq!(status, 409, "whose it was has lost it: {problem}");
        let withdraw = ask(Method::DELETE, &format!("/v1/aliases/{id}?proof={to}"));
        assert_eq!(send(&world, from, withdraw).await.0, 403);
    }
    assert_eq!(send(&world, OPERATOR, reassign("p-3", &proof("nowhere"))).await.0, 404);
    assert_eq!(send(&world, OPERATOR, reassign(&proof("mine").to_string(), &others("b"))).await.0, 400);
    world.assert_sound().await;
}
