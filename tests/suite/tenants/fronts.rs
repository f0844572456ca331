//! The content of the plain address of a manifest ID.

use credlink_ports::{Objects as _, Ports as _};
use http::header::CACHE_CONTROL;

use super::{
    ID, body, decide, delete, make, own, plain, served, status, store, store_alone, store_as, told, world,
};
use crate::http::ask::get;

#[tokio::test]
async fn the_first_who_stores_in_public_is_served() {
    let world = world();
    // A private manifest claims nothing.
    assert_eq!(status(&world, "default", store_as("default", "private")).await, 201);
    assert_eq!(served(&world, "", &plain()).await, "404");
    assert_eq!(status(&world, "acme", store("acme")).await, 201);
    assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
    let answer = told(&world, "", get(&plain())).await;
    assert_eq!(answer.headers()[CACHE_CONTROL], "public, max-age=60, must-revalidate");
    for reader in ["", "acme", "bad"] {
        assert_eq!(served(&world, reader, &plain()).await, "acme");
    }
    let front = body(&told(&world, "", get(&format!("{}/front", plain()))).await);
    assert_eq!(
        front,
        serde_json::json!({"version": 1, "manifest_id": ID, "tenant": "acme", "decided_by": "claim"})
    );
    // The address stays with the tenant that had it: a deletion does not let another tenant's manifest be served there.
    assert_eq!(
        status(&world, "acme", delete(&super::proof_of("acme", &crate::http::ask::media("acme")))).await,
        204
    );
    assert_eq!(served(&world, "", &plain()).await, "410");
    assert_eq!(status(&world, "bad", store("bad")).await, 201);
    assert_eq!(served(&world, "", &plain()).await, "410");
    world.assert_tidy().await;
}

#[tokio::test]
async fn a_refused_store_claims_nothing() {
    let world = world();
    // The manifest does not bind this file.
    let refused = serde_json::json!({
        "media_hash": crate::http::ask::media("another").to_string(),
        "manifest_base64": data_encoding::BASE64.encode(&super::content("bad")),
    });
    let refused = crate::http::ask::json(http::Method::POST, "/v1/proofs", &refused);
    assert_eq!(status(&world, "bad", refused).await, 422);
    assert_eq!(status(&world, "acme", store("acme")).await, 201);
    assert_eq!(served(&world, "", &plain()).await, "acme");
}

#[tokio::test]
async fn the_operator_decides() {
    let world = world();
    assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
    assert_eq!(status(&world, "acme", store("acme")).await, 201);
    assert_eq!(served(&world, "", &plain()).await, "bad");
    assert_eq!((decide(&world, "", None).await, decide(&world, "acme", Some("acme")).await), (401, 403));
    assert_eq!(decide(&world, "operator", Some("acme")).await, 200);
    assert_eq!(served(&world, "", &plain()).await, "acme");
    assert_eq!(served(&world, "bad", &own("bad")).await, "bad", "nothing is taken away from bad");
    // After a release the address goes to the next tenant that stores.
    assert_eq!(decide(&world, "operator", None).await, 200);
    assert_eq!(served(&world, "", &plain()).await, "404");
    assert_eq!(served(&world, "acme", &plain()).await, "acme", "a tenant reads its own");
    assert_eq!(status(&world, "default", store_alone("default")).await, 201);
    assert_eq!(served(&world, "", &plain()).await, "default");
    world.assert_tidy().await;
}

#[tokio::test]
async fn what_was_stored_while_there_was_one_tenant_keeps_its_address() {
    let world = world();
    assert_eq!(status(&world, "default", store_alone("default")).await, 201);
    // Simulates that no front was written.
    let front = format!("fronts/{}", ID.replace(':', "%3A")).parse().unwrap();
    world.service().ports().objects().delete(&front).await.unwrap();
    assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
    assert_eq!(served(&world, "", &plain()).await, "default");
    // A walk completes a store that was cut off before it claimed the address.
    let acme = world;
    acme.service().ports().objects().delete(&front).await.unwrap();
    acme.clean_up().await;
    assert!(acme.keys().await.contains(&front.to_string()));
    assert_eq!(served(&acme, "", &plain()).await, "default");
}

#[tokio::test]
async fn a_store_that_is_repeated_claims_the_address_that_it_missed() {
    for alone in [true, false] {
        let world = world();
        let store = if alone { store_alone } else { store };
        assert_eq!(status(&world, "acme", store("acme")).await, 201);
        // Simulates a store that was cut off before it claimed the address.
        let front = format!("fronts/{}", ID.replace(':', "%3A")).parse().unwrap();
        world.service().ports().objects().delete(&front).await.unwrap();
        assert_eq!(status(&world, "acme", store("acme")).await, 200);
        assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
        assert_eq!(served(&world, "", &plain()).await, "acme");
    }
}

#[tokio::test]
async fn who_withdraws_what_has_no_front_yet_keeps_the_address() {
    let world = world();
    assert_eq!(status(&world, "default", store_alone("default")).await, 201);
    let front = format!("fronts/{}", ID.replace(':', "%3A")).parse().unwrap();
    world.service().ports().objects().delete(&front).await.unwrap();
    assert_eq!(make(&world, "default", "private").await, 204);
    assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
    assert_eq!(served(&world, "", &plain()).await, "404");
    assert_eq!(make(&world, "default", "public").await, 204);
    assert_eq!(served(&world, "", &plain()).await, "default");
}

#[tokio::test]
async fn what_the_operator_frees_is_claimed_by_stores_alone() {
    let world = world();
    assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
    assert_eq!(status(&world, "acme", store_alone("acme")).await, 201);
    assert_eq!(decide(&world, "operator", None).await, 200);
    world.clean_up().await;
    assert_eq!(make(&world, "bad", "public").await, 204);
    assert_eq!(served(&world, "", &plain()).await, "404");
    for form in ["", "?form=stored"] {
        let front = told(&world, "", get(&format!("{}/front{form}", plain()))).await;
        assert_eq!(
            (front.status().as_u16(), &body(&front)["tenant"]),
            (200, &serde_json::Value::Null),
            "{form}"
        );
    }
    assert_eq!(status(&world, "acme", store_alone("acme")).await, 200);
    assert_eq!(served(&world, "", &plain()).await, "acme");
}
