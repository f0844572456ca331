//! Signed links: a link opens the life of the proof for which it was signed, and no later life.

use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use http::Method;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::ask::{ask, get, json as request, media, proof_path, with};
use super::session::exchange;
use crate::world::tokens::OWNER;
use crate::world::{Ground, World};

const MANIFEST: &str = "urn:c2pa:00000000-0000-4000-8000-00000000000a";

/// The links to a private proof and to its manifest, as paths.
async fn links(world: &World) -> [String; 2] {
    let asked = get(&format!("{}/url", proof_path("x")));
    let answer = exchange(world, with(asked, AUTHORIZATION, format!("Bearer {OWNER}"))).await;
    let links: Value = serde_json::from_slice(answer.body()).unwrap();
    ["url", "manifest_url"].map(|name| {
        let url = links[name].as_str().unwrap_or_else(|| panic!("{links}"));
        url[url.find("/v1/").unwrap()..].to_owned()
    })
}

async fn status(world: &World, target: &str) -> u16 {
    exchange(world, get(target)).await.status().as_u16()
}

#[tokio::test]
async fn a_link_does_not_open_what_is_stored_after_a_deletion() {
    let world = World::with_tokens(Ground::Memory);
    let by_owner = async |request, wanted| {
        let answer = exchange(&world, with(request, AUTHORIZATION, format!("Bearer {OWNER}"))).await;
        assert_eq!(answer.status().as_u16(), wanted, "{:?}", answer.body());
    };
    let store = || {
        let manifest = BASE64.encode(&manifest_store(MANIFEST, media("x").digest()));
        let body = json!({
            "media_hash": media("x").to_string(), "manifest_base64": manifest, "visibility": "private",
        });
        request(Method::POST, "/v1/proofs", &body)
    };
    let mut ended: Vec<String> = Vec::new();
    for life in 1..=3 {
        by_owner(store(), 201).await;
        for link in &ended {
            assert_eq!(status(&world, link).await, 403, "life {life}: {link}");
        }
        let links = links(&world).await;
        for link in &links {
            assert_eq!(status(&world, link).await, 200, "life {life}: {link}");
        }
        by_owner(ask(Method::DELETE, &proof_path("x")), 204).await;
        for link in &links {
            assert_eq!(status(&world, link).await, 410, "life {life}: {link}");
        }
        ended.extend(links);
    }
}

/// A replacement does not end a life: the holder of a link reads the proof as replaced.
#[tokio::test]
async fn a_link_goes_on_opening_a_proof_that_is_replaced() {
    let world = World::with_tokens(Ground::Memory);
    let owner = |request| with(request, AUTHORIZATION, format!("Bearer {OWNER}"));
    let manifest = BASE64.encode(&manifest_store(MANIFEST, media("x").digest()));
    let body =
        json!({"media_hash": media("x").to_string(), "manifest_base64": manifest, "visibility": "private"});
    let stored = exchange(&world, owner(request(Method::POST, "/v1/proofs", &body))).await;
    assert_eq!(stored.status(), 201);
    let [link, _] = links(&world).await;
    let replace = with(
        request(
            Method::PUT,
            &proof_path("x"),
            &json!({"manifest": {"revision": 2}, "visibility": "private"}),
        ),
        http::header::IF_MATCH,
        "*",
    );
    assert_eq!(exchange(&world, owner(replace)).await.status(), 200);
    assert_eq!(status(&world, &link).await, 200);
}
