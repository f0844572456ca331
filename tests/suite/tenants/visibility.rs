//! A manifest that its owner withdraws, and publishes again.

use bytes::Bytes;
use credlink_auth::gate::Gate;
use credlink_ports::{Clock as _, Condition, Objects as _, Ports};
use credlink_service::cleanup::{Limits, cleanup};
use credlink_service::fsck::Severity;
use credlink_service::{Service, ServiceSettings};
use http::{Method, Request, Response};
use serde_json::json;

use super::{
    by, content, delete, make, own, plain, proof_of, served, status, store, store_alone, store_as, tokens,
    told, world,
};
use crate::http::ask::{c2pa, get, json as with_json, media};
use crate::world::World;

#[tokio::test]
async fn a_manifest_is_withdrawn_and_its_proof_stays() {
    let world = world();
    assert_eq!(status(&world, "acme", store("acme")).await, 201);
    assert_eq!(status(&world, "acme", store_alone("acme")).await, 201);
    assert_eq!(status(&world, "acme", delete(&plain())).await, 409, "its proof holds it");
    assert_eq!(make(&world, "bad", "private").await, 404, "bad has none");
    assert_eq!(make(&world, "acme", "private").await, 204);
    assert_eq!(make(&world, "acme", "private").await, 204, "the same again is harmless");
    for target in [own("acme"), plain()] {
        for reader in ["", "bad"] {
            assert_eq!(served(&world, reader, &target).await, "404", "{reader:?} {target}");
        }
        assert_eq!(served(&world, "acme", &target).await, "acme");
    }
    assert_eq!(status(&world, "", get(&proof_of("acme", &media("acme")))).await, 200);
    world.assert_tidy().await;
    assert_eq!(world.findings(Severity::Leftover).await, [""; 0]);
    assert_eq!(make(&world, "acme", "public").await, 204);
    assert_eq!(served(&world, "", &own("acme")).await, "acme");
    assert_eq!(told(&world, "", get(&plain())).await.body(), &content("acme"));
    assert_eq!(make(&world, "acme", "hidden").await, 400);
    world.assert_tidy().await;
    // The proof that holds the manifest still does.
    assert_eq!(status(&world, "acme", delete(&proof_of("acme", &media("acme")))).await, 204);
    assert_eq!(served(&world, "", &own("acme")).await, "acme", "it was stored by itself, too");
    assert_eq!(status(&world, "acme", delete(&plain())).await, 204);
    assert_eq!(make(&world, "acme", "public").await, 410);
    world.assert_tidy().await;
}

async fn asked<P: Ports>(service: &Service<P>, caller: &str, request: Request<Bytes>) -> Response<Bytes> {
    let (parts, body) = by(caller, request).into_parts();
    service.handle(&parts, async { Ok(body) }).await
}

/// A plain address that served a manifest while there was one tenant belongs to that tenant, whatever has become of the
/// manifest since.
#[tokio::test]
async fn what_was_withdrawn_while_there_was_one_tenant_keeps_its_address() {
    let visible = |visibility: &str| {
        let target = format!("{}/visibility", plain());
        with_json(Method::PUT, &target, &json!({ "visibility": visibility }))
    };
    let proof = proof_of("default", &media("default"));
    let withdrawn = || vec![(store_alone("default"), 201), (visible("private"), 204)];
    let private_again =
        || vec![(store("default"), 201), (delete(&proof), 204), (store_as("default", "private"), 201)];
    let always_private = || vec![(store_as("default", "private"), 201)];
    let cases = [
        (withdrawn(), false, "404"),
        (withdrawn(), true, "404"),
        (private_again(), false, "404"),
        (private_again(), true, "404"),
        // A manifest that was never public has no claim, and does not reveal that it exists.
        (always_private(), true, "bad"),
    ];
    for (number, (requests, walks, expected)) in cases.into_iter().enumerate() {
        let world = World::single(Gate::of(Some(tokens()), None));
        for (request, status) in requests {
            assert_eq!(asked(world.service(), "default", request).await.status(), status, "{number}");
        }
        // The existence of a front would reveal that something was withdrawn.
        let front = || get(&format!("{}/front", plain()));
        for caller in ["", "default"] {
            assert_eq!(asked(world.service(), caller, front()).await.status(), 404, "{number} {caller:?}");
        }
        let told = asked(world.service(), "operator", front()).await.status();
        assert_eq!(told == 200, expected == "404", "{number}");
        let settings = ServiceSettings { has_tenants: true, ..ServiceSettings::default() };
        let several = Service::new(world.service().ports(), settings).unguarded();
        if walks {
            let deadline = world.clock().now().plus_seconds(1_000_000);
            cleanup(&several, Limits::until(deadline), None).await.unwrap();
        }
        assert_eq!(asked(&several, "bad", store_alone("bad")).await.status(), 201, "{number}");
        let read = asked(&several, "", get(&plain())).await;
        let status = read.status();
        let found = if **read.body() == content("bad") { "bad" } else { status.as_str() };
        assert_eq!(found, expected, "{number}");
        assert_eq!(asked(&several, "default", visible("public")).await.status(), 204, "{number}");
        let own = asked(&several, "", get(&plain())).await;
        assert_eq!(**own.body() == content("default"), expected == "404", "{number}");
    }
}

#[tokio::test]
async fn a_manifest_is_stored_by_itself_for_its_tenant_alone() {
    let world = world();
    let private = || c2pa(Method::POST, "/v1/manifests?visibility=private", content("acme"));
    assert_eq!(status(&world, "acme", private()).await, 201);
    assert_eq!(status(&world, "acme", private()).await, 200);
    assert_eq!(status(&world, "acme", store_alone("acme")).await, 409, "nothing is published by a store");
    for target in [own("acme"), plain()] {
        for reader in ["", "bad"] {
            assert_eq!(served(&world, reader, &target).await, "404", "{reader:?} {target}");
        }
    }
    assert_eq!(served(&world, "acme", &own("acme")).await, "acme");
    let listed = told(&world, "acme", get("/v1/manifests")).await;
    assert!(String::from_utf8_lossy(listed.body()).contains(r#""visibility":"private""#), "{listed:?}");
    world.assert_tidy().await;
}

/// A request to the address of another tenant's manifest does not change the caller's own manifest instead.
#[tokio::test]
async fn a_withdrawal_names_whose_manifest_it_is() {
    let world = world();
    for tenant in ["acme", "bad"] {
        assert_eq!(status(&world, tenant, store_alone(tenant)).await, 201);
    }
    let withdraw = |tenant: &str| {
        with_json(Method::PUT, &format!("{}/visibility", own(tenant)), &json!({"visibility": "private"}))
    };
    for caller in ["bad", "default", "operator"] {
        assert_eq!(status(&world, caller, withdraw("acme")).await, 403, "{caller}");
    }
    assert_eq!(status(&world, "", withdraw("acme")).await, 401);
    for tenant in ["acme", "bad"] {
        assert_eq!(served(&world, "", &own(tenant)).await, tenant);
    }
    assert_eq!(status(&world, "acme", withdraw("acme")).await, 204);
    assert_eq!(served(&world, "", &own("acme")).await, "404");
    assert_eq!(served(&world, "", &own("bad")).await, "bad");
    world.assert_tidy().await;
}

/// An unreadable front belongs to some tenant, and keeps no tenant from withdrawing its own manifest.
#[tokio::test]
async fn a_damaged_front_keeps_nobody_from_withdrawing() {
    let world = world();
    assert_eq!(status(&world, "acme", store_alone("acme")).await, 201);
    let key = format!("fronts/{}", super::ID.replace(':', "%3A")).parse().unwrap();
    let ports = world.service().ports();
    let objects = ports.objects();
    let object = objects.get(&key).await.unwrap().unwrap();
    objects.delete(&key).await.unwrap();
    let damaged = [&object.body[..], b"x"].concat();
    objects.put(&key, damaged.into(), &object.head.attributes, Condition::Absent).await.unwrap();
    let withdraw =
        with_json(Method::PUT, &format!("{}/visibility", plain()), &json!({"visibility": "private"}));
    assert_eq!(status(&world, "acme", withdraw).await, 204);
    assert_eq!(status(&world, "", get(&own("acme"))).await, 404);
}
