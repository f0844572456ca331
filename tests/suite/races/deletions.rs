//! Deletions against stores and readers (guarantees 1 and 8).

use http::Method;

use super::{at_once, manifest, one, store, supersede};
use crate::http::ask::{ask, c2pa, get, media, proof_path};
use crate::world::{Ground, World};

/// A manifest is deleted by itself while a proof that holds it is stored.
async fn a_manifest_and_its_first_holder(ground: Ground) {
    let world = World::on(ground);
    for round in 0..60 {
        let name = format!("round {round}");
        let text = manifest(&media(&name), true, round)["manifest_base64"].as_str().unwrap().to_owned();
        let bytes = data_encoding::BASE64.decode(text.as_bytes()).unwrap();
        let path = format!("/v1/manifests/urn:c2pa:00000000-0000-4000-8000-{round:012}");
        assert_eq!(one(&world, c2pa(Method::POST, "/v1/manifests", bytes.clone())).await.status, 201);
        let mut requests = vec![store(&media(&name), true, round), ask(Method::DELETE, &path)];
        requests.rotate_left(round % 2);
        let mut answers = at_once(&world, requests).await;
        answers.rotate_right(round % 2);
        assert_eq!(answers[0].status, 201, "the proof is stored, whatever comes between: {answers:?}");
        assert!(matches!(answers[1].status, 204 | 409), "{answers:?}");
        let read = world.answer(get(&path)).await;
        assert_eq!(
            (read.status().as_u16(), read.body().as_ref()),
            (200, bytes.as_slice()),
            "a live proof holds it"
        );
    }
    world.assert_tidy().await;
}

/// The same while a replacement gives the manifest to a proof, so that the record is there before its row.
async fn a_manifest_and_a_replacement(ground: Ground) {
    let world = World::on(ground);
    for round in 0..60 {
        let name = format!("round {round}");
        let text = manifest(&media(&name), true, round)["manifest_base64"].as_str().unwrap().to_owned();
        let bytes = data_encoding::BASE64.decode(text.as_bytes()).unwrap();
        let path = format!("/v1/manifests/urn:c2pa:00000000-0000-4000-8000-{round:012}");
        assert_eq!(one(&world, store(&media(&name), false, round)).await.status, 201);
        assert_eq!(one(&world, c2pa(Method::POST, "/v1/manifests", bytes.clone())).await.status, 201);
        let replacement = supersede(&proof_path(&name), &media(&name), true, round, "*");
        let deletions = (0..round % 4).map(|_| ask(Method::DELETE, &path));
        let answers = at_once(&world, std::iter::once(replacement).chain(deletions).collect()).await;
        assert_eq!(answers[0].status, 200, "{answers:?}");
        assert_eq!(one(&world, get(&proof_path(&name))).await.body["manifest"]["type"], "application/c2pa");
        let read = world.answer(get(&path)).await;
        assert_eq!(
            (read.status().as_u16(), read.body().as_ref()),
            (200, bytes.as_slice()),
            "a live proof holds it"
        );
    }
    world.assert_tidy().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replacement_never_holds_a_manifest_that_is_gone_in_memory() {
    a_manifest_and_a_replacement(Ground::Memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replacement_never_holds_a_manifest_that_is_gone_in_a_folder() {
    a_manifest_and_a_replacement(Ground::Folder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_proof_never_holds_a_manifest_that_is_gone_in_memory() {
    a_manifest_and_its_first_holder(Ground::Memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_proof_never_holds_a_manifest_that_is_gone_in_a_folder() {
    a_manifest_and_its_first_holder(Ground::Folder).await;
}

/// A client that was told of a deletion never reads the proof again, whatever readers put into the cache meanwhile.
async fn a_deletion_and_its_readers(ground: Ground) {
    let world = World::on(ground);
    for round in 0..40 {
        let name = format!("round {round}");
        let path = proof_path(&name);
        assert_eq!(one(&world, store(&media(&name), round % 2 == 1, round)).await.status, 201);
        let reader = |world: World, path: String| {
            tokio::spawn(async move {
                for _ in 0..20 {
                    let status = one(&world, get(&path)).await.status;
                    assert!(matches!(status, 200 | 410), "{status}");
                }
            })
        };
        let readers: Vec<_> = (0..4).map(|_| reader(world.clone(), path.clone())).collect();
        assert_eq!(one(&world, ask(Method::DELETE, &path)).await.status, 204);
        assert_eq!(one(&world, get(&path)).await.status, 410, "it came back out of the cache");
        for reader in readers {
            reader.await.unwrap();
        }
        assert_eq!(one(&world, get(&path)).await.status, 410, "a reader brought it back");
    }
    world.assert_tidy().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_brings_back_what_was_deleted_in_memory() {
    a_deletion_and_its_readers(Ground::Memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_brings_back_what_was_deleted_in_a_folder() {
    a_deletion_and_its_readers(Ground::Folder).await;
}

/// A deletion that ends late, because another one finished it first, meets the next life of the proof.
async fn deletions_and_the_next_life(ground: Ground, rounds: usize) {
    let world = World::on(ground);
    for round in 0..rounds {
        let name = format!("round {round}");
        let (media, path) = (media(&name), proof_path(&name));
        assert_eq!(one(&world, store(&media, false, 0)).await.status, 201);
        for number in 1..4 {
            assert_eq!(one(&world, supersede(&path, &media, false, number, "*")).await.status, 200);
        }
        let lives = {
            let world = world.clone();
            let path = path.clone();
            tokio::spawn(async move {
                for number in 0..4 {
                    one(&world, store(&media, false, number)).await;
                    one(&world, supersede(&path, &media, false, number + 1, "*")).await;
                    one(&world, supersede(&path, &media, false, number + 2, "*")).await;
                }
            })
        };
        at_once(&world, (0..12).map(|_| ask(Method::DELETE, &path)).collect()).await;
        lives.await.unwrap();
        let current = one(&world, get(&path)).await;
        if current.status == 200 {
            let last = current.body["revision"].as_u64().unwrap();
            let earlier = one(&world, get(&format!("{path}/{}", last - 1))).await;
            assert_eq!(earlier.status, 200, "the record before revision {last} is gone");
        }
    }
    world.assert_tidy().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deletion_that_ends_late_leaves_the_next_life_alone_in_memory() {
    deletions_and_the_next_life(Ground::Memory, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deletion_that_ends_late_leaves_the_next_life_alone_in_a_folder() {
    deletions_and_the_next_life(Ground::Folder, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replacement_never_holds_a_manifest_that_is_gone_on_dynamodb() {
    a_manifest_and_a_replacement(Ground::Dynamo).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_proof_never_holds_a_manifest_that_is_gone_on_dynamodb() {
    a_manifest_and_its_first_holder(Ground::Dynamo).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_brings_back_what_was_deleted_on_dynamodb() {
    a_deletion_and_its_readers(Ground::Dynamo).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deletion_that_ends_late_leaves_the_next_life_alone_on_dynamodb() {
    deletions_and_the_next_life(Ground::Dynamo, 20).await;
}
