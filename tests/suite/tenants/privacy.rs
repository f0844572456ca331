//! A stranger learns nothing about private objects of another tenant that are damaged or cause a conflict (guarantee
//! 13). `table` tests that private and absent objects look the same on every route.

use bytes::Bytes;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Attributes, Object, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_ports::{Condition, Objects as _, Ports as _, Put};
use http::header::{CONTENT_LENGTH, HeaderName, IF_MATCH};
use http::{Method, Request, Response};
use serde_json::json;

use super::{by, delete, own, plain, proof_of, status, store_as, told, world};
use crate::http::ask::{ask, get, json as with_json, media, with};
use crate::world::World;

/// Every request that could reveal whether acme has a private proof of a file, and its manifest.
fn requests(proof: &str) -> Vec<Request<Bytes>> {
    let hex = media("acme").to_string().replace("sha256:", "");
    let id = proof.rsplit('/').next().unwrap();
    let replacement = json!({"manifest": {"a": 1}});
    let link = "expires=4000000000&key=first&life=0&signature=AAAA";
    let mut all = vec![
        get(&format!("/v1/proofs/by-hash/{hex}?tenant=acme")),
        get(&format!("/proofs/by-hash/{hex}?tenant=acme")),
        get(&format!("/v1/proofs?media_hash=sha256:{hex}&tenant=acme")),
        get(proof),
        get(proof.strip_prefix("/v1").unwrap()),
        get(&format!("{proof}?form=stored")),
        get(&format!("{proof}?{link}")),
        get(&format!("{proof}/1")),
        get(&format!("{proof}/url")),
        ask(Method::HEAD, proof),
        with(with_json(Method::PUT, proof, &replacement), IF_MATCH, "*"),
        with(with_json(Method::PUT, proof, &replacement), IF_MATCH, "\"x\""),
        with_json(Method::PUT, proof, &replacement),
        delete(proof),
        with(delete(proof), IF_MATCH, "*"),
        with_json(Method::POST, "/v1/proofs/batch-delete", &json!({"ids": [id]})),
        with_json(Method::PUT, "/v1/aliases/p-1", &json!({"proof": id})),
        get(&own("acme")),
        get(&format!("{}?form=stored", own("acme"))),
        get(&plain()),
        get(&format!("{}/front", plain())),
        delete(&own("acme")),
        delete(&plain()),
        with_json(Method::PUT, &format!("{}/visibility", plain()), &json!({"visibility": "public"})),
    ];
    all.push(ask(Method::HEAD, &own("acme")));
    all
}

/// An answer without the parts that differ from one request to the next.
fn seen(response: &Response<Bytes>) -> String {
    let request_id = HeaderName::from_static("x-request-id");
    let headers =
        response.headers().iter().filter(|(name, _)| **name != request_id && **name != CONTENT_LENGTH);
    let headers: Vec<String> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    let body = String::from_utf8_lossy(response.body());
    let body = body.split("\"request_id\"").next().unwrap_or_default();
    format!("{} {} {body}", response.status(), headers.join(", "))
}

async fn answers(world: &World, caller: &str) -> Vec<String> {
    let mut answers = Vec::new();
    for request in requests(&proof_of("acme", &media("acme"))) {
        let what = format!("{} {}", request.method(), request.uri());
        let response = world.answer(by(caller, request)).await;
        answers.push(format!("{what}: {}", seen(&response)));
    }
    answers
}

/// Changes an object behind the service's back: its bytes, and optionally its attributes.
async fn damage(world: &World, key: &ObjectKey, with_attributes: bool) {
    let objects = world.service().ports().objects();
    let Object { head, .. } = objects.get(key).await.unwrap().unwrap();
    let attributes = if with_attributes { Attributes::default() } else { head.attributes };
    // The in-memory adapter would not let an immutable object change in place.
    objects.delete(key).await.unwrap();
    let put = objects.put(key, Bytes::from_static(b"x"), &attributes, Condition::Absent).await;
    assert!(matches!(put, Ok(Put::Stored(_))), "{put:?}");
}

#[tokio::test]
async fn what_is_private_and_damaged_is_absent_to_a_stranger() {
    let id = ProofId::derive(&"acme".parse().unwrap(), &media("acme"));
    let key = ManifestKey::new(&"acme".parse().unwrap(), &super::ID.parse().unwrap());
    for with_attributes in [false, true] {
        for caller in ["", "bad"] {
            let nothing = answers(&world(), caller).await;
            let there = world();
            assert_eq!(status(&there, "acme", store_as("acme", "private")).await, 201);
            damage(&there, &ObjectKey::Record(id), with_attributes).await;
            damage(&there, &ObjectKey::Manifest(key.clone()), with_attributes).await;
            for (answer, nothing) in answers(&there, caller).await.iter().zip(&nothing) {
                assert_eq!(answer, nothing, "{caller:?}, {with_attributes}");
            }
            for path in [proof_of("acme", &media("acme")), own("acme")] {
                assert_eq!(status(&there, "acme", get(&path)).await, 502, "its owner is told");
            }
        }
    }
}

/// If neither the object nor a row names its tenant, only the tenant `default` is told that something is damaged there.
#[tokio::test]
async fn what_is_damaged_and_nobodys_is_absent_to_a_stranger() {
    let id = ProofId::derive(&"acme".parse().unwrap(), &media("acme"));
    let key = ManifestKey::new(&"acme".parse().unwrap(), &super::ID.parse().unwrap());
    for caller in ["", "bad", "acme"] {
        let nothing = answers(&world(), caller).await;
        let there = world();
        for key in [ObjectKey::Record(id), ObjectKey::Manifest(key.clone())] {
            let objects = there.service().ports().objects();
            let put =
                objects.put(&key, Bytes::from_static(b"x"), &Attributes::default(), Condition::Absent).await;
            assert!(matches!(put, Ok(Put::Stored(_))), "{put:?}");
        }
        for (answer, nothing) in answers(&there, caller).await.iter().zip(&nothing) {
            // A tenant that reads its own manifest at its own address is told that it is damaged.
            if caller != "acme" || !answer.contains("502") {
                assert_eq!(answer, nothing, "{caller:?}");
            }
        }
        assert_eq!(status(&there, "default", get(&proof_of("acme", &media("acme")))).await, 502);
    }
}

#[tokio::test]
async fn a_conflict_tells_of_ones_own_alone() {
    let world = world();
    assert_eq!(status(&world, "acme", store_as("acme", "private")).await, 201);
    // Another content under acme's private ID is stored as if acme's were not there.
    let stored = told(&world, "bad", super::store_alone("bad")).await;
    assert_eq!(stored.status(), 201);
    assert_eq!(super::served(&world, "", &plain()).await, "bad");
    let conflict = told(&world, "bad", super::store_alone("default")).await;
    assert_eq!(conflict.status(), 409);
    let acme = credlink_core::hash::Digest::of(&super::content("acme")).to_string();
    assert!(!String::from_utf8_lossy(conflict.body()).contains(&acme));
}

#[tokio::test]
async fn one_tenant_is_all_that_there_is_where_nothing_else_is_said() {
    let world = World::single(credlink_auth::gate::Gate::of(Some(super::tokens()), None));
    let refused = world.answer(by("acme", store_as("acme", "public"))).await;
    assert_eq!(refused.status(), 403);
    let said = String::from_utf8_lossy(refused.body()).into_owned();
    assert!(said.contains("CREDLINK_TENANTS=several") && said.contains("`acme`"), "{said}");
    assert_eq!(world.answer(by("default", store_as("default", "public"))).await.status(), 201);
    assert!(world.keys().await.iter().all(|key| !key.starts_with("fronts/")), "no front is written");
}
