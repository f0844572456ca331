//! A manifest that its owner withdraws, and publishes again.

use credlink_service::fsck::Severity;
use http::Method;
use serde_json::json;

use super::{content, delete, make, own, plain, proof_of, served, status, store, store_alone, told, world};
use crate::http::ask::{c2pa, get, json as with_json, media};

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
    // What holds it still does.
    assert_eq!(status(&world, "acme", delete(&proof_of("acme", &media("acme")))).await, 204);
    assert_eq!(served(&world, "", &own("acme")).await, "acme", "it was stored by itself, too");
    assert_eq!(status(&world, "acme", delete(&plain())).await, 204);
    assert_eq!(make(&world, "acme", "public").await, 410);
    world.assert_tidy().await;
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

/// The address that names the tenant changes no manifest of the caller's own in its place.
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
