//! A manifest that its owner withdraws, and publishes again.

use credlink_service::fsck::Severity;

use super::{content, delete, make, own, plain, proof_of, served, status, store, store_alone, told, world};
use crate::http::ask::{get, media};

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
