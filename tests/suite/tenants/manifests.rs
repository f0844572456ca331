//! Two tenants store manifests under one ID.

use serde_json::json;

use super::{
    ID, body, content, delete, own, plain, proof_of, served, status, store, store_alone, store_as, told,
    world,
};
use crate::http::ask::{get, json as with_json, media};

#[tokio::test]
async fn nobody_takes_an_id_from_another() {
    let world = world();
    // Another tenant has copied the label from a published picture, and stores first.
    assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
    let stored = told(&world, "acme", store("acme")).await;
    assert_eq!(stored.status(), 201);
    assert_eq!(body(&stored)["manifest_url"], format!("https://credlink.test{}", own("acme")));
    assert_eq!(status(&world, "acme", store_alone("acme")).await, 201);
    assert_eq!(served(&world, "", &own("acme")).await, "acme");
    assert_eq!(served(&world, "", &own("bad")).await, "bad");
    // Within a tenant an ID has one content for ever.
    assert_eq!(status(&world, "acme", store_alone("other")).await, 409);
    world.assert_tidy().await;
}

#[tokio::test]
async fn nobody_decides_who_reads_what_is_anothers() {
    let world = world();
    assert_eq!(status(&world, "bad", store_as("acme", "private")).await, 201);
    assert_eq!(status(&world, "acme", store("acme")).await, 201);
    assert_eq!(served(&world, "", &own("acme")).await, "acme");
    assert_eq!(served(&world, "", &plain()).await, "acme");
    assert_eq!(served(&world, "", &own("bad")).await, "404");
    assert_eq!(served(&world, "bad", &own("bad")).await, "acme");
    world.assert_tidy().await;
}

#[tokio::test]
async fn a_deletion_lets_go_what_is_ones_own() {
    let world = world();
    assert_eq!(status(&world, "bad", store_alone("acme")).await, 201);
    assert_eq!(
        status(&world, "acme", store_alone("acme")).await,
        201,
        "it is stored for acme, and not held for bad"
    );
    assert_eq!(status(&world, "bad", delete(&plain())).await, 204);
    assert_eq!(served(&world, "", &own("bad")).await, "410");
    assert_eq!(served(&world, "", &own("acme")).await, "acme");
    let listed = body(&told(&world, "acme", get("/v1/manifests")).await);
    assert_eq!(listed["manifests"][0]["id"], ID);
    assert_eq!(listed["manifests"].as_array().unwrap().len(), 1);
    // The manifest of another tenant is out of reach, whatever address is used.
    assert_eq!(status(&world, "bad", delete(&plain())).await, 204);
    assert_eq!(status(&world, "bad", delete(&own("acme"))).await, 403);
    assert_eq!(served(&world, "", &own("acme")).await, "acme");
    assert_eq!(status(&world, "operator", delete(&own("acme"))).await, 204);
    assert_eq!(served(&world, "", &own("acme")).await, "410");
    world.assert_tidy().await;
}

#[tokio::test]
async fn nobody_pins_what_is_anothers() {
    let world = world();
    assert_eq!(status(&world, "acme", store_alone("acme")).await, 201);
    // A proof of any file, which names acme's manifest.
    assert_eq!(status(&world, "bad", store("acme")).await, 201);
    assert_eq!(status(&world, "acme", delete(&plain())).await, 204);
    assert_eq!(served(&world, "", &own("acme")).await, "410");
    assert_eq!(served(&world, "", &own("bad")).await, "acme", "bad's own copy is bad's");
    world.assert_tidy().await;
}

#[tokio::test]
async fn a_proof_keeps_the_manifest_of_its_own_tenant() {
    let world = world();
    for tenant in ["bad", "acme"] {
        assert_eq!(status(&world, tenant, store("acme")).await, 201);
    }
    let media = media("acme");
    assert_eq!(status(&world, "bad", delete(&proof_of("acme", &media))).await, 403);
    assert_eq!(status(&world, "bad", delete(&proof_of("bad", &media))).await, 204);
    assert_eq!(served(&world, "", &own("bad")).await, "410");
    assert_eq!(served(&world, "", &own("acme")).await, "acme");
    let link = format!("{}/url", proof_of("acme", &media));
    assert_eq!(status(&world, "bad", get(&link)).await, 403);
    let replacement = json!({"manifest": {"taken": true}});
    let put = with_json(http::Method::PUT, &proof_of("acme", &media), &replacement);
    assert_eq!(status(&world, "bad", crate::http::ask::with(put, http::header::IF_MATCH, "*")).await, 403);
    assert_eq!(told(&world, "", get(&own("acme"))).await.body(), &content("acme"));
    world.assert_tidy().await;
}
