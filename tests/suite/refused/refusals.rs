//! One refused request after the other, and each of them repeated.

use bytes::Bytes;
use credlink_core::hash::MediaHash;
use data_encoding::BASE64;
use http::header::{ETAG, IF_MATCH};
use http::{Method, Request};
use serde_json::{Value, json};

use super::{assert_clean, assert_never_brought, content, id, manifest_row, served, store, store_alone};
use crate::http::ask::{ask, get, json, media, proof_path, with};
use crate::world::{Ground, World};

const GROUNDS: [Ground; 3] = [Ground::Memory, Ground::Folder, Ground::Dynamo];

/// Replaces the record that `tag` names with the manifest of this number.
fn replace(path: &str, media: &MediaHash, number: usize, tag: &str) -> Request<Bytes> {
    let body = json!({"manifest_base64": BASE64.encode(&content(media, number))});
    with(json(Method::PUT, path, &body), IF_MATCH, tag)
}

/// A world with a proof that has the manifest 1, and the proof's entity tag.
async fn with_a_proof(ground: Ground, name: &str) -> (World, String) {
    let world = World::on(ground);
    let stored = world.answer(store(&media(name), 1)).await;
    assert_eq!(stored.status(), 201);
    let tag = stored.headers()[ETAG].to_str().unwrap().to_owned();
    (world, tag)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_leaves_nothing() {
    for ground in GROUNDS {
        let (file, path) = (media("a"), proof_path("a"));
        let (world, tag) = with_a_proof(ground, "a").await;
        // The manifest of another file has the ID 2.
        assert_eq!(world.answer(store_alone(&media("b"), 2)).await.status(), 201);
        let private = json!({
            "media_hash": media("b").to_string(),
            "visibility": "private",
            "manifest_base64": BASE64.encode(&content(&media("b"), 2)),
        });
        let before = world.keys().await;
        for (request, status) in [
            (replace(&path, &file, 3, "\"other\""), 412),
            (with(json(Method::PUT, &path, &json!({"manifest": {"n": 3}})), IF_MATCH, "\"other\""), 412),
            (replace(&path, &file, 2, &tag), 409),
            (store(&media("c"), 2), 409),
            (store_alone(&media("c"), 1), 409),
            (json(Method::POST, "/v1/proofs", &private), 409),
            (replace(&proof_path("nobody"), &media("nobody"), 3, "*"), 404),
        ] {
            let place = format!("{ground:?} {} {}", request.method(), request.uri());
            let answer = world.answer(request).await;
            assert_eq!(answer.status().as_u16(), status, "{place}: {:?}", answer.body());
            let left: Vec<String> =
                world.keys().await.into_iter().filter(|key| !before.contains(key)).collect();
            // Every replacement begins with a copy of the current record, and the next one can use it.
            let copies: Vec<&String> = left.iter().filter(|key| !key.ends_with("/1")).collect();
            assert!(copies.is_empty(), "{place}: {left:?}");
        }
        let copy = world.answer(get(&format!("{path}/1"))).await;
        assert_eq!(copy.body(), world.answer(get(&path)).await.body(), "{ground:?}");
        assert_clean(&world).await;
        assert_never_brought(&world, 3).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_replacement_again_is_answered_as_the_first() {
    for ground in GROUNDS {
        let (file, path) = (media("a"), proof_path("a"));
        let (world, tag) = with_a_proof(ground, "a").await;
        let first = world.answer(replace(&path, &file, 2, &tag)).await;
        assert_eq!(first.status(), 200, "{ground:?}");
        let before = world.keys().await;
        for _ in 0..2 {
            let again = world.answer(replace(&path, &file, 2, &tag)).await;
            assert_eq!((again.status().as_u16(), &again.headers()[ETAG]), (200, &first.headers()[ETAG]));
        }
        let body: Value = serde_json::from_slice(world.answer(get(&path)).await.body()).unwrap();
        assert_eq!(body["revision"], 2);
        assert_eq!(world.keys().await, before, "{ground:?}");
        // With the tag of the first record, another manifest is refused, and so is the same one once a further
        // replacement has followed.
        assert_eq!(world.answer(replace(&path, &file, 3, &tag)).await.status(), 412);
        let current = first.headers()[ETAG].to_str().unwrap().to_owned();
        assert_eq!(world.answer(replace(&path, &file, 4, &current)).await.status(), 200);
        assert_eq!(world.answer(replace(&path, &file, 2, &tag)).await.status(), 412);
        assert_clean(&world).await;
        assert_never_brought(&world, 3).await;
    }
}

/// The manifest of a loser, after one round of a race that it certainly lost: the winner's row was there before its own
/// commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_loser_brought_can_be_stored_and_deleted_like_anything_else() {
    for ground in GROUNDS {
        let file = media("a");
        for attempt in 0.. {
            let world = World::on(ground);
            let send = |number| {
                let world = world.clone();
                let request = store(&file, number);
                tokio::spawn(async move { world.answer(request).await })
            };
            let (one, two) = (send(1), send(2));
            let (one, _) = (one.await.unwrap(), two.await.unwrap());
            let loser = if one.status() == 201 { 2 } else { 1 };
            if manifest_row(&world, loser).await.is_none() {
                // The loser came so late that it wrote nothing. Try again.
                assert!(attempt < 1_000, "{ground:?}: no race");
                continue;
            }
            let path = format!("/v1/manifests/{}", id(loser));
            // There is nothing to delete, and the manifest does not count as deleted afterwards.
            assert_eq!(world.answer(ask(Method::DELETE, &path)).await.status(), 204);
            assert_eq!(world.answer(get(&path)).await.status(), 404);
            for _ in 0..2 {
                assert_eq!(world.answer(store_alone(&file, loser)).await.status(), 201, "{ground:?}");
                assert_eq!(served(&world, loser).await, 200);
                assert_eq!(world.answer(ask(Method::DELETE, &path)).await.status(), 204);
                assert_eq!(served(&world, loser).await, 410, "{ground:?}: it was told of, and is deleted");
            }
            let other = world.answer(store_alone(&media("b"), loser)).await;
            assert_eq!(other.status(), 409, "{ground:?}: the id has a content for ever by now");
            assert_clean(&world).await;
            break;
        }
    }
}
